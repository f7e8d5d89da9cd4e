"""What a model reads of an HTTP reply: status, the headers that say what to do next, and the body as text.

Pure. Owns how foreign bytes become an observation; never who was asked or whether that was allowed.
"""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus

from autoagent.ports import HttpReply
from autoagent.redact import one_line

SHOWN_HEADERS = (
    "content-type",
    "location",
    "link",
    "etag",
    "last-modified",
    "allow",
    "retry-after",
    "www-authenticate",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
)
"""What a next call may need; the others are noise."""
_HEADER_LIMIT = 500
_TEXT_TYPES = ("xml", "javascript", "ecmascript", "yaml", "x-www-form-urlencoded", "graphql", "sql", "toml")


def described(reply: HttpReply, limit: int, *, kept_by: str = "") -> str:
    """Status line, headers and body of a reply, the body cut in the middle after `limit` characters.

    `kept_by` says, where the body is no text, how it can be had all the same.
    """
    shown = [(name, reply.headers[name]) for name in SHOWN_HEADERS if name in reply.headers]
    head = [status_line(reply), *(f"{name}: {one_line(value, _HEADER_LIMIT)}" for name, value in shown)]
    return "\n".join(head) + "\n\n" + body(reply, limit, kept_by=kept_by)


def meaning(reply: HttpReply) -> str:
    """What an answer says about what was done, of a request that may have done something; empty for a yes."""
    if reply.status < 300:
        return ""
    if reply.status < 400:
        return "It was answered with another address, which wasn't asked."
    if reply.status < 500:
        return "It arrived, and was refused with this answer."
    return (
        "It arrived, and failed there: it may have been carried out, in part or whole. "
        "Check before you repeat it."
    )


def status_line(reply: HttpReply) -> str:
    """`HTTP 404 Not Found from URL`."""
    return f"HTTP {reply.status} {_phrase(reply.status)}".rstrip() + f" from {one_line(reply.url, 2_000)}"


def body(reply: HttpReply, limit: int, *, kept_by: str = "") -> str:
    """The body as text; JSON is laid out as long as that fits."""
    if not reply.content:
        return "(no body)"
    if _is_json(reply.media_type) and (laid_out := _laid_out(reply.text, limit)) is not None:
        return laid_out
    if not is_text(reply):
        digest = hashlib.sha256(reply.content).hexdigest()
        kind = reply.media_type or "of no stated type"
        return f"(no text: {kind}, {len(reply.content)} bytes, SHA-256 {digest}{kept_by and f'; {kept_by}'})"
    return _cut(_sound(reply.text), limit)


def is_text(reply: HttpReply) -> bool:
    """Whether the body is meant for reading, by its type, or where it has none by its bytes."""
    kind = reply.media_type
    if not kind or kind == "application/octet-stream":
        return b"\0" not in reply.content and _is_utf8(reply.content)
    return kind.startswith("text/") or _is_json(kind) or kind.endswith(_TEXT_TYPES)


def _is_json(kind: str) -> bool:
    return kind.endswith(("/json", "+json", "/x-ndjson", "/jsonl"))


def _laid_out(text: str, limit: int) -> str | None:
    """JSON with an indent, or without where that is too long; `None` for what is no JSON after all."""
    try:
        value = json.loads(text)
        wide = json.dumps(value, ensure_ascii=False, indent=1)
        tight = wide if len(wide) <= limit else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):  # several lines of it, broken, or nested without end: as it came
        return None
    return _cut(_sound(tight), limit)


def _cut(text: str, limit: int) -> str:
    """The beginning and the end, with a note between: the beginning of JSON says what the rest is."""
    if len(text) <= limit:
        return text
    head = limit * 3 // 4
    tail = limit - head
    return f"{text[:head]}\n… {len(text) - limit} characters left out …\n{text[-tail:]}"


def _sound(text: str) -> str:
    """`text` without halves of characters, which JSON can spell and no journal can keep."""
    return text.encode("utf-8", "replace").decode()


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # a server may make up its own
        return ""
