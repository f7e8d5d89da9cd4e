"""Has documents parsed by a process of its own (`worker`), which is killed when it takes too long.

What comes back is JSON with limits: whoever takes that process over by a document can lie about its text, and
nothing more.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from pydantic import Field, ValidationError

from autoagent.messages import Frozen
from autoagent_documents.pages import MOST_CHARACTERS, Page

CPU_S = 60.0
"""Seconds of computing for one answer: some pages of one document. On a busy machine it takes longer."""
PART_S = 140.0
"""Seconds for it in all, within the time that a tool has."""
_GONE_S = 5.0
_LINE_BYTES = 6 * MOST_CHARACTERS + 10_000
"""JSON spells a character with six bytes at most."""
_PIECE_BYTES = 1 << 20
_ANSWER_CHARACTERS = 3 * MOST_CHARACTERS


class _TooMuch(ValueError):
    """An answer is larger than anybody needs."""


class _Line(Frozen):
    """A line of an answer: a page, or the end."""

    name: str = Field(default="", max_length=200)
    text: str = Field(default="", max_length=MOST_CHARACTERS)
    line: int = Field(default=1, ge=1)
    problem: str = Field(default="", max_length=1_000)
    total: int | None = Field(default=None, ge=0, le=1_000_000)
    missing: str = Field(default="", max_length=100)
    exits: bool = False
    """The process ends after this line."""

    @property
    def is_last(self) -> bool:
        return self.total is not None or bool(self.missing) or not self.name


@dataclass(frozen=True)
class Part:
    """Some pages of a document."""

    pages: tuple[Page, ...]
    total: int
    """Pages of the whole document, as far as is known."""
    problem: str = ""
    """Why there are no more pages."""
    missing: str = ""
    """The package that must be installed first."""
    is_passing: bool = False
    """The problem is one of this moment, not of the document."""


class Parser:
    """A process that parses, started when it is first needed, replaced when it fails.

    Used as an async context manager: no process outlives it.
    """

    def __init__(self, part_s: float = PART_S, cpu_s: float = CPU_S, python: str = sys.executable) -> None:
        self._part_s, self._cpu_s, self._python = part_s, cpu_s, python
        self._process: Process | None = None
        self._opened = ""
        """The document that the process has open."""

    async def __aenter__(self) -> Parser:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._kill()

    async def part(self, id: str, kind: str, data: Callable[[], bytes], first: int, most: int) -> Part:
        """The pages of a document from `first` on, at most so many. `id` stands for kind and content.

        A document that breaks the parser is told by the part's `problem`, never by an exception.
        """
        pages: list[Page] = []
        is_passing = False
        try:
            async with asyncio.timeout(self._part_s):
                last = await self._asked(id, kind, data, first, most, pages)
        except TimeoutError:
            is_passing = True
            why = f"this machine is too busy: stopped after {self._part_s:g} s; it is tried again"
        except _TooMuch:
            why = f"from its page {first + len(pages) + 1} on it is left out: it has too much text"
        except (OSError, EOFError, ValueError, ValidationError) as error:
            why = await self._cause(error, first + len(pages) + 1)
        else:
            if last.problem or last.missing:
                self._opened = ""
            if last.exits:
                await self._kill()
            total = first + len(pages) if last.total is None else last.total
            return Part(tuple(pages), total, last.problem, last.missing)
        await self._kill()
        return Part(tuple(pages), first + len(pages), why, is_passing=is_passing)

    async def _asked(
        self, id: str, kind: str, data: Callable[[], bytes], first: int, most: int, pages: list[Page]
    ) -> _Line:
        """The last line of the answer; its pages go into `pages` as they come."""
        content = None if self._opened == id else data()
        process = await self._running()
        assert process.stdin is not None
        size = None if content is None else len(content)
        request = {"kind": kind, "size": size, "first": first, "most": most, "cpu_s": self._cpu_s}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        for start in range(0, size or 0, _PIECE_BYTES):  # so that a large file is in memory once
            process.stdin.write(memoryview(content or b"")[start : start + _PIECE_BYTES])
            await process.stdin.drain()
        await process.stdin.drain()
        self._opened = id
        characters = 0
        while not (line := await _line(process)).is_last:
            characters += len(line.text)
            if len(pages) >= most or characters > _ANSWER_CHARACTERS:
                raise _TooMuch
            pages.append(Page(line.name, line.text, line.line, line.problem))
        return line

    async def _cause(self, error: Exception, page: int) -> str:
        """Why an answer broke off."""
        process = self._process
        if isinstance(error, EOFError | OSError) and process is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GONE_S):
                    await process.wait()
            if process.returncode == -signal.SIGPROF:
                return f"it takes too long: stopped after {self._cpu_s:g} s of computing, at its page {page}"
            return "its parser broke off (it died)"
        return f"its parser broke off ({type(error).__name__})"

    async def _running(self) -> Process:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *(self._python, "-I", "-m", "autoagent_documents.worker"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={},  # it needs no key of anybody's
                cwd="/",
                start_new_session=True,
                limit=_LINE_BYTES,
            )
        return self._process

    async def _kill(self) -> None:
        process, self._process, self._opened = self._process, None, ""
        if process is None:
            return
        with suppress(ProcessLookupError):  # what it has started goes with it
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stdin is not None
        process.stdin.close()
        with suppress(TimeoutError):  # one that got away may hold the pipe; nothing is read from it any more
            async with asyncio.timeout(_GONE_S):
                await process.wait()


async def _line(process: Process) -> _Line:
    """The next line of an answer. Raises `EOFError`, `ValueError`."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return _Line.model_validate_json(line)
