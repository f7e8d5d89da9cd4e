"""After a crash: nothing is lost, and nothing happens twice.

`Stage.kill(keep)` cuts the journal after an entry, as a process that died there leaves it; the world outside
and the folder stay as they were.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from loops import STRIDE, Stage, finish, plan, worker_prompts, write
from test_report import made
from worlds import World

from autoagent.console.events import told
from autoagent.door.tools import Plugin, Probe, ToolContext, tool
from autoagent.errors import SandboxUnavailable, StoreUnavailable
from autoagent.events import (
    CallDecided,
    CallEnded,
    CallStarted,
    Entry,
    FolderChanged,
    ModelFailed,
    OwnerChanged,
    QuestionAsked,
    QuestionVoided,
)
from autoagent.outcome import Outcome
from autoagent.past.ledger import Ledger
from autoagent.past.reasons import call_step
from autoagent.past.undo import effects_after
from autoagent.state import fold
from autoagent.testing.model import ScriptedModel, call, calls
from autoagent.tui.run.activity import activity

POST = """
goal: send letters
allow: {send: {post: [anna]}}
plugins: [files, post]
done_when: [{file: done.txt}]
"""
DONE = [write("done.txt", "x"), finish()]


def seq_of(stage: Stage, kind: type, number: int = 0) -> int:
    """Where the n-th event of a kind stands in the journal."""
    found = [e.seq for e in stage.journal.read(stage.run) if isinstance(e.event, kind)]
    return found[number]


async def crash_in_send(stage: Stage, tool_name: str, *, happened: bool) -> Outcome:
    """A run that dies between `Started` and `Ended` of a letter to anna, then goes on."""
    world = World()
    world_plugin = world.plugin()
    stage.plugins = [world_plugin]
    letter = call(tool_name, to="anna", text="hello")
    model = ScriptedModel(planner=[plan("a")], worker=[letter, *DONE], by_number=True)
    await stage.start(POST, model)
    stage.kill(seq_of(stage, CallStarted))
    if not happened:
        world.sent.clear()
        world.keys.clear()
    outcome = await stage.resume(model)
    stage.world = world  # type: ignore[attr-defined]
    return outcome


@pytest.mark.parametrize("happened", [True, False])
async def test_probe_finds_out_whether_it_happened(tmp_path: Path, happened: bool) -> None:
    """The tool is asked by its probe; the letter is sent exactly once either way."""
    stage = Stage.at(tmp_path)

    outcome = await crash_in_send(stage, "post_probed", happened=happened)

    assert outcome.ending == "proved"
    assert stage.world.sent == ["anna: hello"]  # type: ignore[attr-defined]
    assert stage.events(QuestionAsked) == []


@pytest.mark.parametrize("happened", [True, False])
async def test_same_idempotency_key_is_used_again(tmp_path: Path, happened: bool) -> None:
    """Where the receiver drops a second call with the same key, the call is simply made again."""
    stage = Stage.at(tmp_path)

    outcome = await crash_in_send(stage, "post_keyed", happened=happened)

    assert outcome.ending == "proved"
    assert stage.world.sent == ["anna: hello"]  # type: ignore[attr-defined]


async def test_without_probe_or_key_a_person_is_asked(tmp_path: Path) -> None:
    """The run parks with a recovery question that says when it was started; nothing is sent meanwhile."""
    stage = Stage.at(tmp_path)

    outcome = await crash_in_send(stage, "post_send", happened=True)

    assert outcome.ending == "parked"
    asked = stage.question()
    assert (asked.subject.kind, asked.choices) == ("recovery", ("done", "run again", "skip"))
    assert "never reported back" in asked.why
    assert stage.world.sent == ["anna: hello"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "sent", "told"),
    [
        ("done", 1, "It had been done before the restart, says the person"),
        ("run again", 2, "sent to anna"),
        ("skip", 1, "Skipped by the person"),
    ],
)
async def test_recovery_is_answered(tmp_path: Path, answer: str, sent: int, told: str) -> None:
    """Done, run again, skip: each does what it says, and the worker reads it."""
    stage = Stage.at(tmp_path)
    await crash_in_send(stage, "post_send", happened=True)
    stage.answer(answer)
    model = ScriptedModel(worker=DONE)

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert len(stage.world.sent) == sent  # type: ignore[attr-defined]
    assert told in worker_prompts(model)[0].text


async def test_a_persons_word_is_told_as_such(tmp_path: Path) -> None:
    """Wherever the call's end stands: in the state, live, in the activity, in `why` and in `undo`."""
    stage = Stage.at(tmp_path)
    await crash_in_send(stage, "post_send", happened=False)
    stage.answer("done")
    await stage.resume(ScriptedModel(worker=DONE))
    entries = stage.journal.read(stage.run)
    ended = next(x for x in entries if isinstance(x.event, CallEnded) and "says the person" in x.event.output)
    assert isinstance(ended.event, CallEnded)
    before, after = fold(stage.run, entries[: ended.seq - 1]), fold(stage.run, entries[: ended.seq])

    assert (stage.state.sent, stage.state.on_word) == (("post_send anna",), ("post_send anna",))
    assert "you said that it had happened" in str(next(told(before, ended.event, after)))
    assert [item.result for item in activity(before, ended, after)] == ["your word"]
    ledger = Ledger(stage.run, entries)
    assert "you said that it had happened" in call_step(ledger, ended.event.call).text
    assert [(each.is_sure, each.is_on_word) for each in effects_after(entries, 0)] == [(False, True)]
    (sent,) = made(stage).sent
    assert sent.became == "you said that it had happened"
    assert "a process was lost, and another went on" in [each.what for each in made(stage).mishaps]
    assert (made(stage).parked, made(stage).taken_over) == (1, 2)


