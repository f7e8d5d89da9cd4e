"""What a run's entries say in its activity: an item a call, a thought, or anything else that happened. Pure.

A call is one item from its decision to its end; what comes later takes the place of what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, assert_never, cast

from autoagent import events as e
from autoagent.console.events import QUIET, target_of, told
from autoagent.console.figures import several, size
from autoagent.console.line import Line, Part, Tone, dotted, line, short
from autoagent.console.question import what_is_asked
from autoagent.events import Entry
from autoagent.questions import Question
from autoagent.redact import one_line
from autoagent.state import MAIN, RunState

ItemState = Literal[
    "running", "asks", "answered", "ended", "failed", "denied", "not understood", "dropped", "said"
]
SHOWN = 4
"""Lines of an output that an item holds; the others stay in the journal."""
_LONGEST_LINE = 300
_LONGEST_ANSWER = 160
_LONGEST_TARGET = 200
_KEYS = {"question_asked": "a answers", "run_parked": "r goes on", "run_interrupted": "r goes on"}
_BY = {
    "terminal": "by you",
    "command": "by you",
    "approver": "by your program",
    "nobody": "since nobody answered",
}
_FENCED = re.compile(r"```.*?(```|\Z)", re.DOTALL)


class Item(NamedTuple):
    """Something that happened; a tuple of plain values, so that a million of them can be packed."""

    seq: int
    """The entry that says most of it: of a call its end, until then its decision."""
    began: int
    """The entry that it began with; 0: not known."""
    at: float
    """Seconds since the epoch, when it began."""
    state: ItemState
    step: int = 0
    """0: it belongs to no step."""
    sub_task: str = ""
    name: str = ""
    """Of a call: the tool. `says`: words of the model. Empty: all else."""
    target: str = ""
    labels: tuple[str, ...] = ()
    result: str = ""
    took_s: float = 0
    said: tuple[tuple[str, str], ...] = ()
    """(text, tone): what is no call says this."""
    output: tuple[str, ...] = ()
    """The first lines of what came out: foreign text."""
    lines: int = 0
    """Lines of it in all."""
    call: str = ""
    """Of a call or a question: takes the place of what stands there of the same one."""

    @property
    def is_open(self) -> bool:
        """A call that hasn't ended, a question without an answer."""
        return self.state in ("running", "asks", "answered")

    @property
    def words(self) -> str:
        """All that it says, to be searched."""
        state = "" if self.state in ("ended", "running", "said") else self.state
        said = " ".join(text for text, _ in self.said)
        shown = "\n".join(self.output)
        labels = " ".join(self.labels)
        return f"{self.name} {self.target} {labels} {state} {self.result} {said}\n{shown}"


def activity(before: RunState, entry: Entry, after: RunState) -> Iterator[Item]:
    """The items that an entry adds or changes."""
    event = entry.event
    match event:
        case e.CallDecided():
            yield from _begun(entry, event, after)
        case e.CallStarted():
            yield from _started(entry, event, after)
        case e.CallEnded():
            yield from _ended(before, entry, event, after)
        case e.ModelReplied() if event.lane in after.lanes:
            if words := texts(event):
                yield _says(entry, event, after, words)
        case e.MemoryRecalled():
            for each in told(before, event, after):
                yield _told(entry, each, texts(event))
        case e.LaneReset(lane=lane):
            yield from _dropped(before, entry, lane)
            yield from (_told(entry, each) for each in told(before, event, after))
        case e.RunEnded():
            yield from _dropped(before, entry)
            yield from _unanswered(before, entry)
            yield from (_told(entry, each) for each in told(before, event, after))
        case e.QuestionAsked():
            yield _asked(entry, event.question, after)
        case e.QuestionAnswered() | e.QuestionVoided():
            yield from _answered(before, entry, event)
        case e.RunParked() if event.waiting:
            return  # its questions have rows
        case e.OwnerChanged() if event.epoch > 1:
            yield from (_told(entry, each) for each in _goes_on(before, after))
        case e.RunStarted() | e.RunParked() | e.RunInterrupted():
            for each in told(before, event, after):
                yield _told(entry, _without_command(each, _KEYS.get(event.kind, "")))
        case _:
            yield from (_told(entry, each) for each in told(before, event, after))


