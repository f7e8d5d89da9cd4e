"""Taking back what an agent did: what an undo would do, as a value, and its carrying out.

Three trees meet: what `main` is, what it was after the wanted entry, and what the folder holds. What the
agent did is taken back; what the person did stays. Where both changed a path since, `keep` says which version
has its place. Nothing is lost: the folder as it was found is on record before it is touched, so an undo can
be undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from autoagent.errors import UsageError
from autoagent.events import CallDecided, CallEnded, CallStarted, Entry, FolderChanged, Undone
from autoagent.loop.versions import DELETED, place_beside, resolved
from autoagent.loop.workspace import Workspace
from autoagent.past.changes import PathChange, changes
from autoagent.past.heads import Head, main_at
from autoagent.past.ledger import Ledger
from autoagent.ports import Objects
from autoagent.trees import Conflict, Tree, TreeEntry, WorkingCopy, diff, entry_in, load_tree, merge

Keep = Literal["mine", "theirs", "both"]
"""Of a path that both changed: the person's version stays, the earlier one comes back, or goes beside it."""


@dataclass(frozen=True)
class Undo:
    """What an undo to an entry would do to a folder that was found so."""

    to: int
    found: Tree
    result: Tree
    """What the folder will hold."""
    changes: tuple[PathChange, ...]
    """From the folder as it was found."""
    clashes: tuple[PathChange, ...]
    """Paths that both changed: from the person's version to the one that was wanted."""
    kept: Mapping[str, str]
    """Such a path, where the person's version stays -> where the other one is; empty: in no file."""


@dataclass(frozen=True)
class Effect:
    """Something that left the house, and can't be taken back."""

    seq: int
    at: datetime
    tool: str
    destination: str | None
    is_sure: bool
    """It ended well; otherwise it may have happened."""
    is_on_word: bool = False
    """That it happened is known from a person's word alone."""


def plan_for(moves: Sequence[Head], to: int, main: Tree, found: Tree, keep: Keep, objects: Objects) -> Undo:
    """The undo of a run with these heads, in a folder that was found so."""
    target = load_tree(main_at(moves, to), objects)
    return planned(to, target, without_the_persons(main, moves, to, objects), found, keep, objects)


def without_the_persons(main: Tree, moves: Sequence[Head], to: int, objects: Objects) -> Tree:
    """`main` without what the person changed in it since an entry, where nobody changed that again.

    What they did is theirs also after it was taken into `main`: an undo is about what the agent did.
    """
    before: dict[str, str] = {}
    for head in moves:
        if not head.is_main or head.seq <= to or head.before == head.after:
            continue
        if isinstance(head.entry.event, FolderChanged):
            for path in diff(load_tree(head.before, objects), load_tree(head.after, objects)).paths:
                before.setdefault(path, head.before)
            continue
        for path in [*before]:
            if entry_in(head.before, path, objects) != entry_in(head.after, path, objects):
                del before[path]
    for id in dict.fromkeys(before.values()):
        paths = [path for path, tree in before.items() if tree == id]
        main = resolved("theirs", paths, main, load_tree(id, objects), objects)
    return main


def planned(to: int, target: Tree, main: Tree, found: Tree, keep: Keep, objects: Objects) -> Undo:
    """The undo that makes `main` what it was, and leaves what `found` has of the person's.

    `main` is what the agent left; all in which `found` differs from it counts as the person's.
    """
    yours, theirs = (_with_modes(side, side, main, objects) for side in (found, target))
    clashes = _clashes(main, yours, theirs, objects)
    mine = merged(main, yours, theirs, clashes, objects)
    kept: dict[str, str] = {}
    match keep:
        case "mine":
            result, kept = mine, dict.fromkeys(clashes, "")
        case "theirs":
            result = merged(main, theirs, yours, clashes, objects)
        case "both":
            copy = WorkingCopy(mine, objects)
            beside = place_beside(copy, clashes, target, f"entry{to}")
            result, kept = copy.tree(), {p: "" if at == DELETED else at for p, at in beside.items()}
    for side in (found, target):
        result = _with_modes(result, main, side, objects)
    said = [PathChange(p, found.entries.get(p), target.entries.get(p)) for p in clashes]
    return Undo(to, found, result, changes(found, result), tuple(said), kept)


def merged(base: Tree, first: Tree, second: Tree, clashes: Iterable[str], objects: Objects) -> Tree:
    """Both sides' changes since `base`; of clashing paths, and of what clashes with them, the first's."""
    paths = {*clashes}
    while True:
        calm = resolved("theirs", paths, second, base, objects)
        both = merge(base, first, calm, objects)
        if isinstance(both, Tree):
            return both
        if not {*both.paths} - paths:  # files and folders changed places
            return first
        paths |= {*both.paths}


def effects_after(entries: Sequence[Entry], seq: int) -> tuple[Effect, ...]:
    """What reached the world outside after an entry, or may have."""
    sent: dict[str, Effect] = {}
    decided: dict[str, CallDecided] = {}
    ledger = Ledger("", entries)
    for entry in entries:
        match entry.event:
            case CallDecided(effect="external") as call:
                decided[call.call] = call
            case CallStarted(call=id) if id in decided and entry.seq > seq:
                call = decided[id]
                sent[id] = Effect(entry.seq, entry.at, call.tool, call.destination, False)
            case CallEnded(call=id, ok=False, in_doubt=False) if id in sent:
                del sent[id]  # refused, or never handed over
            case CallEnded(call=id, ok=ok) if id in decided and (id in sent or (ok and entry.seq > seq)):
                call = decided[id]
                is_on_word = ledger.is_on_word(id)
                is_sure = ok and not is_on_word
                sent[id] = Effect(entry.seq, entry.at, call.tool, call.destination, is_sure, is_on_word)
            case _:
                pass
    return tuple(sent.values())


def once_projected(found: Tree, before: Tree, main: Tree, objects: Objects) -> Tree:
    """The folder as it will be when it has followed `main`, which a crash may have kept it from."""
    behind = [p for p in diff(before, main).paths if found.entries.get(p) == before.entries.get(p)]
    return resolved("theirs", behind, found, main, objects) if behind else found


async def carry_out(workspace: Workspace, undo: Undo) -> tuple[str, ...]:
    """Take back what was shown; the paths that somebody changed meanwhile, which stay as they are.

    Raises `UsageError`, and does nothing, where the folder isn't as it was shown any more.
    """
    found = await workspace.settled()
    if found != undo.found:
        raise UsageError("the folder has changed since this was shown; nothing was done: look again")
    paths = diff(undo.found, undo.result).paths
    undone = Undone(to=undo.to, tree=undo.result.id, paths=paths, kept=dict(undo.kept))
    return await workspace.take_back(found, undone)


def _clashes(main: Tree, found: Tree, target: Tree, objects: Objects) -> tuple[str, ...]:
    both = merge(main, found, target, objects)
    return both.paths if isinstance(both, Conflict) else ()


def _with_modes(tree: Tree, old: Tree, new: Tree, objects: Objects) -> Tree:
    """`tree` with modes of `new`, at paths where it has the content and the mode of `old`.

    A mode alone is no version of a file: whoever changed one keeps it, whatever becomes of the content.
    """
    copy = WorkingCopy(tree, objects)
    for path in diff(old, new).paths:
        entry, was, now = tree.entries.get(path), old.entries.get(path), new.entries.get(path)
        if entry is None or was is None or now is None or entry.mode != was.mode:
            continue
        if was.kind == now.kind == entry.kind and was.sha256 == now.sha256:
            copy.place(path, TreeEntry(entry.kind, now.mode, entry.size, entry.sha256))
    return copy.tree()
