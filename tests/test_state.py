"""The fold: any prefix and then the rest, nothing is changed in place, and old journals read for ever."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import get_args

import pytest
from goldens import GOLDEN, entries_of, facts_of, kinds_of, stored_facts
from histories import drawn, histories
from hypothesis import given
from hypothesis import strategies as st
from states import AT, entries, folded, goal, lane, started

from autoagent import events as e
from autoagent.errors import NewerVersion
from autoagent.goal import FileCriterion, SubTask
from autoagent.journal.codec import EVENTS, Stored
from autoagent.messages import Reply, RequestedCall, Usage
from autoagent.questions import Question, Subject
from autoagent.state import RunState, advance, apply, fold

KINDS = {model.model_fields["kind"].default for model in get_args(get_args(e.Event)[0])}


class TestFold:
    """One event after another."""

    @given(histories(), st.integers(0, 60))
    def test_a_prefix_and_the_rest_is_all_at_once(self, events: list[e.Event], at: int) -> None:
        """Where a process stopped makes no difference."""
        all_entries = entries(events)
        state = fold("r", all_entries[:at])
        for entry in all_entries[at:]:
            state = advance(state, entry)

        assert state == fold("r", all_entries)

    @given(histories())
    def test_no_state_is_changed_by_a_later_event(self, events: list[e.Event]) -> None:
        """Whoever holds an earlier state still sees it as it was."""
        state, seen = RunState("r"), []
        for number, event in enumerate(events):
            state = apply(state, event)
            if number % 4 == 0:
                seen.append((state, repr(state)))

        assert [repr(earlier) for earlier, _ in seen] == [picture for _, picture in seen]

    @given(histories())
    def test_a_state_can_go_on_in_two_ways(self, events: list[e.Event]) -> None:
        """A fork from the middle sees nothing of what came after in the run that it left."""
        middle = len(events) // 2
        state = fold("r", entries(events[:middle]))
        first = fold("r", entries(events))
        for event in events[middle:]:
            state = apply(state, event)
        again = fold("r", entries(events))

        assert (state.lanes, state.urls, state.calls) == (first.lanes, first.urls, first.calls)
        assert first == again

    @given(histories())
    def test_stored_events_fold_the_same(self, events: list[e.Event]) -> None:
        """What comes back from a disk is what went in."""
        stored = [EVENTS.decode(EVENTS.encode(event), "r", 1) for event in events]

        assert fold("r", entries(stored)) == fold("r", entries(events))

    @given(histories())
    def test_what_always_holds(self, events: list[e.Event]) -> None:
        """Sums are the sums of the events, and no lane that works on main is elsewhere."""
        state = fold("r", entries(events))
        settled = [x for x in events if isinstance(x, e.ModelReplied | e.ModelFailed)]
        open_lanes = [x for x in state.lanes.values() if x.ended is None]

        assert state.seq == len(events)
        assert state.tokens == sum(x.tokens for x in settled)
        assert state.usd == sum((x.cost_usd for x in settled), Decimal(0))
        assert len(state.held) + len(settled) == sum(isinstance(x, e.ModelCalled) for x in events)
        assert state.steps == sum(n for (_, role), n in state.replies.items() if role == "worker")
        assert state.outside == any("outside" in getattr(x, "labels", ()) for x in events)
        assert state.private == any("private" in getattr(x, "labels", ()) for x in events)
        assert all(x.tree == state.main for x in open_lanes if x.on_main)
        assert all(len({c.id for c in x.pending}) == len(x.pending) for x in state.lanes.values())
        assert all(q.answer is None and q.voided is None for q in state.waiting)
        assert all(s.left > 0 for s in state.standing)

    def test_histories_are_of_every_kind(self) -> None:
        """What these tests draw covers the whole union, so that a new kind is drawn too."""
        random = Random(1)
        assert {event.kind for _ in range(40) for event in drawn(random, 150)} == KINDS

    @pytest.mark.parametrize("seqs", [[2], [1, 3], [1, 1], [1, 2, 2], [0]])
    def test_a_gap_is_refused(self, seqs: list[int]) -> None:
        """An entry that is missing, or there twice, is never folded over."""
        found = [
            x.model_copy(update={"seq": n})
            for x, n in zip(entries([started()] * len(seqs)), seqs, strict=True)
        ]

        with pytest.raises(ValueError, match=f"run 'r': entry {seqs[-1]} follows entry {len(seqs) - 1}"):
            fold("r", found)

    def test_a_newer_kind_is_an_error(self) -> None:
        """Nothing that this program doesn't know is passed over."""
        with pytest.raises(NewerVersion, match="of kind 'run_started', is of version 2"):
            EVENTS.decode(Stored("run_started", 2, "{}"), "r", 1)
        with pytest.raises(NewerVersion, match="of kind 'thought_had', is of version 1"):
            EVENTS.decode(Stored("thought_had", 1, "{}"), "r", 1)


