"""Which files are indexed, and indexing those that aren't.

A document is indexed in parts of some pages, each a source of its own in `ctx.passages`, named by the file's
kind and content. So a file that hasn't changed costs nothing, wherever it lies and whichever run looks; a
large one is indexed bit by bit; and a part is there whole or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import Field

from autoagent.door.extras import said
from autoagent.door.tools import FilesView
from autoagent.messages import Frozen
from autoagent.paths import spelled
from autoagent.ports import Passages, Source
from autoagent.redact import one_line
from autoagent_documents.cutting import passages as passages_of
from autoagent_documents.cutting import stitched
from autoagent_documents.pages import kind_of
from autoagent_documents.parsing import Parser, Part

EXTRACTOR = 1
"""Raised when pages or passages come out otherwise than before: everything is indexed anew then."""
PART_PAGES = 50
MOST_BYTES = 200_000_000
_PART_BYTES = 50_000
"""A part of a PDF is seldom smaller."""
_PROBLEM_CHARACTERS = 300
_STORED_AT_ONCE = 400
"""Passages. Storing a few costs as much as storing some hundred: the index is opened for each time."""


@dataclass(frozen=True)
class File:
    """A document of the lane's tree."""

    path: str
    kind: str
    sha256: str
    size: int

    @property
    def id(self) -> str:
        return f"{EXTRACTOR}-{self.kind}-{self.sha256}"

    def part_id(self, part: int) -> str:
        return f"{self.id}-{part}"


