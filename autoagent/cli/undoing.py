"""`undo`: takes a run's folder back to what it was, after showing what that means, and asking."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import get_args

from pydantic import JsonValue

from autoagent import wiring
from autoagent.cli.differing import record_of
from autoagent.cli.output import note, out, out_json
from autoagent.console.changes import Caps, differences, stat
from autoagent.console.figures import several
from autoagent.console.finding import find_run, opened, state_of
from autoagent.console.keyboard import forget_typed, read_line
from autoagent.console.line import Line, Part, dotted, line, short
from autoagent.console.screen import Screen
from autoagent.errors import UsageError
from autoagent.journal.sqlite import SqliteJournal
from autoagent.loop.workspace import Workspace
from autoagent.past.changes import PathChange, changes
from autoagent.past.heads import heads
from autoagent.past.patch import Patch, patch
from autoagent.past.undo import Effect, Keep, Undo, carry_out, effects_after, once_projected, plan_for
from autoagent.paths import spelled
from autoagent.ports import Objects

_CLASH_CAPS = Caps(a_path=40, all=200)
_DRY = "nothing was done: this only says what 'undo' would do"


@dataclass(frozen=True)
class Wish:
    """An undo as it was asked for."""

    to: int = 1
    keep: Keep | None = None
    dry_run: bool = False
    yes: bool = False
    as_json: bool = False

    @property
    def may_ask(self) -> bool:
        return not self.as_json and sys.stdin.isatty() and sys.stdout.isatty()


@dataclass(frozen=True)
class Shown:
    """What an undo would do, or did, to one run's folder."""

    run: str
    undo: Undo
    pairs: tuple[tuple[PathChange, Patch], ...]
    """From the folder as it is."""
    stays: tuple[Effect, ...]
    back: int
    """The entry to go back to for what was there before; 0: nothing was done."""
    left: tuple[str, ...] = ()
    """Paths that somebody changed while it was done."""

    @property
    def is_empty(self) -> bool:
        """Nothing to be done, and nothing to be chosen."""
        return not self.pairs and not self.undo.clashes

    def record(self) -> dict[str, JsonValue]:
        """For programs."""
        return {
            "run": self.run,
            "to": self.undo.to,
            "files": [record_of(change, patch) for change, patch in self.pairs],
            "kept": dict(self.undo.kept),
            "stays": [effect_record(each) for each in self.stays],
            "back": self.back,
            "left": list(self.left),
        }


def keep_of(text: str | None) -> Keep | None:
    """Raises `UsageError` for another word."""
    known: dict[str, Keep] = {name: name for name in get_args(Keep)}
    if text is not None and text not in known:
        raise UsageError(f"--keep takes {', '.join(known)}, not {text!r}")
    return None if text is None else known[text]


def undo(prefix: str, wish: Wish) -> int:
    """The exit status. Raises `UsageError`, `RunOwned`."""
    if not (wish.dry_run or wish.yes or wish.may_ask):
        raise UsageError("nobody can be asked here: add --yes, or --dry-run to see what would be done")
    with opened() as journal:
        run_id = find_run(journal, prefix)
        state_of(journal, run_id)
        with wiring.held_workspace(journal, run_id) as workspace:
            return asyncio.run(_undo(journal, workspace, wish))


async def _undo(journal: SqliteJournal, workspace: Workspace, wish: Wish) -> int:
    shown = await _preview(journal, workspace, wish.to, wish.keep or "mine")
    if not wish.as_json:
        out(*_preview_lines(shown, journal.objects, hint=wish.keep is None))
    if not wish.dry_run and not wish.yes and not shown.is_empty:
        if shown.undo.clashes and wish.keep is None:
            if (keep := await _ask_keep()) is None:
                return _left_alone()
            shown = await _preview(journal, workspace, wish.to, keep)
        if shown.pairs and not await _ask(f"take back {several(len(shown.pairs), 'path')}"):
            return _left_alone()
    if not wish.dry_run and shown.pairs:
        left = await carry_out(workspace, shown.undo)
        shown = replace(shown, back=_entry_before(journal, shown.run), left=left)
    if wish.as_json:
        out_json(shown.record())
    else:
        out(*_done_lines(shown, wish))
    return 1 if shown.left else 0


