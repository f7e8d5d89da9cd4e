"""Stand-ins for the world in a replay: models, tools, sandbox, folder and memory, all from the record.

Nothing here reaches a disk, a network or a container; new objects stay in memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import BinaryIO, Literal

from autoagent import events as e
from autoagent.door.tools import Tool
from autoagent.equipment import ModelEquipment, SandboxEquipment
from autoagent.errors import StoreUnavailable, ToolError
from autoagent.events import CallDecided, CallEnded, Entry
from autoagent.grants import Ruling
from autoagent.loop.calls import SECOND_TRY, UNSURE
from autoagent.loop.requests import request_id
from autoagent.loop.toolbox import ToolOutcome
from autoagent.loop.workspace import Workspace
from autoagent.messages import Reply
from autoagent.past.replay_turns import Turns
from autoagent.past.replay_world import World
from autoagent.ports import (
    Abilities,
    CallTool,
    Job,
    JobResult,
    Lease,
    Listener,
    MemoryHit,
    MemoryPoint,
    ModelRequest,
    Objects,
    Price,
    Projection,
    ScriptFunction,
    SentCommand,
    StopScript,
)
from autoagent.questions import Question, Subject
from autoagent.trees import Tree, WorkingCopy, diff, load_tree
from autoagent.turns import SCRIPT


class ObjectsAbove:
    """The run's objects, read only; what the replay makes stays in memory."""

    def __init__(self, below: Objects) -> None:
        self._below, self._own = below, dict[str, bytes]()

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self._own.setdefault(sha256, bytes(data))
        return sha256

    def put_stream(self, stream: BinaryIO) -> tuple[str, int]:
        data = stream.read()
        return self.put(data), len(data)

    def get(self, sha256: str) -> bytes:
        own = self._own.get(sha256)
        return self._below.get(sha256) if own is None else own

    def open(self, sha256: str) -> BinaryIO:
        own = self._own.get(sha256)
        return self._below.open(sha256) if own is None else io.BytesIO(own)

    def has(self, sha256: str) -> bool:
        return sha256 in self._own or self._below.has(sha256)


class JournalInMemory:
    """The run's journal up to a point, and what the replay adds. Implements `loop.history.RunJournal`."""

    def __init__(self, objects: Objects, entries: Sequence[Entry], turns: Turns) -> None:
        self.objects = objects
        self._entries, self._turns = list(entries), turns

    def read(self, run_id: str, after: int = 0) -> list[Entry]:
        return self._entries[after:]

    def append(self, lease: Lease, entries: Sequence[Entry], *, sync: bool = False) -> None:
        self._entries.extend(entries)

    async def durable(self) -> None:
        await self._turns.pass_by()

    def renew(self, lease: Lease) -> None:
        """Nobody else wants it."""

    def holds(self, lease: Lease) -> bool:
        return True

    def commands(self, run_id: str, after: int = 0) -> list[SentCommand]:
        self._turns.give_due()  # what they came to stands in the record
        return []


class ModelFromRecord:
    """A model's replies, each when its turn has come."""

    def __init__(self, turns: Turns, known: ModelEquipment, style: Literal["tools", "code"]) -> None:
        self._turns, self._known, self._style = turns, known, style

    @property
    def name(self) -> str:
        return self._known.name

    @property
    def style(self) -> Literal["tools", "code"]:
        return self._style

    @property
    def price(self) -> Price:
        return Price(Decimal(self._known.prompt_usd), Decimal(self._known.completion_usd))

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        return await self._turns.reply(request_id(request.lane, request.role, request.number))

    async def close(self) -> None:
        """Nothing is open."""


class ToolsFromRecord:
    """How a lane's calls ended, each when its turn has come. Implements `loop.context.Execution`."""

    def __init__(self, turns: Turns, objects: Objects) -> None:
        self._turns, self._objects, self._world = turns, objects, World(turns)

    async def run(self, tool: Tool, decided: CallDecided, copy: WorkingCopy) -> tuple[ToolOutcome, float]:
        if decided.effect == "external" and not self._world.was_started(decided.call):
            await self._turns.pass_by()
            return self._world.probed(decided.call), 0.0
        ended = await self._turns.ended(decided.call)
        place(copy, ended, self._turns, self._objects)
        text = ended.output.removesuffix(UNSURE).removesuffix(SECOND_TRY)
        is_unsure = ended.output.endswith(UNSURE)
        outcome = ToolOutcome(ended.ok, text, ended.labels, ended.paths, is_not_done=not is_unsure)
        return outcome, ended.seconds

    def close(self) -> None:
        """No thread was started."""


