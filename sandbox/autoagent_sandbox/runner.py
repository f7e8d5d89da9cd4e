"""PID 1 of a sandbox container: takes files and jobs from the host, runs each job as a fresh process.

It is PID 1 itself, without an init before it: no signal of a guest ends or stops PID 1, and once it can't be
dumped no guest can write into it. (`docker-init`, run as the guest's user, could be overwritten through
`/proc/1/mem`, and so outlive every job and forge an exit status.)

Everything a job leaves running is killed by one `kill(-1)`, which the kernel carries out for all processes at
once. During a tool call all of the job is stopped the same way, so files don't change under the runner.
"""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import NoReturn

from autoagent_sandbox import seccomp, wire
from autoagent_sandbox.job import IMAGES, Spec, launch
from autoagent_sandbox.libraries import WARM, heavy_libraries, packages, warm
from autoagent_sandbox.output import Output
from autoagent_sandbox.processes import kill_all, read_limits, reap
from autoagent_sandbox.workspace import Changes, Quota, Workspace, empty_scratch

IDLE_S = 0.1

EXIT_ALONE = 75
"""When the host is gone; never 0, which would be a check's verdict."""


@dataclass
class Ended:
    """How a job ended, as the host reads it."""

    how: str = "exited"
    """`exited`, `signaled`, `flooded` (printed too much), `stopped` (by the host), `unfit` (never began)."""
    code: int = 0
    """Exit status, or the signal's number."""
    cut_bytes: int = 0
    out_of_memory: bool = False
    """The kernel killed a process for want of memory."""
    out_of_processes: bool = False
    refused: str = ""
    """Why its files can't be taken."""
    removed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Files that the host must send anew."""
    clean: bool = True
    """Everything but the workspace is as it was; else the container must go."""


class Host:
    """The stream to the host. Without it there is nothing to live for."""

    def __init__(self, in_fd: int, out_fd: int) -> None:
        self.in_fd, self._out_fd = in_fd, out_fd
        self._frames = wire.Frames()
        self._inbox: list[tuple[bytes, bytes]] = []

    def receive(self) -> tuple[bytes, bytes]:
        while not self._inbox:
            self._fill()
        return self._inbox.pop(0)

    def poll(self, timeout_s: float) -> bool:
        """Whether a frame, or a part of one, is there."""
        return bool(self._inbox or select.select([self.in_fd], [], [], timeout_s)[0])

    def send(self, frame: bytes) -> None:
        while frame:
            frame = frame[os.write(self._out_fd, frame) :]

    def _fill(self) -> None:
        data = os.read(self.in_fd, 1 << 20)
        if not data:
            os._exit(EXIT_ALONE)
        self._inbox += self._frames.feed(data)


class Run:
    """One job, from its launch until all its processes are gone."""

    def __init__(self, spec: Spec, host: Host, workspace: Workspace, wakeup: socket.socket) -> None:
        self._host, self._workspace, self._wakeup = host, workspace, wakeup
        self._quota = Quota(spec.quota_bytes, spec.quota_files)
        self._output = Output(spec.output_limit_bytes, host.send)
        self._frames = wire.Frames()
        self._ended: Ended | None = None
        self._is_over = False
        self._images = 0
        self._selector = selectors.DefaultSelector()
        self.resumed_ns = time.time_ns()
        self._leader = launch(spec)

    def follow(self) -> Ended:
        """Until the job's first process has ended; then everything else of it is killed."""
        self._watch(self._host.in_fd, self._hear_host)
        self._watch(self._wakeup.fileno(), self._hear_child)
        self._watch(self._leader.output_fd, self._hear_output)
        if self._leader.control:
            self._watch(self._leader.control.fileno(), self._hear_control)
        while self._ended is None:
            for key, _ in self._selector.select():
                key.data()
                if self._ended is not None:
                    break
        kill_all()
        self._drain()
        self._ended.cut_bytes = self._output.cut_bytes
        return self._ended

    def _watch(self, fd: int, hear: Callable[[], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, hear)

    def _drain(self) -> None:
        """All writers are dead: read what is left, control frames (pictures) too."""
        self._is_over = True
        while self._leader.output_fd in self._selector.get_map():
            self._hear_output()
        control = self._leader.control
        if control:
            while control.fileno() in self._selector.get_map():
                self._hear_control()
            control.close()
        os.close(self._leader.output_fd)
        self._selector.close()
        self._output.finish()

    def _hear_host(self) -> None:
        kind, _ = self._host.receive()
        if kind == wire.KILL:
            self._ended = Ended("stopped")

    def _hear_child(self) -> None:
        self._wakeup.recv(4096)
        for pid, status in reap():
            if pid == self._leader.pid:
                code = os.waitstatus_to_exitcode(status)
                self._ended = Ended("exited", code) if code >= 0 else Ended("signaled", -code)

    def _hear_output(self) -> None:
        data = os.read(self._leader.output_fd, 1 << 16)
        if not data:
            self._selector.unregister(self._leader.output_fd)
        self._output.add(data)
        if self._output.is_flood and not self._is_over:
            self._ended = Ended("flooded")

    def _hear_control(self) -> None:
        assert self._leader.control is not None
        data = self._leader.control.recv(1 << 16)
        if not data:
            self._selector.unregister(self._leader.control)
        try:
            for kind, payload in self._frames.feed(data):
                self._pass_on(kind, payload)
        except wire.WireError:
            self._selector.unregister(self._leader.control)
            self._ended = Ended("signaled", signal.SIGKILL)

    def _pass_on(self, kind: bytes, payload: bytes) -> None:
        """A job's frame goes to the host unread."""
        if kind == wire.IMAGE:
            self._images += 1
            if self._images <= IMAGES:
                self._host.send(wire.pack(kind, payload))
        elif kind == wire.CALL and not self._is_over:
            try:
                self._call(payload)
            except OSError as error:
                self._ended = Ended(
                    refused=f"its files can't be brought to the tool and back: {error.strerror}"
                )

    def _call(self, payload: bytes) -> None:
        """Bring host and job to the same files, twice, around a tool call; the job stands still meanwhile.

        Raises `OSError`.
        """
        os.kill(-1, signal.SIGSTOP)
        found = self._workspace.changes(self.resumed_ns, self._quota)
        if found.refused:
            self._ended = Ended(refused=found.refused)
            return
        for frame in self._workspace.accept(found):
            self._host.send(frame)
        self._host.send(wire.pack_json(wire.DELETE, [wire.to_wire(n) for n in found.removed]))
        self._host.send(wire.pack(wire.CALL, payload))
        while True:
            kind, answer = self._host.receive()
            if kind == wire.KILL:
                self._ended = Ended("stopped")
                return
            if kind == wire.ANSWER:
                break
            take(self._workspace, kind, answer)
        self.resumed_ns = time.time_ns()
        os.kill(-1, signal.SIGCONT)
        self._reply(wire.pack(wire.ANSWER, answer))

    def _reply(self, frame: bytes) -> None:
        """Raises nothing where the job is gone or does not listen; the host's clock goes on."""
        assert self._leader.control is not None
        try:
            self._leader.control.sendall(frame)
        except OSError:
            return


class Runner:
    """The container's life: files and jobs, one after the other."""

    def __init__(self, host: Host, wakeup: socket.socket) -> None:
        self._host, self._wakeup = host, wakeup
        self._workspace = Workspace()
        self._trouble = ""
        self._wanted: list[str] = []

    def serve(self) -> NoReturn:
        self._host.send(wire.pack_json(wire.HELLO, hello()))
        while True:
            if self._wanted and not self._host.poll(IDLE_S):
                warm(self._wanted.pop(0))
                continue
            kind, payload = self._host.receive()
            if kind == wire.JOB:
                self._job(Spec(**json.loads(payload)))
            elif kind != wire.KILL:  # which may come when the job has just ended
                self._take(kind, payload)

    def _take(self, kind: bytes, payload: bytes) -> None:
        try:
            take(self._workspace, kind, payload)
        except OSError as error:
            self._trouble = self._trouble or str(error.strerror)

    def _job(self, spec: Spec) -> None:
        if self._trouble:
            self._end(Ended("unfit", refused=self._trouble, clean=False))
            return
        limits = read_limits()
        run = Run(spec, self._host, self._workspace, self._wakeup)
        ended = run.follow()
        after = read_limits()
        ended.out_of_memory = after[0] > limits[0]
        ended.out_of_processes = after[1] > limits[1]
        if spec.kind == "check":
            self._end(ended)
            os._exit(exit_status(ended))
        quota = Quota(spec.quota_bytes, spec.quota_files)
        try:
            self._settle(ended, self._workspace.changes(run.resumed_ns, quota), keeps=spec.kind == "shell")
            empty_scratch()
        except OSError as error:
            ended.clean = False
            ended.refused = ended.refused or f"its files can't be read: {error.strerror}"
        self._end(ended)
        self._wanted = heavy_libraries(spec.source)

    def _settle(self, ended: Ended, found: Changes, keeps: bool) -> None:
        """Hand the changes over, or take them back."""
        would_keep = ended.how == "exited" and (ended.code == 0 or keeps)
        if would_keep:
            ended.refused = ended.refused or found.refused
        if ended.refused or not would_keep:
            ended.lost = [wire.to_wire(n) for n in self._workspace.revert(found)]
            return
        for frame in self._workspace.accept(found):
            self._host.send(frame)
        ended.removed = [wire.to_wire(n) for n in found.removed]

    def _end(self, ended: Ended) -> None:
        self._host.send(wire.pack_json(wire.ENDED, asdict(ended)))


def main() -> NoReturn:
    """Refuses to run as anything but PID 1: elsewhere `kill(-1)` would end the user's session."""
    if os.getpid() != 1:
        sys.exit("the sandbox runner must be PID 1 of a container")
    seccomp.load()
    seccomp.prctl(seccomp.PR_SET_DUMPABLE, 0)
    os.umask(0)  # files get the modes that the host says
    host = take_stream()
    # as PID 1 without handlers no guest's signal arrives; SIGCHLD's handler only wakes the runner up
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    for name in WARM:
        warm(name)
    warnings.filterwarnings("ignore", message=".*non-interactive.*cannot be shown")  # plt.show()
    Runner(host, reading).serve()


def take_stream() -> Host:
    """Keep the stream to ourselves: what a library prints goes to stderr."""
    host = Host(os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return host


def hello() -> dict[str, object]:
    version = ".".join(str(n) for n in sys.version_info[:3])
    return {"version": wire.VERSION, "python": version, "packages": packages()}


def take(workspace: Workspace, kind: bytes, payload: bytes) -> None:
    if kind == wire.DELETE:
        workspace.delete(json.loads(payload))
    elif kind == wire.MEMBERS:
        rows, content = wire.split_members(payload)
        workspace.put(json.loads(rows), content)


def exit_status(ended: Ended) -> int:
    """The status that the engine reports for a check; 0 only where the check's own was 0."""
    return ended.code if ended.how == "exited" and not ended.refused else 128 + (ended.code & 0x7F)
