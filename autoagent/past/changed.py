"""Who changed a path of the workspace: found by comparing the trees that `main` and its forks held."""

from __future__ import annotations

from collections.abc import Iterator

from autoagent import events as e
from autoagent.events import Entry
from autoagent.past.heads import Head
from autoagent.past.ledger import Ledger
from autoagent.past.quoted import LARGEST_BYTES, quotations
from autoagent.past.reasons import answer_step, call_step, sub_task_step, texts_of
from autoagent.past.step import Step, step
from autoagent.paths import spelled
from autoagent.state import MAIN
from autoagent.taint import labels_of_paths
from autoagent.trees import ObjectSource, TreeEntry, diff, entry_in, load_tree

_FILES_OF_A_CALL = 5


def changing_call_step(ledger: Ledger, id: str, objects: ObjectSource) -> Step:
    """As `call_step`, with what it wrote into files, also where code wrote it, and where that was read."""
    moved = [head for head in ledger.moves if _is_of(head, id)]
    if not moved or ledger.calls[id].decision.effect != "write":
        return call_step(ledger, id)
    head = moved[-1]
    files = [Changed(ledger, path, objects) for path in _files_between(head, objects)[:_FILES_OF_A_CALL]]
    written = "\n".join(each.written(head) for each in files)
    quoted = {step.quote: step for each in files for step in each.quoted(head, id)}
    return call_step(ledger, id, written, tuple(quoted.values()))


def _is_of(head: Head, call: str) -> bool:
    event = head.entry.event
    return isinstance(event, e.CallEnded) and event.call == call


def _files_between(head: Head, objects: ObjectSource) -> list[str]:
    was, now = load_tree(head.before, objects), load_tree(head.after, objects)
    return [p for p in diff(was, now).paths if (x := now.entries.get(p)) is not None and x.kind == "file"]


