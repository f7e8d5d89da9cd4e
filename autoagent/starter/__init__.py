"""A plugin's package to begin with: what `plugins new` writes.

The folders here are the package as files, for a plugin named `sample`: `every` belongs to each, the others
show a tool of one effect. Where they say `sample`, the new one's name is put.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from autoagent.errors import UsageError
from autoagent.plugin_host.installed import installed

Shown = Literal["read", "write", "external"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HERE = Path(__file__).parent
_PLACEHOLDER = "sample"


def make(name: str, into: Path, shown: Shown = "read") -> Path:
    """Write the package of a new plugin into a new folder, and return that. Raises `UsageError`."""
    _check(name)
    folder = into / f"autoagent-{name.replace('_', '-')}"
    try:
        folder.mkdir()
    except FileExistsError:
        raise UsageError(f"{folder} is there already, and nothing was written; move it away") from None
    except OSError as error:
        raise UsageError(f"{folder} can't be made: {error.strerror}") from None
    for source, path in _files(shown):
        target = folder / path.replace(_PLACEHOLDER, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_named(source.read_text(encoding="utf-8"), name), encoding="utf-8")
    return folder


def _check(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        near = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")[:40].rstrip("_")
        meant = f"; {near!r} would do" if _NAME.fullmatch(near) and not keyword.iskeyword(near) else ""
        raise UsageError(
            f"{name!r} can't be a plugin's name: it takes small letters a to z, digits and '_', "
            f"begins with a letter, has 40 at most and is no word of Python{meant}"
        )
    taken = next((f"{p.package} {p.version}" for p in installed() if p.name == name), None)
    if taken is not None:
        raise UsageError(f"the plugin {name!r} is there already, in {taken}; choose another name")
    if find_spec(f"autoagent_{name}") is not None:
        raise UsageError(f"a package autoagent_{name} is installed already; choose another name")


def _files(shown: Shown) -> Iterator[tuple[Path, str]]:
    """Each file of the package, and its path there."""
    for part in ("every", shown):
        folder = _HERE / part
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file, file.relative_to(folder).as_posix()


def _named(text: str, name: str) -> str:
    dist = f"autoagent-{_PLACEHOLDER}"
    return text.replace(dist, f"autoagent-{name.replace('_', '-')}").replace(_PLACEHOLDER, name)