def _step(name: str, number: int) -> list[e.Event]:
    model_call, call = f"{name}.{number}", f"{name}.{number}.1"
    asked = Reply(
        calls=(RequestedCall(id="0", name="look", arguments="{}"),),
        usage=Usage(prompt_tokens=9, completion_tokens=1),
    )
    return [
        e.ModelCalled(call=model_call, lane=name, role="worker", model="m", number=number),
        e.ModelReplied(call=model_call, lane=name, reply=asked, tokens=10, cost_usd=Decimal("0.01")),
        e.CallDecided(call=call, lane=name, tool="look", args={}, effect="write", decision="allow", why="w"),
        e.CallStarted(call=call, lane=name, tree="t"),
        e.CallEnded(call=call, lane=name, ok=True, output="x", tree=call, urls=(f"https://a.org/{call}",)),
    ]


class TestFacts:
    """What single events mean."""

    def test_a_lane_on_main_moves_main(self) -> None:
        """A write that ended well is main's new head; the folder may still hold the former one."""
        state = folded(lane(), *_step("1", 1))

        assert (state.main, state.before_main) == ("1.1.1", "t0")
        assert state.lanes["1"].tree == "1.1.1"

    def test_a_fork_moves_only_itself(self) -> None:
        """Until it is merged."""
        state = folded(lane(on_main=False), *_step("1", 1))
        assert (state.main, state.lanes["1"].tree) == ("t0", "1.1.1")

        merged = apply(state, e.LaneMerged(lane="1", tree="m"))
        assert (merged.main, merged.lanes["1"].tree, merged.lanes["1"].base) == ("m", "m", "m")

    def test_a_person_s_change_moves_the_lanes_on_main(self) -> None:
        """They go on from it; those that have ended, and forks, stay where they were."""
        fork = lane("2", on_main=False)
        over = e.SubTaskEnded(sub_task="3", lane="3", outcome="done")
        state = folded(lane(), fork, lane("3"), over, e.FolderChanged(tree="p", paths=("a",)))

        assert state.main == "p"
        assert [x.tree for x in state.lanes.values()] == ["p", "t0", "t0"]

    def test_a_reset_goes_back_to_the_start(self) -> None:
        """Files and conversation; the calls under way are forgotten, what was spent is not."""
        asked = _step("1", 2)[:4]
        state = folded(lane(), *_step("1", 1), *asked, e.LaneReset(lane="1", tree="t0", why="nowhere"))
        mine = state.lanes["1"]

        assert (state.main, mine.tree, [t.text for t in mine.turns]) == ("t0", "t0", ["nowhere"])
        assert (mine.pending, state.calls, mine.prompt_tokens) == ((), {}, 0)
        assert (state.steps, state.tokens) == (2, 20)

    def test_a_script_s_calls_are_kept_until_it_ends(self) -> None:
        """A second try of the script reads them from the record."""
        script = e.CallDecided(
            call="1.1.1", lane="1", tool="script", args={}, effect="write", decision="allow", why="w"
        )
        inner = script.model_copy(
            update={"call": "1.1.1.1", "tool": "web_read", "effect": "read", "script": "1.1.1"}
        )
        ended = e.CallEnded(call="1.1.1.1", lane="1", ok=True, output="page")
        state = folded(lane(style="code"), script, inner, ended)
        assert state.calls["1.1.1.1"].ended == ended
        assert not state.lanes["1"].turns

        after = apply(state, e.CallEnded(call="1.1.1", lane="1", ok=True, output="x"))
        assert not after.calls
        assert [t.text for t in after.lanes["1"].turns] == ["x"]

    def test_what_a_script_queued_comes_next(self) -> None:
        """Behind what the reply asked for besides."""
        finish = RequestedCall(id="1.1.1.q1", name="finish", arguments="{}")
        step = _step("1", 1)
        step[-1] = step[-1].model_copy(update={"queued": (finish,)})

        assert folded(lane(), *step).lanes["1"].pending == (finish,)

    def test_a_limit_can_be_gone_beyond_and_nothing_else(self) -> None:
        """A new owner lifts the end by limit; a proved run stays proved."""
        owner = e.OwnerChanged(epoch=2, holder="h")
        for ending in ("limit", "proved", "cancelled"):
            over = e.RunEnded.model_validate({"ending": ending, "reason": ""})
            assert (folded(over, owner).ended is None) is (ending == "limit")

    def test_a_new_owner_finds_neither_park_nor_interruption(self) -> None:
        """Both are states of a process that is gone."""
        state = folded(e.RunParked(waiting=()), e.RunInterrupted(), e.OwnerChanged(epoch=2, holder="h"))

        assert (state.parked, state.interrupted) == (None, False)

    def test_criteria_of_the_goal_are_not_replaced(self) -> None:
        """Proposed ones count only where the person gave none."""
        proposed = (FileCriterion(file="p.txt"),)
        plan = e.PlanMade(version=1, source="model", sub_tasks=(SubTask(id="1", title="t"),))
        approved = e.PlanApproved(version=1, criteria=proposed)

        assert folded(plan, approved).criteria == proposed
        own = goal(done_when=(FileCriterion(file="own.txt"),))
        assert folded(plan, approved, goal=own).criteria == own.done_when

    def test_urls_of_a_person_s_answer_are_known(self) -> None:
        """Their words are theirs; those of an absent person are ours."""
        question = Question(id="q", subject=Subject(run="r", kind="question"), why="w", choices=())
        asked = e.QuestionAsked(question=question, asked_at=AT)
        answer = e.QuestionAnswered(
            question="q", digest=question.digest, verdict="text", text="See https://a.org/x.", by="terminal"
        )

        assert list(folded(asked, answer).urls) == ["https://a.org/x"]
        assert not folded(asked, answer.model_copy(update={"by": "nobody"})).urls

    def test_a_standing_answer_is_used_up(self) -> None:
        """`y -3` answers two more questions of this tool and destination, and no other."""

        def asked(id: str, to: str = "anna") -> e.QuestionAsked:
            subject = Subject(run="r", kind="call", call=id, tool="mail_send", destination=to)
            return e.QuestionAsked(question=Question(id=id, subject=subject, why="w"), asked_at=AT)

        def yes(id: str, by: str, covers: int = 1) -> e.QuestionAnswered:
            return e.QuestionAnswered(question=id, digest="d", verdict="yes", covers=covers, by=by)

        state = folded(asked("q1"), yes("q1", "terminal", 3))
        assert [(s.destination, s.left) for s in state.standing] == [("anna", 2)]
        state = apply(apply(state, asked("q2")), yes("q2", "rule"))
        assert [s.left for s in state.standing] == [1]
        other = apply(apply(state, asked("q3", "bob")), yes("q3", "terminal"))
        assert [s.left for s in other.standing] == [1]
        state = apply(apply(state, asked("q4")), yes("q4", "rule"))
        assert state.standing == ()

    def test_a_no_ends_a_standing_yes(self) -> None:
        """Whoever says no to this tool and destination means it."""
        subject = Subject(run="r", kind="call", call="c", tool="mail_send", destination="anna")
        asked = e.QuestionAsked(question=Question(id="q", subject=subject, why="w"), asked_at=AT)
        yes = e.QuestionAnswered(question="q", digest="d", verdict="yes", covers=9, by="terminal")
        no = e.QuestionAnswered(question="q", digest="d", verdict="no", by="terminal")

        assert folded(asked, yes, no).standing == ()


@pytest.mark.parametrize("name", sorted(f.stem for f in GOLDEN.glob("*.jsonl")))
class TestGolden:
    """Journals of earlier versions, stored once and never rewritten (`tests/goldens.py` adds new ones)."""

    def test_it_still_reads(self, name: str) -> None:
        """Every row is an event of today."""
        assert len(entries_of(name)) > 20

    def test_it_still_means_the_same(self, name: str) -> None:
        """Its state today has the facts that were stored with it."""
        assert facts_of(fold("golden", entries_of(name))) == stored_facts(name)


def test_goldens_hold_every_kind() -> None:
    """A kind that isn't in one could change unseen; add a new golden journal for a new kind."""
    assert set().union(*(kinds_of(f.stem) for f in GOLDEN.glob("*.jsonl"))) == KINDS
