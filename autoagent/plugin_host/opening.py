"""Plugins that are open while a run is carried: each in a loop and a thread of its own.

Opened once before the run goes on, closed when it stops. What they open is hashed into their plugin's hash
and stands in the record; a plugin may say later that its tools have become others.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

from pydantic import BaseModel

from autoagent.door.contexts import FilesView, PluginContext
from autoagent.door.tools import Tool
from autoagent.errors import AutoagentError, JournalConflict, Unavailable, UsageError
from autoagent.events import ToolsOpened
from autoagent.goal import Goal
from autoagent.loop.history import History
from autoagent.loop.toolbox import serve
from autoagent.plugin_host import loading as plugins
from autoagent.plugin_host.loading import Enabled
from autoagent.plugin_host.opened import as_record, changes, hash_of, labels_of, records_of
from autoagent.ports import Http, Objects, Outward
from autoagent.reach import Reach, reach_of_urls
from autoagent.redact import one_line

_CLOSING_S = 5.0
"""How long a plugin may take to close before it is stopped, and again before its thread is left behind."""
OnNote = Callable[[str], None]


@dataclass
class Opening:
    """The plugins of one run that have something to open."""

    loaded: plugins.Loaded
    """Its tools and hashes follow what is opened."""
    on_note: OnNote
    outward: Outward
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _history: History | None = None

    async def open(self, goal: Goal, inputs: FilesView, stack: AsyncExitStack) -> None:
        """Open all of them, one after the other; `stack` closes them.

        Raises `Unavailable` that names the plugin, and the `AutoagentError` that a plugin raises itself.
        """
        for enabled in self.loaded.openable:
            kept = _Kept(enabled, self._told, self.outward.http(reach_of(enabled, goal))[0])
            stack.push_async_callback(self._close, kept)
            tools = await kept.open(goal, inputs)
            self._kept[enabled.plugin.name] = kept
            self._take(kept, tools)

    async def _close(self, kept: _Kept) -> None:
        if said := await kept.close():
            self.on_note(said)

    @contextmanager
    def carried(self, history: History) -> Iterator[None]:
        """Meanwhile the run's record follows what is opened, first with what is open now."""
        self._history = history
        for kept in self._kept.values():
            self._record(kept)
        try:
            yield
        finally:
            self._history = None

    # --- tools that become others ---------------------------------------------------------------------------

    def _told(self, kept: _Kept, tools: Sequence[Tool]) -> None:
        """A plugin says that its tools are these now; on the run's own loop."""
        try:
            self._take(kept, tools)
        except UsageError as error:
            self.on_note(f"the tools of {kept.name} stay as they were: {error}")
            return
        if self._history is not None and self._history.state.ended is None:
            with suppress(JournalConflict):  # another process has the run, and this one hears of it elsewhere
                self._record(kept)

    def _take(self, kept: _Kept, tools: Sequence[Tool]) -> None:
        """Have these tools among the run's. Raises `UsageError` where they can't be."""
        name = kept.enabled.plugin.name
        others = {x.name: x for k in self._kept.values() if k is not kept for x in k.tools}
        plugins.check_tools(name, tools, {**self.loaded.fixed, **others})
        kept.tools = tuple(plugins.of_plugin(kept.here(tool), kept.enabled) for tool in tools)
        opened = {tool.name: tool for k in {**self._kept, name: kept}.values() for tool in k.tools}
        self.loaded.tools.clear()
        self.loaded.tools.update({**self.loaded.fixed, **opened})
        self.loaded.hashes[name] = hash_of(kept.enabled.hash, records_of(kept.tools))

    def _record(self, kept: _Kept) -> None:
        """Put down what is open, where the record doesn't say it already, and how it differs."""
        assert self._history is not None
        history, name = self._history, kept.enabled.plugin.name
        known, now = history.state.opened.get(name), self.loaded.hashes[name]
        if known is not None and known.hash == now:
            return
        history.record(
            ToolsOpened(
                plugin=name,
                hash=now,
                tools=history.journal.objects.put(as_record(kept.tools)),
                labels=labels_of(kept.tools),
                changed={} if known is None else self._differences(known, kept, history.journal.objects),
            )
        )

    @staticmethod
    def _differences(known: ToolsOpened, kept: _Kept, objects: Objects) -> dict[str, str]:
        return changes(json.loads(objects.get(known.tools)), records_of(kept.tools))


def reach_of(enabled: Enabled, goal: Goal) -> Reach:
    """Where a plugin may go while it is open: the goal's web hosts, and the hosts of URLs in its settings."""
    named = reach_of_settings(None if enabled.own is None else enabled.own.values).hosts
    source = "the goal's 'allow: web' or the plugin's settings" if named else "the goal's 'allow: web'"
    return Reach((*goal.allow.web, *named), source=source)