async def test_run_again_is_used_up_by_one_start(tmp_path: Path) -> None:
    """The second try dies as well: it is another start, so the person is asked again."""
    stage = Stage.at(tmp_path)
    await crash_in_send(stage, "post_send", happened=True)
    stage.answer("run again")
    model = ScriptedModel(worker=DONE)
    await stage.resume(model)
    stage.kill(seq_of(stage, CallStarted, 1))

    outcome = await stage.resume(ScriptedModel(worker=DONE))

    assert outcome.ending == "parked"
    assert stage.question().subject.kind == "recovery"
    assert len(stage.world.sent) == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("absence", ["skip", "stop"])
async def test_recovery_always_waits_for_its_person(tmp_path: Path, absence: str) -> None:
    """What became of a payment is never settled by nobody being there."""
    world = World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    letter = call("post_send", to="anna", text="hello")
    model = ScriptedModel(planner=[plan("a")], worker=[letter, *DONE], by_number=True)
    await stage.start(f"{POST}if_nobody_answers: {absence}\n", model)
    stage.kill(seq_of(stage, CallStarted))

    assert (await stage.resume(model)).ending == "parked"


async def test_decided_and_approved_but_not_started_runs_without_a_question(tmp_path: Path) -> None:
    """A crash after the approval and before `Started`: the yes still stands, and is used once."""
    world = World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    letter = call("post_send", to="ben", text="hello")
    model = ScriptedModel(planner=[plan("a")], worker=[letter, *DONE], by_number=True)
    await stage.start(POST, model)
    stage.approve()
    await stage.resume(model)
    stage.kill(seq_of(stage, CallStarted) - 1)
    world.sent.clear()

    outcome = await stage.resume(model)

    assert (outcome.ending, world.sent) == ("proved", ["ben: hello"])
    assert len(stage.events(QuestionAsked)) == 1


@dataclass
class Moments:
    """What folder and world looked like when each entry was recorded."""

    stage: Stage
    world: World
    folders: dict[int, dict[str, str]] = field(default_factory=dict)
    worlds: dict[int, tuple[list[str], list[str]]] = field(default_factory=dict)

    def keep(self, entry: Entry) -> None:
        self.folders[entry.seq] = self.stage.files()
        self.worlds[entry.seq] = ([*self.world.sent], [*self.world.keys])

    def restore(self, seq: int) -> None:
        for path in self.stage.files():
            (self.stage.folder / path).unlink()
        for path, text in self.folders[seq].items():
            self.stage.write(path, text)
        self.world.sent[:], self.world.keys[:] = self.worlds[seq]


@pytest.mark.parametrize("later", [0, 1], ids=["just-recorded", "about-to-record-the-next"])
async def test_death_after_any_entry_gives_the_same_end(tmp_path: Path, later: int) -> None:
    """A process that dies after any entry whatsoever: resuming ends with the same files and one letter."""
    number = 0
    while True:
        world = World()
        at = tmp_path / str(number)
        at.mkdir()
        stage = Stage.at(at, {"log.txt": "0\n"}, plugins=[world.plugin()])
        moments = Moments(stage, world)
        append = call("files_edit", path="log.txt", old="0\n", new="0\n1\n")
        letter = call("post_probed", to="anna", text="hello")
        model = ScriptedModel(
            planner=[plan("a", b="a")],
            worker={"a": [append, letter, finish("appended")], "b": [calls(write("b.txt", "b"), *DONE)]},
            by_number=True,
        )
        await stage.start(POST, model, on_entry=moments.keep)
        if number >= len(stage.ends) - 1:
            break
        keep = stage.ends[number]
        stage.kill(keep)
        moments.restore(keep + later)

        outcome = await stage.resume(model)

        assert (number, outcome.ending) == (number, "proved")
        assert stage.files() == {"log.txt": "0\n1\n", "b.txt": "b", "done.txt": "x"}
        assert world.sent == ["anna: hello"]
        assert stage.events(FolderChanged) == []
        number += STRIDE
    assert number > 25


