"""What the screen of the past says of a moment: what was done, and the files then against now.

Pure over objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath

from autoagent import events as e
from autoagent.console.events import called
from autoagent.console.figures import clock, money
from autoagent.console.line import Line, Part, columns_of, dotted, line, short
from autoagent.events import Entry
from autoagent.outcome import ending_of, is_ending_past, results
from autoagent.past.changes import PathChange
from autoagent.past.patch import patch
from autoagent.paths import spelled
from autoagent.settings import ModelSettings
from autoagent.state import RunState
from autoagent.trees import ObjectSource, diff, load_tree
from autoagent.tui.drawing.view import Row, spread, unfolded

_MOST_FILES = 200
_LONGEST_FOLDER = 200


def past_title(state: RunState, last: RunState, at: int, width: int) -> Line:
    """The run and what it came to; that this is the past, and where."""
    where = Part(f" · entry {at}", "dim")
    here = line(Part("▌PAST▐", "attention"), f" step {state.steps} of {last.steps}", where)
    if last.started is None:
        return spread(line(" ", last.run_id), here, width - 1)
    found = results(last)
    proved = sum(each.verdict == "proved" for each in found)
    since = ", then taken back:" if is_ending_past(last) else ""
    head = dotted(
        line(" ", last.run_id),
        short(last.goal.goal.strip().partition("\n")[0], max(width - columns_of(here) - 50, 12)),
        f"{ending_of(last, is_carried=True)}{since} {proved} of {len(found)}",
        money(last.usd),
        clock(last.seconds),
    )
    return spread(head, here, width - 1)


def step_title(entry: Entry, decided: e.CallDecided | None, state: RunState) -> Line:
    """What the entry is: a call by its tool, all else by its kind."""
    event = entry.event
    if isinstance(event, e.CallDecided):
        decided = event
    what = line(*called(decided)) if decided is not None else line(event.kind.replace("_", " "))
    return dotted(f"Step {state.steps}", what, f"entry {entry.seq}")


def step_lines(entry: Entry, decided: e.CallDecided | None, state: RunState) -> list[Line]:
    """Everything that it holds, and below it where it came from and what it left."""
    lines = unfolded(entry, decided)
    about = dotted(*_about(entry.event, state))
    return [*lines, line(""), about] if about.parts else lines


def _about(event: e.Event, state: RunState) -> Iterator[Part | str]:
    match event:
        case e.CallEnded():
            yield from (Part(label.upper(), "outside") for label in event.labels)
            yield money(event.cost_usd) if event.cost_usd else ""
            yield f"{event.seconds:.1f} s" if event.seconds >= 0.1 else ""
            yield f"snapshot {event.tree[:4]}" if event.tree is not None else ""
        case e.ModelReplied():
            yield from (money(event.cost_usd), f"{event.tokens} tokens")
        case _:
            pass
    lane = state.lanes.get(getattr(event, "lane", ""))
    yield f"sub-task {Part(lane.sub_task, limit=40).shown}" if lane is not None else ""


def files_then(then: RunState, now: RunState, objects: ObjectSource, width: int) -> list[Line]:
    """Each file that the run had changed by then, or has since, against now. Raises `StoreUnavailable`."""
    start, was, last = (load_tree(tree, objects) for tree in (now.start_tree, then.main, now.main))
    paths = sorted({*diff(start, was).paths, *diff(was, last).paths})
    return [
        spread(*_against(PathChange(path, was.entries.get(path), last.entries.get(path)), objects), width)
        for path in paths[:_MOST_FILES]
        if (entry := was.entries.get(path) or last.entries.get(path)) is None or entry.kind != "folder"
    ]


def _against(change: PathChange, objects: ObjectSource) -> tuple[Line, Line]:
    """(the path, how it differs): `was` is then, `now` is now."""
    path = spelled(change.path)
    if change.was == change.now:
        return line("  ", path), line(Part("same" if change.now is not None else "not there", "dim"))
    if change.was is None:
        return line("  ", path), line(Part("not yet there", "dim"))
    if change.now is None:
        return line(Part("- ", "bad"), path), line(Part("gone since", "dim"))
    found = patch(change, objects)
    amount = f"+{found.added} −{found.removed}" if found.added or found.removed else "changed"
    return line(Part("~ ", "accent"), path), line(amount)


def fork_lines(then: RunState, workspace: str) -> list[Line]:
    """What a fork would make, and what it leaves alone.

    `then`: the run after the entry that is forked from. `workspace`: the run's own.
    """
    folder = PurePath(workspace)
    sent = f"; what it had sent by then ({len(then.sent)}) stays sent" if then.sent else ""
    return [
        line(f"A new run that knows what this one knew at step {then.steps}, and works in a new folder,"),
        line(Part(str(folder.with_name(f"{folder.name}-fork-…")), limit=_LONGEST_FOLDER), ","),
        line("with the files as they were then. Nothing goes on before you say so."),
        line(f"This run and its folder stay as they are{sent}."),
        line(""),
        line("Which model shall go on with it?"),
    ]


def model_rows(models: Mapping[str, ModelSettings], same: str, before: str) -> list[Row]:
    """The models of config.toml to choose among, the one that the run had first."""
    rows = [Row(line(f"{same}  ", Part(before, "dim", 60)), same)]
    for name, model in models.items():
        shown = dotted(line(short(name, 40)), short(model.model, 60), Part(model.base_url, "dim", 60))
        rows.append(Row(shown, name))
    return rows