def _without_command(said: Line, key: str) -> Line:
    """What the console has to be typed is a key here."""
    if said.parts and said.parts[-1].text.startswith("autoagent "):
        said = Line(said.parts[:-2])
    return dotted(said, key or None)


# --- questions ----------------------------------------------------------------------------------------------


def _asked(entry: Entry, question: Question, state: RunState) -> Item:
    said = dotted(line(Part("! ", "attention")) + what_is_asked(question, state), _KEYS["question_asked"])
    return _told(entry, said)._replace(state="asks", call=_row_of(question.id))


def _answered(before: RunState, entry: Entry, event: e.QuestionAnswered | e.QuestionVoided) -> Iterator[Item]:
    """The answer stands in the question's own row, and a yes to a call in the call's."""
    question = before.questions[event.question].question
    mark, answer = _answer(event)
    row = _told(entry, dotted(mark + what_is_asked(question, before, is_open=False), answer))
    yield row._replace(call=_row_of(question.id))
    known = before.calls.get(question.subject.call or "")
    is_yes = isinstance(event, e.QuestionAnswered) and event.verdict == "yes"
    if is_yes and question.subject.kind == "call" and known is not None and known.started is None:
        yield _call(entry, known.decided, before, "answered")._replace(began=0)


def _answer(event: e.QuestionAnswered | e.QuestionVoided) -> tuple[Line, Line]:
    """(sign, what was said and by whom)."""
    if isinstance(event, e.QuestionVoided):
        return line(Part("- ", "dim")), line("no longer stands: ", short(event.why, _LONGEST_ANSWER))
    by = _BY.get(event.by, "")
    if event.by in ("rule", "grant"):
        by = event.text or "by an earlier 'y -N'"
    edited = ", changed" if event.edit is not None else ""
    match event.verdict:
        case "yes":
            return line(Part("✓ ", "dim")), line(Part("yes"), short(f", {by}{edited}", _LONGEST_ANSWER))
        case "no":
            why = f": {event.text}" if event.text else ""
            return line(Part("⊘ ", "bad")), line(Part("no"), short(f", {by}{why}", _LONGEST_ANSWER))
        case "text":
            return line(Part("✓ ", "dim")), line(Part(f"{by} │ "), short(event.text, _LONGEST_ANSWER))
        case _:
            assert_never(event.verdict)


def _unanswered(before: RunState, entry: Entry) -> Iterator[Item]:
    """Questions that the end of the run has taken away."""
    for known in before.questions.values():
        if known.is_open:
            asked = what_is_asked(known.question, before, is_open=False)
            said = dotted(line(Part("- ", "dim")) + asked, "the run ended first")
            yield _told(entry, said)._replace(call=_row_of(known.question.id))


def _row_of(question: str) -> str:
    """Never the name of a call, which has no space."""
    return f"question {question}"


def _goes_on(before: RunState, after: RunState) -> Iterator[Line]:
    """What a new process means; after a question's answer nothing that isn't said already."""
    other = (
        line("the model is ", short(after.model, 60), " now")
        if after.model not in ("", before.model)
        else None
    )
    if before.parked is not None or before.ended is not None or before.interrupted or before.unavailable:
        if other is not None or before.parked is None:
            yield dotted(Part("the run goes on", "dim"), other)
        return
    died = line(Part("✗ ", "bad"), "its process ended without a word: killed, or it crashed")
    yield dotted(died, unsure(before), "the run goes on", other)


def unsure(state: RunState) -> Line | None:
    """What a process that died has begun, and nobody knows whether it happened."""
    begun = [
        call.decided for call in state.calls.values() if call.started and call.decided.effect == "external"
    ]
    if not begun:
        return None
    named = line(short(begun[0].tool, 40), " ", short(begun[0].destination or "", 60))
    return named + line(f" and {len(begun) - 1} more" if len(begun) > 1 else "", " may have happened")


# --- calls --------------------------------------------------------------------------------------------------


