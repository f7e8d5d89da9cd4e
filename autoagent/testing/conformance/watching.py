"""What a tool does to its machine, heard through Python's audit hooks."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal

Kind = Literal["writes", "reads", "connects", "starts", "changes", "prints"]

DEEDS: tuple[Kind, ...] = ("writes", "connects", "starts")
"""What reaches the world outside the process."""
_MOST = 200
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGING: Mapping[str, tuple[int, int | None]] = {
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.mkdir": (0, 2),
    "os.rename": (1, 3),
    "os.link": (1, 3),
    "os.symlink": (1, 2),
    "os.truncate": (0, None),
    "os.chmod": (0, 2),
    "os.chown": (0, 3),
    "os.utime": (0, 3),
    "os.setxattr": (0, None),
}
"""Events that change a file -> which of their arguments name it, and the open folder that the name is in."""
_STARTING = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
}
_HARMLESS = {"ldconfig", "gcc", "cc", "ld", "objdump", "uname"}
"""Programs that Python's own library starts to find a shared library."""


@dataclass(frozen=True)
class Deed:
    """Something that a tool did."""

    kind: Kind
    what: str
    is_guarded: bool = False
    """A connection of `ctx.http`, to an address that it has judged."""


class Watch:
    """Hears what happens in this process while `on` is entered. One a process: a hook can't be taken back."""

    def __init__(self, free: tuple[str, ...], canary: str, is_open: bool) -> None:
        """`free`: folders where anything may be written. `canary`: a file of the host that nobody may read.
        `is_open`: hosts beyond loopback may be reached.
        """
        self._free = free
        self._canary = canary
        self._is_open = is_open
        self._is_on = False
        self.deeds: list[Deed] = []
        self.judged: set[str] = set()
        """Addresses that `ctx.http` has looked at."""
        self.dies_at = 0
        """The process is killed as by `kill -9` instead of the n-th time that it writes a file, connects or
        starts a program; 0: never."""
        sys.addaudithook(self._hear)

    @contextmanager
    def on(self) -> Iterator[list[Deed]]:
        """What happens meanwhile."""
        self.deeds, self._is_on = [], True
        try:
            yield self.deeds
        finally:
            self._is_on, self.dies_at = False, 0

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._is_on:
            return
        match event:
            case "open":
                self._opened(args)
            case "socket.connect" | "socket.sendto" | "socket.sendmsg" if args[-1] is not None:
                self._connected(args[-1])
            case "socket.getaddrinfo" if not _is_here(_text(args[0])):
                self._beyond(f"{_text(args[0])}:{args[1]}")
            case _ if event in _CHANGING:
                name, folder = _CHANGING[event]
                self._written(_text(args[name]), -1 if folder is None else args[folder])
            case _ if event in _STARTING:
                self._started(event, args)
            case "os.chdir" | "os.putenv" | "os.unsetenv":
                self._did("changes", event)

    def _opened(self, args: tuple[Any, ...]) -> None:
        path, _, flags = args
        if isinstance(path, int):
            return
        name = _text(path)
        if isinstance(flags, int) and flags & _WRITING:
            self._written(name)
        elif os.path.abspath(name) == self._canary:  # noqa: PTH100 - a Path would open nothing, and cost much
            self._did("reads", name)

    def _written(self, name: str, folder: int = -1) -> None:
        """`folder`: the descriptor that the name is in; -1: the working directory."""
        if folder != -1:
            with suppress(OSError):  # no such list on this system
                name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)  # noqa: PTH115, PTH118
        path = os.path.abspath(name)  # noqa: PTH100
        if path.startswith((*self._free, "/dev/")) or "__pycache__" in path:
            return
        self._did("writes", path)

    def _started(self, event: str, args: tuple[Any, ...]) -> None:
        program = _text(args[0]) if args and isinstance(args[0], str | bytes | os.PathLike) else event
        if os.path.basename(program) not in _HARMLESS:  # noqa: PTH119
            self._did("starts", program)

    def _connected(self, address: object) -> None:
        if not isinstance(address, tuple):
            self._did("connects", f"unix:{_text(address)}")
        elif _is_here(str(address[0])):
            self._did("connects", f"{address[0]}:{address[1]}")
        else:
            self._beyond(f"{address[0]}:{address[1]}")

    def _beyond(self, host: str) -> None:
        """Outside loopback: heard, and refused."""
        self._did("connects", host)
        if not self._is_open:
            raise PermissionError(f"{host} is outside: 'plugins check' reaches loopback only")

    def _did(self, kind: Kind, what: str) -> None:
        if self.dies_at and kind in DEEDS:
            self.dies_at -= 1
            if not self.dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
        if len(self.deeds) < _MOST:
            self.deeds.append(Deed(kind, what[:300], kind == "connects" and what in self.judged))


class Printed:
    """In place of stdout: what a tool prints would stand among a run's own records."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def write(self, text: str) -> int:
        if text.strip():
            self._watch._did("prints", text.strip()[:100])
        return len(text)

    def flush(self) -> None:
        """Nothing is kept."""

    def isatty(self) -> bool:
        return False


def _text(value: object) -> str:
    if isinstance(value, str | bytes | os.PathLike):
        return os.fsdecode(value)
    return "" if value is None else str(value)


def _is_here(host: str) -> bool:
    if host in ("", "localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