async def _preview(journal: SqliteJournal, workspace: Workspace, to: int, keep: Keep) -> Shown:
    run, objects = workspace.history.run_id, journal.objects
    entries = journal.read(run)
    if not 1 <= to <= len(entries):
        raise UsageError(f"there is no entry {to}; this run's journal has the entries 1 to {len(entries)}")
    main, before = workspace.tree(workspace.history.state.main), workspace.tree(workspace.projected)
    found = await workspace.found()
    settled = once_projected(found, before, main, objects)
    wanted = plan_for(heads(run, entries), to, main, settled, keep, objects)
    pairs = tuple((each, patch(each, objects)) for each in changes(found, wanted.result))
    return Shown(run, wanted, pairs, effects_after(entries, to), 0)


def _entry_before(journal: SqliteJournal, run: str) -> int:
    """The last entry before the last undo: there `main` was the folder as it was found."""
    from autoagent.events import Undone

    entries = journal.read(run)
    return next(e.seq for e in reversed(entries) if isinstance(e.event, Undone) and not e.event.projected) - 1


# --- what is shown ------------------------------------------------------------------------------------------


def _preview_lines(shown: Shown, objects: Objects, *, hint: bool) -> Iterator[Line]:
    undo = shown.undo
    moment = "as the run found it" if undo.to == 1 else f"as it was after entry {undo.to}"
    if shown.is_empty:
        yield line("Nothing to take back: the folder is ", moment, ".")
    if shown.pairs:
        yield line("The folder would be ", moment, ":")
        yield from (line("  ") + each for each in stat(shown.pairs))
    if undo.clashes:
        yield from (line(""),) if shown.pairs else ()
        yield line(
            Part("You changed these as well", "attention"), "; - is yours, + is entry ", str(undo.to), ":"
        )
        pairs = [(each, patch(each, objects)) for each in undo.clashes]
        yield from (line("  ") + each for each in differences(pairs, _CLASH_CAPS))
        yield from _kept_lines(undo, hint=hint)
    if shown.stays:
        yield line("")
        yield line(Part("This has left the house, and stays:", "attention"))
        for each in shown.stays:
            doubt = "you said that it had happened" if each.is_on_word else "may have happened"
            may = None if each.is_sure else doubt
            at = f"{each.at.astimezone():%Y-%m-%d %H:%M:%S}"
            whom = line("  ", short(f"{each.tool} {each.destination or ''}".strip(), 120))
            yield dotted(whom, at, may, f"entry {each.seq}")


def _kept_lines(undo: Undo, *, hint: bool) -> Iterator[Line]:
    for path, beside in undo.kept.items():
        where = f"; the other one goes to {spelled(beside)}" if beside else ""
        yield line(f"{spelled(path)} stays as you have it{where}")
    if hint and undo.kept:
        yield line(Part("--keep theirs takes the other version, --keep both puts it beside yours", "dim"))


def _done_lines(shown: Shown, wish: Wish) -> Iterator[Line]:
    if not shown.back:
        if not shown.is_empty:
            yield line(Part(_DRY if wish.dry_run else "nothing was done: your versions stay", "dim"))
        return
    yield line(
        f"Taken back to entry {shown.undo.to}; 'autoagent undo {shown.run} --to {shown.back}' reverts that."
    )
    for path in shown.left:
        yield line(Part(f"{spelled(path)} was changed meanwhile and stays; undo again to see it", "bad"))


def effect_record(each: Effect) -> JsonValue:
    """For programs."""
    return {
        "entry": each.seq,
        "at": each.at.isoformat(),
        "tool": each.tool,
        "destination": each.destination,
        "is_sure": each.is_sure,
    }


# --- the person ---------------------------------------------------------------------------------------------


async def _ask_keep() -> Keep | None:
    """Which version stays of what both changed; `None` for neither, and where the person goes away."""
    while True:
        typed = await _typed("keep [1] mine  [2] theirs  [3] both  (n: do nothing) › ")
        if typed is None:
            return None
        for number, keep in enumerate(get_args(Keep), 1):
            if typed in (str(number), keep):
                found: Keep = keep
                return found
        if typed.lower() in ("n", "no", "q"):
            return None
        note("type 1, 2 or 3; n leaves all as it is")


async def _ask(what: str) -> bool:
    return (await _typed(f"{what}? [y] yes  [n] no  (Enter: n) › ") or "").lower() in ("y", "yes")


async def _typed(prompt: str) -> str | None:
    forget_typed(0)
    Screen.on(sys.stdout).ask(prompt=line(prompt))
    typed = await read_line(0)
    return None if typed is None else typed.strip()


def _left_alone() -> int:
    note("nothing was done")
    return 0
