"""How a run is put together: the real client over a socket, settings, choices, and what the server sees."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from loops import Stage, finish, goal, plan, write

from autoagent import wiring
from autoagent.errors import ModelUnavailable, UsageError
from autoagent.events import ContextCompacted, RunStarted
from autoagent.goal import SubTask
from autoagent.journal.sqlite import SqliteJournal
from autoagent.messages import Reply
from autoagent.state import fold
from autoagent.testing.memory import DictMemory
from autoagent.testing.model import ScriptedModel, call
from autoagent.testing.onlookers import Overheard
from autoagent.testing.server import ScriptedServer, SeenRequest
from autoagent.trees import load_tree
from autoagent.wiring import Choices, Hooks, Launch, Parts

GOAL = "goal: g\nplugins: [files]\ndone_when: [{file: a.txt}]\n"
DONE = [write("a.txt", "x"), finish()]


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def served(monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_MODEL", "scripted")


async def test_environment_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, key and model from the environment; journal and objects in the home folder."""
    folder, home = tmp_path / "w", tmp_path / "home"
    folder.mkdir()
    launches: list[Launch] = []
    async with ScriptedServer([plan("a"), *DONE]) as server:
        served(monkeypatch, server)
        outcome = await wiring.start(
            goal(GOAL),
            folder,
            hooks=Hooks(on_launch=launches.append),
            parts=Parts(home=home, memory=DictMemory()),
        )

    assert outcome.ending == "proved"
    assert (folder / "a.txt").read_text() == "x"
    assert (launches[0].run, launches[0].model) == (outcome.run, "scripted")
    journal = SqliteJournal(home)
    entries = journal.read(outcome.run)
    assert outcome.journal_head == journal.verify(outcome.run).head
    assert fold(outcome.run, entries).ended is not None
    journal.close()


async def test_prefix_of_the_prompt_is_the_same_bytes_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the server sees it: each request begins with the one before, but for the step of the compaction."""
    folder, home = tmp_path / "w", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    (home / "config.toml").write_text(
        '[models.small]\nmodel = "scripted"\nbase_url = "URL"\n'
        'key_env = "OPENAI_API_KEY"\ncontext_tokens = 9000\n'
    )
    long = "\n".join(f"a line of text, number {n}" for n in range(200))
    steps: list[Reply] = []
    for n in range(9):
        steps += [write(f"f{n}.txt", f"{n}\n{long}"), call("files_read", path=f"f{n}.txt")]
    async with ScriptedServer([*steps, call("read_again", handle="a.2.1"), *DONE]) as server:
        served(monkeypatch, server)
        config = home / "config.toml"
        config.write_text(config.read_text().replace("URL", server.base_url))
        journal = SqliteJournal(home)
        outcome = await wiring.start(
            goal(GOAL).model_copy(update={"plan": (SubTask(id="a", title="t"),)}),
            folder,
            choices=Choices(model="small"),
            parts=Parts(journal=journal, home=home, memory=DictMemory()),
        )
        requests = server.requests

    assert outcome.ending == "proved"
    compacted = sum(isinstance(e.event, ContextCompacted) for e in journal.read(outcome.run))
    journal.close()
    assert compacted > 0
    breaks = sum(not _continues(before, after) for before, after in pairwise(requests))
    assert breaks == compacted
    assert len(requests) == len(steps) + 3


def _continues(before: SeenRequest, after: SeenRequest) -> bool:
    """Whether the later body begins with all of the earlier one's tools and messages, byte for byte."""
    whole = before.body[: before.body.rindex(b"]")]
    return after.body.startswith(whole) and after.messages[: len(before.messages)] == before.messages


async def test_no_model_says_what_to_set(tmp_path: Path, no_model: None) -> None:
    """Before a journal exists."""
    folder, home = tmp_path / "w", tmp_path / "home"
    folder.mkdir()

    with pytest.raises(ModelUnavailable, match="set OPENAI_API_KEY and OPENAI_MODEL"):
        await wiring.start(goal(GOAL), folder, parts=Parts(home=home, memory=DictMemory()))

    assert SqliteJournal(home).runs() == []


