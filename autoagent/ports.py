"""The ports: everything that the core asks of the world, on one page.

Implementations live at the edge (`journal/`, `folder/`, `llm/`, `memory/`, `sandboxes/`) and each runs its
port's contract suite from `autoagent.testing.contracts`. Only `autoagent.means` and `autoagent.wiring` pick
them.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol, TypedDict, Unpack

from pydantic import Field

from autoagent.commands import Command
from autoagent.errors import ToolError
from autoagent.events import Entry, Forked
from autoagent.messages import Frozen, Message, Reply
from autoagent.reach import Reach
from autoagent.trees import Tree, WorkingCopy

if TYPE_CHECKING:
    from httpx2 import AsyncBaseTransport

# --- journal and objects ------------------------------------------------------------------------------------


class RunHead(Frozen):
    """A run as a list shows it."""

    id: str
    workspace: str
    created_at: datetime
    entries: int
    last_at: datetime | None
    last_kind: str | None


class Lease(Frozen):
    """The right to write a run; fenced by its epoch."""

    run_id: str
    workspace: str
    epoch: int
    holder: str
    """Who has it, for people: `host:pid`."""


class SentCommand(Frozen):
    """A command as it stands in the second stream."""

    number: int
    """From 1, without gaps, a run."""
    at: datetime
    by: str
    command: Command


class Verification(Frozen):
    """Whether a run's entries are what was written."""

    run: str
    entries: int
    """How many are good, from the first on without a gap."""
    head: str
    """Link of the last good entry, hex: stands for all entries up to it. Empty where there is none."""
    first_bad: int | None = None
    """The first entry that isn't what was written, or isn't there; `None` where the run is whole."""
    why: str = ""
    kind: str = ""
    """Of the first bad entry, as far as it can be read."""
    at: datetime | None = None
    """As `kind`."""
    blanked: tuple[int, ...] = ()
    """Entries in which a secret was masked; the rest of them is only as sure as the file."""
    unchained: int = 0
    """So many entries were written before there was a chain; one value covers them all."""


class Blanked(Frozen):
    """What `Journal.blank` did."""

    entries: tuple[int, ...]
    commands: tuple[int, ...]
    """Numbers of the commands that held the secret."""


class Objects(Protocol):
    """Immutable bytes named by their SHA-256 (hex).

    An object is readable at once after `put`, and durable no later than any entry appended after it.
    """

    def put(self, data: bytes) -> str: ...

    def put_stream(self, stream: BinaryIO) -> tuple[str, int]:
        """Store all of `stream` without holding it in memory; (hash, size in bytes)."""
        ...

    def get(self, sha256: str) -> bytes:
        """Raises `StoreUnavailable` where it isn't there or its bytes don't match its name; `ObjectBlanked`
        where they were removed on purpose.
        """
        ...

    def open(self, sha256: str) -> BinaryIO:
        """As `get`, for large objects."""
        ...

    def has(self, sha256: str) -> bool: ...


