"""The guarded client as tools use it: what it sends, what it gives, what it says when it can't."""

from __future__ import annotations

import gzip
import json
import zlib

import httpx2
import pytest
from web_servers import WebServer, reply, web_server

from autoagent.errors import NotDone, ToolError
from autoagent.outward.client import GuardedHttp
from autoagent.ports import HttpReply
from autoagent.reach import Reach


def client(*webs: WebServer) -> GuardedHttp:
    return GuardedHttp(Reach(tuple(web.host for web in webs)))


class TestAnswers:
    """What comes back."""

    async def test_a_page(self) -> None:
        """Status, headers and bytes are the server's."""
        async with web_server({"/a": reply(b"hi", content_type="text/HTML; charset=utf-8")}) as web:
            found = await client(web).get(f"{web.url}/a")

        assert (found.status, found.text, found.media_type) == (200, "hi", "text/html")
        assert found.url == f"{web.url}/a"

    async def test_odd_headers(self) -> None:
        """Bytes beyond ASCII in a header are text somehow; also for a library."""
        async with web_server({"/": b"HTTP/1.1 200 OK\r\nx-a: K\xf6ln\r\ncontent-length: 0\r\n\r\n"}) as web:
            assert (await client(web).get(web.url + "/")).headers["x-a"]
            async with httpx2.AsyncClient(transport=client(web).transport()) as library:
                assert (await library.get(web.url + "/")).headers["x-a"]

    async def test_a_status_is_no_error(self) -> None:
        """404 is an answer."""
        async with web_server() as web:
            assert (await client(web).get(web.url)).status == 404

    @pytest.mark.parametrize(
        ("encoding", "packed"),
        [
            ("gzip", gzip.compress(b"hello" * 50_000)),
            ("deflate", zlib.compress(b"hello" * 50_000)),
            ("deflate", zlib.compress(b"hello" * 50_000)[2:-4]),
            ("gzip", gzip.compress(b"hello" * 20_000) + gzip.compress(b"hello" * 30_000)),
            ("gzip", gzip.compress(b"hello" * 50_000) + b"\0" * 100_000),
        ],
        ids=["gzip", "zlib", "bare deflate", "two parts", "zeros behind"],
    )
    async def test_packed(self, encoding: str, packed: bytes) -> None:
        """gzip, and both things that servers call deflate, are unpacked."""
        async with web_server({"/": reply(packed, content_encoding=encoding)}) as web:
            assert (await client(web).get(f"{web.url}/")).content == b"hello" * 50_000

    @pytest.mark.parametrize(
        ("encoding", "packed"),
        [("br", b"x"), ("gzip, gzip", b"x"), ("gzip", b"no gzip"), ("gzip", gzip.compress(b"x" * 99)[:-4])],
        ids=["not asked for", "twice", "no gzip", "cut"],
    )
    async def test_packed_badly(self, encoding: str, packed: bytes) -> None:
        """What can't be unpacked whole is no answer."""
        async with web_server({"/": reply(packed, content_encoding=encoding)}) as web:
            with pytest.raises(ToolError, match="packed"):
                await client(web).get(f"{web.url}/")

    @pytest.mark.parametrize(
        ("kind", "content", "text"),
        [
            ("text/plain; charset=iso-8859-1", b"K\xf6ln", "Köln"),
            ("text/plain; charset=no-such", "Köln".encode(), "Köln"),
            ("text/plain; charset=base64", b"a", "a"),
            ("text/plain; charset=rot13", b"a", "a"),
            ("text/plain; charset=idna", b"xn--a", "xn--a"),
            ("text/plain; charset=unicode-escape", b"\\x41", "\\x41"),
            ('text/plain; charset="Windows-1252"', b"\x80", "€"),
            pytest.param(
                "text/plain; charset=punycode", b"a-" + b"b" * 300_000, "a-" + "b" * 300_000, id="puny"
            ),
            ("text/plain", b"\xff", "\ufffd"),
        ],
    )
    def test_charset(self, kind: str, content: bytes, text: str) -> None:
        """The server's charset where there is such a one."""
        assert HttpReply(200, "", {"content-type": kind}, content).text == text

    def test_no_json(self) -> None:
        """What is no JSON is the tool's error, with its URL."""
        with pytest.raises(ToolError, match=r"http://a\.org/x answered 502"):
            HttpReply(502, "http://a.org/x", {}, b"<html>").json()


class TestRequests:
    """What goes out."""

    async def test_what_is_sent(self) -> None:
        """Method, query, headers and body; the client's own headers are its own."""
        async with web_server({"/a": reply()}) as web:
            await client(web).post(
                f"{web.url}/a?x=1#part", params={"q": "ä b"}, headers={"X-One": "1"}, json={"k": ["ü"]}
            )

        asked = web.asked[0]
        assert (asked.method, asked.target) == ("POST", "/a?x=1&q=%C3%A4+b")
        assert json.loads(asked.body) == {"k": ["ü"]}
        assert asked.headers["host"] == web.host
        assert asked.headers["x-one"] == "1"
        assert asked.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("name", ["Host", "transfer-encoding", "Proxy-Authorization", "a b", "a:", ""])
    async def test_headers_that_are_not_the_tools(self, name: str) -> None:
        """Who could write `Host` could say one host and reach another."""
        async with web_server() as web:
            with pytest.raises(NotDone, match="header"):
                await client(web).get(web.url, headers={name: "evil.org"})

        assert not web.asked

    async def test_a_header_that_would_be_two(self) -> None:
        """A line break in a value doesn't begin another header."""
        async with web_server() as web:
            with pytest.raises(NotDone, match="no header can"):
                await client(web).get(web.url, headers={"x": "1\r\nhost: evil.org"})

    async def test_nobody_there(self) -> None:
        """A connection that is refused means that nothing was sent."""
        async with web_server() as web:
            pass

        with pytest.raises(NotDone, match="can't be reached"):
            await client(web).get(web.url)

    async def test_the_last_look(self) -> None:
        """What `before_send` raises ends the request before anything is sent."""

        def lost() -> None:
            raise NotDone("the lease is lost")

        async with web_server() as web:
            guarded = GuardedHttp(Reach((web.host,)), before_send=lost)
            with pytest.raises(NotDone, match="lease"):
                await guarded.get(web.url)
            with pytest.raises(NotDone, match="lease"):
                async with httpx2.AsyncClient(transport=guarded.transport()) as library:
                    await library.get(web.url)

        assert not web.asked


class TestTransport:
    """A library's client behind the same guard."""

    async def test_a_library_gets_its_answer(self) -> None:
        """Unpacked, with the status and headers of the server."""
        packed = gzip.compress(b"hello")
        async with (
            web_server({"/": reply(packed, content_encoding="gzip", x_y="z")}) as web,
            httpx2.AsyncClient(transport=client(web).transport()) as library,
        ):
            found = await library.post(f"{web.url}/?a=%20b", json={"a": 1})

        assert (found.status_code, found.text, found.headers["x-y"]) == (200, "hello", "z")
        assert web.asked[0].target == "/?a=%20b"
        assert web.asked[0].body == b'{"a":1}'

    async def test_its_redirects_are_judged(self) -> None:
        """A redirect that the library follows is a request like others."""
        async with web_server() as inner, web_server() as web:
            web.pages["/"] = reply(b"", "302 Found", location=f"{inner.url}/secret")
            transport = client(web).transport()
            async with httpx2.AsyncClient(transport=transport, follow_redirects=True) as library:
                with pytest.raises(NotDone, match="not 127"):
                    await library.get(f"{web.url}/")

        assert not inner.asked
