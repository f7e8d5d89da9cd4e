"""HTTP: one request, as its method means it, and a download into the workspace.

A GET that tells its receiver nothing but a URL is a `read` at a host of `allow: web`. Everything else
(another method, a body, a header of the agent's own) tells somebody something: it is `external`, for
`allow: send`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, JsonValue

from autoagent.door.replies import described, meaning, status_line
from autoagent.door.tools import (
    NotDone,
    Observation,
    Plugin,
    ToolContext,
    ToolError,
    WorkspaceFile,
    WorkspacePath,
    tool,
)
from autoagent.hosts import host_of, named_exactly
from autoagent.paths import spelled, workspace_path
from autoagent_http.headers import allowed, tell_nothing
from autoagent_http.settings import HttpSettings

_SHOWN = 15_000
"""Characters of a body that the model reads."""
_SAFE = ("GET", "HEAD", "OPTIONS")
_SENT_BYTES = 50_000_000
Arguments = Mapping[str, JsonValue]


def _address(url: str) -> str:
    """The URL as it is asked for: without its fragment, which nobody sends."""
    if host_of(url) is None:
        raise ValueError("expected a whole http or https URL, percent-encoded, without user or password")
    return url.partition("#")[0]


def _upper(method: object) -> object:
    return method.upper() if isinstance(method, str) else method


Url = Annotated[str, AfterValidator(_address)]
Method = Annotated[
    Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"], BeforeValidator(_upper)
]
Headers = Annotated[dict[str, str], AfterValidator(allowed)]


def _effect(args: Arguments) -> Literal["read", "external"]:
    """`read` where the receiver learns nothing but the URL, which policy judges."""
    headers = args.get("headers") or {}
    assert isinstance(headers, dict)
    says = any(args.get(name) is not None for name in ("body", "json", "file"))
    asks = args["method"] in _SAFE and tell_nothing({k: str(v) for k, v in headers.items()})
    return "read" if asks and not says else "external"


async def _after_crash(
    ctx: ToolContext,
    method: str,
    url: str,
    headers: dict[str, str],
    body: str | None,
    json: JsonValue,
    file: WorkspaceFile | None,
) -> Literal["unknown", "ask"]:
    """A request that changes nothing is made again, and one that its receiver knows by its key."""
    return "unknown" if method in _SAFE or _has_key(ctx, method, url) else "ask"


@tool(
    effect=_effect,
    destination="url",
    kind="method",
    timeout_s=660,
    probe=_after_crash,
    idempotency_key=lambda args: "",  # the run's own; `_after_crash` says where it may be relied on
)
async def http_request(
    ctx: ToolContext,
    method: Method,
    url: Url,
    headers: Headers = {},  # noqa: B006 (a tool's default is read, never changed)
    body: str | None = None,
    json: JsonValue = None,
    file: WorkspaceFile | None = None,
) -> Observation:
    """Make one HTTP request and read the reply. Secrets are attached for you where the person allows it.

    Args:
        method: GET, HEAD, OPTIONS, POST, PUT, PATCH or DELETE.
        url: The whole URL with its query, percent-encoded.
        headers: Further headers. A GET needs none.
        body: A text to send.
        json: In place of body: a value to send as JSON.
        file: In place of body: a file of the workspace to send.
    """
    settings = _settings(ctx)
    content = _content(ctx, body, json, file)
    key = {"Idempotency-Key": ctx.key} if _has_key(ctx, method, url) else {}
    reply = await ctx.http.request(
        method,
        url,
        headers={**headers, **key},
        content=content if json is None else None,
        json=json,
        max_bytes=round(settings.max_body_mb * 1_000_000),
        timeout_s=settings.timeout_s,
        follow_redirects=ctx.effect == "read",  # where else the words go, the agent decides anew
    )
    said = described(reply, _SHOWN, kept_by="http_download keeps such a file")
    note = meaning(reply) if ctx.effect == "external" else ""
    return Observation(text=f"{said}\n\n{note}".rstrip(), labels=("outside",))


@tool(effect="write", destination="url", timeout_s=660)
async def http_download(ctx: ToolContext, url: Url, path: WorkspacePath) -> Observation:
    """Fetch a URL and keep what comes as a file of the workspace, whatever its type.

    Args:
        url: The whole URL, percent-encoded.
        path: The file: made, or replaced. Folders on the way are made.
    """
    settings = _settings(ctx)
    limit = round(settings.max_download_mb * 1_000_000)
    reply = await ctx.http.get(url, max_bytes=limit, timeout_s=settings.timeout_s)
    if not 200 <= reply.status < 300:
        raise ToolError(f"nothing was saved: {described(reply, 2_000)}")
    path = workspace_path(path)
    before = ctx.staging.stat(path)
    ctx.staging.write(path, reply.content)
    did = "Saved" if before is None else "Replaced"
    kind = reply.media_type or "no stated type"
    said = f"{status_line(reply)}\n{did} {spelled(path)}: {len(reply.content)} bytes, {kind}"
    return Observation(text=said, labels=("outside",))


def _content(ctx: ToolContext, body: str | None, json: JsonValue, file: WorkspaceFile | None) -> bytes | None:
    """The bytes to send. Raises `NotDone`."""
    given = [name for name, value in (("body", body), ("json", json), ("file", file)) if value is not None]
    if len(given) > 1:
        raise NotDone(f"nothing was sent: give one of body, json and file, not {' and '.join(given)}")
    if body is not None:
        return body.encode("utf-8", "replace")
    if file is None:
        return None
    with ctx.open_file(file) as opened:
        content = opened.read(_SENT_BYTES + 1)
    if len(content) > _SENT_BYTES:
        raise NotDone(f"nothing was sent: {file.path} is longer than {_SENT_BYTES // 1_000_000} MB")
    return content


def _has_key(ctx: ToolContext, method: str, url: str) -> bool:
    return method not in _SAFE and named_exactly(url, _settings(ctx).idempotent_hosts)


def _settings(ctx: ToolContext) -> HttpSettings:
    assert isinstance(ctx.settings, HttpSettings)
    return ctx.settings


plugin = Plugin(name="http", tools=[http_request, http_download], settings=HttpSettings)
