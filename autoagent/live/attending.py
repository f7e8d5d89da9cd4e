"""Attends a run: a thread that reads what is said over its socket, and tells whoever shows it.

It only reads. A run that nobody can watch, a process that dies, and bytes that make no sense are all the
same: nothing comes in, until something does.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from autoagent.live.place import connect
from autoagent.live.replies import Replies, heard
from autoagent.live.wire import VERSION, Hello, Lines

TELL_S = 0.05
"""The screen is told so often at most."""
AGAIN_S = 0.5
"""Between two looks for a process that lets people watch."""
_TAKE_BYTES = 65_536


@dataclass(frozen=True)
class Live:
    """The replies that come in at a run."""

    run_id: str
    replies: Replies = field(default_factory=dict)


class Attendant:
    """Attends one run at a time, or none, until it is stopped."""

    def __init__(self, home: Path, on_live: Callable[[Live], None]) -> None:
        """`on_live` is called in the attendant's thread; while it takes its time, nothing is read."""
        self._home, self._on_live = home, on_live
        self._run_id: str | None = None
        self._over = False
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._thread = threading.Thread(target=self._run, daemon=True, name="autoagent-live")

    def start(self) -> None:
        self._thread.start()

    def attend(self, run_id: str | None) -> None:
        """This run from now on, and no other."""
        self._run_id = run_id
        self._stir()

    def stop(self) -> None:
        """Ends the thread; returns when it has."""
        self._over = True
        self._stir()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._wake.close()
        self._woken.close()

    def _stir(self) -> None:
        with contextlib.suppress(OSError):  # it has enough to wake up for, or is over
            self._wake.send(b".")

    # --- in the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._woken, selectors.EVENT_READ)
            while not self._over:
                run_id = self._run_id
                line = None if run_id is None else connect(self._home, run_id)
                if line is None:
                    self._pause(waiting, None if run_id is None else AGAIN_S)
                    continue
                assert run_id is not None
                with line:
                    waiting.register(line, selectors.EVENT_READ)
                    self._listen(waiting, line, run_id)
                    waiting.unregister(line)
                if self._run_id == run_id:  # its process has ended, or speaks otherwise
                    self._on_live(Live(run_id))
                    self._pause(waiting, AGAIN_S)

    def _pause(self, waiting: selectors.BaseSelector, most_s: float | None) -> None:
        if waiting.select(most_s):
            self._woken.recv(_TAKE_BYTES)

    def _listen(self, waiting: selectors.BaseSelector, line: socket.socket, run_id: str) -> None:
        """Until the other side ends, or another run is wanted."""
        known, told_at = _Known(), 0.0
        while True:
            left_s = max(told_at + TELL_S - monotonic(), 0.0) if known.are_new else None
            ready = {key.fileobj for key, _ in waiting.select(left_s)}
            if self._woken in ready:
                self._woken.recv(_TAKE_BYTES)
            if self._over or self._run_id != run_id:
                return
            if line in ready and not known.take(_received(line)):
                return
            if known.are_new and monotonic() - told_at >= TELL_S:
                known.are_new = False
                self._on_live(Live(run_id, known.replies))
                told_at = monotonic()


class _Known:
    """What one line has told so far."""

    def __init__(self) -> None:
        self.replies: Replies = {}
        self.are_new = False
        self._lines = Lines()
        self._is_greeted = False

    def take(self, data: bytes) -> bool:
        """Whether more may come: the other side is there, and speaks as we do."""
        for message in self._lines.take(data):
            if self._is_greeted:
                before, self.replies = self.replies, heard(self.replies, message)
                self.are_new = self.are_new or self.replies is not before
            elif not isinstance(message, Hello) or message.version != VERSION:
                return False
            self._is_greeted = True
        return bool(data)


def _received(line: socket.socket) -> bytes:
    """Empty where nothing more will come."""
    try:
        return line.recv(_TAKE_BYTES)
    except OSError:
        return b""