def place(copy: WorkingCopy, ended: CallEnded, turns: Turns, objects: Objects) -> None:
    """Put into `copy` what a recorded write changed."""
    if ended.tree is None:
        return
    head = load_tree(turns.state.lanes[ended.lane].tree, objects)
    new = load_tree(ended.tree, objects)
    paths = diff(head, new).paths
    for path in sorted(paths, reverse=True):
        if path not in new.entries and copy.stat(path) is not None:
            copy.delete(path)
    for path in sorted(paths):
        if path in new.entries:
            copy.place(path, new.entries[path])


class SandboxFromRecord:
    """What scripts and checks came to; runs nothing."""

    def __init__(self, turns: Turns, known: SandboxEquipment, objects: Objects) -> None:
        self._turns, self._objects, self._world = turns, objects, World(turns)
        self._abilities = Abilities(**known.model_dump())

    @property
    def abilities(self) -> Abilities:
        return self._abilities

    async def run(
        self,
        lane: str,
        job: Job,
        files: WorkingCopy,
        functions: Sequence[ScriptFunction] = (),
        call_tool: CallTool | None = None,
    ) -> JobResult:
        if job.kind == "check":
            return check_result((await self._turns.checked()).evidence.text)
        assert call_tool is not None, "only scripts and checks come here: a tool's jobs end with its call"
        script = next(
            c.decided.call
            for c in self._turns.state.calls.values()
            if c.decided.lane == lane and c.decided.tool == SCRIPT and c.ended is None
        )
        try:
            await self._reads(script, call_tool)
            ended = await self._turns.ended(script)
            if ended.ok:
                await self._queue(script, ended, call_tool)
                place(files, ended, self._turns, self._objects)
        except StopScript:
            return JobResult(False, "", "stopped")
        return JobResult(ended.ok, "", "exit", problem=ended.output, seconds=ended.seconds)

    async def _reads(self, script: str, call_tool: CallTool) -> None:
        """The calls that the script made and that stand in the record, in order."""
        number = 1
        while (inner := self._world.inner(script, f"{script}.{number}")) is not None:
            await self._turns.pass_by()
            with suppress(ToolError):  # the script heard it, and its end says what came of it
                await call_tool(inner.tool, inner.args)
            number += 1

    async def _queue(self, script: str, ended: CallEnded, call_tool: CallTool) -> None:
        """What the script asked for afterwards; a missing number was a `finish` that a later one replaced."""
        wanted = {int(call.id.rpartition(".q")[2]): call for call in ended.queued}
        for number in range(1, max(wanted, default=0) + 1):
            call = wanted.get(number)
            with suppress(ToolError):
                if call is None:
                    await call_tool("finish", {"result": ""})
                else:
                    await call_tool(call.name, json.loads(call.arguments))

    def refuses(self, source: str, kind: Literal["python", "check"]) -> str | None:
        return self._world.refused()

    async def close_lane(self, lane: str) -> None:
        """There is no container."""

    async def close(self) -> None:
        """There is no container."""


_EVIDENCE = re.compile(
    r"(?:exit status (?P<status>-?\d+|None)|(?P<ended>\w+)) in a clean sandbox"
    r"(?:; the workspace is unchanged by this run)?(?:; it printed: (?P<said>.*))?",
    re.DOTALL,
)


def check_result(evidence: str) -> JobResult:
    """The job behind the evidence of a `run:` criterion."""
    found = _EVIDENCE.fullmatch(evidence)
    if found is None:
        return JobResult(False, "", "killed", problem=f"the record doesn't say how it went: {evidence}")
    said, status = found["said"] or "", found["status"]
    if status is None:
        return JobResult(False, said, found["ended"])  # type: ignore[arg-type]
    return JobResult(status == "0", said, "exit", None if status == "None" else int(status))


