"""The plugin `sample`, in a run and against what autoagent expects of every plugin."""

from __future__ import annotations

from pathlib import Path

from autoagent_sample import plugin

from autoagent import run_sync
from autoagent.testing import ScriptedModel, call
from autoagent.testing.contracts.plugin import PluginContract


class TestContract(PluginContract):
    plugin = "autoagent_sample:plugin"


def test_the_model_reads_the_count(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "notes.txt").write_text("one two\nthree\n")
    model = ScriptedModel(
        call("propose_plan", sub_tasks=["Count"]),
        call("sample_count", path="notes.txt"),
        call("finish", result="3 words"),
    )

    run_sync("Count the words of notes.txt", work, model=model, plugins=[plugin], home=tmp_path / "home")

    assert model.prompts[-1].last.text == "2 lines, 3 words"
