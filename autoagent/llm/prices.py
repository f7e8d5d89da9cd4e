"""What a model costs. Owns the order in which a price is found; the only importer of genai-prices.

1. The price in the settings. 2. Nothing on a loopback or private address: the machine is the user's own.
3. genai-prices, by address and model, then by model alone (a proxy). 4. A cautious default, and a note.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from autoagent.messages import Usage
from autoagent.ports import Price

MILLION = 1_000_000
# What the dearest widely used models cost in 2026: an unknown model ends a run early rather than late.
CAUTIOUS = Price(prompt=Decimal(5), completion=Decimal(25))
# Some models cost more for long prompts; prompts of agents stay below the usual step at 200,000 tokens.
USUAL_PROMPT_TOKENS = 100_000


@dataclass(frozen=True)
class Quote:
    """A price and where it comes from."""

    price: Price
    source: str
    """`settings`, `local`, `genai-prices` or `unknown`."""
    note: str = ""
    """For the operator, where the price is a guess."""


def quote(model: str, base_url: str, configured: Price | None = None) -> Quote:
    """The price of `model` at `base_url`. Imports genai-prices (300 ms) only where it is needed."""
    if configured is not None:
        return Quote(configured, "settings")
    if is_local(base_url):
        return Quote(Price(), "local")
    if (known := _known(model, base_url)) is not None:
        return Quote(known, "genai-prices")
    note = (
        f"the price of {model!r} is unknown, so a million prompt tokens count as {CAUTIOUS.prompt} USD and a "
        f"million completion tokens as {CAUTIOUS.completion} USD; set its `price` in config.toml"
    )
    return Quote(CAUTIOUS, "unknown", note)


def is_local(base_url: str) -> bool:
    """Whether the address is loopback or private by its own text; no name is resolved."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def cost_of(usage: Usage, price: Price) -> Decimal:
    """US dollars for `usage`; `None` adds nothing. Cached tokens count in full, so it is never too low."""
    prompt = price.prompt * (usage.prompt_tokens or 0)
    return (prompt + price.completion * (usage.completion_tokens or 0)) / MILLION


def _known(model: str, base_url: str) -> Price | None:
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    tokens = Tokens(input_tokens=USUAL_PROMPT_TOKENS, output_tokens=USUAL_PROMPT_TOKENS)
    for address in (base_url, None):
        try:
            found = calc_price(tokens, model, provider_api_url=address)
        except LookupError:
            continue
        scale = Decimal(MILLION) / USUAL_PROMPT_TOKENS
        return Price(prompt=found.input_price * scale, completion=found.output_price * scale)
    return None