class Journal(Protocol):
    """Append-only entries and commands of runs. One writer a run, many readers.

    Entries form a chain of hashes, so that `verify` finds one that was edited, moved, taken out or put in.
    Reading is synchronous and sees every entry appended through this object. `append` is synchronous and
    returns at once; `durable` waits until all of it is on disk.
    """

    @property
    def objects(self) -> Objects: ...

    def runs(self) -> Sequence[RunHead]:
        """All runs, newest first."""
        ...

    def create(self, run_id: str, workspace: str) -> None:
        """A new, empty run. Raises `UsageError` where the id is taken or isn't printable."""
        ...

    def remove(self, run_id: str) -> None:
        """Forget a run, its entries and commands, for good; objects stay.

        Raises `UsageError` for an unknown run and for one that another was forked from, `RunOwned` where a
        living process carries it.
        """
        ...

    def head(self, run_id: str) -> RunHead:
        """Raises `UsageError` for an unknown run."""
        ...

    def read(self, run_id: str, after: int = 0, upto: int | None = None) -> list[Entry]:
        """Entries with `seq > after`, and `seq <= upto` where it is given, in order.

        Raises `NewerVersion`; `StoreDamaged`; `UsageError` for an unknown run.
        """
        ...

    def link(self, run_id: str) -> str:
        """The link of the last entry that is committed, hex; empty for a run without any."""
        ...

    def verify(self, run_id: str, upto: int | None = None) -> Verification:
        """Check the chain, as far as entry `upto`. Raises `UsageError` for an unknown run."""
        ...

    def fork(self, run_id: str, at: int, new_id: str, forked: Forked) -> None:
        """A new run: the entries of `run_id` up to `at`, which the two share, then `forked`.

        All or nothing, and durable when it returns. The chain goes on from entry `at`. Needs no lease.
        Raises `UsageError` for an unknown run, a taken id and an entry that isn't there; `StoreDamaged`
        where one up to `at` isn't what was written.
        """
        ...

    def blank(self, run_id: str, secret: str, objects: Sequence[str] = ()) -> Blanked:
        """Replace `secret` by `MASK` in what the run's entries and commands say, however JSON escapes it.

        The entries keep their digests and are marked, so that the chain still holds. The bytes of `objects`,
        which can't change without another name, are removed: `get` says that they were blanked. Where the
        journal is on disk the secret is gone from its files when it returns. Raises `RunOwned` where a
        process carries the run; `UsageError` for a secret without which an entry couldn't be read; nothing
        is changed then.
        """
        ...

    def acquire(self, run_id: str, holder: str) -> Lease:
        """The lease of the run and of its folder, with the next epoch.

        A living holder's lease isn't taken: raises `RunOwned`. A dead holder's is, and that of one who wasn't
        heard of for long.
        """
        ...

    def holds(self, lease: Lease) -> bool:
        """Whether the lease holds at this moment, as every process sees it; quick, on any thread."""
        ...

    def renew(self, lease: Lease) -> None:
        """Heartbeat. Raises `JournalConflict` where the lease was lost."""
        ...

    def release(self, lease: Lease) -> None: ...

    def append(self, lease: Lease, entries: Sequence[Entry], *, sync: bool = False) -> None:
        """Queue entries, in order and all or none; with `sync` they are fsynced when `durable` returns.

        Raises `JournalConflict` if the run has other entries than expected or the epoch is stale, here or at
        each later call; `ValueError` for entries that can't be stored (NaN, a time without a zone).
        """
        ...

    async def durable(self) -> None:
        """Return when everything appended so far is committed. Raises what `append` could not."""
        ...

    def follow(self, run_id: str, after: int = 0) -> AsyncIterator[Entry]:
        """Entries as they are committed, by any process, without end."""
        ...

    def send(self, run_id: str, command: Command, by: str) -> SentCommand:
        """Append a command; durable when it returns. Raises `UsageError` for an unknown run."""
        ...

    def commands(self, run_id: str, after: int = 0) -> list[SentCommand]: ...

    def close(self) -> None:
        """Write what is queued, release the leases still held, and let go. Raises what `append` could not."""
        ...


# --- the user's folder --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Projection:
    """What `project` did."""

    written: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    """Paths that held neither the old nor the new content: a person's, left alone."""


class Folder(Protocol):
    """The user's folder: the only door to it."""

    def scan(self) -> Tree:
        """The folder as it is, its contents stored as objects. Cheap where nothing changed."""
        ...

    def project(self, old: Tree, new: Tree, check: Callable[[], None] = lambda: None) -> Projection:
        """Make the folder hold `new` where it held `old`. Idempotent; never overwrites a person's change.

        `check` is called before each change of a path; what it raises ends the projection, and the next one
        goes on from there.
        """
        ...


# --- models -------------------------------------------------------------------------------------------------

ModelRole = Literal["planner", "worker", "judge"]


@dataclass(frozen=True)
class ToolSchema:
    """A tool as a model sees it."""

    name: str
    description: str
    parameters: Mapping[str, object]
    """JSON schema of an object."""

    @cached_property
    def wire(self) -> bytes:
        """The tool as JSON for chat completions, always the same bytes."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return json.dumps({"type": "function", "function": function}, separators=(",", ":")).encode()

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of `wire`, taken once."""
        return hashlib.sha256(self.wire).digest()


@dataclass(frozen=True)
class ModelRequest:
    """Everything that one completion needs."""

    role: ModelRole
    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...]
    max_tokens: int
    temperature: float = 0.0
    lane: str = "main"
    number: int = 1
    """Counts the requests of (lane, role), from 1."""
    outcomes: tuple[bool, ...] = ()
    """How each call of the reply before this one ended; with lane, role and number, a recording's key."""
    require_tool: bool = False
    """The reply must be a tool call, where the server can enforce it."""


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    prompt: Decimal = Decimal(0)
    completion: Decimal = Decimal(0)


class Model(Protocol):
    """A model behind one connection.

    `reply` retries what is worth retrying, and raises `ModelUnavailable` when it gives up (`RecordingMiss`
    for a recording). A malformed reply is repaired where its meaning is certain, else it comes back as text.
    Cancelling ends the stream at once.
    """

    @property
    def name(self) -> str: ...

    @property
    def style(self) -> Literal["tools", "code"]:
        """How it acts best: native tool calls, or one Python script a turn."""
        ...

    @property
    def price(self) -> Price: ...

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None] | None = None) -> Reply: ...

    async def close(self) -> None: ...