async def test_a_model_without_a_key_says_which_to_set(tmp_path: Path, no_model: None) -> None:
    """`--model` alone names no server of one's own."""
    with pytest.raises(ModelUnavailable, match="OPENAI_API_KEY is not set, and 'foo' at "):
        await wiring.start(
            goal(GOAL), tmp_path, choices=Choices(model="foo"), parts=Parts(home=tmp_path / ".." / "home")
        )


async def test_missing_folder_is_a_usage_error(tmp_path: Path) -> None:
    """The path is named."""
    with pytest.raises(UsageError, match="nowhere"):
        await wiring.start(goal(GOAL), tmp_path / "nowhere", parts=Parts(home=tmp_path / "home"))


async def test_workspace_apart_from_the_home_folder(tmp_path: Path) -> None:
    """Neither around it nor in it nor the same: a run must not write journals and settings."""
    home = tmp_path / "home"
    (home / "inside").mkdir(parents=True)

    for folder in (tmp_path, home, home / "inside"):
        with pytest.raises(UsageError, match="autoagent's own state"):
            await wiring.start(goal(GOAL), folder, parts=Parts(home=home, memory=DictMemory()))


async def test_resume_follows_no_link_in_the_place_of_the_workspace(tmp_path: Path) -> None:
    """What the link leads to is neither read nor written."""
    stage = Stage.at(tmp_path)
    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=[call("ask_human", question="?")]))
    stage.folder.rename(tmp_path / "first")
    (tmp_path / "private").mkdir()
    stage.folder.symlink_to("private")
    stage.answer("y")

    with pytest.raises(UsageError, match="through a link"):
        await stage.resume(ScriptedModel(worker=DONE))

    assert list((tmp_path / "private").iterdir()) == []


async def test_first_entry_says_what_the_run_is(tmp_path: Path) -> None:
    """Goal, folder, inputs, model, plugins and what is protected."""
    stage = Stage.at(tmp_path, {"in.txt": "x", "goal.yaml": GOAL})
    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=DONE))

    (started,) = stage.events(RunStarted)
    assert started.workspace == str(stage.folder)
    assert set(load_tree(started.tree, stage.journal.objects).entries) == {"in.txt", "goal.yaml"}
    assert (started.model, started.sandbox, started.recorded) == ("scripted", "none", False)
    assert len(started.plugins["files"]) == 64
    assert "goal.yaml" in started.protected


async def test_number_of_lanes_can_be_chosen(tmp_path: Path) -> None:
    """`--parallel` outranks the goal."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=DONE)

    await stage.start(GOAL, model, choices=Choices(parallel=3))

    assert stage.state.goal.parallel == 3


async def test_onlookers_hear_replies(tmp_path: Path) -> None:
    """Who watches a run hears lane and words as they come."""
    heard: list[tuple[str, str]] = []
    stage = Stage.at(tmp_path, onlookers=Overheard(lambda lane, piece: heard.append((lane, piece))))
    spoken = DONE[0].model_copy(update={"text": "I write it."})

    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=[spoken, finish()]))

    assert heard == [("a", "I write it.")]


async def test_odd_names_and_words_survive(tmp_path: Path) -> None:
    """Half characters in a model's reply, and file names that are no UTF-8: nothing breaks the journal."""
    stage = Stage.at(tmp_path)
    (stage.folder / b"caf\xe9.txt".decode("utf-8", "surrogateescape")).write_text("x")
    odd = Reply(text="\ud800 hm", calls=write("a.txt", "x").calls)
    broken = call("files_read", path="x").model_copy(
        update={
            "calls": (call("files_read").calls[0].model_copy(update={"arguments": '{"path": "\\ud800"}'}),)
        }
    )
    model = ScriptedModel(
        planner=[plan("a")], worker=[call("files_list", path="."), broken, odd, finish("\ud800")]
    )

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    assert json.loads(json.dumps(outcome.model_dump(mode="json")))["ending"] == "proved"
