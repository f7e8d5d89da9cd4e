"""Where a plugin's code runs: in a thread of its own, so that one that hangs or blocks costs only its call.

Whatever a tool does (raise, exit, hang, return 100 MB, NaN or no text), the run gets an observation.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import JsonValue

from autoagent.door.tools import Observation, Tool, ToolContext
from autoagent.errors import AutoagentError, NotDone, ToolError
from autoagent.events import Label
from autoagent.redact import cut

T = TypeVar("T")
_GRACE_S = 2.0


@dataclass(frozen=True)
class ToolOutcome:
    """What became of a tool's function."""

    ok: bool
    text: str
    labels: tuple[Label, ...] = ()
    paths: tuple[str, ...] | None = None
    """As `Observation.paths`."""
    is_not_done: bool = False
    """It failed, and says that nothing happened outside."""


class ToolThread:
    """An event loop in a daemon thread; replaced when a tool does not let go of it."""

    def __init__(self, grace_s: float = _GRACE_S) -> None:
        self._grace_s = grace_s
        """How long a tool that was stopped may take to end."""
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(
        self,
        tool: Tool,
        context: ToolContext,
        args: Mapping[str, JsonValue],
        files: Mapping[str, str],
        at_last: Callable[[], None] = lambda: None,
    ) -> ToolOutcome:
        """Call the tool with checked arguments; `files` gives the hash of each path to be sent.

        `at_last` is called in the tool's thread, and nothing but the tool after it; what it raises ends the
        call. Raises only `AutoagentError`, for the operator, and `CancelledError`: the tool has ended then,
        or its thread is left behind.
        """
        try:
            return await self.within(lambda: _carried(tool, context, args, files, at_last), tool.timeout_s)
        except TimeoutError:
            return ToolOutcome(False, f"{tool.name} was stopped after {tool.timeout_s:g} s without a result")

    async def within(self, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float) -> T:
        """What `work` gives, in the thread, and nothing else of ours at the same time.

        Raises what it raises; `TimeoutError` and `CancelledError`: it has ended then, or its thread is left
        behind.
        """
        home, over = asyncio.get_running_loop(), asyncio.Event()

        async def carried() -> T:
            try:
                return await work()
            finally:
                with suppress(RuntimeError):  # the run is over and its loop closed: nobody listens any more
                    home.call_soon_threadsafe(over.set)

        future = asyncio.run_coroutine_threadsafe(carried(), self._running())
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(future)
        except (TimeoutError, asyncio.CancelledError):
            await self._let_go(over)
            raise

    async def _let_go(self, over: asyncio.Event) -> None:
        """Wait for a stopped tool to end; one that blocks its thread, or won't end, keeps that thread."""
        try:
            async with asyncio.timeout(self._grace_s):
                await over.wait()
        except TimeoutError:
            self.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=serve, args=(self._loop,), daemon=True, name="autoagent-tools").start()
        return self._loop

    def close(self) -> None:
        """End the thread, as soon as nothing blocks it; the next call starts another."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None


async def _carried(
    tool: Tool,
    context: ToolContext,
    args: Mapping[str, JsonValue],
    files: Mapping[str, str],
    at_last: Callable[[], None],
) -> ToolOutcome:
    """The call, in the tool's thread. Raises `AutoagentError`; `CancelledError` only when cancelled."""
    try:
        typed = tool.typed(args, files)
        at_last()
        return _outcome(tool, await tool.function(context, **typed))
    except ToolError as error:
        text = message_of(error) or f"{tool.name} failed and didn't say why"
        return _failed(tool, text, labels=error.labels, is_not_done=isinstance(error, NotDone))
    except AutoagentError:
        raise
    except BaseException as error:  # plugin code may raise anything; sys.exit() ends its call, not the run
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        return _failed(tool, f"{tool.name} failed: {type(error).__name__}: {message_of(error)}")


def _outcome(tool: Tool, value: object) -> ToolOutcome:
    match value:
        case str():
            return ToolOutcome(True, cut(str(value), tool.output_limit))
        case Observation(text=text, labels=labels, paths=paths):
            return ToolOutcome(True, cut(text, tool.output_limit), labels, paths)
        case _:
            kind = type(value).__name__
            return ToolOutcome(False, f"{tool.name} returned {kind}, not text: the plugin is broken")


def _failed(
    tool: Tool, text: str, *, labels: tuple[Label, ...] = (), is_not_done: bool = False
) -> ToolOutcome:
    return ToolOutcome(False, cut(text, tool.output_limit), labels, is_not_done=is_not_done)


def message_of(error: BaseException) -> str:
    """Its text; plugin code may raise anything."""
    try:
        return str(error)
    except Exception:  # an error of a plugin may be broken too
        return "(its message can't be read)"


def serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run `loop` until it is stopped, then end what tools left running in it."""
    asyncio.set_event_loop(loop)
    try:
        while not _stopped(loop.run_forever):
            pass
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        while not _stopped(lambda: loop.run_until_complete(asyncio.wait(left)) if left else None):
            pass
    finally:
        loop.close()


def _stopped(run: Callable[[], object]) -> bool:
    """Whether the loop ended by itself; `False` where a task that a tool left behind called `sys.exit()`."""
    try:
        run()
    except (SystemExit, KeyboardInterrupt):
        return False
    return True


def hop(function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """`function`, which belongs to the present loop, callable from a tool's thread."""
    home = asyncio.get_running_loop()

    async def there(*args: Any, **kwargs: Any) -> T:
        async def here() -> T:
            return await function(*args, **kwargs)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(here(), home))

    return there