async def test_folder_behind_main_is_brought_up_to_date(tmp_path: Path) -> None:
    """A crash between `Ended` and its projection: the folder gets the write at the next resume."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=DONE, by_number=True)
    await stage.start(POST.replace(", post", ""), model)
    stage.kill(seq_of(stage, CallEnded))
    (stage.folder / "done.txt").unlink()

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert stage.files() == {"done.txt": "x"}
    assert stage.events(FolderChanged) == []


async def test_request_without_a_reply_is_charged_and_made_again(tmp_path: Path) -> None:
    """What a request that was under way has cost nobody knows: its reservation is charged."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=DONE, by_number=True)
    await stage.start(POST.replace(", post", ""), model)
    stage.kill(5 + [e.event.kind for e in stage.journal.read(stage.run)][5:].index("model_called") + 1)

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    (lost,) = stage.events(ModelFailed)
    assert lost.tokens > 0
    assert stage.state.held == {}


@pytest.mark.parametrize("error", [SandboxUnavailable("the engine is gone"), StoreUnavailable("disk full")])
async def test_error_for_the_operator_in_a_tool_stops_the_run_and_loses_nothing(
    tmp_path: Path, error: Exception
) -> None:
    """Exit 5; the other lane is stopped too; resume goes on with the very call."""
    stage = Stage.at(tmp_path)
    broken = [True]

    @tool(effect="write")
    async def fragile(ctx: ToolContext) -> str:
        """Works when the engine is there."""
        if broken:
            raise error
        ctx.staging.write("fragile.txt", b"made")
        return "made"

    stage.plugins = [Plugin("fragile", [fragile])]
    model = ScriptedModel(
        planner=[plan("a", "b")], worker={"a": [call("fragile"), finish()], "b": DONE}, by_number=True
    )
    text = POST.replace(", post", "") + "parallel: 2\n"

    first = await stage.start(text, model)
    broken.clear()
    outcome = await stage.resume(model)

    assert (first.ending, first.exit_code, first.reason) == ("unavailable", 5, str(error))
    assert outcome.ending == "proved"
    assert stage.files() == {"done.txt": "x", "fragile.txt": "made"}
    assert [d.tool for d in stage.events(CallDecided)].count("fragile") == 1


async def test_tool_that_is_gone_on_resume_is_told_to_the_model(tmp_path: Path) -> None:
    """A decided call of a tool that the plugin no longer has ends with that."""
    world = World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    letter = call("post_send", to="ben", text="hello")
    model = ScriptedModel(planner=[plan("a")], worker=[letter, *DONE], by_number=True)
    await stage.start(POST, model)
    stage.approve()
    stage.plugins = [Plugin("post", [t for t in world.plugin().tools if t.name != "post_send"])]

    outcome = await stage.resume(model)

    assert (outcome.ending, world.sent) == ("proved", [])
    assert "no longer there" in worker_prompts(model)[1].last.text


