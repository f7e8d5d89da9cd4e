"""A conversation with one runner: brings it the files, runs jobs, takes results. Knows no engine.

The container behind the stream is a cache: `held` is the tree that its workspace holds, and only what differs
is sent. After anything unexpected `fit` is false, and the container must be thrown away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import ValidationError

from autoagent.errors import SandboxUnavailable, ToolError
from autoagent.ports import CallTool, Job, JobResult, ScriptFunction, StopScript
from autoagent.sandboxes.harvest import Harvest, Refused
from autoagent.sandboxes.limits import Limits
from autoagent.sandboxes.protocol import (
    PNG,
    BadGuest,
    Ended,
    GuestGone,
    Hello,
    Stream,
    read_call,
    read_frame,
    read_paths,
)
from autoagent.sandboxes.sending import frames_between, why_too_large
from autoagent.trees import EMPTY, Tree, WorkingCopy, make_tree
from autoagent_sandbox import wire

HELLO_S = 60
SEND_S = 60
KILL_GRACE_S = 5
"""What a runner gets to end a job, before its container goes instead."""
IMAGES = 8
IMAGE_LIMIT_BYTES = 4 << 20

_SIGNALS = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}
"""By Linux's numbers, whatever the host is."""

UNCHANGED = "; nothing was changed"
Stopped = Literal["timeout", "stopped", "files"]


@dataclass
class Yield:
    """What came from one job so far."""

    harvest: Harvest
    output_limit_bytes: int
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    images: list[bytes] = field(default_factory=list)
    seen_images: int = 0

    def add_output(self, part: bytearray, data: bytes) -> None:
        part += data
        if len(self.head) + len(self.tail) > self.output_limit_bytes:
            raise BadGuest("it sent more output than was asked for")

    def add_image(self, data: bytes) -> None:
        """What is no picture, or too large a one, is left out."""
        self.seen_images += 1
        if self.seen_images > IMAGES:
            raise BadGuest("it sent more pictures than there may be")
        if data.startswith(PNG) and len(data) <= IMAGE_LIMIT_BYTES:
            self.images.append(data)

    def text(self, cut_bytes: int) -> str:
        middle = f"\n… {cut_bytes} bytes left out …\n" if cut_bytes else ""
        return self.head.decode("utf-8", "replace") + middle + self.tail.decode("utf-8", "replace")


class Stop(Exception):
    """The job must end now, and why."""

    def __init__(self, why: Stopped, problem: str) -> None:
        self.why, self.problem = why, problem
        super().__init__(problem)


