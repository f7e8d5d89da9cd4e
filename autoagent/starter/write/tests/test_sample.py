"""The plugin `sample`, in a run and against what autoagent expects of every plugin."""

from __future__ import annotations

from pathlib import Path

from autoagent_sample import plugin

from autoagent import run_sync
from autoagent.testing import ScriptedModel, call
from autoagent.testing.contracts.plugin import PluginContract


class TestContract(PluginContract):
    plugin = "autoagent_sample:plugin"


def test_the_file_is_sorted(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "names.txt").write_text("Bob\nAnna\n")
    model = ScriptedModel(
        call("propose_plan", sub_tasks=["Sort"]),
        call("sample_sort", path="names.txt"),
        call("finish", result="sorted"),
    )

    run_sync("Sort names.txt", work, model=model, plugins=[plugin], home=tmp_path / "home")

    assert (work / "names.txt").read_text() == "Anna\nBob\n"
