"""`why`: finds out what a word means in a run - an entry, a call, a question, money, a path, a destination -
and what led to it. Pure over entries and stored objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from autoagent import events as e
from autoagent.errors import ToolError, UsageError
from autoagent.events import Entry
from autoagent.past.changed import Changed, changing_call_step
from autoagent.past.ledger import Ledger, fields_of
from autoagent.past.reasons import call_step, plan_step, question_step, reply_step, sub_task_step
from autoagent.past.spending import spent_step
from autoagent.past.step import Step, step
from autoagent.paths import spelled, workspace_path
from autoagent.redact import one_line
from autoagent.trees import ObjectSource, load_tree


def why(ledger: Ledger, what: str, objects: ObjectSource, every: bool = False) -> tuple[Step, ...]:
    """What led to it, the last time or, with `every`, each time, last first.

    Looked up in this order: `usd`, an entry's number, a call's id, a question's id, a path of the workspace,
    a destination or a URL that a call reached. What begins with `./` is a path. Raises `UsageError` for
    anything else, with what comes near.
    """
    if what == "usd":
        return (spent_step(ledger),)
    if what.isascii() and what.isdecimal():
        return (_entry(ledger, what, objects),)
    if what in ledger.calls:
        return (changing_call_step(ledger, what, objects),)
    if what in ledger.questions:
        return (question_step(ledger, what),)
    path = _path(what)
    if path is not None and (changed := Changed(ledger, path, objects)).is_known():
        return tuple(changed.steps(every))
    if reached := [id for id in reversed(ledger.calls) if _reaches(ledger, id, what)]:
        return tuple(changing_call_step(ledger, id, objects) for id in (reached if every else reached[:1]))
    raise UsageError(_unknown(ledger, what, objects))


def earlier(ledger: Ledger, what: str, objects: ObjectSource) -> int:
    """How many times before the last one a path was changed, or a destination reached: `every` gives them."""
    if what == "usd" or what.isdecimal() or what in ledger.calls or what in ledger.questions:
        return 0
    path = _path(what)
    if path is not None and (changed := Changed(ledger, path, objects)).is_known():
        return max(changed.times() - 1, 0)
    return max(sum(_reaches(ledger, id, what) for id in ledger.calls) - 1, 0)


def _path(text: str) -> str | None:
    try:
        return workspace_path(text)
    except ToolError:
        return None


def _reaches(ledger: Ledger, id: str, what: str) -> bool:
    """Whether a call went to that destination, or names that address."""
    decided = ledger.calls[id].decision
    is_address = what.startswith(("http://", "https://"))
    return decided.destination == what or (is_address and what in decided.args.values())


def _entry(ledger: Ledger, text: str, objects: ObjectSource) -> Step:
    last = len(ledger.entries)
    number = int(text) if len(text) < 10 else 0
    if not 1 <= number <= last:
        raise UsageError(f"there is no entry {text[:20]}; this run's journal has the entries 1 to {last}")
    return _of_entry(ledger, ledger.entry(number), objects)


def _of_entry(ledger: Ledger, entry: Entry, objects: ObjectSource) -> Step:
    """What an entry is about, as far as something led to it."""
    match entry.event:
        case e.CallDecided(call=id) | e.CallStarted(call=id) | e.CallEnded(call=id):
            return changing_call_step(ledger, id, objects)
        case e.ModelCalled(call=id) | e.ModelReplied(call=id) if id in ledger.replies:
            return reply_step(ledger, id) or _plain(entry)
        case e.QuestionAsked() as asked:
            return question_step(ledger, asked.question.id)
        case e.QuestionAnswered(question=id) | e.QuestionVoided(question=id):
            return question_step(ledger, id)
        case e.PlanMade():
            return plan_step(ledger, entry)
        case e.SubTaskStarted(lane=lane):
            return sub_task_step(ledger, lane, entry.seq + 1) or _plain(entry)
        case e.SubTaskEnded(lane=lane) as ended:
            work, call = sub_task_step(ledger, lane, entry.seq), _finish(ledger, entry, lane)
            return step(
                "event", entry, f"sub-task {ended.sub_task} {ended.outcome}", call, work, quote=ended.result
            )
        case e.LaneMerged(lane=lane):
            work = sub_task_step(ledger, lane, entry.seq)
            return step("merge", entry, f"lane {lane} came into main", work)
        case e.FolderChanged(paths=paths):
            return step("person", entry, "you changed files in the folder", quote=_listed(paths))
        case e.Undone(to=to, paths=paths):
            return step("undo", entry, f"you took the folder back to entry {to}", quote=_listed(paths))
        case e.LaneReset(lane=lane, why=reason):
            work = sub_task_step(ledger, lane, entry.seq)
            return step("reset", entry, "back to the sub-task's start", work, quote=reason)
        case e.CriterionChecked() as checked:
            text = f"criterion {checked.number + 1} {checked.verdict}, says {checked.evidence.by}"
            return step("event", entry, text, quote=checked.evidence.text)
        case _:
            return _plain(entry)


def _plain(entry: Entry) -> Step:
    """An entry that nothing in the journal led to: its own fields."""
    return step("event", entry, entry.event.kind.replace("_", " "), quote=fields_of(entry.event)[:4_000])


def _finish(ledger: Ledger, entry: Entry, lane: str) -> Step | None:
    """The call with which the worker ended it, where it did."""
    ended = ledger.last(e.CallEnded, entry.seq, lane=lane)
    if ended is None or ledger.calls[ended[1].call].decision.tool not in ("finish", "give_up"):
        return None
    return call_step(ledger, ended[1].call)


def _listed(paths: Iterable[str]) -> str:
    return "\n".join(spelled(path) for path in paths)


def _unknown(ledger: Ledger, what: str, objects: ObjectSource) -> str:
    """What there is that comes near."""
    trees = {ledger.moves[0].after, ledger.moves[-1].after}
    paths = {path for tree in trees for path in load_tree(tree, objects).entries}
    reached = {at.decision.destination for at in ledger.calls.values()}
    known = [*paths, *ledger.calls, *ledger.questions, *(x for x in reached if x)]
    near = get_close_matches(what, known, n=4, cutoff=0.5)
    names = {path.rpartition("/")[2]: path for path in sorted(paths)}
    near += [names[n] for n in get_close_matches(what.rpartition("/")[2], names, n=2) if names[n] not in near]
    hint = f"; did you mean {' or '.join(repr(spelled(x)) for x in near[:4])}?" if near else ""
    return (
        f"{one_line(what, 80)!r} is no entry, call, question, path or destination of this run, and not "
        f"'usd'{hint or '; autoagent show RUN and autoagent tail RUN tell what there is'}"
    )
