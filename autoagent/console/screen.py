"""Where lines go: a stream that may be a terminal, a file, or a pipe whose reader has left. Owns colour,
cursor control and the live last line; nothing else in the project writes any of them.

A reader who leaves ends no run: the stream is given up, silently.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from autoagent.console.line import Line, wrapped
from autoagent.console.signs import needs_ascii
from autoagent.errors import StoreUnavailable, UsageError
from autoagent.journal.home import home

_CLEAR = "\r\x1b[K"
_LEFT = (errno.EPIPE, errno.EIO, errno.ENXIO, errno.EBADF)
"""The reader left, or the terminal was closed."""


@dataclass
class Screen:
    """Writes lines to one stream."""

    stream: TextIO
    is_terminal: bool = False
    """There is a live last line."""
    coloured: bool = False
    ascii_only: bool = False
    may_fail: bool = True
    """What can't be written is dropped; otherwise a full disk raises `StoreUnavailable`."""
    is_gone: bool = False
    """Nobody reads any more."""
    _live: Line | None = None
    _held: deque[Line] | None = field(default=None, repr=False)

    @classmethod
    def on(
        cls, stream: TextIO, *, may_fail: bool = True, environment: Mapping[str, str] = os.environ
    ) -> Screen:
        """The screen that the stream and the environment (`NO_COLOR`, `TERM`, `AUTOAGENT_ASCII`) ask for."""
        is_terminal = stream.isatty() and environment.get("TERM", "") not in ("", "dumb")
        encoding = getattr(stream, "encoding", None)
        return cls(
            stream,
            is_terminal=is_terminal,
            coloured=is_terminal and not environment.get("NO_COLOR"),
            ascii_only=needs_ascii(encoding, environment, _chosen(home()), is_terminal=is_terminal),
            may_fail=may_fail,
        )

    def say(self, *lines: Line) -> None:
        """Write lines, above the live one; kept back while the screen is held."""
        if self._held is not None:
            self._held.extend(lines)
        else:
            self._write(self._over_live() + self._whole(lines) + self._live_again())

    def say_rows(self, *rows: Line) -> None:
        """Write the rows of a table; at a terminal each is cut to one line."""
        columns = _columns(self.stream) if self.stream.isatty() else None
        self._write("".join(self._drawn(each, columns) + "\n" for each in rows))

    def say_raw(self, text: str) -> None:
        """Write a record for programs: ASCII that a terminal can't obey, such as JSON with escapes."""
        assert text.isascii()
        assert text.isprintable()
        self._write(text + "\n")

    def live(self, now: Line | None) -> None:
        """Replace the live last line; `None` takes it away. Nothing happens off a terminal."""
        if not self.is_terminal or self._held is not None or now == self._live:
            return
        before = self._over_live()
        self._live = now
        self._write(before + self._live_again())

    # --- while a person is asked ----------------------------------------------------------------------------

    def hold(self) -> None:
        """Keep lines back until `release`: a person reads a question, which must not move."""
        self.live(None)
        if self._held is None:
            self._held = deque()

    def release(self) -> None:
        """Write what was kept back."""
        held, self._held = self._held or (), None
        self.say(*held)

    def ask(self, *lines: Line, prompt: Line | None = None) -> None:
        """Write lines at once, though the screen is held, and a prompt for the cursor to stay behind."""
        if self.stream.isatty():  # which would break them where no text is set off from what is ours
            columns = _columns(self.stream)
            lines = tuple(piece for each in lines for piece in wrapped(each, columns))
        self._write(self._whole(lines) + ("" if prompt is None else self._drawn(prompt)))

    # --- drawing --------------------------------------------------------------------------------------------

    def _whole(self, lines: tuple[Line, ...]) -> str:
        return "".join(self._drawn(each) + "\n" for each in lines)

    def _drawn(self, each: Line, columns: int | None = None) -> str:
        return each.draw(coloured=self.coloured, ascii_only=self.ascii_only, columns=columns)

    def _over_live(self) -> str:
        return _CLEAR if self._live is not None else ""

    def _live_again(self) -> str:
        if self._live is None:
            return ""
        # a full line would wrap, and not be cleared whole
        return self._drawn(self._live, columns=_columns(self.stream) - 1)

    def _write(self, text: str) -> None:
        if self.is_gone or not text:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except UnicodeEncodeError:
            encoding = self.stream.encoding
            self._write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError as error:
            self.is_gone = True
            let_go(self.stream)
            if not self.may_fail and error.errno not in _LEFT:
                raise StoreUnavailable(f"the output can't be written: {error.strerror}") from error


@lru_cache(maxsize=1)
def _chosen(home: Path) -> bool | None:
    """What config.toml says of ASCII, where there is one."""
    if not (home / "config.toml").exists():
        return None
    from autoagent.settings import load  # tens of milliseconds

    try:
        return load(home, os.environ).terminal.ascii
    except UsageError:  # said by whatever needs the settings; this line must come out in any case
        return None


def let_go(stream: TextIO) -> None:
    """Point the stream's descriptor at nothing, so that what it still holds can be flushed at the exit."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:  # no terminal to ask
        return 80