class Guest:
    """One container's runner, from its hello to its end."""

    def __init__(self, stream: Stream, limits: Limits) -> None:
        self._stream, self._limits = stream, limits
        self._reading: asyncio.Task[tuple[bytes, bytes]] | None = None
        self._held = EMPTY
        self.fit = True

    async def hello(self) -> Hello:
        """The first frame. Raises `BadGuest` and `TimeoutError`."""
        kind, payload = await self._frame(time.monotonic() + HELLO_S)
        try:
            hello = Hello.model_validate_json(payload, strict=True)
        except ValidationError as error:
            raise BadGuest("it said something else than hello") from error
        if kind != wire.HELLO or hello.version != wire.VERSION:
            raise BadGuest("it speaks another protocol")
        return hello

    def is_alive(self) -> bool:
        return self.fit and not self._stream.is_gone()

    async def run(
        self, job: Job, files: WorkingCopy, functions: Sequence[ScriptFunction], call_tool: CallTool | None
    ) -> JobResult:
        """As `ports.Sandbox.run`; where the container dies the result is `killed`."""
        started = time.monotonic()
        before = files.tree()
        gained = Yield(Harvest(files, self._limits), job.output_limit_bytes)
        try:
            await self._sync(before, files)
            await self._send(wire.pack_json(wire.JOB, self._spec(job, functions)))
            result = await self._attend(job, gained, files, call_tool)
        except BadGuest as error:
            self.fit = False
            result = JobResult(False, gained.text(0), "killed", problem=_what_broke(error) + UNCHANGED)
        except BaseException:
            self.fit = False
            files.replace(before)
            raise
        if not result.ok or job.kind == "check":
            files.replace(before)
        return replace(result, images=tuple(gained.images), seconds=time.monotonic() - started)

    def close(self) -> None:
        """Hang up; the runner ends when its stream does, and everything in its container with it."""
        self.fit = False
        if self._reading is not None:
            self._reading.cancel()
        self._stream.close()

    # --- one job

    async def _attend(
        self, job: Job, gained: Yield, files: WorkingCopy, call_tool: CallTool | None
    ) -> JobResult:
        stop: Stop | None = None
        ended: Ended | None
        try:
            ended = await self._listen(job, gained, files, call_tool)
        except Stop as reason:
            stop = reason
            ended = await self._kill(gained)
        if ended is not None and ended.how == "unfit":
            raise SandboxUnavailable(
                f"the workspace can't be put into the sandbox: {ended.refused}; "
                "where it is too large, raise workspace_mb under [sandbox] in config.toml"
            )
        if stop is not None and stop.why != "timeout" and ended is not None and ended.how != "stopped":
            raise BadGuest("it went on after it was stopped")
        if stop is not None and (ended is None or ended.how == "stopped"):
            text = gained.text(0 if ended is None else ended.cut_bytes)
            result = JobResult(False, text, stop.why, problem=stop.problem + UNCHANGED)
        else:  # it may have ended well just before it was told to stop
            assert ended is not None
            result = self._conclude(job, ended, gained.text(ended.cut_bytes))
        return self._settle(result, job, ended, gained, files)

    def _settle(
        self, result: JobResult, job: Job, ended: Ended | None, gained: Yield, files: WorkingCopy
    ) -> JobResult:
        """Take the files over, or note what the container lost."""
        if ended is None or not ended.clean or ended.out_of_memory or ended.out_of_processes:
            self.fit = False
        if ended is not None and result.ok and job.kind != "check":
            return self._keep(result, ended, gained, files)
        if self.fit and ended is not None:
            self._held = _without(self._held, read_paths(ended.lost))
        return result

    async def _listen(self, job: Job, gained: Yield, files: WorkingCopy, call_tool: CallTool | None) -> Ended:
        """Until the job has ended. Raises `Stop` and `BadGuest`."""
        deadline = time.monotonic() + job.timeout_s
        while True:
            try:
                kind, payload = await self._frame(deadline)
            except TimeoutError:
                raise Stop("timeout", f"it did not end within {job.timeout_s:g} s and was killed") from None
            if kind == wire.ENDED:
                return _read_ended(payload)
            if kind == wire.CALL:
                asked = time.monotonic()
                await self._answer(payload, gained.harvest, files, call_tool)
                deadline += time.monotonic() - asked  # a tool's time, or a person's, is not the job's
            else:
                _gain(gained, kind, payload)

    async def _kill(self, gained: Yield) -> Ended | None:
        """How the job ended then; `None` where the runner does not answer in time."""
        await self._send(wire.pack(wire.KILL))
        deadline = time.monotonic() + KILL_GRACE_S
        while True:
            try:
                kind, payload = await self._frame(deadline)
            except TimeoutError:
                return None
            if kind == wire.ENDED:
                return _read_ended(payload)
            if kind != wire.CALL:  # it was on its way when the job was stopped
                _gain(gained, kind, payload)

    async def _answer(
        self, payload: bytes, harvest: Harvest, files: WorkingCopy, call_tool: CallTool | None
    ) -> None:
        """Bring `files` up to date, ask the tool, bring the container up to date, answer."""
        call = read_call(payload)
        try:
            harvest.apply()
        except Refused as error:
            raise Stop("files", str(error)) from error
        self._held = files.tree()
        try:
            if call_tool is None:
                raise ToolError(f"there is no tool {call.name!r}")
            answer = {"text": await call_tool(call.name, call.arguments)}
        except ToolError as error:
            answer = {"error": str(error)}
        except StopScript as error:
            raise Stop("stopped", f"the script was stopped ({error})") from error
        await self._sync(files.tree(), files)
        await self._send(wire.pack_json(wire.ANSWER, answer))

    def _keep(self, result: JobResult, ended: Ended, gained: Yield, files: WorkingCopy) -> JobResult:
        try:
            gained.harvest.apply(ended.removed)
        except Refused as error:
            self.fit = False
            return replace(result, ok=False, ended="files", problem=str(error) + UNCHANGED)
        self._held = files.tree()
        return result

    def _conclude(self, job: Job, ended: Ended, text: str) -> JobResult:
        """What an ending by itself means."""
        why = ""
        if ended.out_of_memory:
            why = f" (memory ran out: the sandbox has {self._limits.memory_mb} MB)"
        elif ended.out_of_processes:
            why = f" (it ran into the limit of {self._limits.processes} processes)"
        if ended.refused:
            return JobResult(False, text, "files", problem=ended.refused + UNCHANGED)
        if ended.how == "flooded":
            return JobResult(
                False, text, "killed", problem=f"it printed without end and was killed{UNCHANGED}"
            )
        if ended.how != "exited":
            name = _signal_name(ended.code)
            return JobResult(False, text, "killed", problem=f"it was killed by {name}{why}{UNCHANGED}")
        if ended.code == 0 or job.kind in ("shell", "check"):
            return JobResult(True, text, "exit", exit_code=ended.code)
        problem = f"the code ended with an error{why}{UNCHANGED}"
        return JobResult(False, text, "error", exit_code=ended.code, problem=problem)

    # --- the stream

    async def _sync(self, tree: Tree, files: WorkingCopy) -> None:
        """Make the container hold `tree`. Raises `SandboxUnavailable` where it is too large."""
        if self._held == tree and tree.id:
            return
        if problem := why_too_large(tree, self._limits):
            raise SandboxUnavailable(problem)
        for frame in frames_between(self._held, tree, files.objects):
            await self._send(frame)
        self._held = tree

    async def _send(self, frame: bytes) -> None:
        try:
            self._stream.write(frame)
            async with asyncio.timeout(SEND_S):
                await self._stream.drain()
        except TimeoutError as error:
            raise BadGuest("it takes nothing in") from error
        except OSError as error:
            raise GuestGone("it is gone") from error

    async def _frame(self, deadline: float) -> tuple[bytes, bytes]:
        """The next frame. A `TimeoutError` loses none of it."""
        if self._reading is None:
            self._reading = asyncio.create_task(read_frame(self._stream))
        done, _ = await asyncio.wait({self._reading}, timeout=max(0.0, deadline - time.monotonic()))
        if not done:
            raise TimeoutError
        task, self._reading = self._reading, None
        return task.result()

    def _spec(self, job: Job, functions: Sequence[ScriptFunction]) -> dict[str, object]:
        """See `autoagent_sandbox.job.Spec`."""
        return {
            "kind": job.kind,
            "source": job.source,
            "output_limit_bytes": job.output_limit_bytes,
            "quota_bytes": self._limits.workspace_bytes,
            "quota_files": self._limits.workspace_files,
            "functions": [(f.name, f.parameters, f.doc) for f in functions],
        }


