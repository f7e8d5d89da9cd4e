"""Proof: each criterion ends with evidence that someone else can check again.

Criteria are checked on a copy, with protected files laid over it as they were at the start. A verdict comes
from files, exit statuses and exact quotes, never from the worker's words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from pydantic import Field, ValidationError

from autoagent.errors import ToolError
from autoagent.events import CriterionChecked, Evidence
from autoagent.goal import Criterion, FileCriterion, HumanCriterion, JudgeCriterion, RunCriterion
from autoagent.goal.file import made
from autoagent.loop.context import RunContext
from autoagent.loop.prompt import fill
from autoagent.loop.requests import complete
from autoagent.loop.versions import resolved
from autoagent.messages import Frozen, Message, Reply, system, user
from autoagent.paths import is_beneath, workspace_path
from autoagent.ports import Job, ToolSchema
from autoagent.questions import Subject
from autoagent.redact import cut
from autoagent.shadows import drop_bytecode, objection, stand_in
from autoagent.trees import WorkingCopy, diff

LANE = "proof"
CHECK_TIMEOUT_S = 300.0
_LONGEST_FILE = 64_000_000
_JUDGE_BYTES = 60_000


class Quote(Frozen):
    path: str
    quote: str


class Verdict(Frozen):
    """What a judge says."""

    criterion: str = ""
    verdict: Literal["proved", "refuted"]
    evidence: tuple[Quote, ...] = Field(default=(), max_length=50)


VERDICT = ToolSchema(
    "verdict",
    "Say whether the criterion holds, with exact quotes.",
    {
        "type": "object",
        "properties": {
            "criterion": {"type": "string", "description": "The criterion."},
            "verdict": {"type": "string", "enum": ["proved", "refuted"]},
            "evidence": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"path": {"type": "string"}, "quote": {"type": "string"}},
                    "required": ["path", "quote"],
                },
            },
        },
        "required": ["criterion", "verdict", "evidence"],
    },
)


class Prover:
    """Checks criteria and records the verdicts."""

    def __init__(self, ctx: RunContext) -> None:
        self.ctx = ctx

    async def prove(
        self, criteria: Sequence[Criterion], tree: str, sub_task: str | None = None, *, free: bool = False
    ) -> list[CriterionChecked]:
        """A verdict a criterion, mechanical ones first; a judge and a person aren't troubled once one failed.

        With `free`, nothing that costs money or a person's time is checked. Raises `Parked`, `LimitReached`.
        """
        order = sorted(range(len(criteria)), key=lambda n: _cost_rank(criteria[n]))
        found: list[CriterionChecked] = []
        for number in order:
            refuted = any(v.verdict != "proved" for v in found)
            skip = _cost_rank(criteria[number]) > 0 and (free or refuted)
            verdict = self._known(criteria, number, tree, sub_task)
            if verdict is None:
                verdict = await self._check(criteria[number], number, tree, sub_task, skip=skip)
            found.append(verdict)
        return sorted(found, key=lambda v: v.number)

    def _known(
        self, criteria: Sequence[Criterion], number: int, tree: str, sub_task: str | None
    ) -> CriterionChecked | None:
        """A verdict that still stands: the same criterion over the same tree."""
        if sub_task is not None:
            return None
        known = self.ctx.history.state.verdicts.get(number)
        stands = known is not None and known.tree == tree and known.verdict != "unchecked"
        return known if stands else None

    async def _check(
        self, criterion: Criterion, number: int, tree: str, sub_task: str | None, *, skip: bool
    ) -> CriterionChecked:
        """A new verdict, recorded."""

        def checked(verdict: str, evidence: Evidence) -> CriterionChecked:
            return CriterionChecked(
                number=number, sub_task=sub_task, verdict=_as_verdict(verdict), evidence=evidence, tree=tree
            )

        if isinstance(criterion, JudgeCriterion) and not skip:
            return await self._judge(criterion.judge, self.copy(tree), sub_task or LANE, checked)
        if skip:
            verdict = checked("unchecked", Evidence(text="not checked", by="nobody"))
        else:
            verdict = checked(*await self._verdict(criterion, tree))
            self.ctx.history.faults.reached("criterion checked")
        self.ctx.history.record(verdict)
        return verdict

    async def _verdict(self, criterion: Criterion, tree: str) -> tuple[str, Evidence]:
        match criterion:
            case FileCriterion():
                return self._unchanged(criterion, tree, *check_file(criterion, self.copy(tree)))
            case RunCriterion(run=command):
                return await self._run(command, tree)
            case HumanCriterion(human=text):
                return await self._human(text, tree)
            case JudgeCriterion():
                raise AssertionError("a judge's verdict is recorded with its reply")

    def copy(self, tree: str) -> WorkingCopy:
        """The tree with protected files as they were at the start, so that no run rewrites its own exam."""
        workspace, state = self.ctx.workspace, self.ctx.history.state
        start, now = workspace.tree(state.start_tree), workspace.tree(tree)
        changed = [p for p in diff(now, start).paths if is_beneath(p, state.protected)]
        laid = resolved("theirs", changed, now, start, workspace.objects) if changed else now
        return WorkingCopy(laid, workspace.objects)

    def _unchanged(
        self, criterion: FileCriterion, tree: str, verdict: str, evidence: Evidence
    ) -> tuple[str, Evidence]:
        """Say so where the file is as the run found it: nothing was done for this."""
        start, now = self.ctx.workspace.tree(self.ctx.history.state.start_tree), self.ctx.workspace.tree(tree)
        before = start.entries.get(criterion.file)
        if verdict == "proved" and before is not None and before == now.entries.get(criterion.file):
            return verdict, evidence.model_copy(update={"text": f"{evidence.text}; unchanged by this run"})
        return verdict, evidence

    # --- a command ----------------------------------------------------------------------------------------

    async def _run(self, command: str, tree: str) -> tuple[str, Evidence]:
        """The engine's exit status is the verdict; what was printed only helps to understand it."""
        sandbox = self.ctx.sandbox
        why = "there is no sandbox" if sandbox is None else sandbox.refuses(command, "check")
        if sandbox is None or why:  # a goal's own was refused before the run began: this one is a model's
            return "unchecked", Evidence(text=f"it can't be run here: {why}", by="nobody")
        copy, start = self.copy(tree), self.ctx.workspace.tree(self.ctx.history.state.start_tree)
        if in_the_way := stand_in(start, copy.tree(), made(self.ctx.history.state.goal)):
            return "refuted", Evidence(text=objection(in_the_way), by="file check")
        drop_bytecode(copy, start)
        before = copy.tree() == start
        result = await sandbox.run(LANE, Job("check", command, CHECK_TIMEOUT_S), copy)
        status = f"exit status {result.exit_code}" if result.ended in ("exit", "error") else result.ended
        said = f"; it printed: {cut(result.output.strip(), 1500)}" if result.output.strip() else ""
        note = "; the workspace is unchanged by this run" if before else ""
        proved = result.ended in ("exit", "error") and result.exit_code == 0
        evidence = Evidence(
            text=f"{status} in a clean sandbox{note}{said}", by=f"sandbox ({sandbox.abilities.name})"
        )
        return ("proved" if proved else "refuted"), evidence

    # --- a judge ------------------------------------------------------------------------------------------

    async def _judge(
        self,
        criterion: str,
        copy: WorkingCopy,
        lane: str,
        checked: Callable[[str, Evidence], CriterionChecked],
    ) -> CriterionChecked:
        """A model's verdict, worth something only with quotes that really stand in the files."""
        model = self.ctx.models.judge
        by = f"{model.name} (also the worker)" if model is self.ctx.models.worker else model.name
        messages: tuple[Message, ...] = (
            system(fill("judge")),
            user(f"Criterion: {criterion}\n\n{self._files(copy)}"),
        )
        for is_last in (False, True):
            heard = partial(_heard, copy, by, checked, is_last=is_last)
            reply = await complete(
                self.ctx, "judge", lane, messages, (VERDICT,), require_tool=True, then=heard
            )
            if verdicts := heard(reply):
                return verdicts[0]
            why = _objection(reply, copy)
            messages = (*messages, user(f"That verdict doesn't count: {why}. Call verdict again."))
        raise AssertionError("the last try always comes to a verdict")

    def _files(self, copy: WorkingCopy) -> str:
        """The files that a judge sees: what the run changed first, until the room is full."""
        now, start = copy.tree(), self.ctx.workspace.tree(self.ctx.history.state.start_tree)
        changed = [p for p in diff(start, now).paths if p in now.entries]
        rest = [p for p in sorted(now.entries) if p not in set(changed)]
        parts, room = [], _JUDGE_BYTES
        for path in (*changed, *rest):
            entry = now.entries[path]
            if entry.kind != "file" or entry.size > room:
                parts.append(f"({entry.kind} {path!r}, {entry.size} bytes, not shown)")
                continue
            text = copy.read(path).decode("utf-8", "replace")
            parts.append(f"=== {path}\n{text}\n=== end of {path}")
            room -= entry.size
        return "\n".join(parts[:400])

    # --- a person -----------------------------------------------------------------------------------------

    async def _human(self, text: str, tree: str) -> tuple[str, Evidence]:
        subject = Subject(run=self.ctx.history.run_id, kind="criterion", args=text, tree=tree)
        why = "only you can say whether this criterion holds"
        answer = await self.ctx.asking.ask(subject, why)
        said = f": {answer.text}" if answer.text else ""
        if answer.by == "nobody":
            return "unchecked", Evidence(text="nobody was asked", by="nobody")
        verdict = "proved" if answer.verdict == "yes" else "refuted"
        return verdict, Evidence(text=f"answered {answer.verdict}{said}", by="person")


