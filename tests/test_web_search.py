"""web_search over its providers, each behind a server on this machine that answers in their own shapes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from ddgs.engines import ENGINES as DDGS_ENGINES
from loops import Stage
from sites import Answer, Site, article, goal, html, serving, told, visiting

from autoagent.errors import ToolError, UsageError
from autoagent.events import CallDecided, QuestionAsked
from autoagent.outward.client import GuardedHttp
from autoagent.reach import Reach
from autoagent.testing.model import call
from autoagent_web.ddgs_engine import search as ddgs_search
from autoagent_web.settings import ENGINES, WebSettings
from autoagent_web.tools import web_search

SEARCH = call("web_search", query="harbour of Brenn")

# as their documentations show them, fields that nobody reads included
SEARX = {
    "query": "harbour of Brenn",
    "number_of_results": 0,
    "results": [
        {
            "url": "http://brenn.example/harbour",
            "title": "Harbour of Brenn",
            "content": "Opened in 1874.",
            "publishedDate": "2026-03-01T00:00:00",
            "engine": "duckduckgo",
            "parsed_url": ["http", "brenn.example", "/harbour", "", "", ""],
            "template": "default.html",
            "engines": ["duckduckgo"],
            "positions": [1],
            "score": 1.0,
            "category": "general",
        },
        {"url": "http://brenn.example/mole", "title": "The mole", "content": None, "publishedDate": None},
    ],
    "answers": [],
    "corrections": [],
    "infoboxes": [],
    "suggestions": [],
    "unresponsive_engines": [["google", "timeout"]],
}
TAVILY = {
    "query": "harbour of Brenn",
    "follow_up_questions": None,
    "answer": None,
    "images": [],
    "results": [
        {
            "title": "Harbour of Brenn",
            "url": "http://brenn.example/harbour",
            "content": "Opened in 1874.",
            "score": 0.94,
            "raw_content": None,
        }
    ],
    "response_time": 1.09,
    "request_id": "123e4567-e89b-12d3-a456-426614174111",
}
BRAVE = {
    "type": "search",
    "query": {"original": "harbour of Brenn", "more_results_available": True},
    "mixed": {"type": "mixed", "main": [{"type": "web", "index": 0, "all": False}]},
    "web": {
        "type": "search",
        "results": [
            {
                "title": "Harbour of Brenn",
                "url": "http://brenn.example/harbour",
                "is_source_local": False,
                "description": "Opened in <strong>1874</strong> &amp; enlarged later.",
                "page_age": "2026-03-01T08:00:00",
                "profile": {"name": "Brenn", "long_name": "brenn.example"},
                "language": "en",
                "age": "March 1, 2026",
            }
        ],
    },
}


def as_json(value: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): each for name, each in headers.items()}
    return Answer(json.dumps(value), status, {"content-type": "application/json", **named})


def searching(tmp_path: Path, settings: str) -> Stage:
    return visiting(tmp_path, settings=settings)


async def said(stage: Stage, *more: str) -> str:
    return await told(stage, goal(hosts=["brenn.example", *more]), SEARCH)


def searx(site: Site) -> str:
    return f'providers = ["searx"]\nsearx_url = "{site.url("/")}"'


# --- each provider ------------------------------------------------------------------------------------------


async def test_searx_is_asked_for_json(tmp_path: Path) -> None:
    """Title, address, day and snippet of each result, numbered."""
    with serving({"/search": as_json(SEARX)}) as site:
        text = await said(searching(tmp_path, searx(site)))

    assert site.asked == ["/search?q=harbour+of+Brenn&format=json"]
    assert text == (
        "2 results of searx for 'harbour of Brenn':\n\n"
        "1. Harbour of Brenn\n   http://brenn.example/harbour\n   2026-03-01 · Opened in 1874.\n\n"
        "2. The mole\n   http://brenn.example/mole"
    )


async def test_tavily_gets_its_key_and_the_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a bearer token, in the header alone; the agent never reads it."""
    monkeypatch.setenv("MY_TAVILY", "tvly-s3cret")
    echo = TAVILY | {"results": [*TAVILY["results"], {"url": "http://x.example/", "title": "tvly-s3cret"}]}  # type: ignore[misc]
    with serving({"/search": as_json(echo)}) as site:
        settings = (
            f'providers = ["tavily"]\ntavily_key_env = "MY_TAVILY"\ntavily_url = "{site.url("/search")}"'
        )
        text = await said(searching(tmp_path, settings))

    ((path, headers, body),) = site.requests
    assert (path, headers["authorization"]) == ("/search", "Bearer tvly-s3cret")
    assert json.loads(body) == {"query": "harbour of Brenn", "max_results": 8, "search_depth": "basic"}
    assert "1. Harbour of Brenn\n   http://brenn.example/harbour\n   Opened in 1874." in text
    assert "s3cret" not in text


