"""One job: a process forked from the warm runner that becomes the guest. Owns what happens inside it.

The child may be taken over by the guest at any time, so nothing here is a safeguard, apart from what is done
before the guest's first line: the runner's descriptors are closed and the process leaves its session.
"""

from __future__ import annotations

import atexit
import gc
import io
import json
import linecache
import os
import signal
import socket
import sys
import threading
import traceback
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from autoagent_sandbox.seccomp import PR_SET_DUMPABLE, prctl
from autoagent_sandbox.wire import ANSWER, CALL, FRAME_LIMIT_BYTES, IMAGE, Frames, pack

WORKSPACE = "/workspace"
SOURCE_NAMES = {"python": "<python_run>", "script": "<script>"}
SHELLS = ("/bin/bash", "/bin/sh")
IMAGES = 8
OPEN_FILES = 4096
CONTROL_FD = 3


@dataclass(frozen=True)
class Spec:
    """A job as the host sends it."""

    kind: str
    source: str
    output_limit_bytes: int
    quota_bytes: int
    quota_files: int
    functions: Sequence[tuple[str, Sequence[str], str]] = ()
    """Name, parameters in order, doc."""


@dataclass(frozen=True)
class Leader:
    """The job's first process, and the runner's ends of its pipes."""

    pid: int
    output_fd: int
    control: socket.socket | None


def launch(spec: Spec) -> Leader:
    """Fork; in the child this never returns."""
    reading, writing = os.pipe()
    ours: socket.socket | None = None
    theirs: socket.socket | None = None
    if spec.kind in SOURCE_NAMES:
        ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            _enter(writing, theirs.fileno() if theirs else None)
            _become(spec)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(70)
    os.close(writing)
    if theirs:
        theirs.close()
    return Leader(pid, reading, ours)


def _enter(output_fd: int, control_fd: int | None) -> None:
    """Leave the runner's world: its descriptors, signal handlers and session."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    if control_fd is not None and control_fd != CONTROL_FD:
        os.dup2(control_fd, CONTROL_FD, inheritable=False)
    os.closerange(CONTROL_FD + (control_fd is not None), OPEN_FILES)
    # the runner can't be looked into; code expects that of itself it can: /dev/stdout, /proc/self
    prctl(PR_SET_DUMPABLE, 1)
    with open("/proc/self/oom_score_adj", "w") as f:
        f.write("1000")  # where memory runs out the job goes, not the runner
    os.chdir(WORKSPACE)
    os.umask(0o022)


def _become(spec: Spec) -> NoReturn:
    if spec.kind in SOURCE_NAMES:
        os._exit(_run_python(spec))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and that would be inherited
        signal.signal(number, signal.SIG_DFL)
    shell = next(path for path in SHELLS if os.path.exists(path))
    os.execv(shell, [shell, "-c", spec.source])


def _run_python(spec: Spec) -> int:
    """The exit status of the source, as if it were a program."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = io.TextIOWrapper(
            os.fdopen(fd, "wb", closefd=False), "utf-8", "backslashreplace", line_buffering=True
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.path.append(WORKSPACE)  # last: a workspace's json.py hides nothing
    _reseed()
    name = SOURCE_NAMES[spec.kind]
    linecache.cache[name] = (len(spec.source), None, spec.source.splitlines(True), name)
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv = [name]
    calls = Calls(socket.socket(fileno=CONTROL_FD))
    if spec.kind == "script":
        main.__dict__["ToolError"] = ToolError
        for function in spec.functions:
            main.__dict__[function[0]] = _function(*function, calls.call)
    status = _exit_status(lambda: exec(compile(spec.source, name, "exec"), main.__dict__))  # noqa: S102
    status = status or _exit_status(lambda: _finish(main, calls))
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _finish(main: types.ModuleType, calls: Calls) -> None:
    """What the interpreter does at its end: threads, exit functions, files that were left open."""
    for image in _figures():
        calls.send(pack(IMAGE, image))
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    main.__dict__.clear()
    gc.collect()  # 0.1 ms: what the runner had loaded is frozen


def _exit_status(run: Callable[[], object]) -> int:
    try:
        run()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException as error:
        _report(error)
        return 1
    return 0


def _report(error: BaseException) -> None:
    """The traceback as the guest's own frames."""
    shown = traceback.TracebackException.from_exception(error)
    _hide_runner(shown, set())
    sys.stderr.write("".join(shown.format()))


def _hide_runner(shown: traceback.TracebackException, done: set[int]) -> None:
    if id(shown) in done:
        return
    done.add(id(shown))
    own = [frame for frame in shown.stack if not frame.filename.startswith("<autoagent_sandbox.")]
    shown.stack = traceback.StackSummary.from_list(own)
    for other in (shown.__cause__, shown.__context__, *(getattr(shown, "exceptions", None) or ())):
        if other is not None:
            _hide_runner(other, done)


def _reseed() -> None:
    """Each job draws other random numbers; Python's own generator sees to itself after a fork."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def _figures() -> list[bytes]:
    """The open figures of matplotlib, where it was used."""
    plt: Any = sys.modules.get("matplotlib.pyplot")
    if plt is None:
        return []
    images = []
    for number in plt.get_fignums()[:IMAGES]:
        image = io.BytesIO()
        plt.figure(number).savefig(image, format="png")
        images.append(image.getvalue())
    return images


class ToolError(Exception):
    """A tool could not do what was asked."""


class Calls:
    """The job's way to the host: one call after the other, from its first process only."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._frames = Frames()
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def send(self, frame: bytes) -> None:
        self._control.sendall(frame)

    def call(self, name: str, arguments: dict[str, object]) -> str:
        """The tool's observation. Raises `ToolError`."""
        frame = pack(CALL, json.dumps({"name": name, "arguments": arguments}, default=_plain).encode())
        if len(frame) > FRAME_LIMIT_BYTES:
            raise ToolError(f"the arguments of {name}() are larger than {FRAME_LIMIT_BYTES >> 20} MB")
        if os.getpid() != self._pid:
            raise ToolError(f"{name}() can be called by the script itself only, not by a process it started")
        with self._lock:
            self.send(frame)
            answer = self._answer()
        if "error" in answer:
            raise ToolError(answer["error"])
        return str(answer["text"])

    def _answer(self) -> dict[str, str]:
        while True:
            data = self._control.recv(1 << 16)
            if not data:
                raise ToolError("the sandbox went away")
            for kind, payload in self._frames.feed(data):
                if kind == ANSWER:
                    answer: dict[str, str] = json.loads(payload)
                    return answer


def _plain(value: object) -> object:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a tool takes text, numbers, lists and dicts, not {type(value).__name__}")


def _function(
    name: str, parameters: Sequence[str], doc: str, call: Callable[[str, dict[str, object]], str]
) -> Callable[..., str]:
    """A tool as the script sees it."""

    def tool(*args: object, **kwargs: object) -> str:
        if len(args) > len(parameters):
            raise TypeError(f"{name}() takes ({', '.join(parameters)}), but {len(args)} arguments were given")
        values = dict(zip(parameters, args))  # noqa: B905 fewer may be given
        for key, value in kwargs.items():
            if key not in parameters:
                raise TypeError(f"{name}() has no argument {key!r}; it takes ({', '.join(parameters)})")
            if key in values:
                raise TypeError(f"{name}() got {key!r} twice")
            values[key] = value
        return call(name, values)

    tool.__name__ = tool.__qualname__ = name
    tool.__doc__ = doc
    return tool
