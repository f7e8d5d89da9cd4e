"""Recordings: made from a run, kept in a file, played by what happened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from autoagent import events as e
from autoagent.errors import NewerVersion, RecordingMiss, UsageError
from autoagent.goal import Goal, SubTask
from autoagent.llm.recorded import RecordedModel, RecordingModel
from autoagent.llm.recording import (
    RecordedReply,
    Recording,
    RecordingHeader,
    read_recording,
    write_recording,
)
from autoagent.llm.recording_of_run import recording_from_entries
from autoagent.messages import Message, Reply, Usage, user
from autoagent.ports import Model, ModelRequest, ModelRole, ToolSchema
from autoagent.testing import ScriptedModel, call, calls, says
from autoagent.testing.contracts.model import FINISH, READ, ModelContract, ModelOf
from autoagent.trees import Tree, TreeEntry, make_tree

HEADER = RecordingHeader(goal="g1", inputs={"a.txt": "1" * 64}, outputs=("report.md",), made_by="gpt-x")


def asked(
    number: int = 1,
    outcomes: tuple[bool, ...] = (),
    *,
    role: ModelRole = "worker",
    lane: str = "main",
    tools: tuple[ToolSchema, ...] = (READ, FINISH),
    messages: Sequence[Message] = (user("Go."),),
) -> ModelRequest:
    return ModelRequest(role, tuple(messages), tools, 100, lane=lane, number=number, outcomes=outcomes)


def recorded(
    reply: Reply, number: int = 1, outcomes: tuple[bool, ...] = (), *tools: str, lane: str = "main"
) -> RecordedReply:
    return RecordedReply(lane=lane, role="worker", number=number, outcomes=outcomes, tools=tools, reply=reply)


def model(*replies: RecordedReply, strict: bool = False) -> RecordedModel:
    return RecordedModel(Recording(HEADER, replies), strict=strict)


READS = recorded(calls(call("files_read", path="a"), call("files_read", path="b")), 1, (), "files_read")
SAYS = recorded(says("Done."), 2, (True, False))


class TestContract(ModelContract):
    gives_up = RecordingMiss

    @pytest.fixture
    def model_of(self) -> ModelOf:
        async def make(*replies: Reply) -> Model:
            scripted = ScriptedModel(*replies)
            recording = RecordingModel(scripted)
            for number in range(1, len(replies) + 1):
                await recording.reply(asked(number))
            return RecordedModel(Recording(HEADER, tuple(recording.replies)))

        return make


# --- playing -----------------------------------------------------------------------------------------------


async def test_replies_are_played_by_what_happened() -> None:
    """The same outcomes get the recorded replies, whatever the prompt says."""
    played = model(READS, SAYS)
    first = await played.reply(asked(1))
    second = await played.reply(asked(2, (True, False), messages=[user("Other words.")]))

    assert [c.name for c in first.calls] == ["files_read", "files_read"]
    assert second.text == "Done."


async def test_a_call_that_ends_otherwise_is_a_miss() -> None:
    """The difference is named: which call, how it ended then and now."""
    with pytest.raises(RecordingMiss) as caught:
        await model(READS, SAYS).reply(asked(2, (True, True)))

    assert "request 2 of the worker in lane 'main' can't be played" in str(caught.value)
    assert (
        "call 2 of the reply before it (files_read) failed when it was recorded, and went well here"
        in str(caught.value)
    )


async def test_another_number_of_calls_is_a_miss() -> None:
    """More or fewer ended calls than recorded are a difference."""
    with pytest.raises(RecordingMiss, match="2 calls had ended before it when it was recorded, and 1 here"):
        await model(READS, SAYS).reply(asked(2, (True,)))


async def test_a_request_that_was_not_recorded_is_a_miss() -> None:
    """The end of the recording, and a lane it never saw, are named."""
    with pytest.raises(RecordingMiss, match="holds 2 replies for it, the last is number 2"):
        await model(READS, SAYS).reply(asked(3))
    with pytest.raises(RecordingMiss, match="in lane 'b' can't be played: the recording holds none for it"):
        await model(READS, SAYS).reply(asked(1, lane="b"))


async def test_a_tool_that_is_not_offered_is_a_miss() -> None:
    """A reply that used a tool well needs that tool."""
    with pytest.raises(RecordingMiss, match="uses files_read, not offered here"):
        await model(READS).reply(asked(1, tools=(FINISH,)))


async def test_a_call_that_failed_then_may_fail_again() -> None:
    """A tool that the model only imagined isn't needed."""
    reply = await model(recorded(call("imagined"))).reply(asked(1))

    assert reply.calls[0].name == "imagined"