class FolderFromRecord:
    """The user's folder, as the record says that it was found. Implements `ports.Folder`."""

    def __init__(self, turns: Turns, objects: Objects, holds: str) -> None:
        self._world, self._objects, self._holds = World(turns), objects, holds

    def scan(self) -> Tree:
        found = self._world.found_in_folder()
        self._holds = found or self._holds
        return load_tree(self._holds, self._objects)

    def project(self, old: Tree, new: Tree, check: Callable[[], None] = lambda: None) -> Projection:
        if (clash := self._world.clash(new.id)) is not None:
            paths, self._holds = clash
            return Projection(foreign=paths)
        self._holds = new.id
        return Projection()


class GrantsFromRecord:
    """What the person's grants said, as recorded. A `loop.asking.Grants`."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def __call__(self, question: Question, now: datetime) -> Ruling:
        known = self._turns.recorded(question.id)
        if known is None:
            return self._of_a_new_one(question)
        answer = self._turns.ahead(e.QuestionAnswered, lambda x: x.question == known and x.by == "grant")
        return Ruling() if answer is None else Ruling(answer.grant, answer.text)

    def _of_a_new_one(self, question: Question) -> Ruling:
        """What was put down with the question: its note, and the answer right behind it."""
        coming = iter(self._turns.undone())
        for event in coming:
            if isinstance(event, e.QuestionAsked) and event.question.subject.call == question.subject.call:
                answer, note = next(coming, None), event.question.explained.note
                if isinstance(answer, e.QuestionAnswered) and answer.by == "grant":
                    return Ruling(answer.grant, answer.text, note)
                return Ruling(note=note)
        return Ruling()


_UNREADABLE = re.compile(r"\(memory could not be read: (.*)\)", re.DOTALL)
_DATED = re.compile(r"(\d{4}-\d\d-\d\d) (.*)", re.DOTALL)


class MemoryFromRecord:
    """What memory said and took, as recorded. Implements `ports.Memory`."""

    def __init__(self, turns: Turns) -> None:
        self._turns, self._world = turns, World(turns)

    async def store(self, points: Sequence[MemoryPoint]) -> None:
        for point in points:
            if (why := await self._world.stored(str(point.sub_task))) is not None:
                raise StoreUnavailable(why)

    async def search(self, query: str, limit: int = 8, without_run: str | None = None) -> list[MemoryHit]:
        recalled = self._world.recalled()
        if recalled is None:
            return []
        for text in recalled.texts:
            if broken := _UNREADABLE.fullmatch(text):
                raise StoreUnavailable(broken[1])
        # of what an older version recorded nobody knows where it comes from
        sources = recalled.sources or (None,) * len(recalled.texts)
        return [self._hit(*pair, recalled) for pair in zip(recalled.texts, sources, strict=True)]

    def _hit(self, text: str, source: e.Recalled | None, recalled: e.MemoryRecalled) -> MemoryHit:
        dated = _DATED.fullmatch(text)
        said = dated[2] if dated else text
        if source is None:
            at = datetime.fromisoformat(dated[1]).replace(tzinfo=UTC) if dated else self._turns.clock.now()
            point = MemoryPoint(id=text, text=said, run="", source="outcome", labels=recalled.labels, at=at)
            return MemoryHit(point, 1.0)
        point = MemoryPoint(
            id=text,
            text=said,
            run=source.run,
            sub_task=source.sub_task,
            source="outcome",
            labels=recalled.labels,
            goal=source.goal,
            at=source.at,
        )
        return MemoryHit(point, source.score, source.beside)

    async def get(self, point_id: str) -> MemoryPoint | None:
        return None  # only a person's commands look one up

    async def forget(self, point_id: str) -> bool:
        return False

    async def close(self) -> None:
        """Nothing is open."""


class WorkspaceInTurn(Workspace):
    """A workspace whose folder is looked at when its turn has come."""

    turns: Turns

    async def catch_up(self) -> Subject | None:
        await self.turns.look()
        return await super().catch_up()
