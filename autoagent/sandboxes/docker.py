"""The Docker sandbox: one container a lane, locked down, with nothing of the host in it.

Files and jobs go through the runner's stream (`autoagent.sandboxes.guest`); the engine only starts and
removes containers, and says how the container of a check exited. No guest code ever runs on the host.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

from autoagent.errors import SandboxUnavailable
from autoagent.ports import Abilities, CallTool, Job, JobResult, ScriptFunction
from autoagent.sandboxes.attached import Attached
from autoagent.sandboxes.engine import IMAGE_VARIABLE, Container, Engine, is_dead, this_process
from autoagent.sandboxes.guest import Guest
from autoagent.sandboxes.limits import Limits
from autoagent.sandboxes.protocol import BadGuest, Hello
from autoagent.settings import SandboxSettings
from autoagent.trees import WorkingCopy
from autoagent_sandbox import guest_program, image_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineStatus:
    """What a look at the engine found."""

    problem: str = ""
    """Why there is none that can be used, and what to do; empty where there is."""
    version: str = ""
    image: str = ""
    has_image: bool = False
    """Without it, `connect` builds it, which takes a minute or two and a connection."""


@dataclass
class Room:
    """A container with the guest in it."""

    id: str
    guest: Guest
    stream: Attached


class DockerSandbox:
    """Implements `ports.Sandbox`. Make it with `connect`."""

    def __init__(self, engine: Engine, image: str, run_id: str, limits: Limits, runtime: str | None) -> None:
        self._engine, self._image, self._run_id, self._limits = engine, image, run_id, limits
        self._runtime = runtime
        self._rooms: dict[str, Room] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._abilities = Abilities("docker", "full", shell=True)

    async def greet(self) -> None:
        """Start the first container, that of the lane `main`, and learn what it can do."""
        try:
            self._rooms["main"], hello = await self._start("main")
        except BaseException:
            await self.close()
            raise
        notes = f"Python {hello.python} and a shell, no network."
        self._abilities = replace(self._abilities, packages=hello.packages, notes=notes)

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
            return await self._check(lane, job, files)
        async with self._locks.setdefault(lane, asyncio.Lock()):
            room = await self._room(lane)
            try:
                return await room.guest.run(job, files, functions, call_tool)
            finally:
                if not room.guest.fit and self._rooms.get(lane) is room:
                    await self.close_lane(lane)

    def refuses(self, source: str, kind: Literal["python", "check"]) -> str | None:
        """Never: it is a whole Python and a whole shell."""
        return None

    async def close_lane(self, lane: str) -> None:
        if room := self._rooms.pop(lane, None):
            self._discard(room)

    async def close(self) -> None:
        for lane in list(self._rooms):
            await self.close_lane(lane)
        while self._leaving:
            await asyncio.gather(*self._leaving)
        try:  # again: the engine may have made one for a process that died meanwhile
            await asyncio.to_thread(_remove_abandoned, self._engine)
        except SandboxUnavailable as error:
            log.warning("abandoned containers could not be removed: %s", error)
        self._engine.close()

    async def _check(self, lane: str, job: Job, files: WorkingCopy) -> JobResult:
        """In a container of its own; the verdict is how that exits, as the engine saw it."""
        room, _ = await self._start(lane, keep=True)
        try:
            result = await room.guest.run(job, files, (), None)
            if result.ended != "exit":
                return result
            return replace(result, exit_code=await asyncio.to_thread(self._engine.exit_status, room.id))
        finally:
            self._discard(room)

    async def _room(self, lane: str) -> Room:
        """The lane's container; a new one where it has none, or where it died meanwhile."""
        if (room := self._rooms.get(lane)) and not room.guest.is_alive():
            self._discard(self._rooms.pop(lane))
        if lane not in self._rooms:
            self._rooms[lane], _ = await self._start(lane)
        return self._rooms[lane]

    async def _start(self, lane: str, *, keep: bool = False) -> tuple[Room, Hello]:
        starting = asyncio.ensure_future(
            asyncio.to_thread(
                self._engine.start,
                self._image,
                self._run_id,
                lane,
                self._limits,
                keep=keep,
                runtime=self._runtime,
            )
        )
        try:
            container = await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._later(self._remove_started(starting))
            raise
        stream = await Attached.over(container.stream)
        room = Room(container.id, Guest(stream, self._limits), stream)
        try:
            stream.write(guest_program())
            return room, await room.guest.hello()
        except (BadGuest, TimeoutError) as error:
            self._discard(room)
            raise SandboxUnavailable(
                f"the sandbox image {self._image} does not start the runner ({error}): "
                f"{stream.errors or 'it said nothing'}; `python3` there must be 3.11 or newer"
            ) from error
        except BaseException:
            self._discard(room)
            raise

    def _discard(self, room: Room) -> None:
        """Hang up, which ends everything in it at once; the engine's part may come later."""
        room.guest.close()
        self._later(self._remove(room.id))

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _remove_started(self, starting: asyncio.Future[Container]) -> None:
        try:
            container = await starting
        except SandboxUnavailable as error:
            log.warning("a cancelled sandbox did not start: %s", error)
            return
        container.stream.close()
        await self._remove(container.id)

    async def _remove(self, id: str) -> None:
        try:
            await asyncio.to_thread(self._engine.remove, id)
        except SandboxUnavailable as error:
            log.warning("the container %s could not be removed: %s", id[:12], error)


