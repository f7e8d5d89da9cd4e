"""Attacks on the guarded client, really carried out on loopback.

Each has its control: the same attack on a client without the guard succeeds, so that the test could fail.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import zlib

import httpx2
import pytest
from name_server import asking, name_server
from web_servers import Asked, Say, reply, web_server

from autoagent.errors import NotDone, ToolError
from autoagent.outward.client import GuardedHttp
from autoagent.outward.guard import Resolve
from autoagent.reach import Reach

HEAD = b"HTTP/1.1 200 OK\r\n"


def guarded(*hosts: str, resolve: Resolve | None = None) -> GuardedHttp:
    return GuardedHttp(Reach(hosts)) if resolve is None else GuardedHttp(Reach(hosts), resolve=resolve)


def unguarded() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(follow_redirects=True, trust_env=False)


class TestRedirects:
    """A server that is allowed leads to one that isn't."""

    @pytest.mark.parametrize(
        "status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"]
    )
    async def test_to_an_internal_address(self, status: str) -> None:
        """Each hop is judged; without the guard the internal server is reached."""
        async with web_server({"/": reply(b"internal")}) as inner, web_server() as web:
            web.pages["/"] = reply(b"", status, location=inner.url + "/")
            async with unguarded() as plain:
                assert (await plain.get(web.url + "/")).text == "internal"
            inner.asked.clear()
            with pytest.raises(ToolError, match=r"redirects to .*: not reached"):
                await guarded(web.host, "*").get(web.url + "/")

        assert not inner.asked

    async def test_with_credentials(self) -> None:
        """A redirect whose URL names somebody before an @ isn't followed."""
        async with web_server({"/b": reply(b"there")}) as web:
            web.pages["/a"] = reply(b"", "302 Found", location=f"http://good.test@{web.host}/b")
            async with unguarded() as plain:
                assert (await plain.get(web.url + "/a")).text == "there"
            with pytest.raises(ToolError, match="no plain http"):
                await guarded(web.host).get(web.url + "/a")

        assert [asked.target for asked in web.asked] == ["/a", "/b", "/a"]

    @pytest.mark.parametrize(
        "location", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x", "//", "\\\\x"]
    )
    async def test_to_another_scheme(self, location: str) -> None:
        """Only http and https are followed to."""
        async with web_server({"/": reply(b"", "302 Found", location=location)}) as web:
            with pytest.raises(ToolError, match="redirects"):
                await guarded(web.host, "*").get(web.url + "/")

    async def test_without_end(self) -> None:
        """A ring of redirects ends."""
        async with web_server() as web:
            web.pages["/"] = reply(b"", "302 Found", location="/")
            with pytest.raises(ToolError, match="more than 10 redirects"):
                await guarded(web.host).get(web.url + "/")

        assert len(web.asked) == 11

    async def test_headers_stay_behind(self) -> None:
        """What may be a key isn't taken along to another host."""
        async with web_server({"/": reply(b"got it")}) as other, web_server() as web:
            web.pages["/"] = reply(b"", "307 Temporary", location=other.url + "/")
            keys = {"X-Token": "k", "Authorization": "Bearer k", "Cookie": "k", "Accept-Language": "de"}
            await guarded(web.host, other.host).post(web.url + "/", headers=keys, json=[1])

        sent = other.asked[0]
        assert (sent.method, sent.body, sent.headers["accept-language"]) == ("POST", b"[1]", "de")
        assert not {"x-token", "authorization", "cookie"} & set(sent.headers)
        assert web.asked[0].headers["x-token"] == "k"

    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See"])
    async def test_a_post_becomes_a_get(self, status: str) -> None:
        """As browsers do it: the body isn't sent on."""
        async with web_server({"/b": reply()}) as web:
            web.pages["/a"] = reply(b"", status, location="/b")
            await guarded(web.host).post(web.url + "/a", json=[1])

        assert (web.asked[1].method, web.asked[1].body) == ("GET", b"")
        assert "content-type" not in web.asked[1].headers

    async def test_a_refused_redirect_of_a_post_is_no_not_done(self) -> None:
        """The first server has the request: nobody may say that nothing happened."""
        async with web_server() as web:
            web.pages["/"] = reply(b"", "302 Found", location="http://127.0.0.9/")
            with pytest.raises(ToolError) as caught:
                await guarded(web.host).post(web.url + "/")

        assert not isinstance(caught.value, NotDone)

    async def test_an_open_redirector(self) -> None:
        """Where the agent made the URL up, a host under a star isn't reached through one that is named."""
        async with web_server({"/": reply(b"got it")}, "127.0.0.2") as other, web_server() as web:
            web.pages["/to"] = reply(
                b"", "302 Found", location=f"http://127.0.0.2:{other.port}/?data=private"
            )
            hosts = (web.host, f"127.0.0.2:{other.port}")
            assert (await GuardedHttp(Reach(hosts)).get(web.url + "/to")).text == "got it"
            with pytest.raises(ToolError, match="a redirect to another host"):
                await GuardedHttp(Reach(hosts, onward=(web.host,))).get(web.url + "/to")
            transport = GuardedHttp(Reach(hosts, onward=(web.host,))).transport()
            async with httpx2.AsyncClient(transport=transport, follow_redirects=True) as library:
                with pytest.raises(NotDone, match="a redirect to another host"):
                    await library.get(web.url + "/to")

        assert len(other.asked) == 1