# --- sandbox ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Abilities:
    """What a sandbox can run; tools, prompts and criteria follow it."""

    name: str
    """`docker`, `monty`."""
    python: Literal["full", "subset"]
    shell: bool
    packages: tuple[str, ...] = ()
    """Importable besides the standard library."""
    notes: str = ""
    """For the prompt: what is missing, in a sentence or two."""


@dataclass(frozen=True)
class Job:
    """One fresh process."""

    kind: Literal["python", "shell", "script", "check"]
    """`check` is a command line whose exit status is a verdict; its files are thrown away."""
    source: str
    timeout_s: float = 60
    output_limit_bytes: int = 64_000


CallTool = Callable[[str, Mapping[str, object]], Awaitable[str]]
"""(tool name, arguments) -> observation, for the functions that a script sees. A `ToolError` that it raises
becomes an exception in the script; a `StopScript` ends the script at once."""


class StopScript(Exception):
    """Raised by a `CallTool`: the script must end now, nothing of it is kept."""


@dataclass(frozen=True)
class ScriptFunction:
    """A tool as a function inside a script: parameters in order, for positional calls."""

    name: str
    parameters: tuple[str, ...]
    doc: str = ""


@dataclass(frozen=True)
class JobResult:
    """How a job ended. `ok` means: it ended by itself and its files are in the working copy."""

    ok: bool
    output: str
    """stdout and stderr as they came, cut in the middle at the limit."""
    ended: Literal["exit", "error", "timeout", "killed", "stopped", "files"]
    """`error`: an uncaught exception. `files`: what it left can't be taken (too large, odd kinds)."""
    exit_code: int | None = None
    images: tuple[bytes, ...] = ()
    """Figures that the code drew, PNG."""
    seconds: float = 0
    problem: str = ""
    """Why `ok` is false, in a sentence for the model; says that nothing was changed."""


class Sandbox(Protocol):
    """Runs untrusted code on a working copy: no network, no host files, fresh process each time.

    When a job ends well its changed files are applied to `files`; otherwise `files` is untouched. A shell
    command's non-zero exit is a result and keeps its files. Raises `SandboxUnavailable`; never runs
    elsewhere.
    """

    @property
    def abilities(self) -> Abilities: ...

    async def run(
        self,
        lane: str,
        job: Job,
        files: WorkingCopy,
        functions: Sequence[ScriptFunction] = (),
        call_tool: CallTool | None = None,
    ) -> JobResult:
        """Run `job` in `lane`'s container.

        While a script waits for `call_tool`, `files` shows what the script has written so far, and the script
        sees what `call_tool` wrote. Cancelling kills the job.
        """
        ...

    def refuses(self, source: str, kind: Literal["python", "check"]) -> str | None:
        """Why this sandbox can't run the source at all ("needs Docker: …"); `None` if it seems to."""
        ...

    async def close_lane(self, lane: str) -> None: ...

    async def close(self) -> None: ...


# --- memory -------------------------------------------------------------------------------------------------


class MemoryPoint(Frozen):
    """One remembered outcome, with where it comes from."""

    id: str
    text: str
    run: str
    sub_task: str | None = None
    source: str
    """`outcome`, `remembered`, `person`."""
    labels: tuple[str, ...] = ()
    goal: str = ""
    sha256: str = ""
    at: datetime


@dataclass(frozen=True)
class MemoryHit:
    """A point and how well it fits (larger is better)."""

    point: MemoryPoint
    score: float
    beside: str | None = None
    """Not found itself: the outcome just before or after this point in its run."""


class Memory(Protocol):
    """Long-term memory; storing a point twice is storing it once.

    Raises `StoreUnavailable` when it is locked or down.
    """

    async def store(self, points: Sequence[MemoryPoint]) -> None:
        """All of them, durable when it returns; a point with a known id replaces the old one."""
        ...

    async def search(self, query: str, limit: int = 8, without_run: str | None = None) -> list[MemoryHit]:
        """The points that fit best, best first, none of `without_run`; in the room left, their neighbours."""
        ...

    async def get(self, point_id: str) -> MemoryPoint | None: ...

    async def forget(self, point_id: str) -> bool:
        """Whether it was there."""
        ...

    async def close(self) -> None: ...


# --- passages -----------------------------------------------------------------------------------------------


class Passage(Frozen):
    """A piece of a source's text, and where it stands there."""

    page: str = ""
    """The part of the source that holds it whole: a page's number, a sheet, a heading."""
    start: int = Field(default=0, ge=0)
    """Its first character, counted from 0 in the page's text; its last follows from the text."""
    line: int = Field(default=1, ge=1)
    """The line in which it begins."""
    text: str


class Source(Frozen):
    """A text as it is stored: an immutable thing, named by its content."""

    id: str
    note: str = ""
    """What its writer wants to know of it again."""
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class PassageHit:
    """A passage that was found, and how well it fits (larger is better)."""

    source: str
    passage: Passage
    score: float


