"""The process in which a plugin is tried: reads what to do line by line, and says what came of it.

Its standard output belongs to the checking process; what a tool prints is heard of and goes nowhere.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, cast, get_args

from pydantic import JsonValue, TypeAdapter

from autoagent.door.contexts import FilesView
from autoagent.door.tools import SEARCH, Plugin, Tool, ToolContext
from autoagent.errors import AutoagentError, ToolError
from autoagent.events import Effect
from autoagent.goal import Allow, Goal
from autoagent.loop.toolbox import ToolThread
from autoagent.outward.client import GuardedOutward
from autoagent.plugin_host.loading import Loaded, load
from autoagent.plugin_host.opening import Opening
from autoagent.ports import Job, JobResult
from autoagent.reach import Reach, reach_of_urls
from autoagent.settings import Settings
from autoagent.testing.conformance.script import Called, Calling, DeedSeen, Opened, Order, ToolSeen
from autoagent.testing.conformance.watching import Deed, Printed, Watch
from autoagent.testing.memory import DictMemory, DictPassages
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import Tree, WorkingCopy, diff

GRACE_S = 2.0
"""How long a cancelled call may take to end, as in a run."""
_MESSAGE: TypeAdapter[Order | Calling] = TypeAdapter(Order | Calling)


class Stage:
    """One plugin, loaded."""

    def __init__(self, opening: Order, watch: Watch) -> None:
        self.opening = opening
        self.watch = watch
        self.objects = MemoryObjects()
        copy = WorkingCopy(Tree({}, ""), self.objects)
        for path, content in opening.files.items():
            copy.write(path, base64.b64decode(content))
        self.before = copy.tree()
        self.thread = ToolThread(GRACE_S)
        self.passages = DictPassages()
        self.outward = GuardedOutward()
        self.loaded = Loaded({}, {})

    # --- opening --------------------------------------------------------------------------------------------

    async def open(self) -> Opened:
        """Import the plugin, and load and open it as a run does."""
        with self.watch.on() as deeds:
            try:
                plugin = self._imported()
            except BaseException as error:  # foreign code may raise anything
                return Opened(
                    problem=f"can't be imported: {type(error).__name__}: {error}", deeds=_seen(deeds)
                )
        given = self.opening.settings
        settings = Settings(plugins={} if given is None else {plugin.name: given})
        try:
            await self._load(plugin, settings)
        except AutoagentError as error:
            said = str(error)
            if settings.path:  # there is no such file here
                said = said.replace(f"{settings.path}: ", "")
            return Opened(name=plugin.name, problem=said, deeds=_seen(deeds))
        fixed = self.loaded.fixed
        tools = tuple(_tool_seen(tool, tool.name not in fixed) for tool in self.loaded.tools.values())
        return Opened(name=plugin.name, tools=tools, deeds=_seen(deeds))

    async def _load(self, plugin: Plugin, settings: Settings) -> None:
        """Raises `AutoagentError`."""
        goal = Goal(goal="try it", plugins=(), allow=Allow(web=self.opening.web))
        self.loaded = load(goal, [plugin], settings, self.opening.secrets, Path(self.opening.home))
        opening = Opening(self.loaded, on_note=lambda said: None, outward=self.outward)
        inputs = FilesView(WorkingCopy(self.before, self.objects))
        await opening.open(goal, inputs, AsyncExitStack())  # stays open as long as the process lives

    def _imported(self) -> Plugin:
        module, _, attribute = self.opening.target.partition(":")
        value = importlib.import_module(module)
        for name in attribute.split("."):
            value = getattr(value, name)
        if not isinstance(value, Plugin):
            raise TypeError(f"{self.opening.target} is no autoagent.Plugin but {type(value).__name__}")
        return value

    # --- calling --------------------------------------------------------------------------------------------

    async def call(self, calling: Calling) -> Called:
        tool = self.loaded.tools[calling.tool]
        copy = WorkingCopy(self.before, self.objects)
        try:
            args = tool.placed(tool.check(json.loads(calling.args)))
            files = {path: self._sha256(copy, path) for path in tool.sent_in(args)}
        except ToolError as error:
            return Called(refused=_whole(str(error)))
        try:
            effect, destination = tool.effect_of(args), tool.destination_of(args)
        except ToolError as error:
            return Called(refused=_whole(str(error)))
        except Exception as error:  # the plugin's own functions
            return Called(broken=_whole(f"{type(error).__name__}: {error}"))
        if calling.do == "judge":
            return Called(effect=effect, destination=_whole(destination))
        if calling.do == "probe":
            assert tool.probe is not None
            tool = replace(tool, function=_spoken(tool.probe))
        context = self._context(tool, calling.key, effect, destination, copy)
        return await self._carried_out(
            replace(tool, timeout_s=calling.timeout_s), context, args, files, calling
        )

    async def _carried_out(
        self,
        tool: Tool,
        context: ToolContext,
        args: Mapping[str, JsonValue],
        files: Mapping[str, str],
        calling: Calling,
    ) -> Called:
        began, outcome = time.monotonic(), None
        with self.watch.on() as deeds:
            self.watch.dies_at = calling.dies_at
            task = asyncio.create_task(self.thread.run(tool, context, args, files))
            if calling.cancel_after_s is not None:
                await asyncio.wait({task}, timeout=calling.cancel_after_s)
                began = time.monotonic()
                task.cancel()
            with suppress(asyncio.CancelledError):  # by us
                outcome = await task
        called = Called(
            effect=context.effect,
            destination=_whole(tool.destination_of(args)),
            deeds=_seen(deeds),
            changed=diff(self.before, context.working_copy.tree()).paths,
            seconds=time.monotonic() - began,
            was_cancelled=outcome is None,
        )
        if outcome is None:
            return called
        said = {
            "ok": outcome.ok,
            "text": _whole(outcome.text),
            "is_not_done": outcome.is_not_done,
        }
        return called.model_copy(update=said)

    def _sha256(self, copy: WorkingCopy, path: str) -> str:
        copy.read(path, 0, 0)  # raises: no such file
        entry = copy.stat(path)
        assert entry is not None
        return entry.sha256

    def _context(
        self, tool: Tool, key: str, effect: Effect, destination: str | None, copy: WorkingCopy
    ) -> ToolContext:
        reach = self._reach(effect, destination or "")
        http, _ = self.outward.http(_HeardReach(reach.hosts, source=reach.source, judged=self.watch.judged))
        return ToolContext(
            run_id="rehearsal",
            call_id=key,
            lane="main",
            key=key,
            effect=effect,
            working_copy=copy,
            run_job=_pretended if tool.runs_code else None,
            memory=DictMemory(),
            passages=self.passages,
            goal="try it",
            began_at=datetime(2026, 1, 1, tzinfo=UTC) if effect == "external" else None,
            settings=tool.settings,
            secrets=tool.secrets,
            http=http,
            home=tool.home,
        )

    def _reach(self, effect: Effect, destination: str) -> Reach:
        """Where a call may go, as in a run whose goal allows the rehearsal's world."""
        if effect == "external" or destination.startswith(SEARCH):
            return reach_of_urls(destination.removeprefix(SEARCH).split(", "), "the call's destination")
        return Reach(self.opening.web if destination else ())


