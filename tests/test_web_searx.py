"""A real search engine and a site, both on this machine: search, read, cite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import searx_engine
from sites import Site, article, goal, serving, told, visiting

from autoagent.events import CallDecided, CallEnded, QuestionAsked
from autoagent.testing.model import call

_IS_REQUIRED = bool(os.environ.get("AUTOAGENT_REQUIRE_PEERS"))
OPENED = "The harbour of Brenn was opened in 1874, after eleven years of work on its northern mole."
MOLE = "The southern mole was added in 1911; its granite came from the quarry at Holm."


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    pages = {"/harbour": article("Harbour of Brenn", OPENED), "/mole": article("The southern mole", MOLE)}
    with serving(pages) as served:
        yield served


@pytest.fixture(scope="module")
def engine(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if why := searx_engine.missing():
        assert not _IS_REQUIRED, why
        pytest.skip(why)
    rows = [
        ("Harbour of Brenn", site.url("/harbour"), OPENED),
        ("The southern mole", site.url("/mole"), MOLE),
    ]
    with searx_engine.running(tmp_path_factory.mktemp("searx"), rows) as url:
        yield url


def settings(engine: str) -> str:
    return f'providers = ["searx"]\nsearx_url = "{engine}"'


async def test_search_and_read_of_its_result(tmp_path: Path, site: Site, engine: str) -> None:
    """The engine's address is known by the settings alone, the page's by its result: no question."""
    stage = visiting(tmp_path, settings=settings(engine))
    search, read = call("web_search", query="southern granite"), call("web_read", url=site.url("/mole"))
    text = await told(stage, goal(hosts=[f"127.0.0.1:{site.port}"]), search, read)

    assert stage.events(CallEnded)[0].output == (
        "1 result of searx for 'southern granite':\n\n"
        f"1. The southern mole\n   {site.url('/mole')}\n   {MOLE}"
    )
    assert MOLE in text
    assert stage.events(CallDecided)[0].destination == f"search:{engine}/search"
    assert stage.events(QuestionAsked) == []


async def test_words_that_no_page_has(tmp_path: Path, site: Site, engine: str) -> None:
    """Nothing found, in words."""
    text = await told(
        visiting(tmp_path, settings=settings(engine)),
        goal(hosts=["brenn.example"]),
        call("web_search", query="airport"),
    )

    assert text == "nothing found for 'airport' (searx); use fewer words, or others"


async def test_failure_inside_the_engine_is_told(tmp_path: Path, site: Site, engine: str) -> None:
    """searx answers 200 with no results; which of its engines failed, and why, is not lost."""
    text = await told(
        visiting(tmp_path, settings=settings(engine)),
        goal(hosts=["brenn.example"]),
        call("web_search", query='harbour "'),
    )

    assert f"{engine}/search: its engines failed (pages: unexpected crash" in text