async def test_a_script_is_played_where_no_tool_is_offered_by_name() -> None:
    """In code style tools are functions, and aren't offered as tools."""
    reply = await model(recorded(says("```python\n1\n```"), 1, (), "script")).reply(asked(1, tools=()))

    assert reply.text.startswith("```python")


async def test_playing_costs_nothing() -> None:
    """A played reply keeps its tokens and costs 0, and so is its price."""
    dear = Reply(text="x", usage=Usage(prompt_tokens=10), cost_usd=Decimal(3))
    played = model(recorded(dear))
    reply = await played.reply(asked(1))

    assert reply.cost_usd == played.price.prompt == 0
    assert reply.usage.prompt_tokens == 10
    assert played.name == "recorded"


async def test_strict_compares_whole_requests() -> None:
    """With strict the same words are needed, and a recording that kept them."""
    recording = RecordingModel(ScriptedModel(says("x")))
    await recording.reply(asked(1))
    strict = model(*recording.replies, strict=True)

    assert (await strict.reply(asked(1))).text == "x"
    with pytest.raises(RecordingMiss, match="answers another request; play it without strict"):
        await strict.reply(asked(1, messages=[user("Go!")]))
    with pytest.raises(RecordingMiss, match="was recorded without its request"):
        await model(READS, strict=True).reply(asked(1))


# --- inputs ------------------------------------------------------------------------------------------------


def test_the_same_goal_and_files_are_accepted() -> None:
    """New files, and what the recorded run wrote, make no difference."""
    recording = Recording(HEADER, ())

    recording.check_inputs("g1", {"a.txt": "1" * 64})
    recording.check_inputs("g1", {"a.txt": "1" * 64, "report.md": "2" * 64, "new.txt": "3" * 64})


def test_another_goal_is_a_miss() -> None:
    """A goal that was changed has no recording."""
    with pytest.raises(RecordingMiss, match="of another goal"):
        Recording(HEADER, ()).check_inputs("g2", {"a.txt": "1" * 64})


def test_changed_and_missing_files_are_named() -> None:
    """The difference names the paths."""
    with pytest.raises(RecordingMiss, match=r"a\.txt has changed"):
        Recording(HEADER, ()).check_inputs("g1", {"a.txt": "2" * 64})
    with pytest.raises(RecordingMiss, match=r"a\.txt is missing"):
        Recording(HEADER, ()).check_inputs("g1", {})


# --- the file ----------------------------------------------------------------------------------------------


def test_a_file_holds_a_whole_recording(tmp_path: Path) -> None:
    """What is written is read: odd characters, usage and costs included."""
    reply = Reply(text="a\u2028b\x85\n", usage=Usage(prompt_tokens=1), cost_usd=Decimal("0.25"), model="m")
    replies = (READS, SAYS.model_copy(update={"reply": reply, "request": "ff"}))
    write_recording(tmp_path / "r.jsonl", HEADER, replies)

    assert read_recording(tmp_path / "r.jsonl") == Recording(HEADER, replies)
    assert len((tmp_path / "r.jsonl").read_text("utf-8").split("\n")) == 4


GOOD = '{"recording": 1, "goal": "g", "made_by": "m"}'
REPLY = '{"lane": "main", "role": "worker", "number": 1, "reply": {"text": "x"}}'


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "r.jsonl:1: is no JSON"),
        ("[]\n", "r.jsonl:1: is no recording"),
        ('{"events": []}\n', 'its first line must be a header with "recording": 1'),
        ('{"recording": 1}\n', "r.jsonl:1: goal: Field required"),
        (f"{GOOD}\nnope\n", "r.jsonl:2: is no JSON"),
        (f'{GOOD}\n\n{{"lane": "main"}}\n', "r.jsonl:3: role: Field required"),
        (f"{GOOD}\n{REPLY.replace('worker', 'boss')}\n", "r.jsonl:2: role: Input should be"),
        (
            f"{GOOD}\n{REPLY}\n{REPLY}\n",
            "r.jsonl:3: reply 1 of the worker in lane 'main' stands in line 2 already",
        ),
    ],
)
def test_a_bad_file_is_named_by_line(tmp_path: Path, text: str, wanted: str) -> None:
    """Every mistake in a recording names the file and the line."""
    path = tmp_path / "r.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError) as caught:
        read_recording(path)

    assert wanted in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A missing recording is the caller's mistake."""
    with pytest.raises(UsageError, match="can't be read"):
        read_recording(tmp_path / "none.jsonl")


