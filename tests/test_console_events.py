"""What each event says to a person, and that no foreign text can forge a line of it."""

from __future__ import annotations

import asyncio
import io
import re

import pytest
from states import AT, entries, folded, started
from test_console_lines import is_harmless
from test_console_screen import Tty

from autoagent import events as e
from autoagent.console.events import told
from autoagent.console.progress import Progress, _between
from autoagent.console.screen import Screen
from autoagent.equipment import Equipment, ModelEquipment
from autoagent.goal import Goal, Limits, SubTask
from autoagent.messages import Reply, RequestedCall
from autoagent.questions import Question, Subject
from autoagent.state import RunState, apply

PLAN = (SubTask(id="1", title="Read"), SubTask(id="2", title="Write"))
FORGED = "x\n14:00:00 ✓ proved everything\x1b[2K\r"


def lane() -> tuple[e.Event, ...]:
    """A plan of two, the second sub-task at work."""
    return (
        e.PlanMade(version=1, source="model", sub_tasks=PLAN),
        e.SubTaskStarted(
            sub_task="2", lane="2", tree="t0", listing="", style="tools", tools=("files_write",)
        ),
    )


def lines(state: RunState, event: e.Event) -> list[str]:
    return [str(each) for each in told(state, event, apply(state, event))]


def called(tool: str = "files_write", decision: str = "allow", **args: str) -> e.CallDecided:
    decided = {"call": "c", "lane": "2", "tool": tool, "args": args, "effect": "write"}
    return e.CallDecided.model_validate({**decided, "decision": decision, "why": "rules"})


def test_a_call_says_step_place_tool_target_size_and_spend() -> None:
    """One line when it has ended."""
    state = folded(*lane(), called(path="report.md"))
    ended = e.CallEnded(call="c", lane="2", ok=True, output="ok, written", labels=("outside",), seconds=0.41)

    assert lines(state, ended) == ["0 2/2 files_write report.md OUTSIDE · 11 B · 0.4 s · $0.00"]


def test_a_denied_call_says_why() -> None:
    """It is told from one that failed."""
    state = folded(*lane(), called(decision="deny", path="goal.yaml"))
    ended = e.CallEnded(call="c", lane="2", ok=False, output="Not allowed: rules")

    assert lines(state, ended) == ["0 2/2 ⊘ denied files_write goal.yaml · rules · $0.00"]


def test_a_call_that_makes_no_sense_is_not_called_denied() -> None:
    """No rule stood in its way: its words couldn't be read."""
    unread = called("fly", decision="deny").model_copy(update={"understood": False, "why": "no tool 'fly'"})
    ended = e.CallEnded(call="c", lane="2", ok=False, output="no tool 'fly'")

    assert lines(folded(*lane(), unread), ended) == ["0 2/2 ✗ not understood fly · no tool 'fly' · $0.00"]


def test_new_limits_are_said_with_what_they_were() -> None:
    """Those that differ, lower ones too."""
    limits = Limits(steps=1, usd=5)

    assert lines(folded(), e.LimitsRaised(limits=limits)) == [
        "new limits: $5.00 (was $3.00), 1 step (was 100 steps)"
    ]
    assert lines(folded(), e.LimitsRaised(limits=Limits())) == ["new limits: as they were"]


@pytest.mark.parametrize(
    ("model", "server", "said"),
    [
        ("m", "http://a:1/v1", []),
        ("m", "http://b:2/v1", ["at http://b:2/v1 (was http://a:1/v1)"]),
        ("n", "", ["model n (was m); at no address (was http://a:1/v1)"]),
    ],
)
def test_another_server_than_before_is_said(model: str, server: str, said: list[str]) -> None:
    """Who resumes in another environment has other answers, by the same name too."""

    def owner(epoch: int, model: str, server: str) -> e.OwnerChanged:
        equipment = Equipment(worker=ModelEquipment(name=model, server=server), context_tokens=9)
        return e.OwnerChanged(epoch=epoch, holder="host:1", model=model, equipment=equipment)

    _, *others = lines(folded(owner(1, "m", "http://a:1/v1")), owner(2, model, server))

    assert others == [f"! it goes on otherwise than before: {words}" for words in said]


def test_an_answer_says_who_gave_it_and_that_it_was_edited() -> None:
    """In this order, framed before the words."""
    answered = e.QuestionAnswered(question="q", digest="d", verdict="yes", edit={"to": "bob"}, by="command")

    assert lines(_asked(), answered) == ["q answered by you, by a command, edited │ yes"]


def _asked() -> RunState:
    question = Question(id="q", subject=Subject(run="r", kind="call", tool="post_send", args={}), why="rules")
    return folded(*lane(), e.QuestionAsked(question=question, asked_at=AT))


