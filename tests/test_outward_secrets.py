"""Secrets and the client: one host gets each, and whatever comes back holds none."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from pydantic import SecretStr
from web_servers import Asked, Say, WebServer, reply, web_server

from autoagent.errors import NotDone, ToolError
from autoagent.outward.client import GuardedHttp
from autoagent.outward.guard import Secrets
from autoagent.outward.wire import struck
from autoagent.reach import Reach
from autoagent.secrecy import BoundSecret, Strike

CANARY = "canary/4711+in=the mine"


def client(to: WebServer, *others: WebServer, header: str = "authorization") -> GuardedHttp:
    """Its secret is bound to the first server."""
    secret = BoundSecret("KEY", to.host, SecretStr(CANARY), header)
    hosts = tuple(web.host for web in (to, *others))
    return GuardedHttp(Reach(hosts), secrets=Secrets((secret,), Strike({"KEY": CANARY})))


def library_of(web: WebServer) -> httpx2.AsyncClient:
    """A library's own client, on ours."""
    return httpx2.AsyncClient(transport=client(web).transport())


class TestAttached:
    """Who gets it."""

    async def test_its_host_alone(self) -> None:
        """The other server that may be reached doesn't."""
        async with web_server({"/": reply()}) as mine, web_server({"/": reply()}) as other:
            http = client(mine, other)
            await http.get(mine.url + "/")
            await http.get(other.url + "/")

        assert mine.asked[0].headers["authorization"] == f"Bearer {CANARY}"
        assert "authorization" not in other.asked[0].headers
        assert http.uses.secrets == ["KEY"]

    async def test_not_another_port(self) -> None:
        """A host with its port is that server, and not its neighbour on the same machine."""
        async with web_server() as mine, web_server({"/": reply()}) as other:
            await client(mine, other).get(other.url + "/")

        assert CANARY not in str(other.asked)

    @pytest.mark.parametrize("header", ["authorization", "x-api-key"])
    @pytest.mark.parametrize("status", ["302 Found", "307 Same"])
    async def test_it_stays_behind_at_a_redirect(self, status: str, header: str) -> None:
        """Each hop is attached its own."""
        async with web_server() as mine, web_server({"/": reply()}) as other:
            mine.pages["/"] = reply(b"", status, location=other.url + "/")
            await client(mine, other, header=header).post(mine.url + "/", content=b"x")

        assert CANARY in mine.asked[0].headers[header]
        assert CANARY not in str(other.asked)

    async def test_a_redirect_to_its_host(self) -> None:
        """Another host's redirect has nothing done in the person's name; the host's own keeps the secret."""
        async with web_server({"/": reply()}) as mine, web_server() as other:
            other.pages["/"] = reply(b"", "302 Found", location=mine.url + "/")
            mine.pages["/old"] = reply(b"", "302 Found", location="/")
            await client(mine, other).get(other.url + "/")
            await client(mine, other).get(mine.url + "/old")

        assert ["authorization" in asked.headers for asked in mine.asked] == [False, True, True]
        assert CANARY not in str(other.asked)

    async def test_a_tools_own_header_stays(self) -> None:
        """A header that the tool sets itself isn't overwritten."""
        async with web_server({"/": reply()}) as mine:
            await client(mine).get(mine.url + "/", headers={"Authorization": "Basic abc"})

        assert mine.asked[0].headers["authorization"] == "Basic abc"

    async def test_https_only(self) -> None:
        """Over a network that others read it isn't sent in clear."""

        async def resolve(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        secret = BoundSecret("KEY", "api.test", SecretStr(CANARY))
        http = GuardedHttp(Reach(("api.test", "127.0.0.1")), resolve=resolve, secrets=Secrets((secret,)))
        with pytest.raises(NotDone, match="https only"):
            await http.get("http://api.test/")

    async def test_a_library_gets_it_attached(self) -> None:
        """A library's client never holds it."""
        async with web_server({"/": reply()}) as mine, library_of(mine) as library:
            await library.get(mine.url + "/")

        assert CANARY in mine.asked[0].headers["authorization"]

    async def test_a_redirect_to_its_host_that_a_library_follows(self) -> None:
        """As where the client itself follows it: nothing is done in the person's name."""
        async with web_server({"/": reply()}) as mine, web_server() as other:
            other.pages["/"] = reply(b"", "302 Found", location=mine.url + "/")
            guarded = client(mine, other)
            async with httpx2.AsyncClient(transport=guarded.transport(), follow_redirects=True) as library:
                await library.get(other.url + "/")

        assert ["authorization" in asked.headers for asked in mine.asked] == [False]
        assert guarded.uses.secrets == []

    async def test_who_gets_an_answer_knows_what_went_along(self) -> None:
        """So that a cache doesn't show it to a run without the secret."""
        async with web_server({"/": reply()}) as mine, web_server({"/": reply()}) as other:
            http = client(mine, other)

            assert (await http.get(mine.url + "/")).secrets == ("KEY",)
            assert (await http.get(other.url + "/")).secrets == ()


class TestLeaks:
    """A request to another host that holds it isn't sent, however it got in."""

    @pytest.mark.parametrize("where", ["url", "params", "headers", "content", "json", "basic"])
    async def test_in_a_request(self, where: str) -> None:
        """In the URL, a header, the body; also in base64."""
        basic = base64.b64encode(f"me:{CANARY}".encode()).decode()
        options = {
            "params": {"q": CANARY},
            "headers": {"x": CANARY},
            "content": CANARY.encode(),
            "json": {"a": [CANARY]},
        }
        async with web_server() as mine, web_server() as other:
            http = client(mine, other)
            url = f"{other.url}/{base64.b64encode(CANARY.encode()).decode()}" if where == "url" else other.url
            sent = {"headers": {"authorization": f"Basic {basic}"}} if where == "basic" else {}
            sent |= {where: options[where]} if where in options else {}
            with pytest.raises(NotDone, match="holds the secret KEY"):
                await http.request("POST", url, **sent)  # type: ignore[arg-type]

        assert not other.asked

    async def test_in_the_name_of_a_host(self) -> None:
        """Whoever answers for the name would read it before anything is sent."""
        looked_up: list[str] = []

        async def resolve(host: str, port: int) -> list[str]:
            looked_up.append(host)
            return ["127.0.0.1"]

        secrets = Secrets((BoundSecret("KEY", "api.test", SecretStr("Canary4711")),))
        http = GuardedHttp(Reach(("*.evil.test", "127.0.0.1")), resolve=resolve, secrets=secrets)
        url = "https://x-canary4711.evil.test/"
        async with httpx2.AsyncClient(transport=http.transport()) as library:
            for get in (http.get, library.get):
                with pytest.raises(NotDone, match="holds the secret KEY"):
                    await get(url)

        assert looked_up == []

    async def test_in_a_redirect(self) -> None:
        """The host that has it doesn't pass it on through us."""
        async with web_server() as mine, web_server({"/": reply()}) as other:
            there = base64.urlsafe_b64encode(CANARY.encode()).decode()
            mine.pages["/"] = reply(b"", "302 Found", location=f"{other.url}/?q={there}")
            with pytest.raises(ToolError, match="holds a secret"):
                await client(mine, other).get(mine.url + "/")

        assert not other.asked
        assert there not in str(other.asked)


class TestEchoes:
    """A server that says it back."""

    @pytest.mark.parametrize("kind", ["text/plain", "application/json", "text/plain; charset=utf-16"])
    async def test_in_a_body(self, kind: str) -> None:
        """In the body and in headers, in whatever way, it is struck out."""
        said = json.dumps(
            {"a": CANARY, "b": base64.b64encode(CANARY.encode()).decode(), "c": CANARY.encode().hex()}
        )
        body = said.encode("utf-16" if "utf-16" in kind else "utf-8")
        async with web_server({"/": reply(body, content_type=kind, x_echo=CANARY)}) as mine:
            found = await client(mine).get(mine.url + "/")

        assert set(json.loads(found.text).values()) == {"[KEY]"}
        assert found.headers["x-echo"] == "[KEY]"
        assert CANARY.encode() not in found.content

    async def test_in_bytes(self) -> None:
        """A file that is no text stays as it is around it."""
        body = b"\x89PNG\xff\x00" + CANARY.encode() + b"\xfe\x00"
        async with web_server({"/": reply(body, content_type="image/png")}) as mine:
            found = await client(mine).get(mine.url + "/")

        assert found.content == b"\x89PNG\xff\x00[KEY]\xfe\x00"

    async def test_in_a_charset_of_its_own(self) -> None:
        """Bytes that only the server's charset makes the secret of."""
        body = CANARY.encode("cp037")
        async with web_server({"/": reply(body, content_type="text/plain; charset=cp037")}) as mine:
            found = await client(mine).get(mine.url + "/")

        assert found.text == "[KEY]"
        assert found.content.decode("cp037") != CANARY

    async def test_in_pieces(self) -> None:
        """A library reads a stream: the secret comes in two pieces, and goes in none."""

        async def dribble(asked: Asked, say: Say) -> None:
            await say(b"HTTP/1.1 200 OK\r\n\r\ndata: one\n\ndata: " + CANARY[:9].encode())
            await say(CANARY[9:].encode() + b" two\n\ndata: three")

        async with web_server({"/": dribble}) as mine, library_of(mine) as library:
            found = await library.get(mine.url + "/")

        assert found.text == "data: one\n\ndata: [KEY] two\n\ndata: three"

    async def test_in_a_line_without_end(self) -> None:
        """What is too long to be waited for is looked through piece by piece."""
        body = b"x" * 100_000 + CANARY.encode() + b"y" * 65_536 + CANARY.encode() + b"z" * 70_000
        async with web_server({"/": reply(body)}) as mine, library_of(mine) as library:
            found = await library.get(mine.url + "/")

        assert found.text == "x" * 100_000 + "[KEY]" + "y" * 65_536 + "[KEY]" + "z" * 70_000

    @pytest.mark.parametrize("size", [1, 7, 1_000, 65_536, 70_001])
    async def test_cut_anywhere(self, size: int) -> None:
        """Wherever the pieces end: no sign of a secret goes through, and nothing else is lost."""
        between = [b"a", b"-" * 20_000, b"\n", b"b" * 66_000, b"c" * 7]
        body = b"".join(text + CANARY.encode() for text in between)

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(body), size):
                yield body[at : at + size]

        found = b"".join([piece async for piece in struck(pieces(), Strike({"KEY": CANARY}))])

        assert found == b"".join(text + b"[KEY]" for text in between)
