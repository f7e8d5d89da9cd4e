"""Every object that a run refers to: its trees with all that they hold, files to be sent, prompts, tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from autoagent.errors import StoreUnavailable
from autoagent.events import CallDecided, Entry, Event, ModelCalled, QuestionAsked, ToolsOpened
from autoagent.ports import Objects
from autoagent.trees import manifest_rows


@dataclass(frozen=True)
class Reference:
    """One object, and where it is first met."""

    sha256: str
    entry: int
    path: str
    """In the workspace; empty for the workspace itself, and for a prompt."""
    is_folder: bool

    def __str__(self) -> str:
        what = f"{'folder' if self.is_folder else 'file'} {self.path!r}"
        if not self.path:
            what = "the workspace" if self.is_folder else "what a model was told"
        return f"{what} as of entry {self.entry}"


def references(entries: Iterable[Entry], objects: Objects) -> Iterator[Reference]:
    """Each object once; what is in a folder that can't be read is left out."""
    seen: set[str] = set()
    for entry in entries:
        pending = [*_of(entry)]
        while pending:
            found = pending.pop()
            if found.sha256 in seen:
                continue
            seen.add(found.sha256)
            yield found
            if found.is_folder:
                pending += _inside(found, objects)


def _of(entry: Entry) -> Iterator[Reference]:
    for tree in _trees(entry.event):
        yield Reference(tree, entry.seq, "", is_folder=True)
    for path, sha256 in _files(entry.event).items():
        yield Reference(sha256, entry.seq, path, is_folder=False)
    if isinstance(entry.event, ToolsOpened):
        yield Reference(entry.event.tools, entry.seq, "", is_folder=False)
    if isinstance(entry.event, ModelCalled) and entry.event.head:
        yield Reference(entry.event.head, entry.seq, "", is_folder=False)


def _files(event: Event) -> Mapping[str, str]:
    """Files to be sent."""
    match event:
        case CallDecided(files=files):
            return files
        case QuestionAsked(question=question):
            return question.subject.files
        case _:
            return {}


def _trees(event: Event) -> Iterator[str]:
    """Whatever names a tree calls it `tree`, `base` or `folder`; a question names the person's `yours`."""
    of = event.question.subject if isinstance(event, QuestionAsked) else event
    names = [getattr(of, name, None) for name in ("tree", "base", "folder")]
    if isinstance(event, QuestionAsked) and event.question.subject.kind == "folder":
        args = event.question.subject.args
        names.append(args.get("yours") if isinstance(args, dict) else None)
    yield from (tree for tree in names if isinstance(tree, str) and tree)


def _inside(folder: Reference, objects: Objects) -> Iterator[Reference]:
    try:
        rows = manifest_rows(objects.get(folder.sha256), folder.sha256)
    except StoreUnavailable:  # whoever looks at the reference itself meets the same
        return
    prefix = f"{folder.path}/" if folder.path else ""
    for name, entry in rows:
        yield Reference(entry.sha256, folder.entry, prefix + name, is_folder=entry.kind == "folder")
