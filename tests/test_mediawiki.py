"""A search that another plugin provides: `web_search` asks it like its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from loops import Stage
from sites import Answer, goal, serving, told, visiting

from autoagent import Plugin
from autoagent.door.providers import ProviderContext, SearchHit
from autoagent.errors import UsageError
from autoagent.events import CallDecided
from autoagent.ports import Http
from autoagent.testing.model import call
from autoagent_web.tools import plugin as web

SEARCH = call("web_search", query="harbour of Brenn")
FOUND = {
    "batchcomplete": True,
    "query": {
        "searchinfo": {"totalhits": 1},
        "search": [
            {
                "ns": 0,
                "title": "Brenn",
                "pageid": 42,
                "snippet": 'its <span class="searchmatch">harbour</span> &amp; quay',
                "timestamp": "2026-03-01T08:00:00Z",
            }
        ],
    },
}


def as_json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value), status, {"content-type": "application/json"})


def searching(tmp_path: Path, api: str) -> Stage:
    settings = f'providers = ["mediawiki"]\n[plugins.mediawiki]\nurl = "{api}"\n'
    return visiting(tmp_path, settings=settings)


async def test_a_wiki_is_asked(tmp_path: Path) -> None:
    """Its pages come as results, each with its address; the query goes to the wiki of the settings alone."""
    with serving({"/w/api.php": as_json(FOUND)}) as site:
        stage = searching(tmp_path, site.url("/w/api.php"))
        text = await told(stage, goal(hosts=["brenn.example"]), SEARCH)

    assert "1 result of mediawiki for 'harbour of Brenn'" in text
    assert f"1. Brenn\n   {site.url('/w/index.php?curid=42')}\n   2026-03-01 · its harbour & quay" in text
    query = parse_qs(urlsplit(site.asked[0]).query)
    assert (query["srsearch"], query["list"], query["srlimit"]) == (["harbour of Brenn"], ["search"], ["8"])
    assert site.requests[0][1]["user-agent"].startswith("autoagent/")
    (decided,) = (x for x in stage.events(CallDecided) if x.tool == "web_search")
    assert decided.destination == f"search:{site.url('/w/api.php')}"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (as_json({"error": {"code": "srsearch-disabled"}}), "answers something else"),
        (as_json({}, 503), "answers 503"),
        (as_json({"query": {"search": []}}), "nothing found"),
    ],
)
async def test_what_goes_wrong_there_is_told(tmp_path: Path, answer: Answer, said: str) -> None:
    """As of any provider."""
    with serving({"/w/api.php": answer}) as site:
        text = await told(searching(tmp_path, site.url("/w/api.php")), goal(hosts=["brenn.example"]), SEARCH)

    assert said in text


async def test_a_wrong_address_is_told_before_a_run(tmp_path: Path) -> None:
    """With the table."""
    with pytest.raises(UsageError, match=r"\[plugins\.mediawiki\] url .*expected an address like"):
        await told(searching(tmp_path, "https://wiki.example.org/wiki/"), goal(hosts=["x.example"]), SEARCH)


@dataclass(frozen=True)
class Broken:
    """A searcher that doesn't do its work."""

    url: str

    async def search(self, http: Http, query: str, limit: int) -> Sequence[SearchHit]:
        raise KeyError("no index")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "nowhere"])
async def test_a_plugin_that_is_broken_ends_its_search_only(tmp_path: Path, url: str) -> None:
    """The model reads what happened; an address that is none is told before the run."""

    def searcher(context: ProviderContext) -> Broken:
        return Broken(url)

    stage = visiting(tmp_path, settings='providers = ["own"]\n')
    stage.plugins = [web, Plugin("own", search=searcher)]
    if url == "nowhere":
        with pytest.raises(UsageError, match="'own' searches at 'nowhere', which is no web address"):
            await told(stage, goal(hosts=["brenn.example"]), SEARCH)
    else:
        assert "KeyError: 'no index'" in await told(stage, goal(hosts=["brenn.example"]), SEARCH)