class TestNames:
    """A name that leads somewhere else than it seems."""

    async def test_rebinding(self) -> None:
        """The address that was judged is the one that is connected to, whatever the name server says next."""
        async with web_server({"/": reply(b"public")}) as web:
            inner = await asyncio.start_server(_internal, "127.0.0.2", web.port)
            turns = iter([["127.0.0.1"], ["127.0.0.2"]] * 3)
            async with inner, name_server(lambda name: next(turns)) as names:
                url, hosts = f"http://rebind.test:{web.port}/", (f"rebind.test:{web.port}", web.host)
                assert await _judged_then_resolved_again(url, asking(names)) == "internal"

                assert (await guarded(*hosts, resolve=asking(names)).get(url)).text == "public"
                with pytest.raises(NotDone, match=r"leads to 127\.0\.0\.2"):
                    await guarded(*hosts, resolve=asking(names)).get(url)

        assert web.asked[0].headers["host"] == f"rebind.test:{web.port}"
        assert len(names.asked) == 4

    async def test_rebinding_to_an_address_that_is_named(self) -> None:
        """A name under a star doesn't lead to what is named for itself."""
        async with web_server({"/": reply()}) as web, name_server(lambda _: ["127.0.0.1"]) as names:
            url = f"http://any.test:{web.port}/"
            with pytest.raises(NotDone, match=r"leads to 127\.0\.0\.1"):
                await guarded("*", "127.0.0.1", resolve=asking(names)).get("http://any.test/")
            assert (await guarded(f"any.test:{web.port}", web.host, resolve=asking(names)).get(url)).text

    async def test_one_bad_address_among_good_ones(self) -> None:
        """All that a name resolves to is judged: which of them would be connected to is chance."""
        async with (
            web_server({"/": reply()}) as web,
            name_server(lambda _: ["127.0.0.1", "10.0.0.1"]) as names,
        ):
            url = f"http://mixed.test:{web.port}/"
            with pytest.raises(NotDone, match=r"leads to 10\.0\.0\.1"):
                await guarded(f"mixed.test:{web.port}", web.host, resolve=asking(names)).get(url)

        assert not web.asked

    @pytest.mark.parametrize(
        "address",
        [
            *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200"),
            *("0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.0.192", "168.63.129.16", "192.88.99.1"),
            *(
                "::1",
                "::",
                "fe80::1",
                "fd00:ec2::254",
                "ff02::1",
                "fec0::1",
                "::ffff:127.0.0.1",
                "::127.0.0.1",
            ),
            *("64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::"),
            *("2001:db8::1", "::ffff:0:127.0.0.1", "2a00:1450::5efe:7f00:1", "2001::f5ff:fffe"),
        ],
    )
    @pytest.mark.parametrize("hosts", [("*",), ("inner.test",), ("*.test",), ("inner.test", "127.0.0.9")])
    async def test_a_name_for_an_internal_address(self, address: str, hosts: tuple[str, ...]) -> None:
        """However it is wrapped, an internal address is reached through no name."""

        async def resolve(host: str, port: int) -> list[str]:
            return [address]

        with pytest.raises(NotDone, match="leads to"):
            await guarded(*hosts, resolve=resolve).get("http://inner.test/")

    @pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::", "64:ff9b::5db8:d822"])
    def test_a_public_address(self, address: str) -> None:
        """The control: these aren't refused."""
        assert Reach(("a.test",)).refuses_address("a.test", 80, address) is None

    async def test_localhost(self) -> None:
        """Named itself, it is this machine's; a star doesn't cover it."""
        async with web_server({"/": reply()}) as web:
            url = f"http://localhost:{web.port}/"
            assert (await guarded(f"localhost:{web.port}").get(url)).status == 200
            with pytest.raises(NotDone):
                await guarded("*", web.host).get(url)

    async def test_a_name_that_is_none(self) -> None:
        """A resolver that fails or says nothing means that nothing was sent."""
        async with name_server(lambda _: []) as names:
            with pytest.raises(NotDone, match="no address"):
                await guarded("gone.test", resolve=asking(names)).get("http://gone.test/")


