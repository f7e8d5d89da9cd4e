"""What a run came to: the exit code follows the evidence and the journal, never a model's word."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from states import AT, folded, goal, lane

from autoagent import events as e
from autoagent.goal import FileCriterion, HumanCriterion
from autoagent.outcome import EXIT_CODES, EndingName, ending_of, outcome
from autoagent.questions import Question, Subject
from autoagent.state import RunState
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, Tree, WorkingCopy

GOAL = goal(done_when=(FileCriterion(file="b.txt", contains=("6",)), HumanCriterion(human="It reads well.")))
ASKED = Question(id="q1", subject=Subject(run="r", kind="question"), why="w", choices=())


def tree(**files: str) -> Tree:
    copy = WorkingCopy(EMPTY, MemoryObjects())
    for name, text in files.items():
        copy.write(name, text.encode())
    return copy.tree()


def of(*events: e.Event, problem: str | None = None) -> Any:
    return outcome(folded(*events, goal=GOAL), EMPTY, EMPTY, journal_head="", problem=problem)


def ended(ending: str, result: str = "") -> e.RunEnded:
    return e.RunEnded.model_validate({"ending": ending, "reason": f"why {ending}", "result": result})


class TestEnding:
    """How a run stands."""

    @pytest.mark.parametrize(
        ("events", "problem", "ending", "code", "reason"),
        [
            ([ended("proved")], None, "proved", 0, "why proved"),
            ([ended("finished")], None, "finished", 1, "why finished"),
            ([ended("unproved")], None, "unproved", 1, "why unproved"),
            ([ended("cancelled")], None, "cancelled", 1, "why cancelled"),
            ([ended("limit")], None, "limit", 4, "why limit"),
            ([e.RunParked(waiting=("q1",))], None, "parked", 3, "it waits for a person"),
            ([e.RunInterrupted()], None, "interrupted", 130, "stopped; 'resume' goes on from here"),
            ([], "no model answered", "unavailable", 5, "no model answered"),
            ([], None, "running", 1, ""),
            ([ended("proved")], "the disk is full", "proved", 0, "why proved"),
            ([e.RunParked(waiting=("q1",))], "the disk is full", "unavailable", 5, "the disk is full"),
            ([e.RunParked(waiting=("q1",)), e.RunInterrupted()], None, "interrupted", 130, None),
            ([ended("limit"), e.OwnerChanged(epoch=2, holder="h")], None, "running", 1, ""),
        ],
    )
    def test_ending(
        self, events: list[e.Event], problem: str | None, ending: str, code: int, reason: str | None
    ) -> None:
        """What the journal says first, then what stopped the process, then what it was doing."""
        found = of(*events, problem=problem)

        assert (found.ending, found.exit_code) == (ending, code)
        assert reason is None or found.reason == reason
        if problem is None:
            assert ending_of(folded(*events, goal=GOAL)) == ending

    def test_without_a_process_it_is_stopped(self) -> None:
        """What the journal says of an end comes first."""
        assert ending_of(folded(goal=GOAL), is_carried=False) == "stopped"
        assert ending_of(folded(ended("limit"), goal=GOAL), is_carried=False) == "limit"

    def test_every_ending_has_an_exit_code_of_the_contract(self) -> None:
        """Those that aren't listed are 1: ended unproved."""
        assert {EXIT_CODES.get(name, 1) for name in get_args(EndingName)} == {0, 1, 3, 4, 5, 130}
        assert set(EXIT_CODES) <= set(get_args(EndingName))


class TestRecord:
    """What stands in the final record."""

    def test_criteria_with_their_evidence(self) -> None:
        """One that was never looked at says so; of several verdicts the last one counts."""

        def checked(verdict: str) -> e.CriterionChecked:
            evidence = e.Evidence(text=f"b.txt is {verdict}", by="file check")
            body = {"number": 0, "verdict": verdict, "evidence": evidence, "tree": "t"}
            return e.CriterionChecked.model_validate(body)

        found = of(checked("refuted"), checked("proved"))

        assert [(c.criterion, c.verdict, c.evidence, c.by) for c in found.criteria] == [
            ("b.txt contains 6", "proved", "b.txt is proved", "file check"),
            ("It reads well.", "unchecked", "not checked yet", ""),
        ]
        assert found.proved == 1

    def test_a_sub_task_s_verdict_is_none_of_the_goal_s(self) -> None:
        """Its criteria count from 0 as well."""
        evidence = e.Evidence(text="there", by="file check")
        own = e.CriterionChecked(number=0, sub_task="1", verdict="proved", evidence=evidence, tree="t")

        assert of(own).proved == 0

    def test_open_questions_wait_until_the_run_has_ended(self) -> None:
        """Nobody has to answer for a run that is over."""
        asked = e.QuestionAsked(question=ASKED, asked_at=AT)

        assert of(asked).waiting == ("q1",)
        assert of(asked, ended("cancelled")).waiting == ()

    def test_the_result_is_the_last_sub_task_s(self) -> None:
        """Unless the run's end has its own; what failed or was skipped reports nothing."""

        def over(name: str, outcome: str, result: str) -> list[e.Event]:
            body = {"sub_task": name, "lane": name, "outcome": outcome, "result": result}
            return [lane(name), e.SubTaskEnded.model_validate(body)]

        events = [*over("1", "done", "one"), *over("2", "done", "two"), *over("3", "failed", "three")]
        assert of(*events).result == "two"
        assert of(*events, ended("finished", "all in all")).result == "all in all"
        assert of().result == ""

    def test_files_are_those_that_differ_from_the_start(self) -> None:
        """Changed, new and gone."""
        start, main = tree(same="1", changed="1", gone="1"), tree(same="1", changed="2", new="1")
        found = outcome(RunState("r"), start, main, journal_head="")

        assert found.files == ("changed", "gone", "new")

    def test_numbers_are_those_of_the_journal(self) -> None:
        """Spent money, tokens, steps and time, and where the journal stands."""
        state = folded(e.TimeSpent(seconds=1.26), e.TimeSpent(seconds=2), goal=GOAL)
        found = outcome(state, EMPTY, EMPTY, journal_head="abc")

        assert (found.usd, found.tokens, found.steps) == (Decimal(0), 0, 0)
        assert (found.seconds, found.journal_head, found.run) == (3.3, "abc", "r")

    def test_the_record_is_json(self) -> None:
        """Money is a text, so that no digit is lost."""
        assert '"usd":"0"' in of(ended("proved")).model_dump_json()