def test_bytes_that_are_no_text_are_no_recording(tmp_path: Path) -> None:
    """A binary file is refused by name."""
    (tmp_path / "r.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is no recording"):
        read_recording(tmp_path / "r.jsonl")


def test_a_newer_recording_is_refused(tmp_path: Path) -> None:
    """A recording of a later format says that autoagent must be upgraded."""
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps({"recording": 99, "new": True}), "utf-8")
    with pytest.raises(NewerVersion, match="99"):
        read_recording(path)


# --- from a run --------------------------------------------------------------------------------------------


def entries(*events: e.Event) -> Iterator[e.Entry]:
    for seq, event in enumerate(events, 1):
        yield e.Entry(seq=seq, at=datetime(2026, 1, 1, tzinfo=UTC), epoch=1, event=event)


def asks(role: ModelRole, number: int, name: str = "gpt-x") -> e.ModelCalled:
    return e.ModelCalled(call=f"{role}.{number}", lane="main", role=role, model=name, number=number)


def answers(role: ModelRole, number: int, reply: Reply) -> e.ModelReplied:
    reply = reply.model_copy(update={"model": "gpt-x"})
    return e.ModelReplied(
        call=f"{role}.{number}", lane="main", reply=reply, tokens=1, cost_usd=Decimal("0.5")
    )


def ends(call_id: str, tool: str, ok: bool) -> tuple[e.CallDecided, e.CallEnded]:
    decided = e.CallDecided(
        call=call_id, lane="main", tool=tool, args={}, effect="read", decision="allow", why="declared"
    )
    return decided, e.CallEnded(call=call_id, lane="main", ok=ok, output="…")


def tree(**files: str) -> Tree:
    return make_tree({name: TreeEntry("file", 0o644, 1, sha256) for name, sha256 in files.items()})


def a_run() -> Iterator[e.Entry]:
    plan = (SubTask(id="only", title="All of it"),)
    return entries(
        e.RunStarted(
            goal=Goal(goal="Read."), workspace="/w", tree="t", goal_digest="g1", model="gpt-x",
            sandbox="monty", version="0",
        ),
        asks("planner", 1),
        answers("planner", 1, call("propose_plan", sub_tasks=[])),
        e.PlanMade(version=1, source="model", sub_tasks=plan),
        e.PlanApproved(version=1),
        e.SubTaskStarted(sub_task="only", lane="main", tree="t", listing="", style="tools"),
        asks("worker", 1),
        answers("worker", 1, calls(call("files_read", path="a"), call("imagined"))),
        *ends("worker.1.1", "files_read", True),
        *ends("worker.1.2", "imagined", False),
        asks("worker", 2),
        e.ModelFailed(call="worker.2", lane="main", why="the process was killed"),
        asks("worker", 2),
        answers("worker", 2, call("finish", result="read")),
    )  # fmt: skip


def test_a_run_becomes_a_recording() -> None:
    """Each reply is kept with what it answered to; inputs are what the run found and didn't write."""
    recording = recording_from_entries(
        "run1", a_run(), tree(a="1" * 64, old="2" * 64), tree(a="1" * 64, old="3" * 64, new="4" * 64)
    )

    assert recording.header == RecordingHeader(
        goal="g1", inputs={"a": "1" * 64}, outputs=("new", "old"), made_by="gpt-x", style="tools"
    )
    assert [(r.role, r.number, r.outcomes, r.tools) for r in recording.replies] == [
        ("planner", 1, (), ()),
        ("worker", 1, (), ("files_read",)),
        ("worker", 2, (True, False), ()),
    ]


async def test_a_recorded_run_can_be_played() -> None:
    """The replies of the run come again for the same outcomes."""
    recording = recording_from_entries("run1", a_run(), tree(), tree())
    played = RecordedModel(recording)

    assert (await played.reply(asked(2, (True, False)))).calls[0].name == "finish"
