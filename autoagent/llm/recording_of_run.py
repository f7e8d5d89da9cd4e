"""The recording of a run that has happened, from its journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autoagent.events import (
    CallDecided,
    CallEnded,
    Entry,
    ModelCalled,
    ModelReplied,
    RunStarted,
    SubTaskStarted,
)
from autoagent.goal import file as goal_file
from autoagent.llm import recording
from autoagent.llm.recording import RecordedReply, Recording, RecordingHeader, Style
from autoagent.messages import Reply
from autoagent.ports import Journal
from autoagent.redact import visible
from autoagent.state import RunState, advance, fold
from autoagent.trees import Tree, diff, load_tree

# The goal has a digest of its own, and a recording can't hold its own hash.
NOT_INPUTS = frozenset({goal_file.FILE_NAME, recording.FILE_NAME})


def recording_of_run(journal: Journal, run_id: str) -> Recording:
    """The recording of a run, as far as it has come. Raises `UsageError` for an unknown run."""
    entries = journal.read(run_id)
    state = fold(run_id, entries)
    start, end = (load_tree(tree, journal.objects) for tree in (state.start_tree, state.main))
    return recording_from_entries(run_id, entries, start, end)


def recording_from_entries(run_id: str, entries: Iterable[Entry], start: Tree, end: Tree) -> Recording:
    """The recording of a run, from its journal and the trees at its start and now."""
    outputs = diff(start, end).paths
    inputs = {
        visible(path): entry.sha256
        for path, entry in start.entries.items()
        if entry.kind != "folder" and path not in NOT_INPUTS and path not in outputs
    }
    made = _Making(run_id)
    for entry in entries:
        made.take(entry)
    header = RecordingHeader(
        goal=made.goal,
        inputs=inputs,
        outputs=tuple(visible(path) for path in outputs),
        made_by=made.made_by,
        style=made.style,
    )
    return Recording(header, tuple(made.replies()))


class _Making:
    """Follows a run; knows what each reply answered to, and which of its calls ended well."""

    def __init__(self, run_id: str) -> None:
        self._state = RunState(run_id)
        self._asked: dict[str, tuple[ModelCalled, tuple[bool, ...]]] = {}
        self._replied: list[tuple[str, Reply]] = []
        self._last: dict[str, str] = {}
        self._decided: dict[str, CallDecided] = {}
        self._used: dict[str, list[str]] = {}
        self.goal = ""
        self.style: Style = "tools"
        self.made_by = "scripted"

    def take(self, entry: Entry) -> None:
        match entry.event:
            case RunStarted(goal_digest=digest):
                self.goal = digest
            case SubTaskStarted(style=style):
                self.style = style
            case ModelCalled() as called:
                self._asked[called.call] = (called, self._outcomes(called))
            case ModelReplied() as replied:
                self._take_reply(replied)
            case CallDecided() as decided:
                self._decided[decided.call] = decided
            case CallEnded(ok=True) as ended:
                self._used.setdefault(self._last.get(ended.lane, ""), []).append(
                    self._decided[ended.call].tool
                )
            case _:
                pass
        self._state = advance(self._state, entry)

    def replies(self) -> Iterator[RecordedReply]:
        for call, reply in self._replied:
            asked, outcomes = self._asked[call]
            yield RecordedReply(
                lane=asked.lane,
                role=asked.role,
                number=asked.number,
                outcomes=outcomes,
                tools=tuple(dict.fromkeys(self._used.get(call, ()))),
                reply=reply,
            )

    def _take_reply(self, replied: ModelReplied) -> None:
        self._replied.append((replied.call, replied.reply))
        if self._asked[replied.call][0].role == "worker":
            self._last[replied.lane] = replied.call
            self.made_by = replied.reply.model or self.made_by

    def _outcomes(self, called: ModelCalled) -> tuple[bool, ...]:
        lane = self._state.lanes.get(called.lane)
        return lane.outcomes if lane is not None and called.role == "worker" else ()
