"""Visits: robots.txt, turns, redirects, the cache; of a site on this machine, by the guarded client."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from sites import Answer, Site, article, html, redirect, serving

from autoagent.errors import ToolError
from autoagent.outward.client import GuardedHttp
from autoagent.outward.guard import Secrets
from autoagent.ports import HttpReply
from autoagent.reach import Reach
from autoagent.secrecy import BoundSecret
from autoagent_web.cache import PageCache
from autoagent_web.rates import Busy, Rates
from autoagent_web.settings import WebSettings
from autoagent_web.visit import Cache, NoCache, Visit

QUICK = WebSettings(seconds_between_requests=0)
ROBOTS = "User-agent: *\nDisallow: /private\n\nUser-agent: autoagent\nDisallow: /no-agents\nCrawl-delay: 7\n"


@dataclass
class Time:
    """Stands still until it is moved."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def visit(
    site: Site, *more: str, settings: WebSettings = QUICK, cache: Cache | None = None, run: str = "r"
) -> Visit:
    """A call that may reach the site, and `more` hosts."""
    reach = Reach((f"127.0.0.1:{site.port}", *more))
    return Visit(GuardedHttp(reach), settings, Rates(), cache or NoCache(), run)


def kept(tmp_path: Path, floor_s: float = 600) -> PageCache:
    return PageCache(tmp_path, 10 << 20, floor_s)


# --- robots.txt ---------------------------------------------------------------------------------------------


async def test_what_robots_txt_forbids_is_not_fetched() -> None:
    """The rules for our name count, not those for everybody."""
    with serving({"/robots.txt": Answer(ROBOTS), "/private": html("x"), "/no-agents": html("x")}) as site:
        with pytest.raises(ToolError, match=r"robots\.txt doesn't allow programs like this one \(autoagent/"):
            await visit(site).page(site.url("/no-agents"))
        reply = await visit(site).page(site.url("/private"))

    assert (reply.status, site.asked) == (200, ["/private"])


async def test_target_of_a_redirect_is_judged_by_robots_too() -> None:
    """A way round is none."""
    robots = Answer("User-agent: *\nDisallow: /no-agents\n")
    with (
        serving({"/robots.txt": robots, "/a": redirect("/no-agents"), "/no-agents": html("x")}) as site,
        pytest.raises(ToolError, match="doesn't allow"),
    ):
        await visit(site).page(site.url("/a"))

    assert site.asked == ["/a"]


async def test_person_can_switch_robots_off() -> None:
    """For a site of their own; then it isn't even asked for."""
    with serving({"/robots.txt": Answer(ROBOTS), "/no-agents": html("x")}) as site:
        settings = QUICK.model_copy(update={"robots": False})
        await visit(site, settings=settings).page(site.url("/no-agents"))

    assert [path for path, _, _ in site.requests] == ["/no-agents"]


@pytest.mark.parametrize(("status", "is_read"), [(404, True), (403, True), (500, False), (429, False)])
async def test_site_without_rules_is_open_and_one_in_trouble_is_not(status: int, is_read: bool) -> None:
    """RFC 9309: no file forbids nothing; a server that can't say forbids all."""
    with serving({"/robots.txt": Answer(b"", status), "/a": html("x")}) as site:
        if is_read:
            await visit(site).page(site.url("/a"))
        else:
            with pytest.raises(ToolError, match=f"answers {status}, so nobody knows what it allows"):
                await visit(site).page(site.url("/a"))

    assert site.asked == (["/a"] if is_read else [])


async def test_agent_says_who_it_is() -> None:
    """The name in the settings, to robots.txt and pages alike."""
    with serving({"/robots.txt": Answer("User-agent: brennbot\nDisallow: /\n"), "/a": html("x")}) as site:
        settings = QUICK.model_copy(update={"user_agent": "brennbot/2 (+mailto:me@example.org)"})
        with pytest.raises(ToolError, match="doesn't allow"):
            await visit(site, settings=settings).page(site.url("/a"))

    assert [headers["user-agent"] for _, headers, _ in site.requests] == [
        "brennbot/2 (+mailto:me@example.org)"
    ]


# --- turns --------------------------------------------------------------------------------------------------


