"""The files of a run: what differs from its start, made by which steps, and what was only read.

Pure over objects.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autoagent.console.changes import SIGNS, Caps, differences
from autoagent.console.figures import local, several
from autoagent.console.line import Line, Part, dotted, line, short
from autoagent.past.changes import PathChange, changes
from autoagent.past.patch import patch
from autoagent.paths import spelled
from autoagent.trees import ObjectSource, load_tree
from autoagent.tui.drawing.view import Row, spread
from autoagent.tui.run.trail import Touch

_MOST_READS = 500
_MOST_STEPS = 50
"""Of one path, below it; its page has all."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a step made of one path."""

    touch: Touch
    sign: str
    added: int
    removed: int


class Steps:
    """What each step made of each path; the trees are read as far as they are asked for.

    For several threads.
    """

    def __init__(self) -> None:
        self.by_path: dict[str, list[Made]] = {}
        self.done = 0
        self._lock = threading.Lock()

    def catch_up(self, touches: Sequence[Touch], objects: ObjectSource, most: int = 200) -> bool:
        """At most so many further steps; whether that were all. Raises `StoreUnavailable`."""
        with self._lock:
            for touch in touches[self.done : self.done + most]:
                for path, found in made(touch, objects):
                    self.by_path.setdefault(path, []).append(found)
                self.done += 1
            return self.done >= len(touches)


def made(touch: Touch, objects: ObjectSource) -> Iterator[tuple[str, Made]]:
    """(path, what became of it) of everything that a step changed. Raises `StoreUnavailable`."""
    for each in changes(load_tree(touch.before, objects), load_tree(touch.after, objects)):
        found = patch(each, objects)
        yield each.path, Made(touch, SIGNS[each.change][0], found.added, found.removed)


def file_rows(
    differing: Sequence[PathChange],
    steps: Mapping[str, Sequence[Made]],
    reads: Mapping[str, Sequence[Touch]],
    width: int,
) -> list[Row]:
    """Each path that differs from the start, below it the steps that made it so; then those only read.

    A path's row stands for `./PATH`, a step's for its entry.
    """
    known = {each.path: each for each in differing}
    again = sorted(path for path in steps if path not in known)
    count = several(len(known), "path") if known else "nothing"
    heading = f"{count} differ{'' if len(known) > 1 else 's'} from the start"
    rows = [Row(line(Part(f"{heading} · enter shows the lines, d those of all", "dim")))]
    for each in differing:
        rows += _changed(each.path, SIGNS[each.change][0], steps.get(each.path, ()), width)
    for path in again:
        rows += _changed(path, "=", steps[path], width)
    only = sorted(path for path in reads if path not in known and path not in steps)
    if only:
        rows.append(Row(line(Part("only read", "dim"))))
        rows += [_read(path, reads[path], width) for path in only[:_MOST_READS]]
    if (left := len(only) - _MOST_READS) > 0:
        rows.append(Row(line(Part(f"… {several(left, 'more path')}", "dim"))))
    return rows


def _changed(path: str, sign: str, steps: Sequence[Made], width: int) -> Iterator[Row]:
    tones = dict(SIGNS.values())
    left = line(Part(f"{sign} ", tones.get(sign, "dim")), spelled(path))
    added, removed = sum(x.added for x in steps), sum(x.removed for x in steps)
    right = "as at the start again" if sign == "=" else _amount(added, removed) if steps else ""
    yield Row(spread(left, line(Part(right, "dim")), width), f"./{path}")
    for each in steps:
        yield Row(
            spread(line("    ") + _named(each.touch), line(_amount(each.added, each.removed)), width),
            str(each.touch.seq),
        )


def _read(path: str, touches: Sequence[Touch], width: int) -> Row:
    last = touches[-1]
    times = f" · {len(touches)} times" if len(touches) > 1 else ""
    left = line("  ", spelled(path))
    return Row(
        spread(left, line(Part(f"step {last.step} {last.by}{times}", "dim", 40)), width), str(last.seq)
    )


def _named(touch: Touch) -> Line:
    """Which step it was, of which sub-task, by what."""
    step = Part(f"step {touch.step:<4} " if touch.step else "start     ", "dim")
    sub_task = f"{Part(touch.sub_task, limit=8).shown:<3} " if touch.sub_task else ""
    return line(step, Part(sub_task, "dim"), short(touch.by, 40), Part(f"  {local(touch.at)}", "dim"))


def _amount(added: int, removed: int) -> str:
    return f"+{added} −{removed}" if added or removed else "no lines"


def history(path: str, steps: Iterable[Made], objects: ObjectSource) -> list[Line]:
    """What each step made of a path, in order, with the lines."""
    shown: list[Line] = []
    for each in steps:
        shown += [line("")] * bool(shown)
        shown += one_step(each.touch, objects, path)
    return shown


def one_step(touch: Touch, objects: ObjectSource, path: str | None = None) -> Iterator[Line]:
    """The lines that one step changed, of one path or of all."""
    found = changes(load_tree(touch.before, objects), load_tree(touch.after, objects))
    pairs = [(each, patch(each, objects)) for each in found if path is None or each.path == path]
    yield dotted(_named(touch), Part(f"entry {touch.seq}", "dim"))
    yield from differences(pairs, Caps())
