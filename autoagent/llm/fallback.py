"""`FallbackModel`: several models for one role; the next one answers when one can't be had."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from autoagent.clock import Clock, SystemClock
from autoagent.errors import ModelUnavailable
from autoagent.messages import Reply
from autoagent.ports import Listener, Located, Model, ModelRequest, Price
from autoagent.redact import one_line

# Asking a dead server again costs a minute of tries, so it is asked again only now and then.
TRUST_AGAIN_S = 300.0


class FallbackModel:
    """Asks the first model; where that is unavailable, the next, and stays with the one that answered.

    After `TRUST_AGAIN_S` the first is asked again. `on_fallback` hears, in one line for people, who takes
    over and why. Raises `ModelUnavailable` that says what each of them said. Its price is the highest of all:
    a reservation must cover whoever answers. Prompts have the first one's style, which the others get too.
    """

    def __init__(
        self,
        models: Sequence[Model],
        on_fallback: Callable[[str], None],
        *,
        clock: Clock | None = None,
    ) -> None:
        assert models, "a role has at least one model"
        self._models = tuple(models)
        self._on_fallback = on_fallback
        self._clock = clock or SystemClock()
        self._current = 0
        self._left_first_at = 0.0

    @property
    def name(self) -> str:
        """Name of the model that is asked next."""
        return self._models[self._first()].name

    @property
    def server(self) -> str:
        """Of the model that is asked next; empty where that has none."""
        model = self._models[self._first()]
        return model.server if isinstance(model, Located) else ""

    @property
    def style(self) -> Literal["tools", "code"]:
        return self._models[0].style

    @property
    def price(self) -> Price:
        prices = [model.price for model in self._models]
        return Price(max(p.prompt for p in prices), max(p.completion for p in prices))

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        start, count = self._first(), len(self._models)
        problems: list[str] = []
        for index in ((start + i) % count for i in range(count)):
            if problems:
                self._on_fallback(
                    f"model {self._models[index].name!r} takes over: {one_line(problems[-1], 400)}"
                )
            try:
                reply = await self._models[index].reply(request, listener)
            except ModelUnavailable as error:
                problems.append(str(error))
                continue
            self._stay_with(index)
            return reply
        raise ModelUnavailable("; ".join(problems))

    async def close(self) -> None:
        for model in self._models:
            await model.close()

    def _first(self) -> int:
        if self._current and self._clock.monotonic() - self._left_first_at >= TRUST_AGAIN_S:
            return 0
        return self._current

    def _stay_with(self, index: int) -> None:
        if index and (self._current != index or self._first() == 0):
            self._left_first_at = self._clock.monotonic()
        self._current = index
