"""What led to a call, a reply, a question, a sub-task: each as a step, with what led to that. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from autoagent import events as e
from autoagent.events import Entry
from autoagent.past.heard import Heard, heard, named
from autoagent.past.ledger import Asked, At, Ledger
from autoagent.past.step import Step, step
from autoagent.past.verbatim import Written
from autoagent.questions import answerer

_READS = 12
_RUNS = 5
_SOURCES_CHARACTERS = 4_000_000


def call_step(ledger: Ledger, id: str, written: str = "", quoted: tuple[Step, ...] = ()) -> Step:
    """A call with the decision on it, who asked for it, and what had been read before.

    `written`: what else it wrote than its arguments say, to be looked for in what was read. `quoted`: parts
    of it that were found elsewhere; those that had been read are left out.
    """
    at = ledger.calls[id]
    decided, result = at.decision, at.result
    how = "done: you said that it had happened" if ledger.is_on_word(id) else _how_it_ended(ledger, at)
    told = ", ".join(x for x in (decided.effect, how) if x)
    script = decided.script or ledger.queued.get(id)
    asked_for = call_step(ledger, script) if script in ledger.calls else reply_step(ledger, _request_of(id))
    texts = "\n".join([*texts_of(decided.args), written])
    reads = () if script is not None and script in ledger.calls else tuple(_reads(ledger, at, texts))
    heard_of = [each.quote for each in reads]
    return step(
        "call",
        at.last,
        f"{named(decided)}: {told}",
        *_decision(ledger, at),
        asked_for,
        *(each for each in quoted if not any(each.quote in quote for quote in heard_of)),
        *reads,
        args=decided.args,
        labels=() if result is None else result.labels,
    )


def _how_it_ended(ledger: Ledger, at: At) -> str:
    if at.result is None:
        return "never reported back" if at.started else "not started"
    if by := ledger.denied_by(at.decision.call):
        return f"denied by {answerer(by)}"
    return "done" if at.result.ok else "failed"


def _request_of(call: str) -> str:
    return call.rpartition(".")[0]


# --- allowed, asked, denied ---------------------------------------------------------------------------------


def _decision(ledger: Ledger, at: At) -> Iterator[Step]:
    """What policy said of the call, each time; where it asked, the question and the answer."""
    words = {"allow": "allowed", "ask": "asked about", "deny": "denied"}
    for entry in at.decided:
        event = entry.event
        assert isinstance(event, e.CallDecided)
        asked = ledger.questions_of_call.get(event.call, []) if event.decision == "ask" else []
        yield step(
            "decision", entry, f"{words[event.decision]}: {event.why}", *(_asked(ledger, q) for q in asked)
        )


def _asked(ledger: Ledger, asked: Asked) -> Step:
    question = asked.question.question
    return step("question", asked.asked, f"question {question.id}: {question.why}", *_what_became_of(asked))


def _what_became_of(asked: Asked) -> Iterator[Step]:
    """The answer, and that the question no longer stands."""
    if asked.answered is not None:
        yield answer_step(asked.answered)
    if asked.voided is not None:
        event = asked.voided.event
        assert isinstance(event, e.QuestionVoided)
        yield step("event", asked.voided, f"no longer stands: {event.why}")


def answer_step(entry: Entry) -> Step:
    """What a person, or whoever stood in for one, said."""
    event = entry.event
    assert isinstance(event, e.QuestionAnswered)
    said = {"yes": "yes", "no": "no", "text": "answered"}[event.verdict]
    edited = ", with other arguments" if event.edit is not None else ""
    covers = f", and to the next {event.covers - 1}" if event.covers > 1 else ""
    return step("answer", entry, f"{said} by {answerer(event.by)}{edited}{covers}", quote=event.text)


def question_step(ledger: Ledger, id: str) -> Step:
    """A question with its answer, and what it was about."""
    asked = ledger.questions[id]
    question = asked.question.question
    about = call_step(ledger, call) if (call := question.subject.call) in ledger.calls else None
    lane = question.lane if about is None else None
    where = None if lane is None else sub_task_step(ledger, lane, asked.asked.seq)
    args = question.subject.args
    is_told = about is not None and about.args == args
    return step(
        "question",
        asked.asked,
        f"question {id} ({question.subject.kind}): {question.why}",
        *_what_became_of(asked),
        about,
        where,
        quote=args if isinstance(args, str) else "",
        args=args if isinstance(args, dict) and not is_told else None,
    )


# --- who asked for it ---------------------------------------------------------------------------------------


def reply_step(ledger: Ledger, request: str) -> Step | None:
    """The model's reply; `None` where the journal has none of that id."""
    entry = ledger.replies.get(request)
    if entry is None:
        return None
    event = entry.event
    assert isinstance(event, e.ModelReplied)
    called = ledger.requests[request].event
    assert isinstance(called, e.ModelCalled)
    model = event.reply.model or called.model
    who = f"asked for by {model} ({called.role}, reply {called.number})"
    text = f"{who}: {event.tokens} tokens, ${event.cost_usd:.4f}"
    work = sub_task_step(ledger, event.lane, entry.seq)
    return step("reply", entry, text, work, quote=event.reply.text)


