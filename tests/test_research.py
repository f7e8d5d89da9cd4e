"""The checker of the workspace `research` knows good answers from bad ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

WORKSPACE = Path(__file__).parents[1] / "workspaces" / "research"
SITE = "http://127.0.0.1:8917/"


def written_answer() -> str:
    """What the recording's author wrote."""
    for line in (WORKSPACE / "recording.jsonl").read_text().splitlines()[1:]:
        for called in json.loads(line)["reply"].get("calls", ()):
            arguments = called["arguments"]
            found = json.loads(arguments) if isinstance(arguments, str) else arguments
            if found.get("path") == "answer.md" and "content" in found:
                return str(found["content"])
    raise AssertionError("the recording writes no answer.md")


def checked(tmp_path: Path, answer: str) -> tuple[int, str]:
    """The checker's verdict on an answer, and its last line."""
    for name in ("check_answer.py", "site"):
        (tmp_path / name).symlink_to(WORKSPACE / name)
    (tmp_path / "answer.md").write_text(answer)
    ran = subprocess.run(
        [sys.executable, "check_answer.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    return ran.returncode, (ran.stdout + ran.stderr).strip().splitlines()[-1]


def test_good_answer_passes(tmp_path: Path) -> None:
    """The one in the recording."""
    assert checked(tmp_path, written_answer())[0] == 0


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("who was not invited.", "who was not there.", "this doesn't stand in"),
        (f"{SITE}board/account-1914.html", f"{SITE}people/ada-holm.html", "this doesn't stand in"),
        (f"{SITE}board/account-1914.html", "http://brenn.example/", "is no page of the reading room"),
        (
            "- It was designed by Ada Holm",
            "- It is long.\n- It was designed by Ada Holm",
            "nothing is cited for",
        ),
        ("opened to ships on 4 May 1913.\n", "opened to ships in 1911.\n", "4 May 1913 isn't answered"),
        ("by Ada Holm, and built by the firm of", "by", "Ada Holm isn't answered"),
        ("It cost 1,452,300 crowns", "It cost 1,460,000 or 1,452,300 crowns", "the answer says 1,460,000"),
        ("\n## Where the sources differ\n", "\n", "it has no part"),
    ],
)
def test_bad_answer_fails(tmp_path: Path, old: str, new: str, why: str) -> None:
    """A quote that isn't there, a page that says something else, a claim without a source, a wrong fact."""
    answer = written_answer()
    assert old in answer
    status, said = checked(tmp_path, answer.replace(old, new, 1))

    assert status == 1
    assert why in said
