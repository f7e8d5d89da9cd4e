"""Recordings: what a run's models replied, kept in a file, with what the replies were made of.

The file is JSON lines: a header, then one line a reply. `llm.recorded` plays it, `llm.recording_of_run` makes
it from a journal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from autoagent.errors import NewerVersion, RecordingMiss, UsageError
from autoagent.messages import Frozen, Reply
from autoagent.ports import ModelRole
from autoagent.redact import one_line, visible

VERSION = 1
FILE_NAME = "recording.jsonl"
"""A workspace's own recording."""

Style = Literal["tools", "code"]
Key = tuple[str, ModelRole, int]
"""Lane, role and number of a reply."""


class RecordingHeader(Frozen):
    """What a recording was made of: its first line."""

    recording: int = VERSION
    """Version of the format."""
    goal: str
    """Digest of the goal."""
    inputs: dict[str, str] = Field(default={})
    """Files at the start: path -> SHA-256, without those that the run itself wrote."""
    outputs: tuple[str, ...] = ()
    """Paths that the run wrote: they may be there already, for example from a run of this recording."""
    made_by: str
    """Name of the model, or `scripted`."""
    style: Style = "tools"


class RecordedReply(Frozen):
    """One reply and what it answers to."""

    lane: str
    role: ModelRole
    number: int = Field(ge=1)
    outcomes: tuple[bool, ...] = ()
    """How each call of the reply before it ended."""
    tools: tuple[str, ...] = ()
    """Tools that the reply used well, in its calls or in its script."""
    reply: Reply
    request: str | None = None
    """Digest of the whole request, for `strict`."""

    @property
    def key(self) -> Key:
        return (self.lane, self.role, self.number)


@dataclass(frozen=True)
class Recording:
    """A header and its replies, each key at most once."""

    header: RecordingHeader
    replies: tuple[RecordedReply, ...]

    @cached_property
    def by_key(self) -> Mapping[Key, RecordedReply]:
        return {reply.key: reply for reply in self.replies}

    def check_inputs(self, goal_digest: str, files: Mapping[str, str]) -> None:
        """Raise `RecordingMiss` unless the goal and the input files (path -> SHA-256) are as recorded.

        Files that weren't there then are no difference, and neither is what the recorded run wrote.
        """
        if goal_digest != self.header.goal:
            raise RecordingMiss(
                "the recording is of another goal, or of this one before it was changed; run it with a model"
            )
        present = {visible(path): sha256 for path, sha256 in files.items()}
        changed = [p for p, sha256 in self.header.inputs.items() if present.get(p, sha256) != sha256]
        missing = [p for p in self.header.inputs if p not in present]
        if changed or missing:
            said = [f"{p} has changed" for p in changed] + [f"{p} is missing" for p in missing]
            raise RecordingMiss(
                f"the input files are not as recorded: {_some(said)}; restore them, or run with a model"
            )


def write_recording(path: Path, header: RecordingHeader, replies: Iterable[RecordedReply]) -> None:
    """Write a recording as JSON lines, replacing what was there."""
    lines = [_line(header), *(_line(reply) for reply in replies)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def sha256_of(recording: str) -> str:
    """Of a recording's file; empty where there is none of that name."""
    path = Path(recording)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def read_recording(path: Path) -> Recording:
    """The recording in a file. Raises `UsageError` that names the line, `NewerVersion`."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is no recording: it isn't UTF-8") from error
    return Recording(_header(path, lines), tuple(_replies(path, lines)))


def _header(path: Path, lines: Sequence[str]) -> RecordingHeader:
    first = _parsed(path, 1, lines[0] if lines else "")
    version = first.get("recording") if isinstance(first, dict) else None
    if not isinstance(version, int):
        raise UsageError(
            f'{path}:1: is no recording: its first line must be a header with "recording": {VERSION}'
        )
    if version > VERSION:
        raise NewerVersion(f"the recording {path}", version, VERSION)
    return _checked(path, 1, RecordingHeader, first)


def _replies(path: Path, lines: Sequence[str]) -> Iterator[RecordedReply]:
    seen: dict[Key, int] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        reply = _checked(path, number, RecordedReply, _parsed(path, number, line))
        if (before := seen.setdefault(reply.key, number)) != number:
            which = f"reply {reply.number} of the {reply.role} in lane {reply.lane!r}"
            raise UsageError(f"{path}:{number}: {which} stands in line {before} already; remove one of them")
        yield reply


Stored = TypeVar("Stored", bound=Frozen)


def _checked(path: Path, number: int, kind: type[Stored], value: object) -> Stored:
    try:
        return kind.model_validate_json(json.dumps(value))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "the line"
        raise UsageError(f"{path}:{number}: {one_line(where, 60)}: {first['msg']}") from None


def _parsed(path: Path, number: int, line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}:{number}: is no JSON: {error}") from None


def _line(stored: Frozen) -> str:
    """One line of the file; what has its usual value is left out, except the header's version."""
    fields = stored.model_dump(mode="json", exclude_defaults=True)
    if isinstance(stored, RecordingHeader):
        fields = {"recording": stored.recording, **fields}
    return json.dumps(fields, ensure_ascii=False)


def _some(said: Sequence[str], most: int = 5) -> str:
    more = f" and {len(said) - most} more" if len(said) > most else ""
    return ", ".join(said[:most]) + more