class Passages(Protocol):
    """A searchable index of texts, for one plugin: a cache, which may be emptied at any time.

    Storing a source twice is storing it once. Raises `StoreUnavailable` when it is locked or down.
    """

    async def store(self, sources: Sequence[Source]) -> None:
        """Each source whole, durable when it returns; one with a known id replaces the old one.

        After a crash in the middle a source is known only if all of its passages are there.
        """
        ...

    async def known(self, sources: Sequence[str]) -> dict[str, str]:
        """Those of these sources that are stored -> their notes."""
        ...

    async def search(self, query: str, sources: Sequence[str], limit: int = 8) -> list[PassageHit]:
        """The passages of these sources, and of no others, that fit best, best first."""
        ...

    async def read(self, source: str, page: str | None = None) -> list[Passage]:
        """The passages of a source, or of one page of it, in the order in which they stand there."""
        ...

    async def forget(self, source: str) -> bool:
        """Whether it was there."""
        ...

    async def close(self) -> None: ...


# --- the world outside -------------------------------------------------------------------------------------

_NO_CHARSETS = (
    *("idna", "mbcs", "oem", "palmos", "punycode", "undefined"),
    *("raw-unicode-escape", "unicode-escape"),
)
"""Python decodes by them, and no page is written in one; punycode takes hours for some megabytes."""
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]+)", re.IGNORECASE)


def _codec(content_type: str) -> str:
    """Python's name of the charset; UTF-8 where there is none, no such, or none of text."""
    found = _CHARSET.search(content_type)
    try:
        known = codecs.lookup(found[1]) if found else None
    except LookupError:
        return "utf-8"
    if known is None or not known._is_text_encoding or known.name.replace("_", "-") in _NO_CHARSETS:
        return "utf-8"
    return known.name


@dataclass(frozen=True)
class HttpReply:
    """What a server answered, whatever its status."""

    status: int
    url: str
    """Of the last hop: where redirects led to."""
    headers: Mapping[str, str]
    """By names in lower case; a header that came twice is joined by commas."""
    content: bytes
    """Unpacked, whole, and without the person's secrets."""

    @property
    def text(self) -> str:
        """By the charset that the server names, else UTF-8; odd bytes are replaced."""
        return self.content.decode(_codec(self.headers.get("content-type", "")), "replace")

    @property
    def media_type(self) -> str:
        """`text/html`: in lower case, without parameters; empty where the server names none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> object:
        """Raises `ToolError` where the content is no JSON."""
        try:
            value: object = json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise ToolError(f"{self.url} answered {self.status} with what is no JSON: {error}") from error
        return value


class HttpOptions(TypedDict, total=False):
    """What every request may say besides method and URL."""

    headers: Mapping[str, str]
    params: Mapping[str, str] | None
    """Added to the URL's query."""
    max_bytes: int | None
    """Of the unpacked answer; a larger one is an error. `None`: 8 MiB."""
    timeout_s: float | None
    """For all of it, redirects too. `None`: 30."""
    follow_redirects: bool
    """`True` by default; else a redirect is an answer like others."""


class HttpSending(HttpOptions, total=False):
    """What a request with a body may say."""

    content: bytes | None
    json: object


class Http(Protocol):
    """The way out: requests to the hosts that this call, or this plugin, may reach, and to no others.

    Each address is judged after its name was resolved and is the one that is connected to; each redirect is
    judged as a request of its own. Cookies and proxies there are none. Secrets that the goal binds to a host
    are attached to requests to it. A status like 404 is an answer, no error.

    Raises `NotDone` where nothing was sent, `ToolError` where it isn't known what the server did, or its
    answer can't be had (too large, too slow, broken).
    """

    async def request(self, method: str, url: str, **options: Unpack[HttpSending]) -> HttpReply: ...

    async def get(self, url: str, **options: Unpack[HttpOptions]) -> HttpReply:
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Unpack[HttpSending]) -> HttpReply:
        return await self.request("POST", url, **options)

    def transport(self) -> AsyncBaseTransport:
        """The same guard for a library that takes an httpx2 client; it follows redirects by itself."""
        ...


@dataclass(frozen=True)
class Uses:
    """What a client was used for, so far."""

    answered: list[str] = field(default_factory=list)
    """The hosts that answered."""
    secrets: list[str] = field(default_factory=list)
    """The secrets that were attached, by name."""


class Outward(Protocol):
    """Makes clients for what leaves the host."""

    def http(self, reach: Reach, before_send: Callable[[], None] | None = None) -> tuple[Http, Uses]:
        """A client that reaches `reach` and keeps nothing open between requests; usable on any event loop.

        `before_send` is called before each request; what it raises ends it.
        """
        ...


# --- people -------------------------------------------------------------------------------------------------

OnEntry = Callable[[Entry], None]
"""Hears each entry after it was appended; must not block."""