def check_file(criterion: FileCriterion, copy: WorkingCopy) -> tuple[str, Evidence]:
    """Whether the file is there and holds the texts, and in which lines."""
    try:
        path = workspace_path(criterion.file)
    except ToolError as error:
        return "refuted", Evidence(text=str(error), by="file check")
    entry = copy.stat(path)
    if entry is None or entry.kind != "file":
        what = "does not exist" if entry is None else f"is a {entry.kind}, not a file"
        return "refuted", Evidence(text=f"{criterion.file} {what}", by="file check")
    if not criterion.contains:
        return "proved", Evidence(text=f"{path}, {entry.size} byte{'s' * (entry.size != 1)}", by="file check")
    if entry.size > _LONGEST_FILE:
        return "refuted", Evidence(
            text=f"{path} has {entry.size} bytes, too many to look into", by="file check"
        )
    text = copy.read(path).decode("utf-8", "replace")
    missing = [t for t in criterion.contains if t not in text]
    if missing:
        return "refuted", Evidence(
            text=f"{path} does not contain {', '.join(map(repr, missing))}", by="file check"
        )
    lines = [str(text[: text.index(t)].count("\n") + 1) for t in criterion.contains]
    return "proved", Evidence(text=f"{path}, {_where(lines)}", by="file check")