@dataclass(frozen=True)
class _HeardReach(Reach):
    """Tells which addresses were judged: connections to them are `ctx.http`'s own."""

    judged: set[str] = field(default_factory=set)

    def refuses_address(self, host: str, port: int, address: str) -> str | None:
        why = super().refuses_address(host, port, address)
        if why is None:
            self.judged.add(f"{address}:{port}")
        return why


async def _pretended(job: Job) -> JobResult:
    """No code runs here: what a sandbox does is its own suite's matter."""
    return JobResult(ok=True, output="it ran\n", ended="exit", exit_code=0)


def _spoken(probe: Any) -> Any:
    """A probe as a tool's function: its answer as text."""

    async def ask(ctx: ToolContext, **args: Any) -> str:
        return repr(await probe(ctx, **args))

    return ask


def _whole(text: str | None) -> Any:
    """Without halves of characters, which no message holds."""
    return None if text is None else text.encode(errors="replace").decode()


def _seen(deeds: list[Deed]) -> tuple[DeedSeen, ...]:
    return tuple(dict.fromkeys(DeedSeen(kind=d.kind, what=d.what, is_guarded=d.is_guarded) for d in deeds))


def _tool_seen(tool: Tool, is_opened: bool) -> ToolSeen:
    return ToolSeen(
        name=tool.name,
        description=tool.description,
        parameters=json.loads(json.dumps(tool.schema.parameters)),
        effect=tool.effect if tool.effect in get_args(Effect) else None,
        destination=tool.destination is not None,
        paths=(*tool.paths, *tool.sends),
        has_probe=tool.probe is not None,
        has_key=tool.idempotency_key is not None,
        is_opened=is_opened,
        timeout_s=tool.timeout_s,
        output_limit=tool.output_limit,
    )


async def play(orders: TextIO, answers: TextIO) -> None:
    """Until there are no more orders."""
    stage: Stage | None = None
    while line := await asyncio.to_thread(orders.readline):
        order = _MESSAGE.validate_json(line)
        answer: Opened | Called
        if isinstance(order, Order):
            watch = Watch(order.free, order.canary, order.may_reach_all)
            sys.stdout = cast(TextIOWrapper, Printed(watch))
            stage = Stage(order, watch)
            answer = await stage.open()
        else:
            assert stage is not None
            answer = await stage.call(order)
        answers.write(answer.model_dump_json() + "\n")
        answers.flush()


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a native library prints
    asyncio.run(play(sys.stdin, answers))
    os._exit(0)  # a tool may have left a thread that blocks


if __name__ == "__main__":
    main()
