"""The workspaces that come along: what they say, and how they are copied."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from autoagent import examples
from autoagent.cli.app import status_of
from autoagent.errors import UsageError

ROOT = Path(__file__).parents[1]


def test_each_says_what_it_does() -> None:
    """In one line that fits beside its name."""
    found = examples.examples()

    assert examples.TRIED in [each.name for each in found]
    for each in found:
        assert each.does.endswith("."), each.name
        assert len(each.does) <= 95, each.name
        assert each.recording is not None, each.name


def test_a_goal_left_as_it_is_brings_its_recording(tmp_path: Path) -> None:
    """One's own goal has none that fits."""
    tried = examples.example(examples.TRIED)

    assert tried.copy(tmp_path / "same") == ()
    tried.copy(tmp_path / "own", tried.text.replace("steps: 30", "steps: 3"))

    assert (tmp_path / "same" / "recording.jsonl").is_file()
    assert (tmp_path / "same" / "logs" / "payments.log").is_file()
    assert not (tmp_path / "own" / "recording.jsonl").exists()


def test_what_is_there_stays(tmp_path: Path) -> None:
    """It is named; another goal file is refused before anything is written."""
    tried = examples.example(examples.TRIED)
    (tmp_path / "README.md").write_text("mine")

    assert tried.copy(tmp_path) == ("README.md",)
    assert (tmp_path / "README.md").read_text() == "mine"
    with pytest.raises(UsageError, match=r"goal.yaml is there already, and nothing was written"):
        examples.example("sales-plot").copy(tmp_path)
    assert not (tmp_path / "sales.csv").exists()


@pytest.mark.parametrize("link", ["goal.yaml", "logs", "recording.jsonl"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    """A folder that somebody else has filled leads to no place outside it, whether there is one or not."""
    outside, work = tmp_path / "outside", tmp_path / "work"
    outside.mkdir()
    work.mkdir()
    (work / link).symlink_to(outside if link == "logs" else outside / "x")

    with pytest.raises(UsageError, match=f"work/{link} is a link, and nothing was written"):
        examples.example(examples.TRIED).copy(work)

    assert [*outside.iterdir()] == []
    assert [file.name for file in work.iterdir()] == [link]


def test_a_fresh_folder_is_no_link(tmp_path: Path) -> None:
    """Also where that leads nowhere."""
    (tmp_path / "log-triage").symlink_to(tmp_path / "nowhere")

    assert examples.fresh("log-triage", tmp_path) == tmp_path / "log-triage-2"


def test_what_a_run_has_left_is_no_part_of_it() -> None:
    """Nor of a clone's example, nor of the wheel: what git ignores."""
    assert examples._left_by_runs("log-triage") == {"errors.txt", "services.txt", "report.md"}
    assert "basket.py" in examples.example("code-repair").files


def test_an_unknown_template_is_answered_with_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    """`init --template` takes their names."""
    assert status_of(["init", "--template", "poetry"]) == 2

    assert "there is no template 'poetry'; expected one of code-repair, database" in capsys.readouterr().err


def test_init_writes_a_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its files, into the folder that is named."""
    folder = tmp_path / "logs of mine"

    assert status_of(["init", str(folder), "--template", "log-triage"]) == 0
    assert (folder / "check_report.py").is_file()
    assert f"autoagent run '{folder}'" in capsys.readouterr().out


def test_an_installed_package_brings_them(tmp_path: Path) -> None:
    """Out of the wheel alone, without a clone: all that the clone has, and no copy in the repository."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
    code = (
        "from autoagent import examples\n"
        "for each in examples.examples():\n"
        "    print(each.name, *each.files)\n"
        "    assert 'site' in each.folder.parts\n"
    )
    command = [
        sys.executable,
        "-P",
        "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n{code}",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    assert said.splitlines() == [" ".join((each.name, *each.files)) for each in examples.examples()]
    assert not (ROOT / "autoagent" / "workspaces").exists()
