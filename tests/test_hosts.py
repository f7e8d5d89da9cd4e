"""Which host a URL reaches, and whether a goal names it: no trick makes one host look like another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.hosts import allowed, host_of, is_private, named_exactly


class TestHostOf:
    """What a GET reaches."""

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("http://example.org", ("example.org", 80)),
            ("https://example.org/a?b=c@d.org", ("example.org", 443)),
            ("HTTPS://EXAMPLE.org./a", ("example.org", 443)),
            ("http://example.org:8080/", ("example.org", 8080)),
            ("http://example.org:/", ("example.org", 80)),
            ("http://example.org:0/", ("example.org", 0)),
            ("http://xn--exmple-cua.org/", ("xn--exmple-cua.org", 80)),
            ("https://de.wikipedia.org/wiki/Köln", ("de.wikipedia.org", 443)),
            ("http://127.0.0.1:81/", ("127.0.0.1", 81)),
            ("http://[0:0::1]:81/", ("::1", 81)),
            ("http://a.org?@b.org", ("a.org", 80)),
            ("http://a.org#@b.org", ("a.org", 80)),
        ],
    )
    def test_plain_url(self, url: str, place: tuple[str, int]) -> None:
        """Case, a dot at the end and the usual port make no difference."""
        assert host_of(url) == place

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "example.org",
            "//example.org",
            "http:example.org",
            "http:///example.org",
            "ftp://example.org",
            "file:///etc/passwd",
            "search:example.org",
            "http://user@example.org/",
            "http://example.org:80@evil.org/",
            "http://example.org\\@evil.org/",
            "http://evil.org\\.example.org/",
            "http://example.org\t.evil.org/",
            "http://exam\nple.org/",
            " http://example.org/",
            "http://example.org/a b",
            "http://exämple.org/",
            "http://example。org/",
            "http://ｅxample.org/",
            "http://ex%61mple.org/",
            "http://example..org/",
            "http://./",
            "http://example.org:99999/",
            "http://example.org:80a/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://256.1.1.1/",
            "http://[::1/",
            "http://[::g]/",
            "http://[fe80::1%25eth0]/",
        ],
    )
    def test_what_two_readers_could_take_for_two_hosts_is_none(self, url: str) -> None:
        """Credentials, backslashes, hidden characters, other scripts, odd numbers and other schemes."""
        assert host_of(url) is None
        assert not allowed(url, ["*", "example.org", "127.0.0.1"])

    @given(st.text("htps:/.@[]\\#?%0a1x\t ", max_size=20))
    def test_no_text_breaks_it(self, text: str) -> None:
        """Any text either names one plain host or none."""
        for url in (text, f"http://{text}", f"http://example.org{text}"):
            found = host_of(url)
            assert found is None or (found[0] == found[0].lower() and found[0].strip(".@/ "))

    @given(st.text("a.-:@\\/#?", max_size=12), st.text("a.-:@\\/#?", max_size=12))
    def test_a_named_host_is_the_one_before_the_path(self, before: str, after: str) -> None:
        """Whatever stands around it, `example.org` is reached only as the whole host."""
        url = f"http://{before}example.org{after}"
        if allowed(url, ["example.org"]):
            assert before == ""
            assert after == "" or after.lstrip(".:")[:1] in ("", "/", "?", "#")


class TestNames:
    """What a goal's pattern covers."""

    @pytest.mark.parametrize(
        ("pattern", "url", "covers"),
        [
            ("example.org", "https://example.org/a", True),
            ("Example.ORG", "https://EXAMPLE.org", True),
            ("example.org", "https://www.example.org", False),
            ("example.org", "https://example.org.evil.net", False),
            ("example.org", "https://notexample.org", False),
            ("example.org", "http://example.org:8080", False),
            ("example.org:8080", "http://example.org:8080", True),
            ("example.org:8080", "http://example.org", False),
            ("*.example.org", "https://a.example.org", True),
            ("*.example.org", "https://a.b.example.org", True),
            ("*.example.org", "https://example.org", False),
            ("*.example.org", "https://evilexample.org", False),
            ("*.example.org", "http://a.example.org:81", False),
            ("*", "https://anything.net", True),
            ("*", "https://anything.net:81", False),
            ("127.0.0.1:81", "http://127.0.0.1:81", True),
            ("[::1]:81", "http://[0:0::1]:81", True),
            ("[::1]", "http://[::1]", True),
            ("[::1]", "http://[::1]:81", False),
            ("", "http://example.org", False),
        ],
    )
    def test_pattern(self, pattern: str, url: str, covers: bool) -> None:
        """The exact host and port, or what is beneath a suffix."""
        assert allowed(url, [pattern]) is covers

    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "[::1]",
            "[fd00::1]",
            "localhost",
            "a.local",
        ],
    )
    def test_a_star_covers_nothing_private(self, host: str) -> None:
        """This machine and its network must be named."""
        assert not allowed(f"http://{host}/", ["*", "*.local"])
        assert allowed(f"http://{host}/", [host])
        assert is_private(host.strip("[]"))

    def test_a_wildcard_names_no_host_exactly(self) -> None:
        """Only the very host counts as named by the user."""
        assert named_exactly("https://example.org", ["*", "example.org"])
        assert not named_exactly("https://www.example.org", ["*", "*.example.org", "example.org"])

    def test_nothing_is_allowed_without_patterns(self) -> None:
        """No network is the default."""
        assert not allowed("https://example.org", [])
