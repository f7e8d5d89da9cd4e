"""From a goal to a checked plan: recall, ask the model, check the graph, ask the person.

Each step looks at the record first, so that a resumed run goes on where it was.
"""

from __future__ import annotations

import json

from pydantic import JsonValue

from autoagent.context import RunContext
from autoagent.errors import StoreUnavailable, ToolError
from autoagent.events import Label, MemoryRecalled, PlanApproved, PlanMade, PlanRefused
from autoagent.goal import Criterion, SubTask
from autoagent.messages import Message, Reply, system, user
from autoagent.plan import PLAN_SCHEMA, check_plan, parse_plan
from autoagent.ports import ToolSchema
from autoagent.prompt import describe, fill, rules, say
from autoagent.questions import Subject
from autoagent.redact import cut
from autoagent.requests import complete
from autoagent.state import Plan, RunState
from autoagent.trees import listing

LANE = "plan"
_TRIES = 3
_RECALLED = 5

PROPOSE_PLAN = ToolSchema("propose_plan", "Propose the plan.", PLAN_SCHEMA)


class Planner:
    """Makes the plan of a run."""

    def __init__(self, ctx: RunContext) -> None:
        self.ctx = ctx

    @property
    def state(self) -> RunState:
        return self.ctx.history.state

    async def plan(self) -> Plan:
        """An approved plan. Raises `Parked`, `LimitReached`, `ModelUnavailable`."""
        while (plan := self.state.plan) is None or not plan.approved:
            if plan is None or (self.state.plan_notes and plan.source != "goal"):
                await self._make(replan="", version=1 if plan is None else plan.version + 1)
            else:
                await self._approve(plan)
        return plan

    async def replan(self, why: str) -> bool:
        """A new plan for what is left, once a run; whether there is one."""
        plan = self.state.plan
        assert plan is not None
        if plan.source == "goal" or self.state.replans > 0:
            return False
        await self._make(replan=why, version=plan.version + 1)
        await self.plan()
        return True

    async def recall(self) -> None:
        """What earlier runs did for goals like this, once a run; a recorded run recalls nothing."""
        if self.state.recalled is not None:
            return
        texts: tuple[str, ...] = ()
        labels: set[Label] = set()
        if self.ctx.memory is not None and not self.ctx.models.recorded:
            try:
                hits = await self.ctx.memory.search(
                    self.state.goal.goal, _RECALLED, without_run=self.state.run_id
                )
            except StoreUnavailable as error:
                hits = []
                texts = (f"(memory could not be read: {error})",)
            texts = (*texts, *(f"{h.point.at:%Y-%m-%d} {cut(h.point.text, 500)}" for h in hits))
            labels = {x for h in hits for x in ("outside", "private") if x in h.point.labels}
        self.ctx.history.record(MemoryRecalled(texts=texts, labels=tuple(sorted(labels))))

    # --- asking the model ---------------------------------------------------------------------------------

    async def _make(self, replan: str, version: int) -> None:
        """Record a plan: the goal's own, or the model's after its errors went back to it."""
        fixed = self.state.goal.plan
        if fixed:
            self.ctx.history.record(PlanMade(version=version, source="goal", sub_tasks=fixed))
            return
        if len(self.state.plan_notes) >= _TRIES:
            self._fall_back(replan, version)
            return
        reply = await complete(
            self.ctx, "planner", LANE, self._messages(replan), (PROPOSE_PLAN,), require_tool=True
        )
        try:
            done = tuple(s.id for s in self._done()) if replan else ()
            sub_tasks = self._kept(_proposed(reply, done), bool(replan))
        except ToolError as error:
            self.ctx.history.record(PlanRefused(why=str(error)))
            await self._make(replan, version)
            return
        self.ctx.history.record(
            PlanMade(version=version, source="model", sub_tasks=sub_tasks, why=replan, is_replan=bool(replan))
        )

    def _fall_back(self, replan: str, version: int) -> None:
        """The model can't plan: the goal itself is the one sub-task."""
        title = cut(" ".join(self.state.goal.goal.split()), 200)
        only = SubTask(id=f"goal{version}" if replan else "goal", title=title)
        why = "no usable plan came from the model; one sub-task carries the whole goal"
        sub_tasks = (*self._done(), only)
        self.ctx.history.record(
            PlanMade(version=version, source="model", sub_tasks=sub_tasks, why=why, is_replan=bool(replan))
        )

    def _kept(self, proposed: tuple[SubTask, ...], is_replan: bool) -> tuple[SubTask, ...]:
        """The plan with what is done already; ids of the former plan are never used for something else."""
        if is_replan:
            former = self.state.plan.sub_tasks if self.state.plan is not None else ()
            proposed = _renamed(proposed, taken={s.id for s in former})
            proposed = (*self._done(), *proposed)
        if why := check_plan(proposed):
            raise ToolError("; ".join(why))
        return proposed

    def _done(self) -> tuple[SubTask, ...]:
        plan = self.state.plan
        return () if plan is None else tuple(s for s in plan.sub_tasks if self.state.outcome(s.id) == "done")

    def _messages(self, replan: str) -> tuple[Message, ...]:
        goal, state = self.state.goal, self.state
        abilities = self.ctx.sandbox.abilities if self.ctx.sandbox is not None else None
        task = fill(
            "planner_task",
            goal=goal.goal.strip(),
            criteria="\n".join(f"- {say(c)}" for c in state.criteria) or "- (nothing was said)",
            rules=rules(goal),
            listing=listing(self.ctx.workspace.tree(state.main)),
            recalled=_recalled(state),
            replan=self._so_far(replan) if replan else "",
        )
        notes = tuple(
            user(f"Your plan can't be used: {note}\nCall propose_plan again.") for note in state.plan_notes
        )
        head = fill(
            "planner",
            tools=", ".join(self.ctx.tools),
            abilities=describe(abilities) if abilities is not None else "Nothing can be run.",
        )
        return (system(head), user(task), *notes)

    def _so_far(self, why: str) -> str:
        done = [f"- {s.id} {s.title}: {x.result}" for s in self._done() if (x := self.state.lane_of(s.id))]
        return (
            f"\n\nAn earlier plan failed: {why}\nDone already, and not to be planned again:\n"
            + ("\n".join(done) or "- nothing")
            + "\nPlan only what is left, in another way. New sub-tasks may depend on the ids that are done."
        )

    # --- asking the person --------------------------------------------------------------------------------

    async def _approve(self, plan: Plan) -> None:
        """The checkpoint `plan`; without it a plan may be carried out as it is."""
        if "plan" not in self.state.goal.ask:
            self.ctx.history.record(PlanApproved(version=plan.version))
            return
        proposals = self.proposals() if not self.state.criteria else ()
        shown = [s.model_dump(mode="json") for s in plan.sub_tasks]
        subject = Subject(
            run=self.state.run_id,
            kind="plan",
            args={"version": plan.version, "sub_tasks": shown, "criteria": [str(c) for c in proposals]},
        )
        answer = await self.ctx.asking.ask(subject, "you wanted to see the plan before anything starts")
        if answer.verdict != "yes":
            self.ctx.history.record(PlanRefused(why=answer.text or "the person said no to this plan"))
            if plan.source == "goal":
                raise PlanDenied(answer.text)
        elif answer.edit is not None:
            self._edited(plan, answer.edit)
        else:
            self.ctx.history.record(PlanApproved(version=plan.version, criteria=proposals))

    def _edited(self, plan: Plan, edit: JsonValue) -> None:
        """The person's own version, checked like the model's; a wrong one is asked about again."""
        try:
            sub_tasks = parse_plan(edit)
            if why := check_plan(sub_tasks):
                raise ToolError("; ".join(why))
        except ToolError as error:
            made = PlanMade(
                version=plan.version + 1,
                source="person",
                sub_tasks=plan.sub_tasks,
                why=f"your edit can't be used: {error}",
            )
            self.ctx.history.record(made)
            return
        version = plan.version + 1
        made = PlanMade(version=version, source="person", sub_tasks=sub_tasks, why="edited by you")
        self.ctx.history.record(made)
        proposals = self.proposals() if not self.state.criteria else ()
        self.ctx.history.record(PlanApproved(version=version, criteria=proposals))

    def proposals(self) -> tuple[Criterion, ...]:
        """Criteria that the plan brings; they count only once a person has accepted them."""
        plan = self.state.plan
        found = () if plan is None else tuple(c for s in plan.sub_tasks for c in s.done_when)
        return tuple(dict.fromkeys(found))


class PlanDenied(Exception):
    """Not an error: the person refused the only plan that this goal has."""


def _proposed(reply: Reply, known: tuple[str, ...]) -> tuple[SubTask, ...]:
    for call in reply.calls:
        if call.name == PROPOSE_PLAN.name:
            try:
                value: JsonValue = json.loads(call.arguments)
            except (ValueError, RecursionError) as error:
                raise ToolError(f"its arguments are no JSON: {error}") from None
            return parse_plan(value, known=known)
    raise ToolError("the reply did not call propose_plan")


def _recalled(state: RunState) -> str:
    lines = "\n".join(f"- {text}" for text in state.recalled or ())
    return f"\n\nFrom earlier runs (may be out of date):\n{lines}" if lines else ""


def _renamed(proposed: tuple[SubTask, ...], taken: set[str]) -> tuple[SubTask, ...]:
    """`proposed` with fresh ids where the model used one again."""
    names: dict[str, str] = {}
    for sub_task in proposed:
        name = sub_task.id
        while name in taken or name in names.values():
            name = f"{name[:36]}b"
        names[sub_task.id] = name
    return tuple(
        s.model_copy(update={"id": names[s.id], "depends_on": tuple(names.get(d, d) for d in s.depends_on)})
        for s in proposed
    )