def _gain(gained: Yield, kind: bytes, payload: bytes) -> None:
    match kind:
        case wire.OUTPUT:
            gained.add_output(gained.head, payload)
        case wire.TAIL:
            gained.add_output(gained.tail, payload)
        case wire.IMAGE:
            gained.add_image(payload)
        case wire.MEMBERS:
            gained.harvest.add(payload)
        case wire.DELETE:
            gained.harvest.remove(payload)
        case _:
            raise BadGuest(f"it sent a frame of the unknown kind {kind!r}")


def _what_broke(error: BadGuest) -> str:
    if isinstance(error, GuestGone):
        return "the sandbox died under the job, most likely because its memory ran out"
    return f"the job was killed because its sandbox can't be trusted any more: {error}"


def _read_ended(payload: bytes) -> Ended:
    try:
        return Ended.model_validate_json(payload, strict=True)
    except ValidationError as error:
        raise BadGuest("it ended in a way that can't be read") from error


def _without(tree: Tree, lost: Iterable[str]) -> Tree:
    """The tree less these paths and everything beneath them."""
    gone = set(lost)
    if not gone:
        return tree
    entries = {}
    for path, entry in sorted(tree.entries.items()):  # a folder comes before what it holds
        if path in gone or path.rpartition("/")[0] in gone:
            gone.add(path)
        else:
            entries[path] = entry
    return make_tree(entries)


def _signal_name(number: int) -> str:
    return _SIGNALS.get(number, f"signal {number}")