def sub_task_step(ledger: Ledger, lane: str, before: int) -> Step | None:
    """The sub-task that a lane worked on; `None` for a planner's or a judge's."""
    begun = ledger.last(e.SubTaskStarted, before, lane=lane)
    if begun is None:
        return None
    entry, started = begun
    plan = ledger.last(e.PlanMade, before)
    task = (
        next((s for s in plan[1].sub_tasks if s.id == started.sub_task), None) if plan is not None else None
    )
    title = "" if task is None else f": {task.title}"
    quote = "" if task is None else task.instructions
    led = None if plan is None else plan_step(ledger, plan[0])
    return step("sub_task", entry, f"sub-task {started.sub_task}{title}", led, quote=quote)


def plan_step(ledger: Ledger, entry: Entry) -> Step:
    """A plan, whose it is, and who approved it."""
    made = entry.event
    assert isinstance(made, e.PlanMade)
    whose = {"goal": "from the goal", "model": "by the planner", "person": "as you wrote it"}[made.source]
    why = f": {made.why}" if made.why else ""
    return step("plan", entry, f"plan v{made.version} {whose}{why}", _approval(ledger, entry, made.version))


def _approval(ledger: Ledger, plan: Entry, version: int) -> Step | None:
    """The person's yes to the plan; `None` where nobody wanted to be asked."""
    for asked in ledger.questions.values():
        if asked.question.question.subject.kind == "plan" and asked.answered is not None:
            approved = ledger.last(e.PlanApproved, len(ledger.entries) + 1, version=version)
            if approved is not None and plan.seq <= approved[0].seq and asked.answered.seq <= approved[0].seq:
                return _asked(ledger, asked)
    return None


# --- what had been read -------------------------------------------------------------------------------------


def _reads(ledger: Ledger, at: At, written: str) -> Iterator[Step]:
    """Quotations first, longest first; then what else had been read in that lane, last first."""
    known = heard(ledger, at.decision.lane, at.decided[0].seq)
    yield from _verbatim(known, written)
    reads = [x for x in reversed(known) if x.is_call]
    for each in reads[:_READS]:
        yield step("read", each.entry, f"had read {each.source}", labels=each.labels)
    if (left := len(reads) - _READS) > 0:
        yield Step(kind="read", text=f"and {left} more before")


def _verbatim(known: tuple[Heard, ...], written: str) -> Iterator[Step]:
    text, room = Written(written), _SOURCES_CHARACTERS
    found: list[tuple[str, Heard]] = []
    for each in reversed(known):
        if room <= 0:
            break
        room -= len(each.text)
        found += [(run, each) for run in text.runs_in(each.text)[:_RUNS]]
    found.sort(key=lambda pair: -len(pair[0]))
    for run, each in found[:_RUNS]:
        said = f"stands word for word in {each.source}"
        yield step("verbatim", each.entry, said, quote=run, labels=each.labels)


def texts_of(value: JsonValue) -> Iterator[str]:
    """Every text in arguments."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_of(each)