def test_hosts_have_turns_one_after_the_other() -> None:
    """Three at once wait 0, 1 and 2 seconds; another host doesn't wait."""
    rates = Rates(Time())

    assert [rates.turn("a:80", 1, 30) for _ in range(3)] == [0, 1, 2]
    assert rates.turn("b:80", 1, 30) == 0


def test_turn_too_far_away_is_not_taken() -> None:
    """Nobody waits for it, and those that come later find it still free."""
    time = Time()
    rates = Rates(time)
    rates.rest("a:80", 60)

    with pytest.raises(Busy, match="60 s away"):
        rates.turn("a:80", 1, 30)
    time.now += 40
    assert rates.turn("a:80", 1, 30) == 20


async def test_crawl_delay_of_the_site_counts() -> None:
    """What robots.txt asks for is more than the settings' own second."""
    with serving({"/robots.txt": Answer(ROBOTS), "/a": html("x"), "/b": html("x")}) as site:
        settings = WebSettings(seconds_between_requests=1, longest_wait_s=0)
        calls = visit(site, settings=settings)
        await calls.page(site.url("/a"))
        with pytest.raises(ToolError, match="wants to be left alone for another 7 s; nothing was sent"):
            await calls.page(site.url("/b"))

    assert site.asked == ["/a"]


async def test_host_that_is_asked_too_often_is_left_alone() -> None:
    """429 with Retry-After: the agent reads how long, and the next request isn't sent at all."""
    with serving({"/a": html("slow down", 429, retry_after="120"), "/b": html("x")}) as site:
        calls = visit(site)
        with pytest.raises(ToolError, match=r"asked too often \(429\) and wants rest for 120 s"):
            await calls.page(site.url("/a"))
        with pytest.raises(ToolError, match="left alone for another 120 s"):
            await calls.page(site.url("/b"))

    assert site.asked == ["/a"]


# --- redirects and statuses ---------------------------------------------------------------------------------


async def test_redirect_is_followed_and_told() -> None:
    """The reply knows where it came from."""
    with serving({"/a": redirect("b", 301), "/b": redirect("/c?x=1#part", 308), "/c": html("there")}) as site:
        reply = await visit(site).page(site.url("/a"))

    assert (reply.url, reply.text) == (site.url("/c?x=1"), "there")


async def test_redirect_to_a_host_that_is_not_allowed_goes_nowhere() -> None:
    """The other host hears nothing, not even for its robots.txt."""
    with (
        serving({"/secret": html("x")}) as other,
        serving({"/a": redirect(other.url("/secret"))}) as site,
        pytest.raises(ToolError, match=f"not 127.0.0.1:{other.port}"),
    ):
        await visit(site).page(site.url("/a"))

    assert other.requests == []


async def test_redirect_to_an_allowed_host_is_followed() -> None:
    """Its robots.txt counts, as does its own turn."""
    robots = Answer("User-agent: *\nDisallow: /no\n")
    with (
        serving({"/yes": html("there"), "/no": html("x"), "/robots.txt": robots}) as other,
        serving({"/a": redirect(other.url("/yes")), "/b": redirect(other.url("/no"))}) as site,
    ):
        calls = visit(site, f"127.0.0.1:{other.port}")
        reply = await calls.page(site.url("/a"))
        with pytest.raises(ToolError, match="doesn't allow"):
            await calls.page(site.url("/b"))

    assert (reply.url, reply.text, other.asked) == (other.url("/yes"), "there", ["/yes"])


