"""Serves the replies of a run while they come in. Never waits for who watches, keeps nothing that matters.

All of it happens on the run's own loop, every 50 ms at most. While nobody watches, a piece of a reply costs
an entry in a list: nothing is looked at, nothing encoded. A reply's lines are kept once for all who watch,
until it is over; each of these has a place in them, so that one that is slow or stuck costs what it hasn't
read of one line.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from autoagent.clock import SystemClock
from autoagent.live.place import Seat, take_seat
from autoagent.live.veil import Veil
from autoagent.live.wire import PIECE_CHARS, Hello, ReplyBegun, ReplyGrew, ReplyOver, TryFailed, written
from autoagent.ports import NOBODY, Coming, Heard, Onlookers
from autoagent.redact import cut
from autoagent.secrecy import Strike

TICK_S = 0.05
_SOON_S = 0.01
MOST_WATCHERS = 16
_CHARS_A_TICK = 16_384
"""Of a reply that are looked at for secrets at once, which takes 12 ms: one that is long already when
somebody comes is told over some ticks."""
_LINES_AT_ONCE = 64
_WHY_CHARS = 500
_SEND_BYTES = 65_536
"""What the kernel keeps for each of those who watch."""

log = logging.getLogger(__name__)


@contextmanager
def served(home: Path, run_id: str, strike: Strike) -> Iterator[Onlookers]:
    """Let people watch the run, on the running loop. Where that can't be, it is logged, and nobody does."""
    try:
        seat = take_seat(home, run_id)
    except OSError as error:
        log.warning("replies can't be watched while they come in (the run goes on): %s", error)
        yield NOBODY
        return
    gallery = _Gallery(run_id, seat, strike)
    try:
        yield gallery
    finally:
        gallery.close()