async def _internal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(reply(b"internal", connection="close"))
    writer.close()


async def _judged_then_resolved_again(url: str, resolve: Resolve) -> str:
    """What most guards do: the control. They look at one answer and connect to another."""
    host, port = httpx2.URL(url).host, httpx2.URL(url).port or 80
    assert await resolve(host, port) == ["127.0.0.1"], "the guard is content"
    (address,) = await resolve(host, port)  # what the client's own connect does
    async with unguarded() as plain:
        return (await plain.get(f"http://{address}:{port}/")).text


class TestSpellings:
    """One URL, two readers."""

    @pytest.mark.parametrize(
        "number",
        [
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "0177.0.0.1",
            "017700000001",
            "127.0.0.01",
        ],
    )
    @pytest.mark.parametrize("hosts", [("*",), ("127.0.0.1",)])
    async def test_numbers(self, number: str, hosts: tuple[str, ...]) -> None:
        """What the system takes for this machine's address, written so that a list doesn't see it."""
        assert socket.inet_ntoa(socket.inet_aton(number)) == "127.0.0.1", "the control"

        with pytest.raises(NotDone, match="no plain http"):
            await guarded(*hosts).get(f"http://{number}/")

    @pytest.mark.parametrize(
        "host",
        [
            *(
                "[::ffff:127.0.0.1]",
                "[::ffff:7f00:1]",
                "[64:ff9b::127.0.0.1]",
                "[2002:7f00:1::]",
                "[::127.0.0.1]",
            ),
            *(
                "１２７.0.0.1",
                "①②⑦.0.0.1",
                "127。0。0。1",
                "ⓛocalhost",
                "localhost.",
                "LOCALHOST",
                "foo.localhost",
            ),
            *("[::1%25lo]", "[fe80::1%eth0]", "127.0.0.1.", "169.254.169.254", "metadata.google.internal"),
        ],
    )
    async def test_disguises(self, host: str) -> None:
        """No spelling of an internal address passes for a public one."""
        with pytest.raises(NotDone):
            await guarded("*", "*.org", "example.org").get(f"http://{host}/")

    @pytest.mark.parametrize(
        "shape",
        [
            "http://good.test@{inner}/",
            "http://good.test%40x@{inner}/",
            "http://good.test:80@{inner}/",
            "http://{inner}\\@good.test/",
            "http://{inner}#@good.test/",
            "http://{inner}?@good.test/",
            "http:\\\\{inner}/",
            "http:/{inner}/",
            "http://good.test\t@{inner}/",
            "http://{inner}\r\nHost: good.test/",
            " http://{inner}/",
            "http://good.test /@{inner}/",
            "http://[good.test]@{inner}/",
        ],
    )
    async def test_two_readings(self, shape: str) -> None:
        """The internal server is reached by none of them, whoever reads the host otherwise."""
        async with web_server({"/": reply(b"internal")}) as inner:
            with pytest.raises(NotDone):
                await guarded("good.test", "*").get(shape.format(inner=inner.host))

        assert not inner.asked

    async def test_a_list_that_reads_for_itself(self) -> None:
        """The control: a usual check of the host is passed, and the client goes elsewhere."""
        async with web_server({"/": reply(b"internal")}) as inner:
            url = f"http://good.test:80@{inner.host}/"
            found = re.match(r"https?://([a-z0-9.-]+)", url)
            assert found is not None
            assert found[1] == "good.test", "the list is content"
            async with unguarded() as plain:
                assert (await plain.get(url)).text == "internal"

    @pytest.mark.parametrize("port", ["22", "25", "6379", "0", "65536", "8080"])
    async def test_ports(self, port: str) -> None:
        """A host without a port is its web server, and no other service."""
        with pytest.raises(NotDone, match="not reached"):
            await guarded("example.org", "*").get(f"http://example.org:{port}/")


