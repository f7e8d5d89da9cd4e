"""What a person sets once for all runs: models, memory, sandbox.

Read from the environment and from `config.toml` in the home folder; never from a workspace, which a run can
write. Holds names of variables that hold secrets, and secrets only as `SecretStr`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from autoagent.messages import Frozen

OPENAI_URL = "https://api.openai.com/v1"


class PriceSettings(Frozen):
    """US dollars for a million tokens."""

    prompt: Decimal = Field(ge=0)
    completion: Decimal = Field(ge=0)


class ModelSettings(Frozen):
    """One model behind one address: a table `[models.NAME]`."""

    model: str
    """Its name at the server."""
    base_url: str = OPENAI_URL
    key_env: str = "OPENAI_API_KEY"
    """The variable that holds the key; a server that needs none ignores it."""
    price: PriceSettings | None = None
    """`None`: 0 on a local address, else looked up."""
    style: Literal["tools", "code", "auto"] = "auto"
    context_tokens: int = Field(default=128_000, ge=1_000)
    max_tokens: int = Field(default=4_096, ge=1)
    """Cap of one completion."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """`None`: as each request says."""
    timeout_connect_s: float = Field(default=10, gt=0)
    timeout_first_byte_s: float = Field(default=300, gt=0)
    """Until the first token. Long: a small machine reads a long prompt for minutes."""
    timeout_silence_s: float = Field(default=120, gt=0)
    """Between two tokens."""
    tries: int = Field(default=8, ge=1, le=100)
    """Requests before a model counts as unavailable; eight are about a minute of waiting."""