def texts(event: e.Event) -> Sequence[str]:
    """What came out of a call, the model's words beside its script, what was recalled: line by line."""
    match event:
        case e.CallEnded(output=output):
            found = output
        case e.ModelReplied(reply=reply):
            found = _FENCED.sub("", reply.text).strip() if "```" in reply.text else reply.text
        case e.MemoryRecalled():
            found = "\n".join(event.texts)
        case _:
            return ()
    found = found.rstrip()
    return found.expandtabs(4).split("\n") if found else ()


def _begun(entry: Entry, event: e.CallDecided, after: RunState) -> Iterator[Item]:
    if event.tool in QUIET or event.script is not None or event.decision == "deny" or not event.understood:
        return
    state: ItemState = "running" if event.decision == "allow" else "asks"
    yield _call(entry, event, after, state)


def _started(entry: Entry, event: e.CallStarted, after: RunState) -> Iterator[Item]:
    """What was asked about is under way from here on; all else was so when it was decided."""
    decided = after.calls[event.call].decided
    if decided.decision == "ask" and decided.tool not in QUIET and decided.script is None:
        yield _call(entry, decided, after, "running")._replace(began=0)


def _ended(before: RunState, entry: Entry, event: e.CallEnded, after: RunState) -> Iterator[Item]:
    decided = before.calls[event.call].decided
    if decided.tool in QUIET or (decided.script is not None and event.ok):
        return
    lines = texts(event)
    item = _call(entry, decided, after, _outcome(before, decided, event))._replace(
        began=0,
        labels=event.labels,
        result=_result(before, event, lines),
        took_s=round(event.seconds, 1),
    )
    # of a file that was written the row has the path; what code printed stands nowhere else
    says_no_more = event.ok and event.tree is not None and len(lines) <= 1 and "path" in decided.args
    yield item if says_no_more else _with(item, lines)


def _outcome(before: RunState, decided: e.CallDecided, event: e.CallEnded) -> ItemState:
    if not decided.understood:
        return "not understood"
    if decided.decision == "deny" or before.denied_by(event.call):
        return "denied"
    return "ended" if event.ok else "failed"


def _result(before: RunState, event: e.CallEnded, lines: Sequence[str]) -> str:
    if not event.ok:
        return "your no" if before.denied_by(event.call) in ("terminal", "command") else ""
    if before.is_on_word(event.call):
        return "your word"
    if event.tree is not None:
        return "changed"
    return (
        several(len(lines), "line") if len(lines) > 1 else size(len(event.output.encode("utf-8", "replace")))
    )


def _call(entry: Entry, decided: e.CallDecided, after: RunState, state: ItemState) -> Item:
    return Item(
        seq=entry.seq,
        began=entry.seq,
        at=entry.at.timestamp(),
        state=state,
        step=after.steps,
        sub_task=_sub_task(after, decided.lane),
        name=one_line(decided.tool, 40),
        target=one_line(decided.destination or target_of(decided.args), _LONGEST_TARGET),
        call=decided.call,
    )


def _says(entry: Entry, event: e.ModelReplied, after: RunState, words: Sequence[str]) -> Item:
    item = Item(
        seq=entry.seq,
        began=entry.seq,
        at=entry.at.timestamp(),
        state="said",
        step=after.steps,
        sub_task=_sub_task(after, event.lane),
        name="says",
    )
    return _with(item, words)


def _told(entry: Entry, said: Line, lines: Sequence[str] = ()) -> Item:
    parts = tuple((part.shown, cast(str, part.tone)) for part in said.parts)
    return _with(Item(entry.seq, entry.seq, entry.at.timestamp(), "said", said=parts), lines)


def _with(item: Item, lines: Sequence[str]) -> Item:
    return item._replace(output=tuple(text[:_LONGEST_LINE] for text in lines[:SHOWN]), lines=len(lines))


def _dropped(before: RunState, entry: Entry, lane: str | None = None) -> Iterator[Item]:
    """Calls that will never end."""
    for call in before.calls.values():
        decided = call.decided
        if decided.script is None and decided.tool not in QUIET and lane in (None, decided.lane):
            yield _call(entry, decided, before, "dropped")._replace(began=0)


def _sub_task(state: RunState, lane: str) -> str:
    known = state.lanes.get(lane)
    return known.sub_task if known is not None else "" if lane == MAIN else lane


def tone_of(text: str) -> Tone:
    """A tone that was packed as a text."""
    return cast(Tone, text)
