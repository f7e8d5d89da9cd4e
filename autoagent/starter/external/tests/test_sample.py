"""The plugin `sample`, in a run and against what autoagent expects of every plugin."""

from __future__ import annotations

from pathlib import Path

from autoagent_sample import plugin

from autoagent import Goal, run_sync
from autoagent.goal import Allow
from autoagent.testing import HttpWorld, ScriptedModel, call
from autoagent.testing.contracts.plugin import PluginContract


class TestContract(PluginContract):
    plugin = "autoagent_sample:plugin"


def test_the_note_arrives_once(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with HttpWorld() as world:
        url = f"{world.url}/notes"
        goal = Goal(goal="Leave a note", allow=Allow(send={"sample": (url,)}))
        model = ScriptedModel(
            call("propose_plan", sub_tasks=["Leave it"]),
            call("sample_put", url=url, text="hello"),
            call("finish", result="left"),
        )

        run_sync(goal, work, model=model, plugins=[plugin], home=tmp_path / "home")

        assert [(request.method, request.body) for request in world.requests] == [("PUT", b"hello")]