async def test_each_owner_is_on_record(tmp_path: Path) -> None:
    """Who carried the run, with rising epochs."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=DONE, by_number=True)
    await stage.start(POST.replace(", post", ""), model)
    stage.kill(10)
    await stage.resume(model)

    assert [e.epoch for e in stage.events(OwnerChanged)] == [1, 2]


# --- the ways in which nobody can tell ----------------------------------------------------------------------


def wayward(world: World, probe: Probe, *, keyed: bool = False) -> Plugin:
    """A plugin `post` whose letters are looked up by `probe`."""

    async def post_odd(ctx: ToolContext, to: str, text: str) -> str:
        """Send a letter."""
        world.keys.append(ctx.key)
        world.sent.append(f"{to}: {text}")
        return f"sent to {to}"

    key = (lambda args: "") if keyed else None
    made = tool(effect="external", destination="to", probe=probe, idempotency_key=key, timeout_s=0.2)
    return Plugin("post", [made(post_odd)])


async def raises(ctx: ToolContext, to: str, text: str) -> str:
    raise ValueError("no such mailbox")


async def hangs(ctx: ToolContext, to: str, text: str) -> str:
    await asyncio.Event().wait()
    return "done"


async def babbles(ctx: ToolContext, to: str, text: str) -> object:
    return True


async def knows_nothing(ctx: ToolContext, to: str, text: str) -> str:
    return "unknown"


async def wants_a_person(ctx: ToolContext, to: str, text: str) -> str:
    return "ask"


async def crashed(stage: Stage, plugin: Plugin, tool_name: str = "post_odd") -> ScriptedModel:
    """A run that has died between `Started` and `Ended` of a letter."""
    stage.plugins = [plugin]
    letter = call(tool_name, to="anna", text="hello")
    model = ScriptedModel(planner=[plan("a")], worker=[letter, *DONE], by_number=True)
    await stage.start(POST, model)
    stage.kill(seq_of(stage, CallStarted))
    return model


@pytest.mark.parametrize("probe", [raises, hangs, babbles, knows_nothing])
async def test_probe_that_can_not_tell_leaves_it_to_the_key(tmp_path: Path, probe: Probe) -> None:
    """It raises, hangs, babbles or doesn't know: the call is made again, with the same key."""
    world, stage = World(), Stage.at(tmp_path)
    model = await crashed(stage, wayward(world, probe, keyed=True))

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert len(world.keys) == 2
    assert len({*world.keys}) == 1


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        (raises, "looking it up failed: post_odd failed: ValueError: no such mailbox"),
        (hangs, "looking it up failed: post_odd was stopped after 0.2 s"),
        (babbles, "looking it up told nothing"),
        (knows_nothing, "looking it up told nothing"),
    ],
)
async def test_probe_that_can_not_tell_and_no_key_asks(tmp_path: Path, probe: Probe, said: str) -> None:
    """The question says what looking it up brought."""
    world, stage = World(), Stage.at(tmp_path)
    model = await crashed(stage, wayward(world, probe))

    outcome = await stage.resume(model)

    assert (outcome.ending, len(world.sent)) == ("parked", 1)
    assert said in stage.question().why


async def test_probe_can_want_a_person_in_spite_of_a_key(tmp_path: Path) -> None:
    """`ask`: the receiver may not drop a second one after all."""
    world, stage = World(), Stage.at(tmp_path)
    model = await crashed(stage, wayward(world, wants_a_person, keyed=True))

    outcome = await stage.resume(model)

    assert (outcome.ending, len(world.sent)) == ("parked", 1)


async def test_killed_while_it_recovers_recovers_again(tmp_path: Path) -> None:
    """The second try dies too: the third has the same key, and the same time of the first."""
    world, stage = World(), Stage.at(tmp_path)
    model = await crashed(stage, wayward(world, knows_nothing, keyed=True))
    await stage.resume(model)
    stage.kill(seq_of(stage, CallStarted, 1))

    outcome = await stage.resume(model)

    starts = [e for e in stage.events(CallStarted) if e.began_at is not None]
    assert outcome.ending == "proved"
    assert (len(world.keys), len({*world.keys})) == (3, 1)
    assert (len(starts), len({e.began_at for e in starts})) == (3, 1)


# --- a plugin that has changed meanwhile --------------------------------------------------------------------


def changed(
    world: World, *, destination: str | None = "to", key: str = "another", effect: str = "external"
) -> Plugin:
    """`post` in a later version, in another file: the same tool names, other code."""

    @tool(effect=effect, destination=destination, idempotency_key=lambda args: key)  # type: ignore[arg-type]
    async def post_keyed(ctx: ToolContext, to: str, text: str) -> str:
        """Send a letter in another way."""
        world.keys.append(ctx.key)
        world.sent.append(f"{to}: {text}")
        return f"sent to {to}"

    return Plugin("post", [post_keyed])


async def test_changed_plugin_is_not_believed_about_a_started_call(tmp_path: Path) -> None:
    """Its key function may be another: a person is asked; run again uses the key on record."""
    world, stage = World(), Stage.at(tmp_path)
    model = await crashed(stage, world.plugin(), "post_keyed")
    stage.plugins = [changed(world)]

    parked = await stage.resume(model)
    why = stage.question().why
    stage.answer("run again")
    outcome = await stage.resume(model)

    assert (parked.ending, outcome.ending) == ("parked", "proved")
    assert "its plugin has changed since" in why
    assert (len(world.keys), len({*world.keys})) == (2, 1)


async def test_changed_plugin_never_reaches_somebody_else_than_was_shown(tmp_path: Path) -> None:
    """What `run again` would now send elsewhere is not sent."""
    world, stage = World(), Stage.at(tmp_path)
    model = await crashed(stage, world.plugin(), "post_keyed")
    stage.plugins = [changed(world, destination="text")]
    await stage.resume(model)
    stage.answer("run again")

    outcome = await stage.resume(model)

    assert (outcome.ending, len(world.sent)) == ("proved", 1)
    told = [e.output for e in stage.events(CallEnded) if not e.ok]
    assert told == [
        "Not done again after a restart: the changed plugin would make it another call (external, to hello)"
    ]