async def test_narrow_reach_holds_for_redirects_that_the_visit_follows() -> None:
    """Where the agent made a URL up, it isn't led to another host by it."""
    with serving({"/x": html("x")}) as other, serving({"/a": redirect(other.url("/x"))}) as site:
        reach = Reach((f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}"), onward=())
        calls = Visit(GuardedHttp(reach), QUICK, Rates(), NoCache(), "r")
        with pytest.raises(ToolError, match="a redirect to another host"):
            await calls.page(site.url("/a"))

    assert other.requests == []  # its robots.txt neither: its name may hold what the agent would say


@pytest.mark.parametrize(
    "to", ["ftp://example.org/x", "javascript:alert(1)", "http://[broken/", "http://u:p@h/"]
)
async def test_redirect_to_no_address_is_told(to: str) -> None:
    """The agent reads what it was."""
    with (
        serving({"/a": redirect(to)}) as site,
        pytest.raises(ToolError, match="which is no address of a page"),
    ):
        await visit(site).page(site.url("/a"))


async def test_ring_of_redirects_ends() -> None:
    """After a handful of them."""
    with (
        serving({"/a": redirect("/a")}) as site,
        pytest.raises(ToolError, match="redirects more than 8 times"),
    ):
        await visit(site).page(site.url("/a"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (html("no", 404), r"isn't there \(404\); check the address"),
        (html("no", 410), r"isn't there \(410\)"),
        (html("no", 403), r"isn't shown to programs without leave \(403\); look for another source"),
        (html("no", 451), r"without leave \(451\)"),
        (html("no", 429), r"asked too often \(429\) and wants rest for a while"),
        (html("no", 503), r"has a problem of its own \(503\); ask again later"),
        (html("no", 418), r"answered 418, which is no page"),
        (html(" \n"), "is empty; look for another source"),
        (html("", 204), "is empty"),
        (redirect("", 302), "answered 302, which is no page"),
    ],
)
async def test_status_that_is_no_page_says_what_to_do(answer: Answer, said: str) -> None:
    """Each in the words of somebody who must decide what comes next."""
    with serving({"/a": answer}) as site, pytest.raises(ToolError, match=said):
        await visit(site).page(site.url("/a"))


async def test_page_larger_than_the_settings_want_is_not_taken() -> None:
    """Packed or not; the limit is of what it unpacks to."""
    bomb = gzip.compress(b"0" * 3_000_000)
    with serving(
        {"/a": Answer(bomb, headers={"content-encoding": "gzip", "content-type": "text/plain"})}
    ) as site:
        settings = QUICK.model_copy(update={"largest_mb": 1})
        with pytest.raises(ToolError, match="more than the 1,048,576 bytes wanted"):
            await visit(site, settings=settings).page(site.url("/a"))


# --- the cache ----------------------------------------------------------------------------------------------


async def test_page_is_not_fetched_twice(tmp_path: Path) -> None:
    """Whoever asks next, in this run or another, has it from disk: the same bytes, type and address."""
    page = Answer(
        gzip.compress(b"words"), headers={"content-encoding": "gzip", "content-type": "text/plain; charset=x"}
    )
    with serving({"/a": page}) as site:
        first = await visit(site, cache=kept(tmp_path)).page(site.url("/a"))
        second = await visit(site, cache=kept(tmp_path), run="another").page(site.url("/a#part"))

    assert [path for path, _, _ in site.requests] == ["/robots.txt", "/a"]
    assert (first.content, second.content) == (b"words", b"words")
    assert (second.url, second.status, second.headers["content-type"]) == (
        first.url,
        200,
        "text/plain; charset=x",
    )


@pytest.mark.parametrize(
    ("said", "floor_s", "fetched"),
    [
        ("", 600, 1),
        ("", 0, 2),
        ("max-age=0", 600, 1),
        ("no-cache, must-revalidate", 600, 1),
        ("no-store", 600, 2),
        ("private, max-age=900", 0, 1),
        ("max-age=900", 0, 1),
        ("max-age=nonsense", 0, 2),
    ],
)
async def test_cache_does_as_the_site_says_above_a_floor(
    tmp_path: Path, said: str, floor_s: float, fetched: int
) -> None:
    """`no-store` is kept to always; anything shorter than the floor counts as the floor."""
    answer = html("words", cache_control=said) if said else html("words")
    with serving({"/a": answer}) as site:
        calls = visit(site, cache=kept(tmp_path, floor_s))
        for _ in range(2):
            await calls.page(site.url("/a"))

    assert site.asked == ["/a"] * fetched


async def test_age_and_dates_of_others_do_not_shorten_the_floor(tmp_path: Path) -> None:
    """A wrong clock there, or a proxy's old copy, is no reason to ask again."""
    answer = html(
        "words", age="99999", date="Thu, 01 Jan 1970 00:00:00 GMT", expires="0", vary="*", pragma="no-cache"
    )
    with serving({"/a": answer}) as site:
        calls = visit(site, cache=kept(tmp_path))
        for _ in range(2):
            await calls.page(site.url("/a"))

    assert site.asked == ["/a"]


async def test_stale_page_is_asked_for_on_a_condition(tmp_path: Path) -> None:
    """The site's own mark goes back to it, and what it says is unchanged need not be sent again."""
    with serving({"/a": html("words", etag='"7"')}) as site:
        calls = visit(site, cache=kept(tmp_path, 0))
        await calls.page(site.url("/a"))
        site.pages["/a"] = Answer(b"", 304, {"etag": '"7"'})
        reply = await calls.page(site.url("/a"))

    assert site.requests[-1][1]["if-none-match"] == '"7"'
    assert (reply.status, reply.text) == (200, "words")


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_failure_is_not_kept(tmp_path: Path, status: int) -> None:
    """What is well again a moment later is read."""
    with serving({"/a": html("no", status)}) as site:
        with pytest.raises(ToolError):
            await visit(site, cache=kept(tmp_path)).page(site.url("/a"))
        site.pages["/a"] = html("words")
        reply = await visit(site, cache=kept(tmp_path)).page(site.url("/a"))

    assert reply.text == "words"


async def test_what_another_host_said_is_kept_for_its_run_alone(tmp_path: Path) -> None:
    """The next run may not reach that host, and doesn't read it from disk either."""
    with serving({"/x": html("there")}) as other, serving({"/a": redirect(other.url("/x"))}) as site:
        for _ in range(2):
            calls = visit(site, f"127.0.0.1:{other.port}", cache=kept(tmp_path))
            assert (await calls.page(site.url("/a"))).text == "there"
        with pytest.raises(ToolError, match=f"not 127.0.0.1:{other.port}"):
            await visit(site, cache=kept(tmp_path), run="another").page(site.url("/a"))

    assert other.asked == ["/x"]


async def test_page_that_took_a_secret_is_not_kept(tmp_path: Path) -> None:
    """A run whose goal binds no secret to the site would find there what only the secret shows."""
    with serving({"/a": html("for members")}) as site:
        place = f"127.0.0.1:{site.port}"
        secrets = Secrets((BoundSecret("KEY", place, SecretStr("s3cr3t-and-long")),))
        member = GuardedHttp(Reach((place,)), secrets=secrets)
        await Visit(member, QUICK, Rates(), kept(tmp_path), "r").page(site.url("/a"))
        await visit(site, cache=kept(tmp_path), run="another").page(site.url("/a"))

        sent = ["authorization" in headers for path, headers, _ in site.requests if path == "/a"]
    assert sent == [True, False]


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


async def test_cache_stays_beneath_its_limit(tmp_path: Path) -> None:
    """Old pages make room."""
    with serving(
        {f"/{n}": Answer(bytes([n]) * 300_000, headers={"content-type": "text/plain"}) for n in range(65, 75)}
    ) as site:
        cache = PageCache(tmp_path, 1 << 20, 600)
        for n in range(65, 75):
            await visit(site, cache=cache).page(site.url(f"/{n}"))

    assert size_of(tmp_path) < 5 << 20


async def test_cache_that_is_broken_is_begun_anew(tmp_path: Path) -> None:
    """A file that is no database any more: pages are fetched, and kept again."""
    (tmp_path / "pages.db").write_bytes(b"no database at all" * 100)
    with serving({"/a": article("A", "words")}) as site:
        for _ in range(2):
            reply = await visit(site, cache=kept(tmp_path)).page(site.url("/a"))

    assert "words" in reply.text
    assert site.asked == ["/a"]


async def test_cache_asks_once_for_what_it_has(tmp_path: Path) -> None:
    """The cache alone: one fetch, and what stands apart is fetched apart."""
    fetched: list[str] = []

    async def fetch(url: str, headers: Mapping[str, str]) -> HttpReply:
        fetched.append(url)
        return HttpReply(200, "http://a.example/final", {"content-type": "text/plain"}, b"words")

    cache = kept(tmp_path)
    replies = [await cache.get("http://a.example/", fetch, apart) for apart in ("", "", "run x", "run x")]

    assert len(fetched) == 2
    assert {(reply.url, reply.content) for reply in replies} == {("http://a.example/final", b"words")}