async def test_brave_gets_its_key_and_the_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own header; markup in a description is gone."""
    monkeypatch.setenv("MY_BRAVE", "brave-s3cret")
    with serving({"/web": as_json(BRAVE)}) as site:
        settings = f'providers = ["brave"]\nbrave_key_env = "MY_BRAVE"\nbrave_url = "{site.url("/web")}"'
        text = await said(searching(tmp_path, settings))

    ((path, headers, _),) = site.requests
    assert (path, headers["x-subscription-token"]) == ("/web?q=harbour+of+Brenn&count=8", "brave-s3cret")
    assert "2026-03-01 · Opened in 1874 & enlarged later." in text


@pytest.mark.parametrize("engine", list(ENGINES))
def test_address_of_each_engine_is_the_one_that_ddgs_knows(engine: str) -> None:
    """A newer ddgs that goes elsewhere is noticed here."""
    known = DDGS_ENGINES["text"][engine]

    assert known.search_url == ENGINES[engine]  # type: ignore[index]


DUCK = """<html><body><div class="results"><div class="result results_links web-result">
<div class="links_main result__body"><h2 class="result__title">
<a class="result__a" href="http://brenn.example/harbour">Harbour <b>of Brenn</b></a></h2>
<a class="result__snippet" href="http://brenn.example/harbour">Opened in <b>1874</b>.</a></div></div>
<div class="links_main result__body"><h2><a href="https://duckduckgo.com/y.js?ad=1">Buy now</a></h2>
<a href="https://duckduckgo.com/y.js?ad=1">An ad.</a></div></div></body></html>"""
MOJEEK = """<html><body><ul class="results-standard results"><li class="r1"><h2>
<a class="title" href="http://brenn.example/harbour">Harbour of Brenn</a></h2>
<p class="s">Opened in 1874.</p></li></ul></body></html>"""


def guarded(site: Site) -> GuardedHttp:
    return GuardedHttp(Reach((f"127.0.0.1:{site.port}",)))


async def test_ddgs_asks_through_the_guarded_client() -> None:
    """Its own engine makes the form and reads the page; the request is ours, under our name."""
    with serving({"/html/": html(DUCK)}) as site:
        found = await ddgs_search("harbour", site.url("/html/"), guarded(site), WebSettings())

    ((path, headers, body),) = site.requests
    assert (path, body, headers["user-agent"]) == ("/html/", b"q=harbour&b=&l=us-en", "autoagent/0.1.0")
    assert [(each.title, each.url) for each in found] == [
        ("Harbour of Brenn", "http://brenn.example/harbour")
    ]


async def test_ddgs_engine_keeps_its_cookies() -> None:
    """What an engine sets on its client goes out with its request."""
    with serving({"/search": html(MOJEEK)}) as site:
        settings = WebSettings(ddgs_engine="mojeek", ddgs_region="de-de")
        (found,) = await ddgs_search("harbour", site.url("/search"), guarded(site), settings)

    assert (found.url, found.snippet) == ("http://brenn.example/harbour", "Opened in 1874.")
    assert (site.asked, site.requests[0][1]["cookie"]) == (["/search?q=harbour"], "arc=de; lb=de")


async def test_ddgs_cannot_leave_the_guarded_client() -> None:
    """Where the guard says no, nothing goes out by another way."""
    elsewhere = GuardedHttp(Reach(("a.example",)))
    with serving({"/html/": html(DUCK)}) as site, pytest.raises(ToolError, match=r"names a\.example, not"):
        await ddgs_search("harbour", site.url("/html/"), elsewhere, WebSettings())

    assert site.requests == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (html("", 202), "answered 202: public engines turn programs away that ask often; wait a while"),
        (html("no", 429, retry_after="60"), "answered 429: .*; wait 60 s"),
        (html("no", 403), "answered 403"),
    ],
)
async def test_engine_that_turns_programs_away_says_so(answer: Answer, why: str) -> None:
    """No silence that looks like no results."""
    with serving({"/html/": answer}) as site, pytest.raises(ToolError, match=why):
        await ddgs_search("harbour", site.url("/html/"), guarded(site), WebSettings())


async def test_stopped_search_lets_go_of_its_thread() -> None:
    """^C while the engine keeps silent: the request is cut, and no thread waits for its time-out."""
    asked, lost = asyncio.Event(), asyncio.Event()

    class Silent(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            asked.set()

        def connection_lost(self, error: Exception | None) -> None:
            lost.set()

    loop = asyncio.get_running_loop()
    async with await loop.create_server(Silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        http = GuardedHttp(Reach((f"127.0.0.1:{port}",)))
        search = asyncio.ensure_future(ddgs_search("x", f"http://127.0.0.1:{port}/", http, WebSettings()))
        await asked.wait()
        search.cancel()
        await asyncio.gather(search, return_exceptions=True)
        await lost.wait()
        await loop.shutdown_default_executor()

    assert search.cancelled()


# --- what goes wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            html("Forbidden", 403),
            "refuses JSON (403); who runs it adds 'json' to search.formats in settings.yml",
        ),
        (html("<html>", 200), "answered 200 with what is no JSON"),
        (
            as_json({"results": "none"}),
            "sent something that isn't its kind of results (results: Input should",
        ),
        (as_json([1]), "is it the right address?"),
        (html("", 500), "has a problem of its own (500)"),
        (html("", 429, retry_after="90"), "has had too many searches (429); ask again in 90 s"),
        (html("", 404), "answered 404"),
        (
            as_json({"results": [], "unresponsive_engines": [["google", "CAPTCHA"]]}),
            "failed (google: CAPTCHA)",
        ),
    ],
)
async def test_provider_that_fails_says_what_to_do(tmp_path: Path, answer: Answer, why: str) -> None:
    """The agent reads whose failure it is, and the words for whoever can mend it."""
    with serving({"/search": answer}) as site:
        text = await said(searching(tmp_path, searx(site)))

    assert text.startswith("no search for 'harbour of Brenn' worked: searx: http://127.0.0.1")
    assert why in text


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            as_json({"detail": {"error": "Unauthorized: missing or invalid API key."}}, 401),
            "doesn't take the key in K",
        ),
        (as_json({"detail": {"error": "limit"}}, 432), 'too many searches (432); ask again later: {"detail"'),
        (Answer(b"", 302, {"location": "http://127.0.0.1:9/"}), "answered 302"),
    ],
)
async def test_keyed_provider_that_fails_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, why: str
) -> None:
    """A redirect isn't followed: the key stays with the address that it is for."""
    monkeypatch.setenv("K", "s3cret")
    with serving({"/search": answer}) as site:
        settings = f'providers = ["tavily"]\ntavily_key_env = "K"\ntavily_url = "{site.url("/search")}"'
        text = await said(searching(tmp_path, settings))

    assert why in text
    assert len(site.requests) == 1