class TestBodies:
    """Answers that never end, or are more than they seem."""

    async def test_endless(self) -> None:
        """The client stops at its limit; without it as much is read as is sent."""

        async def endless(asked: Asked, say: Say) -> None:
            await say(HEAD + b"\r\n")
            while True:
                await say(b"x" * 65_536)

        async with web_server({"/": endless}) as web:
            async with unguarded() as plain, plain.stream("GET", web.url + "/") as response:
                assert await _size(response, 4_000_000) >= 4_000_000
            with pytest.raises(ToolError, match="more than the 1,000,000 bytes"):
                await guarded(web.host).get(web.url + "/", max_bytes=1_000_000)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    async def test_bomb(self, encoding: str) -> None:
        """What unpacks to more than is wanted isn't unpacked; without the guard it fills the memory."""
        plain_bytes = b"\0" * 50_000_000
        packed = gzip.compress(plain_bytes) if encoding == "gzip" else zlib.compress(plain_bytes)
        async with web_server({"/": reply(packed, content_encoding=encoding)}) as web:
            async with unguarded() as plain:
                assert len((await plain.get(web.url + "/")).content) == 50_000_000
            with pytest.raises(ToolError, match="more than"):
                await guarded(web.host).get(web.url + "/")

        assert len(packed) < 60_000

    async def test_bomb_in_a_library(self) -> None:
        """A library's client gets the bytes piece by piece, at most 64 KiB at once."""
        packed = gzip.compress(b"\0" * 5_000_000)
        async with web_server({"/": reply(packed, content_encoding="gzip")}) as web:
            transport = guarded(web.host).transport()
            async with (
                httpx2.AsyncClient(transport=transport) as library,
                library.stream("GET", web.url + "/") as response,
            ):
                sizes = [len(piece) async for piece in response.aiter_raw()]

        assert (max(sizes), sum(sizes)) == (65_536, 5_000_000)

    async def test_packed_nothing(self) -> None:
        """A stream that unpacks to nothing, without end, ends as well."""
        head, empty = zlib.compressobj(wbits=31).flush(zlib.Z_FULL_FLUSH), b"\0\0\0\xff\xff" * 10_000

        async def endless(asked: Asked, say: Say) -> None:
            await say(HEAD + b"content-encoding: gzip\r\n\r\n" + head)
            while True:
                await say(empty)

        async with web_server({"/": endless}) as web:
            with pytest.raises(ToolError, match="more than"):
                await guarded(web.host).get(web.url + "/", max_bytes=500_000)

    async def test_chunks_without_end(self) -> None:
        """The same, in chunks."""

        async def endless(asked: Asked, say: Say) -> None:
            await say(HEAD + b"transfer-encoding: chunked\r\n\r\n")
            while True:
                await say(b"1000\r\n" + b"x" * 4096 + b"\r\n")

        async with web_server({"/": endless}) as web:
            with pytest.raises(ToolError, match="more than"):
                await guarded(web.host).get(web.url + "/", max_bytes=100_000)

    async def test_slow(self) -> None:
        """A byte now and then keeps a usual client for ever; here there is one time for all of it."""

        async def dribble(asked: Asked, say: Say) -> None:
            await say(HEAD + b"content-length: 1000\r\n\r\n")
            while True:
                await say(b"x")
                await asyncio.sleep(0.02)

        async with web_server({"/": dribble}) as web:
            with pytest.raises(TimeoutError):  # the test's own: the client would read on
                async with asyncio.timeout(0.5), httpx2.AsyncClient(timeout=0.2) as plain:
                    await plain.get(web.url + "/")
            with pytest.raises(ToolError, match=r"no whole answer within 0\.2 s"):
                await guarded(web.host).get(web.url + "/", timeout_s=0.2)

    async def test_slow_headers(self) -> None:
        """The same before the body."""

        async def dribble(asked: Asked, say: Say) -> None:
            await say(HEAD)
            while True:
                await say(b"x: y\r\n")
                await asyncio.sleep(0.02)

        async with web_server({"/": dribble}) as web:
            with pytest.raises(ToolError, match="no whole answer"):
                await guarded(web.host).get(web.url + "/", timeout_s=0.2)

    @pytest.mark.parametrize(
        "headers",
        [
            b"".join(b"x%d: y\r\n" % n for n in range(10_000)),
            b"x: " + b"y" * 200_000 + b"\r\n",
            b"a:b\r\n" * 300,
        ],
    )
    async def test_headers_without_end(self, headers: bytes) -> None:
        """Ten thousand headers, or one that is huge, are no answer."""
        async with web_server({"/": HEAD + headers + b"content-length: 0\r\n\r\n"}) as web:
            with pytest.raises(ToolError):
                await guarded(web.host).get(web.url + "/")

    async def test_interim_answers_without_end(self) -> None:
        """100 Continue for ever is no answer either."""

        async def interim(asked: Asked, say: Say) -> None:
            while True:
                await say(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50)
                await asyncio.sleep(0.01)

        async with web_server({"/": interim}) as web:
            with pytest.raises(ToolError, match="no whole answer"):
                await guarded(web.host).get(web.url + "/", timeout_s=0.3)

    async def test_cut_off(self) -> None:
        """A body that is shorter than it said is no answer."""
        async with web_server({"/": HEAD + b"content-length: 100\r\n\r\nshort"}) as web:
            with pytest.raises(ToolError, match="broke off"):
                await guarded(web.host).get(web.url + "/")


