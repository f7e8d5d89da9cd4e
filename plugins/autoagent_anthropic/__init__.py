"""Claude by Anthropic's own API, which caches what a prompt begins with: `provider = "anthropic"`."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from autoagent.door.providers import ModelSpec, ProviderContext
from autoagent.door.tools import Plugin, ToolError
from autoagent.errors import ModelUnavailable
from autoagent.messages import Reply
from autoagent.ports import HttpReply, Listener, ModelRequest, Price
from autoagent.redact import one_line
from autoagent_anthropic.wire import Said, body_of, reply_of

_VERSION = "2023-06-01"
_AGAIN = (408, 409, 429, 500, 502, 503, 504, 529)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0


class AnthropicSettings(BaseModel):
    """The table `[plugins.anthropic]` of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    base_url: str = "https://api.anthropic.com/v1"
    """Where a model is whose table names no `base_url`."""


@dataclass(frozen=True)
class AnthropicModel:
    """One model behind the Messages API. Implements `autoagent.ports.Model`."""

    context: ProviderContext
    spec: ModelSpec
    url: str

    @property
    def name(self) -> str:
        return self.spec.model

    @property
    def style(self) -> Literal["tools", "code"]:
        return "tools" if self.spec.style == "auto" else self.spec.style

    @property
    def price(self) -> Price:
        return self.spec.price

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        """Whole: a listener hears the text once. Raises `ModelUnavailable`."""
        for number in range(1, self.spec.tries + 1):
            answer, why = await self._asked(request)
            if answer is not None and answer.status == 200:
                reply = self._read(answer)
                if listener is not None and reply.text:
                    listener.text(reply.text)
                return reply
            if (answer is not None and answer.status not in _AGAIN) or number == self.spec.tries:
                break
            await asyncio.sleep(_wait_s(answer, number))
        raise ModelUnavailable(f"model {self.name!r} at {self.url} gave no reply: {why}")

    async def close(self) -> None:
        """Nothing is open between requests."""

    async def _asked(self, request: ModelRequest) -> tuple[HttpReply | None, str]:
        """The answer, and what is wrong with it."""
        if self.spec.key is None:
            raise ModelUnavailable(
                f"model {self.name!r} needs a key: name its variable with key_env in config.toml, and set it"
            )
        headers = {"x-api-key": self.spec.key.get_secret_value(), "anthropic-version": _VERSION}
        try:
            answer = await self.context.http.post(
                f"{self.url}/messages",
                json=body_of(request, self.spec),
                headers=headers,
                timeout_s=self.spec.timeout_s,
                follow_redirects=False,  # a key goes to its own server
            )
        except ToolError as error:
            return None, str(error)
        return answer, f"{answer.status} {one_line(answer.text, 300)}"

    def _read(self, answer: HttpReply) -> Reply:
        try:
            return reply_of(Said.model_validate(answer.json()), self.spec.price)
        except (ValidationError, ToolError) as error:
            said = one_line(str(error), 200)
            raise ModelUnavailable(
                f"model {self.name!r} at {self.url} answers something else: {said}"
            ) from error


def _wait_s(answer: HttpReply | None, number: int) -> float:
    asked = "" if answer is None else answer.headers.get("retry-after", "")
    if asked.isdecimal():
        return min(float(asked), _LONGEST_WAIT_S)
    return min(_FIRST_WAIT_S * 2.0 ** (number - 1), _LONGEST_WAIT_S) * random.uniform(0.5, 1)


def model(context: ProviderContext, spec: ModelSpec) -> AnthropicModel:
    """What a table `[models.NAME]` with `provider = "anthropic"` stands for."""
    assert isinstance(context.settings, AnthropicSettings)
    return AnthropicModel(context, spec, (spec.base_url or context.settings.base_url).rstrip("/"))


plugin = Plugin(
    name="anthropic",
    settings=AnthropicSettings,
    models=model,
)
