"""A tool that reads many files says which its text was taken from: labels and known URLs follow these."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from loops import Stage, finish, plan, write

from autoagent.door.tools import Observation, Plugin, ToolContext, WorkspacePath, tool
from autoagent.events import CallDecided, CallEnded
from autoagent.past.replay import replay
from autoagent.ports import Source
from autoagent.testing.contracts.passages import source
from autoagent.testing.model import ScriptedModel, call

GOAL = """
goal: g
allow: {web: ["*.org"]}
private: [notes/]
yours: [mine.txt]
plugins: [files, look]
done_when: [{file: done.txt}]
"""
FILES = {"open.txt": "see http://a.org/x", "notes/key": "see http://b.org/y", "mine.txt": "z"}


def looking(paths: Sequence[str] | None) -> Plugin:
    """A search over a folder that finds something in `paths`."""

    @tool(effect="read")
    async def look(ctx: ToolContext, path: WorkspacePath = ".") -> Observation:
        """Look for everything."""
        return Observation(
            text="http://a.org/x http://b.org/y", paths=None if paths is None else tuple(paths)
        )

    return Plugin(name="look", tools=[look])


async def looked(tmp_path: Path, paths: Sequence[str] | None) -> tuple[Stage, CallEnded]:
    """A run that looks once, and how the call ended."""
    stage = Stage.at(tmp_path, FILES, plugins=[looking(paths)])
    worker = [call("look"), write("done.txt", "x"), finish()]
    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=worker))
    (decided,) = (event for event in stage.events(CallDecided) if event.tool == "look")
    (ended,) = (event for event in stage.events(CallEnded) if event.call == decided.call)
    return stage, ended


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (None, ("outside", "private")),
        ((), ()),
        (("open.txt",), ("outside",)),
        (("mine.txt",), ()),
        (("mine.txt", "notes/key"), ("outside", "private")),
        (("notes",), ("outside", "private")),
        (("./mine.txt",), ("outside", "private")),
    ],
)
async def test_labels_follow_the_files_that_were_read(
    tmp_path: Path, paths: Sequence[str] | None, labels: tuple[str, ...]
) -> None:
    """Without a word of the tool's all that its path names counts as read; with a wrong word, everything."""
    _, ended = await looked(tmp_path, paths)

    assert ended.labels == labels


async def test_urls_of_other_files_stay_unknown(tmp_path: Path) -> None:
    """A URL counts as read where it stands in a file that the text was taken from."""
    _, ended = await looked(tmp_path, ("open.txt",))

    assert ended.urls == ("http://a.org/x",)


async def test_replay_knows_what_was_read(tmp_path: Path) -> None:
    """The record names the files, so a replay gives the same labels."""
    stage, ended = await looked(tmp_path, ("open.txt",))
    found = await asyncio.to_thread(replay, stage.journal, stage.run, stage.plugins)

    assert ended.paths == ("open.txt",)
    assert found.same


async def test_each_plugin_has_an_index_of_its_own(tmp_path: Path) -> None:
    """What a tool stores is found by later runs' tools of its plugin, and by those of no other."""

    @tool(effect="read")
    async def keep(ctx: ToolContext) -> str:
        """Store a text."""
        assert ctx.passages is not None
        await ctx.passages.store([source("a", "leave in Rome")])
        return await _found(ctx)

    @tool(effect="read")
    async def seek(ctx: ToolContext) -> str:
        """Search for it."""
        return await _found(ctx)

    plugins = [Plugin(name="one", tools=[keep]), Plugin(name="../two", tools=[seek])]
    stage = Stage.at(tmp_path, plugins=plugins)
    worker = [call("keep"), call("seek"), write("done.txt", "x"), finish()]
    await stage.start(
        "goal: g\nplugins: [files]\ndone_when: [{file: done.txt}]",
        ScriptedModel(planner=[plan("a")], worker=worker),
    )

    assert [event.output for event in stage.events(CallEnded)][:2] == ["1 found, 1 known", "0 found, 0 known"]
    assert len(list((stage.home / "passages").glob("*.lock"))) == 1  # the other one made nothing


async def _found(ctx: ToolContext) -> str:
    assert ctx.passages is not None
    found = await ctx.passages.search("Rome", ["a"])
    known = await ctx.passages.known([Source(id="a").id])
    return f"{len(found)} found, {len(known)} known"