class Note(Frozen):
    """What is known of a part: stored beside its passages."""

    pages: tuple[tuple[str, int], ...]
    """Each page's name and its length in characters."""
    total: int
    """Pages of the whole document."""
    problem: str = ""
    """Why the document can't be read, or not beyond this part."""
    broken: dict[str, str] = Field(default_factory=dict)
    """Pages that could not be read, or not whole -> why."""

    @property
    def parts(self) -> int:
        return max(1, -(-self.total // PART_PAGES))


@dataclass
class Shelf:
    """What the index holds of some files."""

    files: Sequence[File]
    notes: dict[str, Note] = field(default_factory=dict)
    """Of each part that is indexed."""
    unread: dict[str, str] = field(default_factory=dict)
    """Path -> why, of files that are no business of the index: too large, or a package is missing."""

    def parts(self, file: File) -> Iterator[tuple[str, Note | None]]:
        """The parts that the file has, as far as is known, and what is known of each."""
        number, count = 0, 1
        while number < count:
            id = file.part_id(number)
            yield id, self.notes.get(id)
            note = self.notes.get(id)  # whoever got it may have filled it in
            if note is not None:
                count = number + 1 if note.problem else note.parts
            number += 1

    def lacking(self) -> Iterator[tuple[File, int]]:
        """Each part that isn't indexed yet, as (file, number)."""
        for file in self.files:
            for number, (_, note) in enumerate(self.parts(file)):
                if note is None and file.path not in self.unread:
                    yield file, number

    def is_done(self, file: File) -> bool:
        return file.path in self.unread or all(note is not None for _, note in self.parts(file))

    @property
    def pending(self) -> list[File]:
        """Files that aren't indexed yet, or not whole."""
        return [file for file in self.files if not self.is_done(file)]

    @property
    def sources(self) -> dict[str, list[str]]:
        """Each part that is indexed -> the paths of its document; of equal files it is the same part."""
        found: dict[str, list[str]] = {}
        for file in self.files:
            for part, note in self.parts(file):
                if note is not None:
                    found.setdefault(part, []).append(file.path)
        return found

    def problems(self) -> Iterator[str]:
        """A line for each file that can't be read, or not whole."""
        for file in self.files:
            if why := self.unread.get(file.path):
                yield f"{spelled(file.path)}: {why}"
                continue
            notes = [note for _, note in self.parts(file) if note is not None]
            whys = [note.problem for note in notes if note.problem]
            broken = [(page, why) for note in notes for page, why in note.broken.items()]
            if not whys and notes and self.is_done(file) and not any(n for x in notes for _, n in x.pages):
                whys = ["no text is in it (scanned images?)"]
            elif broken:
                more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
                whys += [f"page {page}: {why}" for page, why in broken[:3]] + [more] * bool(more)
            if whys:
                yield f"{spelled(file.path)}: {one_line('; '.join(whys), _PROBLEM_CHARACTERS)}"


def documents_in(files: FilesView, path: str) -> list[File]:
    """The documents at or beneath `path`; those in hidden folders only where it leads into one."""
    tree = files.tree()
    beneath = "" if path == "." else f"{path}/"
    paths = (
        [path] if path in tree.entries and tree.entries[path].kind == "file" else tree.beneath(beneath[:-1])
    )
    found = []
    for name in paths:
        entry, kind = tree.entries[name], kind_of(name)
        is_hidden = any(part.startswith(".") for part in name.removeprefix(beneath).split("/")[:-1])
        if entry.kind == "file" and kind is not None and not is_hidden:
            found.append(File(name, kind, entry.sha256, entry.size))
    return found


class Index:
    """Looks up and brings up to date what is indexed of some files."""

    def __init__(self, passages: Passages, view: FilesView, parser: Callable[[], Parser] = Parser) -> None:
        self._passages, self._view, self._parser = passages, view, parser

    async def shelf(self, files: Sequence[File]) -> Shelf:
        """What is known of the files; nothing is parsed."""
        shelf = Shelf(files)
        for file in files:
            if file.size > MOST_BYTES:
                shelf.unread[file.path] = f"it has {file.size:,} bytes; at most {MOST_BYTES:,} are read"
        await self._look_up(shelf, (part for file in files for part in _likely_parts(file)))
        firsts = ((file, shelf.notes.get(file.part_id(0))) for file in files)
        known = {part for file in files for part in _likely_parts(file)}
        others = (f.part_id(n) for f, note in firsts if note is not None for n in range(1, note.parts))
        await self._look_up(shelf, (part for part in others if part not in known))
        return shelf

    async def bring_up(self, shelf: Shelf, budget_s: float) -> None:
        """Index what isn't, for about so many seconds; at least one part."""
        deadline = time.monotonic() + budget_s
        waiting: list[Source] = []
        async with self._parser() as parser:
            for file, number in shelf.lacking():
                waiting += await self._parsed(parser, shelf, file, number)
                is_over = time.monotonic() >= deadline
                if is_over or sum(len(source.passages) for source in waiting) >= _STORED_AT_ONCE:
                    await self._passages.store(waiting)
                    waiting = []
                if is_over:
                    break
        await self._passages.store(waiting)

    async def add(self, shelf: Shelf, file: File, number: int) -> None:
        """Index one part of a file, whatever else of it is there."""
        async with self._parser() as parser:
            await self._passages.store(await self._parsed(parser, shelf, file, number))

    async def text(self, file: File, number: int, page: str) -> tuple[str, int]:
        """The whole text of a page in an indexed part, and the number of its first line."""
        found = await self._passages.read(file.part_id(number), page)
        return stitched(found), found[0].line if found else 1

    async def _parsed(self, parser: Parser, shelf: Shelf, file: File, number: int) -> list[Source]:
        """A part of a file as it is to be stored; `shelf` knows of it from now on."""
        part = await parser.part(
            file.id, file.kind, lambda: self._view.read(file.path), number * PART_PAGES, PART_PAGES
        )
        if part.missing:  # no business of the index: it may be there the next time
            shelf.unread[file.path] = said("documents", (part.missing,))
            return []
        if part.is_passing:
            shelf.unread[file.path] = part.problem
            return []
        note = _note(part)
        shelf.notes[file.part_id(number)] = note
        texts = [passage for page in part.pages for passage in passages_of(page)]
        return [Source(id=file.part_id(number), note=note.model_dump_json(), passages=tuple(texts))]

    async def _look_up(self, shelf: Shelf, parts: Iterable[str]) -> None:
        found = await self._passages.known(list(dict.fromkeys(parts)))
        shelf.notes |= {part: Note.model_validate_json(note) for part, note in found.items()}


def _likely_parts(file: File) -> list[str]:
    """The parts that a file of its size may have: looking up all at once saves opening the index twice."""
    return [file.part_id(n) for n in range(1 + min(file.size // _PART_BYTES, 20))]


def _note(part: Part) -> Note:
    return Note(
        pages=tuple((page.name, len(page.text.strip())) for page in part.pages),
        total=part.total,
        problem=part.problem,
        broken={page.name: page.problem for page in part.pages if page.problem},
    )
