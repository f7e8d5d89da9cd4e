"""The report in a browser: opened from a file, in light and dark, on paper."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from browsing import Found, Visit, visited
from hostile import hostile_home
from stories import MAIL, UNPROVED
from test_report import told

from autoagent.report import page

RUNS = ("rich", "parked", "hostile")
FIRST_SCREEN = (
    "Find which services",
    "Not proved",
    "Done when",
    "What left the house",
    "Files changed",
    "Cost",
)


@pytest.fixture(scope="module")
def pages(told_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Found]]:
    """Each report as it was opened: plainly, and in both schemes with everything unfolded."""
    folder = tmp_path_factory.mktemp("reports")
    hostile = hostile_home(folder / "home")
    reports = zip(RUNS, [(told_home, UNPROVED), (told_home, MAIL), (hostile, MAIL)], strict=True)
    visits = []
    for name, (home, run) in reports:
        file = folder / f"{name}.html"
        file.write_text(page(told(home, run)), encoding="utf-8")
        url = file.as_uri()
        visits += [
            Visit(url, tops=FIRST_SCREEN, pdf=True),
            Visit(url, "light", axe=True),
            Visit(url, "dark", axe=True),
        ]
    found = asyncio.run(visited(*visits))
    return {name: found[3 * n : 3 * n + 3] for n, name in enumerate(RUNS)}


@pytest.mark.parametrize("run", RUNS)
def test_the_page_says_and_asks_nothing(pages: Mapping[str, list[Found]], run: str) -> None:
    """No line on the console, no request but for the file itself."""
    plain, *_ = pages[run]

    assert plain.said == []
    assert [url.rpartition("/")[2] for url in plain.requests] == [f"{run}.html"]


@pytest.mark.parametrize("run", RUNS)
def test_nobody_is_shut_out(pages: Mapping[str, list[Found]], run: str) -> None:
    """axe finds nothing wrong, light or dark."""
    _, light, dark = pages[run]

    assert (light.violations, dark.violations) == ([], [])


@pytest.mark.parametrize("run", ["rich", "parked"])
def test_the_page_can_be_printed(pages: Mapping[str, list[Found]], run: str) -> None:
    """On a few sheets."""
    plain, *_ = pages[run]

    assert 1 <= plain.pages <= 6


def test_the_first_screen_needs_no_scrolling(pages: Mapping[str, list[Found]]) -> None:
    """At 1280 × 800: from the goal to the cost."""
    rich, *_ = pages["rich"]

    assert all(top is not None and top < 780 for top in rich.tops), rich.tops


def test_a_parked_run_opens_with_what_to_type(pages: Mapping[str, list[Found]]) -> None:
    """The question and the commands that answer it, before all proof."""
    parked, *_ = pages["parked"]

    assert 0 < parked.text.index("autoagent approve k3f9q2") < parked.text.index("Done when")
