"""Secrets are struck out by value, however programs write them."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.events import CallEnded
from autoagent.secrecy import Strike

CANARY = "c4n/ary+S3cr=t&\"key'\\x 9"
WAYS: dict[str, Callable[[str], str]] = {
    "plain": lambda s: s,
    "json": json.dumps,
    "json in json": lambda s: json.dumps({"a": json.dumps({"b": s})}),
    "json, slashes": lambda s: json.dumps(s).replace("/", "\\/"),
    "url": quote,
    "url, all": lambda s: quote(s, safe=""),
    "url, plus": quote_plus,
    "url, lower": lambda s: quote(s, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "url, every byte": lambda s: "".join(f"%{b:02X}" for b in s.encode()),
    "form": lambda s: urlencode({"q": s}),
    "html": html.escape,
    "html, numbers": lambda s: "".join(c if c.isalnum() else f"&#{ord(c)};" for c in s),
    "hex": lambda s: s.encode().hex(),
    "hex, upper": lambda s: s.encode().hex().upper(),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64, at 1": lambda s: base64.b64encode(b"u" + s.encode() + b"v").decode(),
    "base64, at 2": lambda s: base64.b64encode(b"me" + s.encode() + b"you").decode(),
    "basic": lambda s: "Basic " + base64.b64encode(b"user:" + s.encode()).decode(),
    "base64url": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "base64, lines": lambda s: base64.encodebytes(b"x" * 50 + s.encode()).decode(),
    "base64, lines in json": lambda s: json.dumps(base64.encodebytes(b"x" * 50 + s.encode()).decode()),
    "base64, in a url": lambda s: quote(base64.b64encode(s.encode()).decode(), safe=""),
}
SECRETS = [
    CANARY,
    "sk-proj-Abc123_Xyz987",
    "pässwörd-ß-geheim",
    "1234567890",
    "a" * 300,
    "////++++====",
    " lead xy",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("secret", SECRETS)
class TestWays:
    """Each way, of secrets of all kinds."""

    def test_in_a_text(self, way: str, secret: str) -> None:
        """Its name stands in its place, and what stood around it stays."""
        written = WAYS[way](secret)
        struck = Strike({"KEY": secret}).text(f"before {written} after")

        assert "[KEY]" in struck
        assert struck.startswith("before ")
        assert struck.endswith(" after")
        assert written not in struck

    def test_in_bytes(self, way: str, secret: str) -> None:
        """The same in a body that nobody has decoded."""
        written = WAYS[way](secret).encode()

        assert b"[KEY]" in Strike({"KEY": secret}).data(b"\xff\x00" + written + b"\xfe")


class TestText:
    """What else holds of a text."""

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
    def test_wide(self, encoding: str) -> None:
        """UTF-16 is recognised in bytes."""
        data = f"<{CANARY}>".encode(encoding)

        assert CANARY not in Strike({"KEY": CANARY}).data(data).decode(encoding, "replace")

    def test_one_holds_another(self) -> None:
        """The longer one is struck as a whole."""
        strike = Strike({"SHORT": "secret-a", "LONG": "my-secret-abc"})

        assert strike.text("my-secret-abc secret-a") == "[LONG] [SHORT]"

    def test_a_short_one_stays(self) -> None:
        """A word of seven letters would be struck out of prose."""
        assert Strike({"KEY": "ollamas"}).text("ollamas") == "ollamas"

    def test_lines_of_a_key(self) -> None:
        """Each long line of a key in PEM counts by itself."""
        lines = [
            "-----BEGIN KEY-----",
            "MIIEvQIBADANBgkqhkiG9w0BAQEF",
            "AASCBKcwggSjAgEAAoIBAQC7VJTU",
            "-----END",
        ]

        assert Strike({"PEM": "\n".join(lines)}).text(f"it is {lines[2]}!") == "it is [PEM]!"

    def test_password_of_a_url(self) -> None:
        """Of a secret that is an address the password counts by itself."""
        strike = Strike({"DB": "postgresql://me:hunter%212-really@db.test/x"})

        assert strike.text("password hunter!2-really refused") == "password [DB] refused"

    def test_names_in(self) -> None:
        """Which secrets a request holds."""
        strike = Strike({"A": "first-secret", "B": "second-secret"})

        assert strike.names_in(b"x=second%2Dsecret") == ("B",)
        assert strike.names_in(b"nothing") == ()

    @pytest.mark.parametrize("noise", ["\\", "&#0", "%0", "\r\n", "=", "a"])
    def test_noise_costs_nothing(self, noise: str) -> None:
        """A server can't keep us busy: without a limit a text of backslashes took hours."""
        strike = Strike({"KEY": '/+="a\\/+="', "OTHER": "aaaaaaaaaaaaaaaaaaab"})
        text = noise * 300_000

        assert strike.text(text) is text

    @given(st.text())
    def test_what_holds_none_is_the_same(self, text: str) -> None:
        """Not one sign of another text is touched; nor of bytes."""
        strike = Strike({"KEY": "#nEvEr-In-There-4711#"})

        assert strike.text(text) is text
        assert strike.data(text.encode("utf-8", "surrogatepass")) == text.encode("utf-8", "surrogatepass")


class TestModels:
    """What is recorded."""

    def test_an_event(self) -> None:
        """Every text in it, in lists and tables too; an event without one is the same."""
        strike = Strike({"KEY": CANARY})
        clean = CallEnded(call="1", lane="main", ok=True, output="fine")
        told = CallEnded(
            call="1", lane="main", ok=True, output=f"it is {CANARY}", urls=(f"http://a/{CANARY}",)
        )

        assert strike.model(clean) is clean
        assert strike.model(told).output == "it is [KEY]"
        assert CANARY not in strike.model(told).model_dump_json()