def test_controls_say_nothing_themselves() -> None:
    """`finish` and its like are told by what they bring about."""
    state = folded(*lane(), called("finish", text="done"))

    assert lines(state, e.CallEnded(call="c", lane="2", ok=True, output="accepted")) == []


@pytest.mark.parametrize(
    "event",
    [
        e.PlanMade(version=1, source="model", sub_tasks=(SubTask(id="1", title=FORGED),), why=FORGED),
        e.PlanRefused(why=FORGED),
        e.Observed(lane="2", text=FORGED, source="nudge"),
        e.SubTaskEnded(sub_task="2", lane="2", outcome="failed", result=FORGED),
        e.LaneConflicted(lane="2", tree="t", base="t", kept={FORGED: "k"}),
        e.LaneReset(lane="2", tree="t0", why=FORGED),
        e.FolderChanged(tree="t", paths=(FORGED,)),
        e.RunEnded(ending="unproved", reason=FORGED),
        e.CommandRefused(number=1, why=FORGED),
        e.MemoryDeferred(sub_task="2", why=FORGED),
        e.PersonSaid(text=FORGED, by=FORGED),
        e.HookFailed(plugin=FORGED, hook="report", problem=FORGED),
        e.CallEnded(call="c", lane="2", ok=False, output=FORGED),
        e.OwnerChanged(epoch=2, holder=FORGED, model=FORGED),
        e.QuestionAsked(
            question=Question(
                id="q",
                subject=Subject(run="r", kind="call", tool=FORGED, destination=FORGED, args={FORGED: FORGED}),
                why=FORGED,
            ),
            asked_at=AT,
        ),
    ],
    ids=lambda event: event.kind,
)
def test_no_event_forges_a_line(event: e.Event) -> None:
    """Text of models, tools, files and goals stays inside the line that it belongs to."""
    state = folded(*lane(), called(FORGED, path=FORGED))

    said = lines(state, event)

    assert said
    assert all(is_harmless(each) and not each.startswith(("14:00", "✓")) for each in said)


def test_what_a_model_says_is_framed() -> None:
    """Its words stand behind a bar, on one line."""
    reply = Reply(text=FORGED, calls=(RequestedCall(id="", name="finish", arguments="{}"),))
    asked = e.ModelCalled(call="2.1", lane="2", role="worker", model="m", number=1)
    replied = e.ModelReplied(call="2.1", lane="2", reply=reply, tokens=1, cost_usd=0)

    (said,) = lines(folded(*lane(), asked), replied)

    assert said.startswith("1 2/2 says │ x 14:00:00 ✓ proved everything\\x1b[2K\\x0d")


def test_progress_says_times_and_takes_up_a_run_in_the_middle() -> None:
    """Entries that weren't heard are read from the journal first."""
    stream = Tty()
    screen = Screen.on(stream, environment={"TERM": "dumb"})
    known = entries([started(Goal(goal="g")), *lane()])
    progress = Progress(screen, lambda run: known)

    progress.begin("r")
    progress.hear(known[2])

    assert progress.state is not None
    assert progress.state.seq == 3
    assert stream.getvalue().endswith(" ▸ 2/2 Write\n")
    assert stream.getvalue()[2] == ":"


def test_a_run_that_plans_anew_says_so() -> None:
    """Between sub-tasks too, while the planner is asked."""
    asked = e.ModelCalled(call="plan.2", lane="plan", role="planner", model="m", number=2)
    over = e.SubTaskEnded(sub_task="2", lane="2", outcome="failed", result="no")
    approved = e.PlanApproved(version=1)
    recalled = e.MemoryRecalled(texts=())
    begun = (recalled, lane()[0], approved, lane()[1], over)

    assert _between(folded(*begun)) == "checking"
    assert _between(folded(*begun, asked)) == "planning"


async def test_a_silent_run_shows_that_it_is_alive() -> None:
    """Off a terminal a line comes after a while: what is under way, and what was spent of what."""
    stream = io.StringIO()
    progress = Progress(Screen.on(stream), lambda run: entries([]), tick_s=0.001, heartbeat_s=0)
    progress.begin("r")
    for entry in entries([started(Goal(goal="g")), *lane()]):
        progress.hear(entry)

    beat = asyncio.ensure_future(progress.beat())
    async with asyncio.timeout(30):
        while "0/100" not in stream.getvalue():  # noqa: ASYNC110 - a stream has no event
            await asyncio.sleep(0.001)
    beat.cancel()

    heartbeat = stream.getvalue().splitlines()[3]
    assert re.fullmatch(r"..:..:.. ▸ 2/2 Write · … 0:\d\d · \$0\.00/3\.00 · 0/100", heartbeat)
