"""What changed, as people read it: a heading a path, the lines that differ, a sum. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autoagent.console.figures import several, size
from autoagent.console.line import Line, Part, Tone, columns, dotted, line
from autoagent.past.changes import PathChange
from autoagent.past.patch import Patch
from autoagent.paths import spelled
from autoagent.trees import TreeEntry

SIGNS: dict[str, tuple[str, Tone]] = {
    "added": ("+", "good"),
    "changed": ("~", "accent"),
    "moved": (">", "accent"),
    "removed": ("-", "bad"),
}
_TONES: dict[str, Tone] = {"+": "good", "-": "bad", "@": "accent", "\\": "dim"}
_LONGEST_LINE = 1_000
"""Characters of one line of a file."""


@dataclass(frozen=True)
class Caps:
    """How many lines of differences are shown."""

    a_path: int = 400
    all: int = 4_000


NO_CAPS = Caps(10**9, 10**9)


def differences(pairs: Sequence[tuple[PathChange, Patch]], caps: Caps) -> Iterator[Line]:
    """Every path with its lines, as far as the caps go; what is left out is counted."""
    room = caps.all
    for number, (change, patch) in enumerate(pairs):
        if number:
            yield line("")
        yield _heading(change, patch)
        shown = patch.lines[: min(room, caps.a_path)]
        room -= len(shown)
        for text in shown:
            yield line(Part(_cut(text), _TONES.get(text[:1], "plain")))
        if left := len(patch.lines) - len(shown):
            yield line(Part(f"… {several(left, 'more line')} of this file; --all shows them", "dim"))


def stat(pairs: Sequence[tuple[PathChange, Patch]]) -> Iterator[Line]:
    """A line a path."""
    yield from columns(
        (Part(*SIGNS[change.change]), Part(_named(change)), *_amount(change, patch))
        for change, patch in pairs
    )


def summed(pairs: Sequence[tuple[PathChange, Patch]]) -> str:
    """How much it is in all."""
    added, removed = (sum(n) for n in zip(*((p.added, p.removed) for _, p in pairs), strict=True))
    parts = [f"{several(len(pairs), 'path')} changed"]
    parts += [f"{several(added, 'line')} added"] if added else []
    parts += [f"{several(removed, 'line')} removed"] if removed else []
    return ", ".join(parts)


def _heading(change: PathChange, patch: Patch) -> Line:
    sign, tone = SIGNS[change.change]
    head = line(Part(f"{sign} ", tone), Part(_named(change), "accent"))
    how = None if change.change == "changed" else change.change
    return dotted(head, how, _kinds(change), *_amount(change, patch), _mode(change))


def _named(change: PathChange) -> str:
    """The path, where it came from, and that it is a folder."""
    entry = change.now or change.was
    name = spelled(change.path) + ("/" if entry is not None and entry.kind == "folder" else "")
    return name if change.moved_from is None else f"{name} (from {spelled(change.moved_from)})"


def _kinds(change: PathChange) -> str | None:
    was, now = change.was, change.now
    if was is not None and now is not None and was.kind != now.kind:
        return f"was a {was.kind}, is a {now.kind}"
    entry = now or was
    return "link" if entry is not None and entry.kind == "link" else None


def _amount(change: PathChange, patch: Patch) -> tuple[Part, ...]:
    """Lines of a text; size and hash of everything else."""
    match patch.body:
        case "text":
            counts = [f"+{patch.added}"] * bool(patch.added) + [f"-{patch.removed}"] * bool(patch.removed)
            return (Part(" ".join(counts), "dim"),)
        case "binary" | "large":
            what = "binary" if patch.body == "binary" else "not compared, too large"
            sides = [_held(entry) for entry in (change.was, change.now) if entry is not None]
            return (Part(f"{what}, {' → '.join(sides)}", "dim"),)
        case "none":
            return ()


def _held(entry: TreeEntry) -> str:
    return f"{size(entry.size)} {entry.sha256[:12]}" if entry.kind != "folder" else "folder"


def _mode(change: PathChange) -> str | None:
    was, now = change.was, change.now
    if was is None or now is None or was.kind != now.kind or was.mode == now.mode:
        return None
    return f"mode {was.mode:03o} → {now.mode:03o}"


def _cut(text: str) -> str:
    if len(text) <= _LONGEST_LINE:
        return text
    return f"{text[:_LONGEST_LINE]}… {len(text) - _LONGEST_LINE} more characters"