async def test_allowed_call_that_had_not_begun_is_decided_again_for_a_changed_plugin(tmp_path: Path) -> None:
    """Allowed for anna; the new version would send to somebody whom the goal doesn't name: asked."""
    world, stage = World(), Stage.at(tmp_path)
    model = await crashed(stage, world.plugin(), "post_keyed")
    stage.kill(seq_of(stage, CallStarted) - 1)
    world.sent.clear()
    stage.plugins = [changed(world, destination="text")]

    outcome = await stage.resume(model)

    assert (outcome.ending, world.sent) == ("parked", [])
    assert stage.question().subject.destination == "hello"
    assert [d.decision for d in stage.events(CallDecided)] == ["allow", "ask"]


async def test_write_that_becomes_a_send_is_decided_again(tmp_path: Path) -> None:
    """A call that changed only files when it was started may not come back as one that reaches outside."""
    world, stage = World(), Stage.at(tmp_path)
    model = await crashed(stage, changed(world, effect="write", destination=None), "post_keyed")
    stage.plugins = [world.plugin()]
    world.sent.clear()
    world.keys.clear()

    outcome = await stage.resume(model)

    assert (outcome.ending, world.sent) == ("proved", ["anna: hello"])
    assert [d.effect for d in stage.events(CallDecided)][:2] == ["write", "external"]


async def test_yes_that_was_not_used_is_void_when_the_plugin_changes(tmp_path: Path) -> None:
    """Asked again, with what changed; the old yes is no answer to the new question."""
    world, stage = World(), Stage.at(tmp_path)
    stage.plugins = [world.plugin()]
    letter = call("post_keyed", to="ben", text="hello")
    model = ScriptedModel(planner=[plan("a")], worker=[letter, *DONE], by_number=True)
    await stage.start(POST, model)
    stage.approve()
    stage.plugins = [changed(world)]

    outcome = await stage.resume(model)

    assert (outcome.ending, world.sent) == ("parked", [])
    assert "asked again, since it has changed: the plugin's code or settings" in stage.question().why
    assert len(stage.events(QuestionVoided)) == 1


async def test_missing_tool_can_not_be_run_again(tmp_path: Path) -> None:
    """The person can say that it happened, or leave it."""
    world, stage = World(), Stage.at(tmp_path)
    model = await crashed(stage, world.plugin(), "post_keyed")
    stage.plugins = [Plugin("post", [])]

    outcome = await stage.resume(model)
    asked = stage.question()
    stage.answer("done")
    ended = await stage.resume(model)

    assert (outcome.ending, asked.choices, ended.ending) == ("parked", ("done", "skip"), "proved")
    assert "its tool is no longer there" in asked.why


async def test_approval_is_used_up_by_the_call_that_it_allowed(tmp_path: Path) -> None:
    """Dead between the yes and the effect: sent once, not asked again; the same words are another call."""
    world, stage = World(), Stage.at(tmp_path)
    stage.plugins = [world.plugin()]
    letter = call("post_probed", to="ben", text="hello")
    model = ScriptedModel(planner=[plan("a")], worker=[letter, letter, *DONE], by_number=True)
    await stage.start(POST, model)
    stage.approve()
    await stage.resume(model)
    stage.kill(seq_of(stage, CallStarted))
    world.sent.clear()
    world.keys.clear()

    outcome = await stage.resume(model)

    assert (outcome.ending, world.sent) == ("parked", ["ben: hello"])
    assert len(stage.events(QuestionAsked)) == 2


async def test_yes_to_many_ends_when_the_plugin_changes(tmp_path: Path) -> None:
    """`y -3` was said of another program: the next letter of the changed one is asked about."""
    world, stage = World(), Stage.at(tmp_path)
    stage.plugins = [world.plugin()]
    letters = [call("post_keyed", to="ben", text=str(n)) for n in range(2)]
    model = ScriptedModel(planner=[plan("a")], worker=[*letters, *DONE], by_number=True)
    await stage.start(POST, model)
    stage.approve(covers=3)
    await stage.resume(model)
    stage.kill(seq_of(stage, CallEnded))
    stage.plugins = [changed(world)]

    outcome = await stage.resume(model)

    assert (outcome.ending, world.sent[0]) == ("parked", "ben: 0")
    assert stage.question().subject.args == {"to": "ben", "text": "1"}