@dataclass(eq=False)
class _Watcher:
    """One who watches, and how much it was told."""

    line: socket.socket
    unsent: bytes
    """The rest of what was begun."""
    told: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Reply -> which beginning of it, and lines of that."""
    farewells: deque[bytes] = field(default_factory=deque)
    """Of replies that it was told of: those that are over."""
    is_full: bool = False
    """Its socket takes no more for now."""


class _Reply:
    """One reply while it comes in. Implements `Heard`."""

    def __init__(self, coming: Coming, gallery: _Gallery, strike: Strike) -> None:
        self.coming = coming
        self.beginning = 0
        """Counts how often it began anew."""
        self.lines: list[bytes] = []
        self._gallery, self._strike = gallery, strike
        self._raw: deque[tuple[int | None, str, str]] = deque()
        """Call, tool and piece, of which nobody was told yet."""
        self._veils: dict[int | None, Veil] = {}
        self._failure: TryFailed | None = None
        """Of the try before this one."""

    def anew(self) -> None:
        self._raw.clear()
        self._veils.clear()
        if self.lines:
            self.beginning += 1
            self.lines = []
        self._gallery.stir()

    def text(self, piece: str) -> None:
        self._raw.append((None, "", piece))
        self._gallery.stir()

    def call(self, number: int, name: str, piece: str) -> None:
        self._raw.append((number, name, piece))
        self._gallery.stir()

    def failed(self, why: str, wait_s: float) -> None:
        self.anew()
        tries = 1 if self._failure is None else self._failure.tries + 1
        again_at = SystemClock().now() + timedelta(seconds=wait_s)
        said = _with_utf8(cut(self._strike.text(why), _WHY_CHARS))  # a secret that is cut isn't found
        self._failure = TryFailed(reply=self.coming.id, tries=tries, why=said, again_at=again_at)

    def over(self, entry: int) -> None:
        self._raw.clear()
        self._veils.clear()
        self.lines = []
        self._gallery.over(self, entry)

    def advance(self) -> bool:
        """Make lines of what has come; whether that was all."""
        about = self.coming
        if not self.lines:
            begun = ReplyBegun(
                reply=about.id, lane=about.lane, role=about.role, number=about.number, at=about.at
            )
            self.lines.append(written(begun))
            if self._failure is not None:
                self.lines.append(written(self._failure))
        room = _CHARS_A_TICK
        while self._raw and room > 0:
            call, tool, text = self._together(room)
            room -= len(text)
            self._show(call, tool, text)
        return not self._raw

    def _together(self, room: int) -> tuple[int | None, str, str]:
        """What comes next of one text, or of the arguments of one call; not much more than `room`."""
        call, tool, piece = self._raw.popleft()
        pieces, count = [piece], len(piece)
        while self._raw and self._raw[0][0] == call and count < room:
            _, tool, piece = self._raw.popleft()
            pieces.append(piece)
            count += len(piece)
        text = "".join(pieces)
        if len(text) > 2 * room:  # one huge piece, of a server that doesn't stream
            self._raw.appendleft((call, tool, text[room:]))
            text = text[:room]
        return call, tool, text

    def _show(self, call: int | None, tool: str, text: str) -> None:
        is_new = call is not None and call not in self._veils
        shown = _with_utf8(self._veils.setdefault(call, Veil(self._strike)).take(text))
        name = _with_utf8(self._strike.text(tool)) if self._strike.settled(tool) == len(tool) else ""
        for at in range(0, max(len(shown), int(is_new)), PIECE_CHARS):
            piece = shown[at : at + PIECE_CHARS]
            self.lines.append(written(ReplyGrew(reply=self.coming.id, text=piece, call=call, tool=name)))


def _with_utf8(text: str) -> str:
    """Half characters, of which a model may write some, have none."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class _Gallery:
    """Those who watch a run. Implements `Onlookers`."""

    def __init__(self, run_id: str, seat: Seat, strike: Strike) -> None:
        self._hello = written(Hello(run=run_id))
        self._seat, self._strike = seat, strike
        self._replies: dict[str, _Reply] = {}
        self._watchers: list[_Watcher] = []
        self._tick: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(seat.listening, self._welcome)

    def reply(self, coming: Coming) -> Heard:
        self._replies[coming.id] = reply = _Reply(coming, self, self._strike)
        self.stir()
        return reply

    def over(self, reply: _Reply, entry: int) -> None:
        """Tell those who heard of it."""
        self._replies.pop(reply.coming.id, None)
        if not self._watchers:
            return
        farewell = written(ReplyOver(reply=reply.coming.id, entry=entry))
        for watcher in self._watchers:
            if watcher.told.pop(reply.coming.id, None) is not None:
                watcher.farewells.append(farewell)
        self.stir()

    def stir(self, in_s: float = TICK_S) -> None:
        """There is news; it is told soon, if anybody watches."""
        if self._watchers and self._tick is None:
            self._tick = self._loop.call_later(in_s, self._tell)

    def close(self) -> None:
        """Nobody watches any more."""
        self._loop.remove_reader(self._seat.listening)
        if self._tick is not None:
            self._tick.cancel()
        for watcher in [*self._watchers]:
            self._drop(watcher)
        self._seat.leave()

    # --- who watches ----------------------------------------------------------------------------------------

    def _welcome(self) -> None:
        """One more; in the place of one that takes nothing, where there are too many."""
        try:
            line, _ = self._seat.listening.accept()
        except OSError:  # it left again
            return
        line.setblocking(False)
        if len(self._watchers) >= MOST_WATCHERS:
            stuck = next((each for each in self._watchers if each.is_full), None)
            if stuck is None:
                line.close()
                return
            self._drop(stuck)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        watcher = _Watcher(line, self._hello)
        self._watchers.append(watcher)
        self._loop.add_reader(line, self._listen_to, watcher)
        self.stir()

    def _listen_to(self, watcher: _Watcher) -> None:
        """They have nothing to say: it left, or doesn't know where it is."""
        self._drop(watcher)

    def _drop(self, watcher: _Watcher) -> None:
        self._watchers.remove(watcher)
        self._loop.remove_reader(watcher.line)
        self._loop.remove_writer(watcher.line)
        watcher.line.close()

    # --- what they are told ---------------------------------------------------------------------------------

    def _tell(self) -> None:
        self._tick = None
        unfinished = [reply for reply in self._replies.values() if not reply.advance()]
        for watcher in [*self._watchers]:
            if not watcher.is_full:
                self._send(watcher)
        if unfinished:
            self.stir(_SOON_S)

    def _send(self, watcher: _Watcher) -> None:
        """As much as it takes at once."""
        try:
            is_full = True  # also where it takes so much that others have to have their turn
            for _ in range(_LINES_AT_ONCE):
                watcher.unsent = watcher.unsent or self._next(watcher)
                if not watcher.unsent:
                    is_full = False
                    break
                watcher.unsent = watcher.unsent[watcher.line.send(watcher.unsent) :]
        except BlockingIOError:
            pass  # it is told when it takes more
        except OSError:
            self._drop(watcher)
            return
        self._wait_for(watcher, is_full=is_full)

    def _wait_for(self, watcher: _Watcher, *, is_full: bool) -> None:
        if is_full and not watcher.is_full:
            self._loop.add_writer(watcher.line, self._send, watcher)
        elif watcher.is_full and not is_full:
            self._loop.remove_writer(watcher.line)
        watcher.is_full = is_full

    def _next(self, watcher: _Watcher) -> bytes:
        """The next line for it; empty where it knows all."""
        if watcher.farewells:
            return watcher.farewells.popleft()
        for reply in self._replies.values():
            beginning, count = watcher.told.get(reply.coming.id, (0, 0))
            count = count if beginning == reply.beginning else 0
            if count < len(reply.lines):
                watcher.told[reply.coming.id] = (reply.beginning, count + 1)
                return reply.lines[count]
        return b""
