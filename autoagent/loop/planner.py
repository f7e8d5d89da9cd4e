"""From a goal to a checked plan: recall, ask the model, check the graph, ask the person.

Each step looks at the record first, so that a resumed run goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import JsonValue

from autoagent.errors import StoreUnavailable, ToolError
from autoagent.events import Label, MemoryRecalled, PlanApproved, PlanMade, PlanRefused, Recalled
from autoagent.goal import Criterion, SubTask, described
from autoagent.loop.context import RunContext
from autoagent.loop.prompt import describe, fill, left_the_house, rules, say
from autoagent.loop.remembering import fits
from autoagent.loop.requests import complete
from autoagent.messages import Message, Reply, system, user
from autoagent.plan import PLAN_SCHEMA, check_plan, parse_plan
from autoagent.ports import MemoryHit, ToolSchema
from autoagent.protection import protected_besides
from autoagent.questions import Subject
from autoagent.redact import cut
from autoagent.state import Plan, RunState
from autoagent.trees import listing

LANE = "plan"
_TRIES = 3
_SEARCHED = 30
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
        """An approved plan. Raises `Parked`, `LimitReached`, `PlanDenied`, `ModelUnavailable`."""
        while (plan := self.state.plan) is None or not plan.approved:
            if plan is None or (self.state.plan_notes and plan.source != "goal"):
                await self._make(1 if plan is None else plan.version + 1)
            else:
                await self._approve(plan)
        return plan

    @property
    def can_replan(self) -> bool:
        """Once a run, and never where the plan is the goal's own."""
        plan = self.state.plan
        return plan is not None and plan.source != "goal" and self.state.replans == 0

    async def replan(self) -> None:
        """An approved plan for what is left, after a sub-task failed. Raises as `plan`."""
        plan = self.state.plan
        assert plan is not None
        if plan.approved:
            await self._make(plan.version + 1)
        await self.plan()

    async def recall(self) -> None:
        """What earlier runs did for goals like this, once a run; a recorded run recalls nothing."""
        if self.state.recalled is not None:
            return
        texts: tuple[str, ...] = ()
        labels: set[Label] = set()
        sources: tuple[Recalled, ...] = ()
        if self.ctx.memory is not None and not self.ctx.models.recorded:
            try:
                goal = self.state.goal.goal
                found = await self.ctx.memory.search(goal, _SEARCHED, without_run=self.state.run_id)
                alike = [h for h in found if not h.point.goal or fits(goal, h.point.goal)]
                hits = list({h.point.text: h for h in alike}.values())[:_RECALLED]
            except StoreUnavailable as error:
                hits = []
                texts = (f"(memory could not be read: {error})",)
            texts = (*texts, *(f"{h.point.at:%Y-%m-%d} {cut(h.point.text, 500)}" for h in hits))
            labels = {x for h in hits for x in ("outside", "private") if x in h.point.labels}
            sources = tuple(_source(h) for h in hits if h.point.run)
        self.ctx.history.record(MemoryRecalled(texts=texts, labels=tuple(sorted(labels)), sources=sources))

    # --- asking the model ---------------------------------------------------------------------------------

    async def _make(self, version: int) -> None:
        """Record a plan: the goal's own, or the model's after its errors went back to it."""
        fixed = self.state.goal.plan
        if fixed:
            self.ctx.history.record(PlanMade(version=version, source="goal", sub_tasks=fixed))
            return
        while len(self.state.plan_notes) < _TRIES:
            await complete(
                self.ctx,
                "planner",
                LANE,
                self._messages(),
                (PROPOSE_PLAN,),
                require_tool=True,
                then=lambda reply: (self._read(reply, version),),
            )
            if self.state.plan is not None and self.state.plan.version == version:
                return
        title = cut(" ".join(self.state.goal.goal.split()), 200)
        only = SubTask(id=f"goal{version}" if self.state.lanes else "goal", title=title)
        why = "no usable plan came from the model; one sub-task carries the whole goal"
        self.ctx.history.record(self._made(version, (*self.state.begun, only), why))

    def _read(self, reply: Reply, version: int) -> PlanMade | PlanRefused:
        """What a planner's reply comes to."""
        try:
            sub_tasks = self._kept(_proposed(reply, tuple(s.id for s in self.state.begun)))
        except ToolError as error:
            return PlanRefused(why=str(error))
        return self._made(version, sub_tasks, self._why_again())

    def _made(self, version: int, sub_tasks: tuple[SubTask, ...], why: str) -> PlanMade:
        again = bool(self.state.lanes)
        return PlanMade(version=version, source="model", sub_tasks=sub_tasks, why=why, is_replan=again)

    def _why_again(self) -> str:
        """What failed, where this is not the first plan to be carried out."""
        failed = [x for x in self.state.lanes.values() if x.ended == "failed"]
        return f"sub-task {failed[-1].sub_task!r} failed: {failed[-1].result}" if failed else ""

    def _kept(self, proposed: tuple[SubTask, ...]) -> tuple[SubTask, ...]:
        """The plan with what is done or at work already; no id that was used stands for something else."""
        begun = self.state.begun
        fresh = tuple(s for s in proposed if s not in begun)
        sub_tasks = (*begun, *_renamed(fresh, taken={x.sub_task for x in self.state.lanes.values()}))
        if why := check_plan(sub_tasks):
            raise ToolError("; ".join(why))
        return sub_tasks

    def _messages(self) -> tuple[Message, ...]:
        goal, state = self.state.goal, self.state
        abilities = self.ctx.sandbox.abilities if self.ctx.sandbox is not None else None
        task = fill(
            "planner_task",
            goal=goal.goal.strip(),
            criteria="\n".join(f"- {say(c)}" for c in state.criteria) or "- (nothing was said)",
            rules=rules(goal),
            listing=listing(self.ctx.workspace.tree(state.main)),
            recalled=_recalled(state),
            replan=self._so_far() if state.lanes else "",
        )
        notes = tuple(
            user(f"Your plan can't be used: {note}\nCall propose_plan again.") for note in state.plan_notes
        )
        if notes and state.plan is not None and not state.plan.approved:
            rows = "\n".join(f"- {s.id} {s.title}: {s.instructions}" for s in state.plan.sub_tasks)
            notes = (user(f"Your plan was:\n{rows}"), *notes)
        head = fill(
            "planner",
            tools=", ".join(self.ctx.tools),
            abilities=describe(abilities) if abilities is not None else "Nothing can be run.",
        )
        return (system(head), user(task), *notes)

    def _so_far(self) -> str:
        lines = []
        for sub_task in self.state.begun:
            lane = self.state.lane_of(sub_task.id)
            assert lane is not None
            result = lane.result if lane.ended else "(at work now; its result comes later)"
            lines.append(f"- {sub_task.id} {sub_task.title}: {result}")
        return (
            f"\n\nAn earlier plan failed: {self._why_again()}\n"
            "Done already or at work, and not to be planned again:\n"
            + ("\n".join(lines) or "- nothing")
            + "\nPlan only what is left, in another way. New sub-tasks may depend on these ids."
            + left_the_house(self.state)
        )

    # --- asking the person --------------------------------------------------------------------------------

    async def _approve(self, plan: Plan) -> None:
        """The checkpoint `plan`; without it a plan may be carried out as it is.

        Criteria of the goal's own plan are the person's words: they count as the goal's where it has none.
        """
        proposals = self.proposals() if not self.state.criteria else ()
        if "plan" not in self.state.goal.ask:
            accepted = proposals if plan.source == "goal" else ()
            self.ctx.history.record(self._approved(plan.version, accepted))
            return
        shown = [s.model_dump(mode="json") for s in plan.sub_tasks]
        subject = Subject(
            run=self.state.run_id,
            kind="plan",
            args={"version": plan.version, "sub_tasks": shown, "criteria": [described(c) for c in proposals]},
        )
        answer = await self.ctx.asking.ask(subject, "you wanted to see the plan before anything starts")
        if answer.verdict != "yes":
            said = answer.text or "no reason was given"
            if plan.source == "goal" or answer.by == "nobody":
                raise PlanDenied(said, by_person=answer.by != "nobody")
            self.ctx.history.record(PlanRefused(why=f"the person said no to it: {said}"))
        elif answer.edit is not None:
            self._edited(plan, answer.edit)
        else:
            self.ctx.history.record(self._approved(plan.version, proposals))

    def _edited(self, plan: Plan, edit: JsonValue) -> None:
        """The person's own version, checked like the model's; a wrong one is asked about again."""
        version = plan.version + 1
        try:
            sub_tasks = self._kept(parse_plan(edit, known=tuple(s.id for s in self.state.begun)))
        except ToolError as error:
            why = f"your edit can't be used: {error}"
            made = PlanMade(version=version, source="person", sub_tasks=plan.sub_tasks, why=why)
            self.ctx.history.record(made)
            return
        criteria = proposed_criteria(sub_tasks) if not self.state.criteria else ()
        self.ctx.history.record(
            PlanMade(version=version, source="person", sub_tasks=sub_tasks, why="edited by you"),
            self._approved(version, criteria),
        )

    def _approved(self, version: int, criteria: tuple[Criterion, ...]) -> PlanApproved:
        """What is accepted with a plan protects the files that it names, as the goal's own criteria do."""
        state, workspace = self.state, self.ctx.workspace
        start = workspace.tree(state.start_tree)
        paths = protected_besides(state.goal, criteria, state.protected, start, workspace.objects)
        return PlanApproved(version=version, criteria=criteria, protected=paths if criteria else ())

    def proposals(self) -> tuple[Criterion, ...]:
        """Criteria that the plan brings; they count only once a person has accepted them."""
        plan = self.state.plan
        return () if plan is None else proposed_criteria(plan.sub_tasks)


