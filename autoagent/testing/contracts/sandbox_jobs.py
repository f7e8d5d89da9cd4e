"""What the sandbox suites share: working copies in memory, and one way to run a job on them."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from textwrap import dedent
from typing import BinaryIO, Literal

from autoagent.ports import CallTool, Job, JobResult, Sandbox, ScriptFunction
from autoagent.trees import Tree, TreeEntry, WorkingCopy

LOOKUP = ScriptFunction("lookup", ("topic", "limit"), "Looks a topic up.")


class HeldObjects:
    """Objects in memory, as much of `ports.Objects` as a working copy needs."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        self._held[name] = bytes(data)
        return name

    def get(self, sha256: str) -> bytes:
        return self._held[sha256]

    def open(self, sha256: str) -> BinaryIO:
        return io.BytesIO(self._held[sha256])


def working_copy(
    files: Mapping[str, str | bytes] | None = None, links: Mapping[str, str] | None = None
) -> WorkingCopy:
    """A working copy that holds `files` and `links` (name -> target); folders between are made."""
    objects = HeldObjects()
    entries = {
        path: TreeEntry("link", 0o777, len(target.encode()), objects.put(target.encode()))
        for path, target in (links or {}).items()
    }
    copy = WorkingCopy(Tree(entries, ""), objects)
    for path, content in (files or {}).items():
        copy.write(path, content.encode() if isinstance(content, str) else content)
    return copy


def contents(files: WorkingCopy) -> dict[str, bytes]:
    """Every file of a working copy with its bytes; folders and links are left out."""
    found = {path: files.stat(path) for path in files.paths()}
    return {path: files.read(path) for path, entry in found.items() if entry and entry.kind == "file"}


async def run(
    sandbox: Sandbox,
    source: str,
    files: WorkingCopy | None = None,
    *,
    kind: Literal["python", "shell", "script", "check"] = "python",
    lane: str = "main",
    timeout_s: float = 30,
    output_limit_bytes: int = 64_000,
    call_tool: CallTool | None = None,
    functions: Sequence[ScriptFunction] = (LOOKUP,),
) -> JobResult:
    """Run one job, `source` dedented; with a `call_tool` it sees `functions`."""
    job = Job(kind, guest(source), timeout_s=timeout_s, output_limit_bytes=output_limit_bytes)
    copy = working_copy() if files is None else files
    return await sandbox.run(lane, job, copy, functions if call_tool else (), call_tool)


def guest(source: str) -> str:
    """Code of a triple-quoted string: dedented, beginning with its first line."""
    return dedent(source).lstrip("\n")


def answering(reply: Callable[[Mapping[str, object]], str]) -> CallTool:
    """A `call_tool` that answers every function by `reply(arguments)`."""

    async def call_tool(name: str, args: Mapping[str, object]) -> str:
        await asyncio.sleep(0)
        return reply(args)

    return call_tool


def raising(error: Exception) -> CallTool:
    """A `call_tool` that raises `error` for every call."""

    async def call_tool(name: str, args: Mapping[str, object]) -> str:
        raise error

    return call_tool


def assert_unchanged(result: JobResult, files: WorkingCopy, before: Mapping[str, bytes]) -> None:
    """The job failed, says that nothing was changed, and nothing was."""
    assert not result.ok
    assert "nothing was changed" in result.problem
    assert contents(files) == before