async def _size(response: httpx2.Response, enough: int) -> int:
    size = 0
    async for piece in response.aiter_raw():
        size += len(piece)
        if size >= enough:
            break
    return size


class TestEnvironment:
    """Nobody but the person's machine says how to get out."""

    async def test_no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy from the environment isn't used; a usual client sends everything through it."""
        async with web_server({"http://a.test/": reply(b"the proxy")}) as proxy, web_server() as web:
            web.pages["/"] = reply(b"direct")
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            async with httpx2.AsyncClient() as plain:
                assert (await plain.get("http://a.test/")).text == "the proxy"
            assert (await guarded(web.host).get(web.url + "/")).text == "direct"

    async def test_no_netrc(self, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
        """Nor are passwords taken from a .netrc that somebody put there."""
        netrc = tmp_path / ".netrc"  # type: ignore[operator]
        netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HOME", str(tmp_path))
        async with web_server({"/": reply()}) as web:
            await guarded(web.host).get(web.url + "/")

        assert "authorization" not in web.asked[0].headers

    async def test_no_cookies(self) -> None:
        """What a server sets isn't said to it again."""
        async with web_server({"/": reply(set_cookie="a=b")}) as web:
            client = guarded(web.host)
            await client.get(web.url + "/")
            await client.get(web.url + "/")

        assert "cookie" not in web.asked[1].headers