class Changed:
    """The changes of one path in one run."""

    def __init__(self, ledger: Ledger, path: str, objects: ObjectSource) -> None:
        self._ledger, self._path, self._objects = ledger, path, objects

    def is_known(self) -> bool:
        """Whether the path was ever there."""
        trees = {tree for head in self._ledger.moves for tree in (head.before, head.after)}
        return any(self._at(tree) is not None for tree in trees)

    def steps(self, every: bool = False) -> list[Step]:
        """The last change, or each, last first; where there is none, that it was there from the start."""
        found = (self._step(head) for head in self._moves(MAIN, len(self._ledger.entries)))
        steps = list(found) if every else [x for x in [next(found, None)] if x is not None]
        return steps or [self._untouched()]

    def times(self) -> int:
        """How many entries changed it in `main`."""
        return sum(1 for _ in self._moves(MAIN, len(self._ledger.entries)))

    def _moves(self, lane: str, until: int, since: int = 0) -> Iterator[Head]:
        """The moves that changed the path in `main` or a fork, last first."""
        for head in reversed(self._ledger.moves):
            if (
                head.lane == lane
                and since < head.seq <= until
                and self._at(head.before) != self._at(head.after)
            ):
                yield head

    def _at(self, tree: str) -> TreeEntry | None:
        return entry_in(tree, self._path, self._objects)

    # --- one change -----------------------------------------------------------------------------------------

    def _step(self, head: Head) -> Step:
        """One move, and what led to it."""
        what = self._what(head)
        match head.entry.event:
            case e.CallEnded(call=call):
                led = call_step(self._ledger, call, self._text(head.after), self.quoted(head, call))
                return step("change", head.entry, f"{what} by {self._ledger.calls[call].decision.tool}", led)
            case e.LaneMerged(lane=lane):
                return step(
                    "merge", head.entry, f"{what}: lane {lane} came into main", *self._in_fork(lane, head.seq)
                )
            case e.FolderChanged():
                return step("person", head.entry, f"{what} in the folder, by you", self._choice(head))
            case e.Undone(to=to):
                return step("undo", head.entry, f"{what}: you took it back to entry {to}", self._before(to))
            case e.LaneReset(why=why):
                return step("reset", head.entry, f"{what}: back to the sub-task's start", quote=why)
            case e.LaneConflicted() as event:
                return self._beside(head, event, what)
            case _:
                return step("event", head.entry, f"{what} ({head.entry.event.kind})")

    def _what(self, head: Head) -> str:
        was, now = self._at(head.before), self._at(head.after)
        name = spelled(self._path)
        if was is None:
            return f"{name} was made"
        if now is None:
            return f"{name} was removed"
        if (was.kind, was.sha256) == (now.kind, now.sha256):
            return f"{name} got mode {now.mode:03o}"
        return f"{name} was changed"

    def _text(self, tree: str) -> str:
        """What stands there, as far as it is text: code writes what its arguments don't show."""
        now = self._at(tree)
        if now is None or now.kind != "file" or now.size > LARGEST_BYTES:
            return ""
        return self._objects.get(now.sha256).decode("utf-8", "replace")

    def quoted(self, head: Head, call: str) -> tuple[Step, ...]:
        """What a call's move added beside its arguments, as far as it stands in files that lay before it."""
        return tuple(self._quoted(head, call))

    def written(self, head: Head) -> str:
        """What stands there after a move, as far as it is text."""
        return self._text(head.after)

    def _quoted(self, head: Head, call: str) -> Iterator[Step]:
        """What it added beside its arguments, as far as it stands in other files that lay before it."""
        told = "\n".join(texts_of(self._ledger.calls[call].decision.args))
        before = set(self._text(head.before).splitlines())
        added = [x for x in self._text(head.after).splitlines() if x not in before and x not in told]
        for each in quotations("\n".join(added), head.before, self._objects, but=self._path, named_in=told):
            entry, how = Changed(self._ledger, each.path, self._objects)._origin(head)
            is_own = isinstance(entry.event, e.CallEnded)  # what led to that is told where it is asked for
            labels = () if is_own else labels_of_paths(self._ledger.goal, [each.path])
            text = f"stands word for word in {spelled(each.path)}, {how}"
            yield step("verbatim", entry, text, quote=each.run, labels=labels)

    def _origin(self, head: Head) -> tuple[Entry, str]:
        """The entry that made it what it was before a move, and how."""
        moves = self._moves(head.lane, head.seq - 1)
        if (own := next(moves, None)) is None and head.lane != MAIN:
            begun = self._ledger.last(e.SubTaskStarted, head.seq, lane=head.lane)
            own = next(self._moves(MAIN, head.seq if begun is None else begun[0].seq), None)
        if own is None:
            return self._ledger.moves[0].entry, "as the run found it"
        match own.entry.event:
            case e.CallEnded(call=call):
                return own.entry, f"written by {self._ledger.calls[call].decision.tool}"
            case e.FolderChanged():
                return own.entry, "as you left it"
            case e.LaneMerged(lane=lane):
                return own.entry, f"as it came from lane {lane}"
            case _:
                return own.entry, f"as of entry {own.seq}"

    def _in_fork(self, lane: str, until: int) -> Iterator[Step]:
        """The lane's own last change, and the sub-task that it worked on."""
        own = next((self._step(head) for head in self._moves(lane, until)), None)
        if own is not None:
            yield own
        elif (work := sub_task_step(self._ledger, lane, until)) is not None:
            yield work

    def _choice(self, head: Head) -> Step | None:
        """The answer to the question whose version of the path stays, where that is what was recorded."""
        for asked in reversed([*self._ledger.questions.values()]):
            subject = asked.question.question.subject
            if subject.kind != "folder" or asked.answered is None or asked.answered.seq > head.seq:
                continue
            paths = subject.args.get("paths") if isinstance(subject.args, dict) else None
            if isinstance(paths, list) and self._path in paths:
                return answer_step(asked.answered)
        return None

    def _before(self, to: int) -> Step | None:
        """What had made it what it was after an earlier entry."""
        return next((self._step(head) for head in self._moves(MAIN, to)), None)

    def _beside(self, head: Head, event: e.LaneConflicted, what: str) -> Step:
        """A conflict moved the lane: this path holds `main`'s version, or one of the lane's own beside it."""
        origin = next((path for path, beside in event.kept.items() if beside == self._path), None)
        if origin is not None:
            own = Changed(self._ledger, origin, self._objects)
            led = next((own._step(x) for x in own._moves(event.lane, head.seq - 1)), None)
            text = f"{what}: lane {event.lane}'s version of {spelled(origin)}, kept beside main's"
            return step("merge", head.entry, text, led)
        return step(
            "merge", head.entry, f"{what}: lane {event.lane} went on from main", self._before(head.seq)
        )

    def _untouched(self) -> Step:
        first = self._ledger.moves[0].entry
        return step(
            "start", first, f"{spelled(self._path)} was there when the run began; nobody changed it since"
        )
