"""Where the secrets come from that a goal binds to hosts: the environment, a 0600 file, or a keyring.

Read when a run is carried, before anything has begun; never from a workspace.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import SecretStr

from autoagent.door.extras import needs
from autoagent.errors import UsageError
from autoagent.redact import one_line
from autoagent.secrecy import SHORTEST, BoundSecret
from autoagent.settings import SecretSettings

FILE_NAME = "secrets.toml"
SERVICE = "autoagent"
"""Under which a keyring keeps them."""


def bound_secrets(
    bound: Mapping[str, str],
    tables: Mapping[str, SecretSettings],
    environment: Mapping[str, str],
    home: Path,
) -> tuple[BoundSecret, ...]:
    """The secrets of a goal: name -> host. Raises `UsageError` for one that isn't there, or is no secret."""
    found: list[BoundSecret] = []
    for name, host in bound.items():
        table = tables.get(name, SecretSettings())
        value = _value(name, table, environment, home / FILE_NAME)
        if not value:
            remedy = _remedy(name, table, home / FILE_NAME)
            raise UsageError(f"the goal binds the secret {name} to {host}, and it isn't set; {remedy}")
        if len(value) < SHORTEST:
            raise UsageError(
                f"the secret {name} has less than {SHORTEST} characters: it could not be told from other "
                "text, to be kept out of the record; use a longer one"
            )
        found.append(BoundSecret(name, host, SecretStr(value), table.header.lower(), table.format))
    _refuse_rivals(found)
    return tuple(found)


def _refuse_rivals(found: list[BoundSecret]) -> None:
    taken: dict[tuple[str, str], str] = {}
    for secret in found:
        other = taken.setdefault((secret.host, secret.header), secret.name)
        if other != secret.name:
            raise UsageError(
                f"the secrets {other} and {secret.name} would both be the header {secret.header!r} at "
                f"{secret.host}; name another one in config.toml: [secrets.{secret.name}] header = ..."
            )


def how_to_set(name: str, table: SecretSettings, environment: Mapping[str, str], home: Path) -> str | None:
    """What to do so that a secret can be had; `None` where it can. Raises `UsageError` as `bound_secrets`."""
    file = home / FILE_NAME
    return None if _value(name, table, environment, file) else _remedy(name, table, file)


def _value(name: str, table: SecretSettings, environment: Mapping[str, str], file: Path) -> str:
    """Empty where it isn't set. Raises `UsageError` for a source that can't be read."""
    key = table.key or name
    sources: dict[str, Callable[[], str]] = {
        "env": lambda: environment.get(key, ""),
        "file": lambda: _in_file(file, key),
        "keyring": lambda: _in_keyring(key),
    }
    for source in ("env", "file") if table.source is None else (table.source,):
        if value := sources[source]().strip():
            return value
    return ""


def _remedy(name: str, table: SecretSettings, file: Path) -> str:
    key = table.key or name
    where = {
        "env": f"set the variable {key}",
        "file": f"put a line '{key} = \"...\"' into {file} (chmod 600)",
        "keyring": f"run: keyring set {SERVICE} {key}",
    }
    return where[table.source] if table.source else f"{where['env']}, or {where['file']}"


def _in_file(path: Path, key: str) -> str:
    """Empty where the file, or the key in it, isn't there. Raises `UsageError`."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
                raise UsageError(
                    f"{path}: others may read or write it (mode {stat.S_IMODE(status.st_mode):o}); "
                    f"no secret is taken from it: chmod 600 {path}, and have it belong to you"
                )
            table = tomllib.loads(file.read().decode())
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # the parser's own words may quote the line
        raise UsageError(f'{path}: is no TOML; expected lines like {key} = "..."') from None
    value = table.get(key, "")
    if not isinstance(value, str):
        raise UsageError(f"{path}: {key} is no text; write it in quotes")
    return value


def _in_keyring(key: str) -> str:
    """Raises `UsageError` where there is no keyring, or it stays closed."""
    with needs("keyring", UsageError):
        import keyring
        from keyring.errors import KeyringError
    try:
        return keyring.get_password(SERVICE, key) or ""
    except KeyringError as error:
        instead = 'take it from a variable or a file instead: source = "env" or "file"'
        raise UsageError(
            f"the keyring can't be asked for {key} ({one_line(str(error), 200)}); {instead}"
        ) from error