async def test_key_that_is_not_set_is_named(tmp_path: Path) -> None:
    """Nothing is sent without it."""
    text = await said(searching(tmp_path, 'providers = ["brave"]\nbrave_key_env = "UNSET_KEY"'))

    assert "brave: the variable UNSET_KEY isn't set" in text


async def test_nothing_found_is_told_as_that(tmp_path: Path) -> None:
    """With advice, and no list of failures."""
    with serving({"/search": as_json({"results": [], "unresponsive_engines": []})}) as site:
        text = await said(searching(tmp_path, searx(site)))

    assert text == "nothing found for 'harbour of Brenn' (searx); use fewer words, or others"


async def test_next_provider_is_asked_when_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its results come first, then a line on who failed and why."""
    monkeypatch.setenv("K", "s3cret")
    with serving({"/search": html("", 500)}) as broken, serving({"/t": as_json(TAVILY)}) as tavily:
        settings = (
            f'providers = ["searx", "tavily"]\nsearx_url = "{broken.url("/")}"\n'
            f'tavily_key_env = "K"\ntavily_url = "{tavily.url("/t")}"'
        )
        stage = searching(tmp_path, settings)
        text = await said(stage)

    assert text.startswith("1 result of tavily for 'harbour of Brenn':\n\n1. Harbour of Brenn")
    assert text.endswith(f"(searx: {broken.url('/search')} has a problem of its own (500))")
    decided = next(e for e in stage.events(CallDecided) if e.tool == "web_search")
    assert decided.destination == f"search:{broken.url('/search')}, {tavily.url('/t')}"


# --- what it may do -----------------------------------------------------------------------------------------


async def test_result_can_be_read_without_a_question(tmp_path: Path) -> None:
    """An address that the provider gave counts as seen; one that the agent made up is asked about."""
    with serving({"/page": article("Harbour", "It opened in 1874, after eleven years.")}) as site:
        site.pages["/search"] = as_json({"results": [{"url": site.url("/page"), "title": "Harbour"}]})
        stage = searching(tmp_path, searx(site))
        text = await told(
            stage, goal(hosts=[f"127.0.0.1:{site.port}"]), SEARCH, call("web_read", url=site.url("/page"))
        )

    assert "It opened in 1874" in text
    assert stage.events(QuestionAsked) == []


async def test_search_asks_once_private_data_was_read(tmp_path: Path) -> None:
    """Its words could hold what was read; the question names every provider that would learn them."""
    with serving({"/search": as_json(SEARX)}) as site:
        stage = searching(tmp_path, searx(site))
        stage.write("notes/key", "hunter2")
        text = goal(hosts=["brenn.example"], more="private: [notes/]\n")
        await told_until_question(stage, text)

    asked = stage.question()
    assert asked.subject.destination == f"search:{site.url('/search')}"
    assert "a search tells its provider what is looked for" in asked.why
    assert site.requests == []


async def told_until_question(stage: Stage, text: str) -> None:
    from loops import plan
    from sites import DONE

    from autoagent.testing.model import ScriptedModel

    worker = [call("files_read", path="notes/key"), SEARCH, *DONE]
    outcome = await stage.start(text, ScriptedModel(planner=[plan("a")], worker=worker))
    assert outcome.ending == "parked"


async def test_goal_without_the_web_searches_nowhere(tmp_path: Path) -> None:
    """Having the plugin is no permission."""
    with serving({"/search": as_json(SEARX)}) as site:
        stage = searching(tmp_path, searx(site))
        text = await told(stage, "goal: g\nplugins: [files, web]\ndone_when: [{file: done.txt}]\n", SEARCH)

    assert text == "Not allowed: the goal allows no network (allow: web)"
    assert site.requests == []


def test_search_without_settings_is_refused_in_words() -> None:
    """The tool alone knows no provider."""
    with pytest.raises(TypeError, match="searches where settings say, and its plugin has none"):
        web_search.destination_of({"query": "x"})


# --- settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('providers = ["searx"]', 'providers names "searx", so searx_url must say where it is'),
        ('providers = ["tavily"]', "so tavily_key_env must name the variable with its key"),
        ('providers = ["brave", "brave"]', "names one of them twice"),
        ("providers = []", "at least 1 item"),
        ('providers = ["google"]', "names the plugin 'google', which isn't installed"),
        ('providers = ["files"]', "names the plugin 'files', which provides no search"),
        ('searx_url = "searx.example"', "expected a plain http or https address"),
        ('searx_url = "http://me:pw@searx.example"', "expected a plain http or https address"),
        ('tavily_url = "http://api.tavily.example/search"', "a key leaves this machine by https only"),
        ('ddgs_region = "Germany"', "match pattern"),
        ('api_key = "tvly-x"', "has no key 'api_key'"),
        ("results = 100", "less than or equal to 20"),
    ],
)
async def test_wrong_setting_is_told_before_a_run(tmp_path: Path, table: str, why: str) -> None:
    """With the file and the table, and what was expected."""
    with pytest.raises(UsageError) as caught:
        await said(searching(tmp_path, table))

    assert why in str(caught.value)
    assert "[plugins.web]" in str(caught.value)


def test_settings_need_nothing() -> None:
    """Out of the box a search needs no key and no server of one's own."""
    settings: Any = WebSettings()

    assert (settings.providers, settings.user_agent) == (("ddgs",), "autoagent/0.1.0")