async def connect(settings: SandboxSettings, run_id: str, on_note: Callable[[str], None]) -> DockerSandbox:
    """A sandbox that has started its first container.

    Call it while you hold the run's lease: containers that other processes started for the run, dead or
    thawed, are removed first. Builds the shipped image where it is needed and missing.
    Raises `SandboxUnavailable`.
    """
    engine = await asyncio.to_thread(Engine.connect)
    try:
        image = await asyncio.to_thread(_find_image, engine, settings, on_note)
        await asyncio.to_thread(_remove_leftovers, engine, run_id)
        await asyncio.to_thread(_remove_abandoned, engine)
    except BaseException:
        engine.close()
        raise
    limits = Limits(
        memory_mb=settings.memory_mb,
        workspace_mb=settings.workspace_mb,
        processes=settings.processes,
        cpus=settings.cpus,
    )
    sandbox = DockerSandbox(engine, image, run_id, limits, settings.runtime)
    await sandbox.greet()
    return sandbox


async def probe(settings: SandboxSettings) -> EngineStatus:
    """Whether an engine answers and has the image. Starts and builds nothing, raises nothing."""
    return await asyncio.to_thread(look, settings)


async def kill_leftovers(run_id: str) -> int:
    """Remove the run's containers that other processes started; how many there were.

    Raises `SandboxUnavailable`.
    """

    def kill() -> int:
        with closing(Engine.connect()) as engine:
            return _remove_leftovers(engine, run_id)

    return await asyncio.to_thread(kill)


def look(settings: SandboxSettings) -> EngineStatus:
    """The same as `probe`; waits for the engine's answer."""
    name = _chosen(settings) or image_name()
    try:
        with closing(Engine.connect()) as engine:
            return EngineStatus(version=engine.version(), image=name, has_image=engine.has_image(name))
    except SandboxUnavailable as error:
        return EngineStatus(problem=str(error), image=name)


def _remove_leftovers(engine: Engine, run_id: str) -> int:
    found = [c for c in engine.containers_of(run_id) if c.owner != this_process()]
    for container in found:
        engine.remove(container.id)
    return len(found)


def _remove_abandoned(engine: Engine) -> None:
    """What only their owner would have removed, which is dead: those of checks, one that never started."""
    for container in engine.idle_containers():
        if is_dead(container.owner):
            engine.remove(container.id)


def _chosen(settings: SandboxSettings) -> str | None:
    return settings.image or os.environ.get(IMAGE_VARIABLE) or None


def _find_image(engine: Engine, settings: SandboxSettings, on_note: Callable[[str], None]) -> str:
    if chosen := _chosen(settings):
        if not engine.has_image(chosen):
            raise SandboxUnavailable(
                f"the Docker engine has no image {chosen!r}; pull it, or choose none to use autoagent's"
            )
        return chosen
    name = image_name()
    if not engine.has_image(name):
        on_note(f"building the sandbox image {name}, once; this takes a minute or two")
        engine.build_image(name)
    return name
