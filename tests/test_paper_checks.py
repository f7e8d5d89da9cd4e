"""The checks of document-questions and kubernetes-events: what they refuse, and what they compare with."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from cli_runs import Cli

from autoagent_documents.pages import kind_of
from autoagent_documents.worker import opened

ROOT = Path(__file__).parent.parent
NO_DOCKER = '[sandbox]\nkind = "monty"\n'


def copied(name: str, to: Path) -> Path:
    """The workspace as a clone has it."""
    return Path(shutil.copytree(ROOT / "workspaces" / name, to / name))


async def proved(name: str, folder: Path) -> Path:
    """The workspace after a run from its recording, without Docker."""
    workspace, home = copied(name, folder), folder / "home"
    home.mkdir()
    (home / "config.toml").write_text(NO_DOCKER)
    done = await Cli(home, folder)("run", workspace)

    assert "proved" in done.out
    return workspace


def checked(workspace: Path, check: str) -> str:
    """What the workspace's check objects to; empty where it passes."""
    ran = subprocess.run([sys.executable, check], cwd=workspace, capture_output=True, text=True, check=False)
    return "" if ran.returncode == 0 else ran.stderr.strip().splitlines()[-1]


ANSWERS: list[tuple[Callable[[str], str], str]] = [
    (lambda text: text, ""),
    (lambda text: text.replace("there are 30 days.", "there are 31 days."), "doesn't say"),
    (lambda text: text.replace("handbook.pdf p. 3", "handbook.pdf p. 4"), "handbook.pdf 4 doesn't say"),
    (lambda text: text.replace("handbook.pdf p. 3", "handbook.pdf p. 9"), "has no page '9'"),
    (lambda text: text.replace("handbook.pdf", "guide.pdf"), "there is no paper 'guide.pdf'"),
    (lambda text: text.replace("26 days a year", "24 days a year", 1), "the answer isn't right"),
    (lambda text: text.replace("[fleet.xlsx", "(fleet.xlsx"), "question 4: no citation"),
    (lambda text: text.replace("## 5.", "## 4."), "answered twice"),
    (lambda text: text[: text.index("## 6.")], "question 6 has no section"),
]


async def test_wrong_answers_are_refused(tmp_path: Path) -> None:
    """A quote that isn't on its page, a page that isn't there, a wrong number, an answer without a quote."""
    workspace = await proved("document-questions", tmp_path)
    answers = (workspace / "answers.md").read_text()
    for change, objection in ANSWERS:
        (workspace / "answers.md").write_text(change(answers))
        said = checked(workspace, "check_answers.py")

        assert objection in said
        assert bool(said) == bool(objection)


REPORTS: list[tuple[Callable[[str], str], str]] = [
    (lambda text: text, ""),
    (lambda text: text.replace("- Node worker-3", "  Node worker-3"), "not explained: Node worker-3"),
    (lambda text: text.replace("- Pod shop/search", "- Pod shop/cart"), "there is no error of Pod shop/cart"),
    (lambda text: text.replace("- Job", "- Pod"), "explained twice"),
    (lambda text: text.replace("Remedy: raise", "Remedy: " + "raise " * 30 + "raise"), "characters"),
    (lambda text: text.replace("Remedy:", "Cure:"), "this line isn't"),
    (lambda text: _with_cause(text, "Pod payments/ledger", "Bad weather."), "don't say that cause"),
]


def _with_cause(report: str, subject: str, cause: str) -> str:
    before, _, rest = report.partition(f"- {subject}: Cause: ")
    return f"{before}- {subject}: Cause: {cause} Remedy: {rest.partition('Remedy: ')[2]}"


async def test_wrong_reports_are_refused(tmp_path: Path) -> None:
    """An error left out, one that never was, one explained twice or at length, a cause from nowhere."""
    workspace = await proved("kubernetes-events", tmp_path)
    report = (workspace / "report.md").read_text()
    for change, objection in REPORTS:
        (workspace / "report.md").write_text(change(report))
        said = checked(workspace, "check_report.py")

        assert objection in said
        assert bool(said) == bool(objection)


def test_pages_are_those_of_the_papers() -> None:
    """What the check of document-questions compares with is what the plugin reads in the papers today."""
    workspace = ROOT / "workspaces" / "document-questions"
    found = {}
    for paper in sorted((workspace / "papers").iterdir()):
        document = opened(kind_of(paper.name) or "", paper.read_bytes())
        pages = [document.page(index) for index in range(document.total)]
        found[paper.name] = {page.name: page.text for page in pages}

    assert json.loads((workspace / "pages.json").read_text()) == found
