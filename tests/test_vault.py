"""Where bound secrets come from, and what is said when they can't."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from autoagent.errors import UsageError
from autoagent.secrecy import BoundSecret
from autoagent.settings import SecretSettings, load
from autoagent.vault import bound_secrets

HOST = "api.test"


def one(
    home: Path, table: SecretSettings | None = None, environment: dict[str, str] | None = None
) -> BoundSecret:
    (found,) = bound_secrets({"KEY": HOST}, {"KEY": table} if table else {}, environment or {}, home)
    return found


def in_file(home: Path, text: str, mode: int = 0o600) -> None:
    home.mkdir(exist_ok=True)
    (home / "secrets.toml").write_text(text)
    (home / "secrets.toml").chmod(mode)


class TestSources:
    """The environment, a file, a keyring."""

    def test_environment(self, tmp_path: Path) -> None:
        """Its own name is the variable's, and it is sent as a bearer's token."""
        found = one(tmp_path, environment={"KEY": "value-of-it\n"})

        assert (found.host, found.header, found.header_value) == (HOST, "authorization", "Bearer value-of-it")

    def test_file(self, tmp_path: Path) -> None:
        """What the environment lacks is looked up in the file."""
        in_file(tmp_path, 'KEY = "value-of-it"')

        assert one(tmp_path).value.get_secret_value() == "value-of-it"

    def test_settings(self, tmp_path: Path) -> None:
        """config.toml names source, key, header and format."""
        (tmp_path / "config.toml").write_text(
            '[secrets.KEY]\nsource = "env"\nkey = "OTHER"\nheader = "X-Api-Key"\nformat = "k={}"\n'
        )
        table = load(tmp_path, {}).secrets["KEY"]
        found = one(tmp_path, table, {"OTHER": "value-of-it", "KEY": "not this one"})

        assert (found.header, found.header_value) == ("x-api-key", "k=value-of-it")

    def test_keyring(self, tmp_path: Path, ring: dict[str, str]) -> None:
        """Of the desktop, under the service's name."""
        ring["autoagent KEY"] = "value-of-it"

        assert one(tmp_path, SecretSettings(source="keyring")).value.get_secret_value() == "value-of-it"

    def test_it_is_never_shown(self, tmp_path: Path) -> None:
        """A value that is printed by mistake shows nothing."""
        assert "value-of-it" not in repr(one(tmp_path, environment={"KEY": "value-of-it"}))


class TestProblems:
    """What can't be had is said before the run begins."""

    @pytest.mark.parametrize(
        ("source", "remedy"),
        [
            (None, "set the variable KEY, or put a line"),
            ("env", "set the variable KEY"),
            ("file", r"secrets\.toml \(chmod 600\)"),
            ("keyring", "keyring set autoagent KEY"),
        ],
    )
    def test_unset(self, tmp_path: Path, ring: dict[str, str], source: str | None, remedy: str) -> None:
        """The remedy fits the source."""
        table = SecretSettings.model_validate({"source": source})
        with pytest.raises(UsageError, match=remedy):
            one(tmp_path, table)

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o606, 0o660])
    def test_others_may_read_it(self, tmp_path: Path, mode: int) -> None:
        """Such a file is refused, and how to mend it is said."""
        in_file(tmp_path, 'KEY = "value-of-it"', mode)
        with pytest.raises(UsageError, match=rf"mode {mode:o}.*chmod 600"):
            one(tmp_path)

    @pytest.mark.parametrize("text", ["KEY = value-of-it", "KEY = 5", "KEY = [1]"])
    def test_no_secret_in_it(self, tmp_path: Path, text: str) -> None:
        """The mistake is told without the line that holds the secret."""
        in_file(tmp_path, text)
        with pytest.raises(UsageError, match=r"secrets\.toml") as caught:
            one(tmp_path)

        assert "value-of-it" not in str(caught.value)

    def test_too_short(self, tmp_path: Path) -> None:
        """What can't be told from other text can't be kept out of the record."""
        with pytest.raises(UsageError, match="less than 8 characters"):
            one(tmp_path, environment={"KEY": "pass"})

    def test_two_for_one_header(self, tmp_path: Path) -> None:
        """Two secrets of one host need two headers."""
        environment = {"KEY": "value-of-it", "OTHER": "another-one"}
        with pytest.raises(UsageError, match=r"\[secrets.OTHER\] header"):
            bound_secrets({"KEY": HOST, "OTHER": HOST}, {}, environment, tmp_path)

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ('value = "hunter2"', "no key stands in this file"),
            ('header = "Host"', "only the client writes"),
            ('header = "a b"', "pattern"),
            ('format = "Bearer"', "once, where the secret goes"),
            ('source = "vault"', "env"),
        ],
    )
    def test_settings(self, tmp_path: Path, line: str, said: str) -> None:
        """A wrong table names its key."""
        (tmp_path / "config.toml").write_text(f"[secrets.KEY]\n{line}\n")
        with pytest.raises(UsageError, match=said):
            load(tmp_path, {})


class _Ring(KeyringBackend):  # type: ignore[misc]
    """A keyring in memory."""

    priority = 1.0

    def __init__(self, kept: dict[str, str]) -> None:
        super().__init__()
        self._kept = kept

    def get_password(self, service: str, username: str) -> str | None:
        return self._kept.get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._kept[f"{service} {username}"] = password


@pytest.fixture
def ring() -> Iterator[dict[str, str]]:
    """A real backend of keyring's, in memory: "service name" -> value."""
    kept: dict[str, str] = {}
    before = keyring.get_keyring()
    keyring.set_keyring(_Ring(kept))
    yield kept
    keyring.set_keyring(before)
