"""Rules about paths inside a workspace. Pure text: nothing here looks at a disk.

A workspace path is relative, has `/` between names, no `.` or `..`, and is `.` for the workspace itself.
Bytes of a name that are no UTF-8 stand as surrogates (PEP 383), in the one spelling that decoding gives.

A root, as goals write it in `read`, `write`, `protect` and `private`, is one of

- `.`, everything;
- `notes/` or `notes`, that path and everything beneath it (a file's name is a root of one file);
- a glob, where a name holds `*`, `?` or `[`: `*` and `?` stay within one name, `**` as a whole name stands
  for any number of names (none too), `[a-z]` and `[!a-z]` are sets. A glob starts at the workspace's own
  folder: `*.md` is not `docs/a.md`, which `**/*.md` is. What a glob matches may be a folder: everything
  beneath it is meant too.

Upper and lower case differ, a leading dot is not special, and a leading `./` says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from autoagent.errors import ToolError
from autoagent.redact import one_line, visible

MOUNT = "/workspace"
"""Where the sandbox shows the workspace: a model that read an absolute path there may write it back."""

NAME_LIMIT_BYTES = 255
"""What Linux and macOS file systems take for one name."""
PATH_LIMIT_BYTES = 4000
"""What the agent may write; deeper paths of the user's own are read all the same."""

ROOT = "."


def workspace_path(text: str) -> str:
    """The workspace path that `text` means. Raises `ToolError` for what isn't one; the model reads why."""
    if not text.strip():
        raise ToolError("`path` is empty; write a path inside the workspace, for example 'notes/a.md'")
    if "\0" in text:
        raise ToolError(f"the path {one_line(text)!r} holds a NUL character, which no file name can")
    names = _resolve(_canonical(text), text)
    path = "/".join(names)
    if len(raw(path)) > PATH_LIMIT_BYTES or any(len(raw(name)) > NAME_LIMIT_BYTES for name in names):
        raise ToolError(
            f"the path {one_line(text, 60)!r} is too long: one name has at most {NAME_LIMIT_BYTES} bytes, "
            f"a whole path {PATH_LIMIT_BYTES}"
        )
    return path or ROOT


def raw(text: str) -> bytes:
    """The bytes of a path or name as the disk has them. Raises `UnicodeEncodeError` for other surrogates."""
    return text.encode("utf-8", "surrogateescape")


def from_raw(data: bytes) -> str:
    """The one spelling of a raw path or name."""
    return data.decode("utf-8", "surrogateescape")


def parent(path: str) -> str:
    """The folder that holds `path`; `.` for a name in the workspace's own folder."""
    return path.rpartition("/")[0] or ROOT


def join(folder: str, name: str) -> str:
    return name if folder == ROOT else f"{folder}/{name}"


def spelled(path: str) -> str:
    """A path on one line with nothing hidden, spaces as they are: for models and people, not for opening."""
    return visible(path).replace("\n", "\\n").replace("\t", "\\t")


def is_beneath(path: str, roots: Iterable[str]) -> bool:
    """Whether a workspace path is meant by one of the roots."""
    return any(_matches(path, root) for root in roots)


def overlaps(path: str, roots: Iterable[str]) -> bool:
    """Whether a path is meant by a root or may hold what a root means.

    Asked before a whole folder is moved or deleted. For a glob the answer errs to yes: it looks only at the
    names before its first `*`, `?` or `[`.
    """
    return any(_matches(path, root) or _may_hold(path, root) for root in roots)


def _canonical(text: str) -> str:
    try:
        return from_raw(raw(text))
    except UnicodeEncodeError:
        raise ToolError(
            f"the path {one_line(text)!r} holds half of a character (a lone surrogate); write it whole"
        ) from None


def _resolve(path: str, text: str) -> list[str]:
    if path == MOUNT or path.startswith(MOUNT + "/"):
        path = path.removeprefix(MOUNT).lstrip("/")
    elif path.startswith("/"):
        raise ToolError(
            f"the path {one_line(text)!r} is absolute; write a path relative to the workspace, "
            "for example 'notes/a.md'"
        )
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            if not names:
                raise ToolError(f"the path {one_line(text)!r} leads out of the workspace; stay inside it")
            names.pop()
        elif name not in ("", "."):
            names.append(name)
    return names


def _plain(root: str) -> str:
    while root.startswith("./"):
        root = root[2:].lstrip("/")
    return root.rstrip("/") or ROOT


def is_glob(root: str) -> bool:
    return any(c in root for c in "*?[")


def _matches(path: str, root: str) -> bool:
    root = _plain(root)
    if root == ROOT:
        return True
    if path == root or path.startswith(root + "/"):
        return True
    return is_glob(root) and _glob(root).match(path) is not None


def _may_hold(path: str, root: str) -> bool:
    if path == ROOT:
        return True
    names = _plain(root).split("/")
    sure = [name for name, _ in zip(names, _until_glob(names), strict=False)]
    own = path.split("/")
    if len(sure) < len(names):  # a glob: its sure names lead to the path, or the path to them
        shorter = min(len(sure), len(own))
        return sure[:shorter] == own[:shorter]
    return sure[: len(own)] == own


def _until_glob(names: list[str]) -> Iterable[str]:
    for name in names:
        if is_glob(name):
            return
        yield name


@lru_cache(maxsize=1024)
def _glob(root: str) -> re.Pattern[str]:
    """A glob as a pattern over whole paths and everything beneath them."""
    names = root.split("/")
    parts: list[str] = []
    for name, last in zip(names, [False] * (len(names) - 1) + [True], strict=True):
        if name == "**":
            parts.append(".+" if last else "(?:[^/]+/)*")
        else:
            parts.append(_name_pattern(name) + ("" if last else "/"))
    return re.compile("".join(parts) + r"(?:/.*)?\Z", re.DOTALL)


def _name_pattern(name: str) -> str:
    """One name of a glob; a `[` that is never closed means itself."""
    out, at = "", 0
    while at < len(name):
        char = name[at]
        closing = name.find("]", at + (3 if name[at + 1 : at + 2] == "!" else 2)) if char == "[" else -1
        if closing > 0:
            out += _set_pattern(name[at + 1 : closing])
            at = closing
        else:
            out += {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
        at += 1
    return out


def _set_pattern(inside: str) -> str:
    negated, members = inside.startswith("!"), inside.removeprefix("!")
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members)
    return f"(?!/)[{'^' if negated else ''}{escaped}]"