def _where(lines: Sequence[str]) -> str:
    return f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(lines)}"


def check_quotes(verdict: Verdict, copy: WorkingCopy) -> None:
    """Raises `ToolError` unless each quote stands, letter by letter, in its file."""
    if verdict.verdict == "proved" and not verdict.evidence:
        raise ToolError("a proved verdict needs at least one quote")
    for quote in verdict.evidence:
        path = workspace_path(quote.path)
        if (entry := copy.stat(path)) is not None and entry.size > _LONGEST_FILE:
            raise ToolError(f"{quote.path!r} has {entry.size} bytes, too many to look for the quote in")
        text = copy.read(path).decode("utf-8", "replace")
        if not quote.quote.strip() or quote.quote not in text:
            raise ToolError(f"{quote.path!r} does not contain the quote {cut(quote.quote, 200)!r}")


def failures(criteria: Sequence[Criterion], verdicts: Sequence[CriterionChecked]) -> str:
    """What isn't proved, as the worker reads it; empty where all is."""
    return "\n".join(
        f"- {v.verdict}: {criteria[v.number]}: {v.evidence.text}" for v in verdicts if v.verdict != "proved"
    )


def _heard(
    copy: WorkingCopy,
    by: str,
    checked: Callable[[str, Evidence], CriterionChecked],
    reply: Reply,
    *,
    is_last: bool,
) -> tuple[CriterionChecked, ...]:
    """What a judge's reply comes to: a verdict; nothing where it doesn't count and may be tried again."""
    if why := _objection(reply, copy):
        text = f"the judge's evidence could not be confirmed: {why}"
        return (checked("unchecked", Evidence(text=text, by=by)),) if is_last else ()
    verdict = _parsed(reply)
    quotes = tuple((q.path, q.quote) for q in verdict.evidence)
    shown = "; ".join(f"{path}: {cut(quote, 120)!r}" for path, quote in quotes)
    evidence = Evidence(text=shown or "no file speaks for it", by=by, quotes=quotes)
    return (checked(verdict.verdict, evidence),)


def _objection(reply: Reply, copy: WorkingCopy) -> str | None:
    """Why a judge's reply doesn't count; `None` where it does."""
    try:
        check_quotes(_parsed(reply), copy)
    except ToolError as error:
        return str(error)
    return None


def _parsed(reply: Reply) -> Verdict:
    for call in reply.calls:
        if call.name == VERDICT.name:
            try:
                value: Any = json.loads(call.arguments)
                return Verdict.model_validate(value)
            except (ValueError, ValidationError, RecursionError) as error:
                raise ToolError(f"its arguments are wrong: {cut(str(error), 300)}") from None
    raise ToolError("it did not call verdict")


def _cost_rank(criterion: Criterion) -> int:
    """Files are looked at first, then commands run, then a model is paid, then a person troubled."""
    match criterion:
        case FileCriterion():
            return -1
        case RunCriterion():
            return 0
        case JudgeCriterion():
            return 1
        case HumanCriterion():
            return 2


def _as_verdict(text: str) -> Literal["proved", "refuted", "unchecked"]:
    assert text in ("proved", "refuted", "unchecked")
    return text  # type: ignore[return-value]
