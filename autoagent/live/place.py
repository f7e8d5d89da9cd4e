"""Where the socket of a run lies. Owns the folders `live/` of a home and `/tmp/autoagent-UID`.

Both belong to the person alone (0700, looked at before each use), and so do the sockets in them (0600).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LONGEST_PATH = 103
"""Bytes of a socket's path: macOS takes so many, Linux four more."""
_BACKLOG = 8
_STALE_AFTER_S = 60.0
"""A socket so old that answers nobody is of a dead process, not of one that is about to listen."""


@dataclass(frozen=True)
class Seat:
    """A socket that listens, and its place."""

    listening: socket.socket
    path: Path

    def leave(self) -> None:
        """Close it, and take its name away, unless that is another's by now."""
        self.listening.close()
        with contextlib.suppress(OSError):  # then who sits here next does it
            if _is_dead(self.path):
                self.path.unlink()


def take_seat(home: Path, run_id: str) -> Seat:
    """Listen for who watches the run, which this process carries. Raises `OSError` where that can't be."""
    problem = OSError("no Unix sockets here")
    for path in _places(home, run_id):
        try:
            _own(path.parent, make=True)
            _sweep(path.parent)
            return _listen(path)
        except OSError as error:
            problem = error
    raise problem


def connect(home: Path, run_id: str) -> socket.socket | None:
    """A line to the process that carries the run; `None` where none lets anybody watch."""
    for path in _places(home, run_id):
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _own(path.parent)
            line.setblocking(False)  # a process that is stopped takes nobody
            line.connect(str(path))
        except OSError:
            line.close()
        else:
            return line
    return None


def _places(home: Path, run_id: str) -> Iterator[Path]:
    """In the home where its path is short enough for a socket; else, or where it can't be there, in /tmp.

    `TMPDIR` isn't asked: the two sides may have different ones.
    """
    if not hasattr(socket, "AF_UNIX"):
        return
    named = hashlib.sha256(os.fsencode(os.path.realpath(home)) + b"\0" + run_id.encode()).hexdigest()[:32]
    for path in (home / "live" / f"{run_id}.sock", Path(f"/tmp/autoagent-{os.geteuid()}/{named}.sock")):
        if len(os.fsencode(path)) <= _LONGEST_PATH:
            yield path


def _own(folder: Path, *, make: bool = False) -> None:
    """Raises `OSError` where others may have put sockets there."""
    if make:
        folder.mkdir(mode=0o700, exist_ok=True)
    known = folder.lstat()
    if not stat.S_ISDIR(known.st_mode) or known.st_uid != os.geteuid() or known.st_mode & 0o077:
        raise PermissionError(f"{folder} must be a folder of yours alone (chmod 700)")


def _listen(path: Path) -> Seat:
    path.unlink(missing_ok=True)  # of a process that died: who carries the run now is we
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(_BACKLOG)
        return Seat(listening, path)
    except OSError:
        listening.close()
        raise


def _sweep(folder: Path) -> None:
    """Take away what killed processes have left, of runs that nobody went on with."""
    for path in folder.glob("*.sock"):
        with contextlib.suppress(OSError):  # another sweeps too, or it isn't ours to judge
            if time.time() - path.lstat().st_mtime > _STALE_AFTER_S and _is_dead(path):
                path.unlink()


def _is_dead(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.setblocking(False)
        try:
            line.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