def reach_of_settings(settings: BaseModel | None) -> Reach:
    """The hosts of the URLs in a plugin's settings."""
    urls = () if settings is None else _texts(settings.model_dump(mode="json"))
    return reach_of_urls(urls, "the plugin's settings")


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            for item in value.values():
                yield from _texts(item)


class _Kept:
    """One plugin, held open by a task in a loop of its own."""

    def __init__(self, enabled: Enabled, told: Callable[[_Kept, Sequence[Tool]], None], http: Http) -> None:
        self.enabled = enabled
        self._http = http
        self.tools: tuple[Tool, ...] = ()
        self._told = told
        self._home = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready: Future[Sequence[Tool]] = Future()
        self._over: Future[None] = Future()
        self._keeping: Future[None] | None = None
        self._closing_problem = ""

    @property
    def name(self) -> str:
        return f"the plugin {self.enabled.plugin.name!r}"

    async def open(self, goal: Goal, inputs: FilesView) -> Sequence[Tool]:
        """What it opens. Raises `AutoagentError`."""
        enabled = self.enabled
        context = PluginContext(
            goal=goal,
            inputs=inputs,
            settings=None if enabled.own is None else enabled.own.values,
            secrets={} if enabled.own is None else enabled.own.secrets,
            http=self._http,
            changed=self._changed,
            home=enabled.home,
        )
        thread = f"autoagent-plugin-{enabled.plugin.name}"
        threading.Thread(target=serve, args=(self._loop,), daemon=True, name=thread).start()
        self._keeping = asyncio.run_coroutine_threadsafe(self._keep(context), self._loop)
        limit = enabled.plugin.opening_s
        ready = asyncio.wrap_future(self._ready)
        ready.add_done_callback(_heard)
        done, _ = await asyncio.wait({ready}, timeout=limit)
        if not done:
            raise Unavailable(f"{self.name} was not open after {limit:g} s; is what it opens there?")
        try:
            return self._ready.result()
        except AutoagentError:
            raise
        except BaseException as error:  # the plugin's code is foreign
            said = one_line(f"{type(error).__name__}: {error}", 300)
            raise Unavailable(f"{self.name} can't be opened: {said}") from error

    async def _keep(self, context: PluginContext) -> None:
        """Enter, wait, leave: in one task, as libraries with scopes of their own want it."""
        opened = self.enabled.plugin.opened
        assert opened is not None
        try:
            async with opened(context) as tools:
                self._ready.set_result(tools)
                await self._stop.wait()
        except BaseException as error:  # foreign code; sys.exit() would end the thread's loop
            if self._ready.done():
                self._closing_problem = f"{type(error).__name__}: {error}"
            else:
                self._ready.set_exception(error)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._over.set_result(None)

    async def close(self) -> str:
        """Let it close, then stop it, then leave it; what there is to say of that, empty where nothing is."""
        if self._keeping is None:
            return ""
        self._there(self._stop.set)
        if not self._ready.done():
            self._keeping.cancel()
        over = asyncio.wrap_future(self._over)
        done, _ = await asyncio.wait({over}, timeout=_CLOSING_S)
        if not done:
            self._keeping.cancel()
            done, _ = await asyncio.wait({over}, timeout=_CLOSING_S)
        self._there(self._loop.stop)
        if not done:
            return f"{self.name} didn't close, and is left as it is"
        problem = one_line(self._closing_problem, 200)
        return f"{self.name} did not close well: {problem}" if problem else ""

    def _there(self, function: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # its loop has ended
            self._loop.call_soon_threadsafe(function)

    # --- from and to its thread -----------------------------------------------------------------------------

    def _changed(self, tools: Sequence[Tool]) -> None:
        with suppress(RuntimeError):  # the run is over and its loop closed: nobody listens any more
            self._home.call_soon_threadsafe(self._told, self, tools)

    def here(self, tool: Tool) -> Tool:
        """The tool with its functions in the plugin's own loop."""
        probe = None if tool.probe is None else self._hopping(tool.probe)
        return replace(tool, function=self._hopping(tool.function), probe=probe)

    def _hopping(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        async def called(*args: Any, **kwargs: Any) -> Any:
            return await _carried_in(self._loop, function, args, kwargs)

        return called


def _heard(future: asyncio.Future[Any]) -> None:
    """What came of it is read where it was made."""
    if not future.cancelled():
        future.exception()


async def _carried_in(
    loop: asyncio.AbstractEventLoop,
    function: Callable[..., Any],
    args: Iterable[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """Call an async function in another thread's loop; a cancellation returns once it has ended there."""
    over: Future[None] = Future()

    async def there() -> tuple[Any, BaseException | None]:
        try:
            return await function(*args, **kwargs), None
        except BaseException as error:  # handed over: sys.exit() is not to end the plugin's loop
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            return None, error
        finally:
            over.set_result(None)

    future = asyncio.run_coroutine_threadsafe(there(), loop)
    try:
        value, problem = await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        await asyncio.wait({asyncio.wrap_future(over)})
        raise
    if problem is not None:
        raise problem
    return value
