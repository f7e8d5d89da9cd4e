"""Where a plugin's code runs: in a thread of its own, so that one that hangs or blocks costs only its call.

Whatever a tool does (raise, hang, return 100 MB, NaN or no text), the run gets an observation.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from autoagent.errors import AutoagentError, ToolError
from autoagent.events import Label
from autoagent.redact import cut
from autoagent.tools import Observation, Tool, ToolContext

T = TypeVar("T")
_GRACE_S = 2.0


@dataclass(frozen=True)
class ToolOutcome:
    """What became of a tool's function."""

    ok: bool
    text: str
    labels: tuple[Label, ...] = ()


class ToolThread:
    """An event loop in a daemon thread; replaced when a tool blocks it past its time."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, tool: Tool, context: ToolContext, args: dict[str, Any]) -> ToolOutcome:
        """Call the tool. Only errors for the operator and cancellation come out as exceptions."""
        try:
            value = await self._bounded(tool.function(context, **args), tool.timeout_s)
        except ToolError as error:
            return ToolOutcome(False, cut(str(error), tool.output_limit))
        except TimeoutError:
            return ToolOutcome(False, f"{tool.name} was stopped after {tool.timeout_s:g} s without a result")
        except AutoagentError:
            raise
        except Exception as error:  # plugin code may raise anything; it becomes an observation
            text = f"{tool.name} failed: {type(error).__name__}: {error}"
            return ToolOutcome(False, cut(text, tool.output_limit))
        return _outcome(tool, value)

    async def _bounded(self, coroutine: Coroutine[Any, Any, T], timeout_s: float) -> T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._running())
        wrapped = asyncio.wrap_future(future)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(wrapped)
        except (TimeoutError, asyncio.CancelledError):
            future.cancel()
            done, _ = await asyncio.wait({wrapped}, timeout=_GRACE_S)
            if not done or not await self._alive():
                self._loop = None  # blocked for good: leave the daemon thread behind
            raise

    async def _alive(self) -> bool:
        async def nothing() -> None:
            return None

        beat = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(nothing(), self._running()))
        done, _ = await asyncio.wait({beat}, timeout=_GRACE_S)
        return bool(done)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_serve, args=(self._loop,), daemon=True, name="autoagent-tools").start()
        return self._loop

    def close(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def hop(function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """`function`, which belongs to the present loop, callable from a tool's thread."""
    home = asyncio.get_running_loop()

    async def there(*args: Any, **kwargs: Any) -> T:
        async def here() -> T:
            return await function(*args, **kwargs)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(here(), home))

    return there


def _outcome(tool: Tool, value: object) -> ToolOutcome:
    match value:
        case str():
            return ToolOutcome(True, cut(value, tool.output_limit))
        case Observation(text=text, labels=labels):
            return ToolOutcome(True, cut(text, tool.output_limit), labels)
        case _:
            kind = type(value).__name__
            return ToolOutcome(False, f"{tool.name} returned {kind}, not text: the plugin is broken")