def proposed_criteria(sub_tasks: Sequence[SubTask]) -> tuple[Criterion, ...]:
    """The criteria of all sub-tasks, each once."""
    return tuple(dict.fromkeys(c for s in sub_tasks for c in s.done_when))


class PlanDenied(Exception):
    """Not an error: the only plan that can be had was refused, or nobody was there to approve it."""

    def __init__(self, said: str, *, by_person: bool) -> None:
        self.by_person = by_person
        super().__init__(said)


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


_LONGEST_ID = 40


def _fresh(id: str, taken: set[str]) -> str:
    """`id`, or where that is taken the first of `id-2`, `id-3`, …, within an id's length."""
    name, number = id, 1
    while name in taken:
        number += 1
        ending = f"-{number}"
        name = id[: _LONGEST_ID - len(ending)] + ending
    return name


def _renamed(proposed: tuple[SubTask, ...], taken: set[str]) -> tuple[SubTask, ...]:
    """`proposed` with fresh ids where the model used one again."""
    names: dict[str, str] = {}
    for sub_task in proposed:
        names[sub_task.id] = _fresh(sub_task.id, taken.union(names.values()))
    return tuple(
        s.model_copy(update={"id": names[s.id], "depends_on": tuple(names.get(d, d) for d in s.depends_on)})
        for s in proposed
    )


def _source(hit: MemoryHit) -> Recalled:
    """Where it comes from, for whoever asks why it was recalled."""
    point = hit.point
    return Recalled(
        run=point.run,
        sub_task=point.sub_task,
        at=point.at,
        goal=point.goal,
        score=round(hit.score, 4),
        beside=hit.beside,
    )
