"""The cockpit in a browser: nobody gets in without the token, or from another page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar, WSServerHandshakeError, web
from browsing import Visit, visited
from cli_runs import Cli
from yarl import URL

from autoagent.tui.web import BrowserCockpit


@pytest.fixture
async def served(unused_tcp_port: int) -> AsyncIterator[BrowserCockpit]:
    """A cockpit that listens on loopback."""
    cockpit = BrowserCockpit(unused_tcp_port, token="the-token")
    runner = web.AppRunner(await cockpit._make_app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    yield cockpit
    await runner.cleanup()


@pytest.fixture
async def browser() -> AsyncIterator[ClientSession]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        yield session


def at(served: BrowserCockpit, path: str = "") -> str:
    return f"{served.public_url}{served.path}{path}"


@pytest.mark.parametrize("path", ["", "?token=wrong", "ws", "static/js/textual.js", "download/x"])
async def test_nothing_without_the_token(served: BrowserCockpit, browser: ClientSession, path: str) -> None:
    """Not even a file."""
    async with browser.get(at(served, path)) as reply:
        assert reply.status == 403


async def test_the_token_moves_into_a_cookie(served: BrowserCockpit, browser: ClientSession) -> None:
    """It doesn't stay in the address; the page loads nothing from elsewhere."""
    async with browser.get(served.url) as reply:
        html, policy = await reply.text(), reply.headers["Content-Security-Policy"]

    assert reply.url.query_string == ""
    (cookie,) = browser.cookie_jar
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    addresses = re.findall(r'(?:href|src|url)=?["(]+"?([^")]+)', html)
    assert addresses
    own = (served.public_url, f"ws://127.0.0.1:{served.port}/", "./", "data:")
    assert all(address.startswith(own) for address in addresses), addresses
    assert policy.startswith("default-src 'none'; script-src 'self';")


async def test_a_server_at_another_port_does_not_get_the_cookie(
    served: BrowserCockpit, browser: ClientSession
) -> None:
    """A browser takes all ports of this machine for one host."""
    async with browser.get(served.url) as reply:
        assert reply.status == 200

    assert browser.cookie_jar.filter_cookies(URL(at(served, "ws")))
    assert not browser.cookie_jar.filter_cookies(URL(f"http://127.0.0.1:{served.port + 1}/"))


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example:{port}"}, {"Host": "localhost:{port}"}, {"Origin": "http://evil.example"}],
)
async def test_another_name_or_page_gets_nothing(
    served: BrowserCockpit, browser: ClientSession, headers: dict[str, str]
) -> None:
    """Even with the cookie: a name that a page has made to mean this machine, or a page itself."""
    async with browser.get(served.url):
        pass
    sent = {name: value.format(port=served.port) for name, value in headers.items()}

    async with browser.get(at(served), headers=sent) as reply:
        assert reply.status == 403
    with pytest.raises(WSServerHandshakeError) as refused:
        await browser.ws_connect(at(served, "ws"), headers=sent)
    assert refused.value.status == 403


async def test_the_cockpit_in_a_browser(tmp_path: Path, unused_tcp_port: int) -> None:
    """With the token it draws and takes keys, and asks only this machine; without it nobody comes in."""
    cli = Cli(tmp_path / "home", tmp_path, {"TEXTUAL_ANIMATIONS": "none"})
    serving = await asyncio.create_subprocess_exec(
        *cli.command(["tui", "--web", "--port", str(unused_tcp_port)]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
        env=cli.env(),
    )
    try:
        assert serving.stdout is not None
        said = (await serving.stdout.readline()).decode()
        (url,) = re.findall(r"http://\S+", said)
        keys = ({"until": "Nothing has run yet"}, {"press": "?", "until": "Start a goal"})
        known, stranger = await visited(
            Visit(url, keys=keys, axe=True), Visit(url.partition("?")[0], scheme="dark")
        )
    finally:
        serving.terminate()
        await serving.wait()

    assert known.status == 200
    assert not [text for text in known.said if text.startswith(("error", "warning"))], known.said
    assert known.violations == []
    here = (f"http://127.0.0.1:{unused_tcp_port}/", f"ws://127.0.0.1:{unused_tcp_port}/", "data:", "blob:")
    assert all(each.startswith(here) for each in known.requests), known.requests
    assert stranger.status == 403
    assert stranger.received == ""
