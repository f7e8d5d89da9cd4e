"""What differs between an entry as it was recorded and as our code makes it now, in words. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from autoagent import events as e
from autoagent.events import Event
from autoagent.redact import cut

Read = Callable[[str], bytes | None]
"""The bytes of an object; `None` where it isn't kept."""


@dataclass(frozen=True)
class Difference:
    """What differs. `is_another_way`: the run would go on another way from here."""

    text: str
    is_another_way: bool


_LEFT_OUT: Mapping[str, frozenset[str]] = {
    "model_called": frozenset({"head"}),
    "call_started": frozenset({"began_at"}),
    "call_ended": frozenset({"seconds"}),
    "question_asked": frozenset({"asked_at"}),
    "question_answered": frozenset({"digest"}),
    "run_interrupted": frozenset({"folder"}),
}
"""Fields that say when, or that stand in another field too."""
_PRICED: Mapping[str, frozenset[str]] = {
    "model_called": frozenset({"reserved_usd", "reserved_tokens", "model"}),
    "model_replied": frozenset({"cost_usd", "tokens"}),
    "model_failed": frozenset({"cost_usd", "tokens"}),
}
"""What follows from prices and models, which older versions did not record."""
_WORDS = frozenset(
    {"why", "output", "text", "evidence", "reason", "result", "labels", "urls", "listing", "prompt", "tools"}
    | {"reserved_usd", "reserved_tokens", "model", "cost_usd", "tokens", "prompt_bytes", "key", "reply"}
    | {"criteria", "protected", "plugin_hash", "understood"}
)
"""Fields with which a run goes on the same way; a difference in any other one turns it."""


def difference(was: Event, now: Event, read: Read, *, is_priced: bool = True) -> Difference | None:
    """`None` where the two say the same; times, ids that are random and what wasn't recorded are left out."""
    if was.kind != now.kind:
        return Difference(f"was: {said(was)}; now: {said(now)}", True)
    before, after = _facts(was), _facts(now)
    skip = _LEFT_OUT.get(was.kind, frozenset())
    skip |= frozenset() if is_priced else _PRICED.get(was.kind, frozenset())
    if isinstance(was, e.ModelCalled) and not was.prompt:
        skip |= {"prompt"}
    if isinstance(was, e.CallEnded) and was.in_doubt is None:
        skip |= {"in_doubt"}
    names = [n for n in before if n not in skip and before[n] != after[n]]
    if not names:
        return None
    turned = any(name not in _WORDS for name in names)
    if isinstance(was, e.ModelCalled) and isinstance(now, e.ModelCalled) and "prompt" in names:
        return Difference(_prompt(was, now, read), turned)
    parts = [f"{name} was {_short(before[name])}, now {_short(after[name])}" for name in names]
    return Difference(f"{said(was, brief=True)}: {'; '.join(parts)}", turned)


def _facts(event: Event) -> dict[str, Any]:
    """The event's fields; of a question the parts of its subject, without its random id."""
    if isinstance(event, e.QuestionAsked):
        question = event.question.model_dump(
            mode="json", exclude={"id", "subject", "expires_at", "explained"}
        )
        return {"asked_at": None, **question, **event.question.subject.model_dump(mode="json")}
    return event.model_dump(mode="json", exclude={"kind"})


def said(event: Event, *, brief: bool = False) -> str:
    """An event in a few words."""
    match event:
        case e.CallDecided(tool=tool, call=call, decision=decision, why=why):
            return f"call {call} of {tool}" if brief else f"{decision} {tool} ({call}): {_short(why)}"
        case e.CallStarted(call=call) | e.CallEnded(call=call):
            return f"{event.kind.replace('_', ' ')} {call}"
        case e.ModelCalled(role=role, number=number):
            return f"request {number} of the {role}"
        case e.ModelReplied(call=call) | e.ModelFailed(call=call):
            return f"{event.kind.replace('_', ' ')} {call}"
        case e.QuestionAsked(question=question):
            text = f"a {question.subject.kind} question"
            return text if brief else f"{text}: {_short(question.why)}"
        case e.LadderClimbed(rung=rung, why=why):
            return f"the rung {rung!r}" if brief else f"the rung {rung!r}: {_short(why)}"
        case e.RunEnded(ending=ending, reason=reason):
            return "the ending" if brief else f"the ending {ending}: {_short(reason)}"
        case e.PlanRefused(why=why):
            return "a refused plan" if brief else f"a plan refused: {_short(why)}"
        case e.PlanMade(sub_tasks=sub_tasks):
            return "the plan" if brief else f"a plan of {', '.join(s.id for s in sub_tasks)}"
        case e.SubTaskEnded(outcome=outcome, sub_task=sub_task):
            return f"the end of {sub_task}" if brief else f"sub-task {sub_task} {outcome}"
        case e.CriterionChecked(number=number, verdict=verdict):
            return f"criterion {number + 1}" if brief else f"criterion {number + 1} {verdict}"
        case e.Observed(source=source, text=text):
            return f"a note ({source})" if brief else f"a note ({source}): {_short(text)}"
        case _:
            return event.kind.replace("_", " ")


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(cut(text, 300), ensure_ascii=False) if isinstance(value, str) else cut(text, 300)


# --- prompts ------------------------------------------------------------------------------------------------


def _prompt(was: e.ModelCalled, now: e.ModelCalled, read: Read) -> str:
    which = f"the prompt of request {was.number} of the {was.role}"
    old, new = read(was.head) if was.head else None, read(now.head)
    if old is None or new is None:
        return f"{which} differs; its text wasn't kept"
    if was.head == now.head:
        return f"{which} differs behind its first two messages: in how replies, results or notes are told"
    return "\n".join([f"{which} differs:", *_changes(json.loads(old), json.loads(new))])


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Changed lines of the messages, then of the tools."""
    for number, (before, after) in enumerate(zip(old["messages"], new["messages"], strict=False)):
        name = f"{('rules', 'task')[number]} ({before['role']})"
        yield from _lines(str(before["content"]), str(after["content"]), name)
    tools_then, tools_now = _tools(old), _tools(new)
    yield from _lines(tools_then, tools_now, "tools")


def _tools(head: Mapping[str, Any]) -> str:
    return "\n".join(json.dumps(tool, indent=1, ensure_ascii=False) for tool in head["tools"])


def _lines(old: str, new: str, name: str) -> Iterator[str]:
    made = unified_diff(old.split("\n"), new.split("\n"), f"{name}, recorded", f"{name}, now", "", "", 1, "")
    yield from made
