"""What a page says, read by a process of its own; and what a model sees of it."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence

from autoagent.door.tools import ToolError
from autoagent.ports import HttpReply
from autoagent.redact import one_line
from autoagent_web.reader import Document, Limits, Reading
from autoagent_web.text import kind_of

_TIMEOUT_S = 45.0
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]{2,40})", re.IGNORECASE)
_KINDS = "HTML, PDF, plain text, Markdown and JSON"


async def read(reply: HttpReply, page: int, size: int, limits: Limits = Limits()) -> Reading:  # noqa: B008
    """One page of what a server sent. Raises `ToolError` for what can't be read."""
    kind = kind_of(reply.media_type, reply.content)
    if kind is None:
        what = f"{one_line(reply.media_type or 'of no declared type', 80)!r}, {len(reply.content):,} bytes"
        raise ToolError(
            f"{reply.url} is {what}; web_read reads {_KINDS}. Look for the same content as one of these"
        )
    declared = _CHARSET.search(reply.headers.get("content-type", ""))
    charset = "" if declared is None else declared[1]
    document = Document(kind=kind, url=reply.url, charset=charset, page=page, size=size, limits=limits)
    reading = await _read_apart(document, reply.content)
    if reading.problem:
        raise ToolError(f"{reply.url} can't be read: {one_line(reading.problem, 300)}")
    return reading


def shown(reading: Reading, url: str, asked: str) -> str:
    """The reading under a head that says what, whence and when."""
    about = {"Date": reading.date, "Author": reading.author, "Language": reading.language}
    facts = [f"{name}: {one_line(value, 100)}" for name, value in about.items() if value]
    head = [
        *([f"Title: {one_line(reading.title, 200)}"] if reading.title else []),
        f"URL: {url}" + (f" (redirected from {asked})" if url != asked else ""),
        *([" · ".join(facts)] if facts else []),
        *_place(reading),
    ]
    return "\n".join(head) + "\n\n" + reading.text


def _place(reading: Reading) -> Sequence[str]:
    """Which page of how many, and how to go on; nothing where there is one."""
    if reading.pages == 1:
        return ()
    is_last = reading.last >= reading.pages
    those = f"Page {reading.page}" if reading.page == reading.last else f"Pages {reading.page}-{reading.last}"
    return (f"{those} of {reading.pages}" + ("" if is_last else f"; page={reading.last + 1} goes on"),)


async def _read_apart(document: Document, content: bytes) -> Reading:
    """Have a process read it. Raises `ToolError` where that dies, or takes too long."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-X", "utf8", "-m", "autoagent_web.reader"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={},
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            sent = document.model_dump_json().encode() + b"\n" + content
            out, err = await process.communicate(sent)
    except TimeoutError:
        raise ToolError(
            f"{document.url} takes longer than {_TIMEOUT_S:.0f} s to read; it is given up"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return Reading.model_validate_json(out)
    raise ToolError(f"{document.url} can't be read: {_why(process.returncode, err)}")


def _why(status: int | None, err: bytes) -> str:
    """What ended the reader."""
    last = (err.decode(errors="replace").strip().splitlines() or [""])[-1]
    if (status or 0) < 0 or "MemoryError" in last:
        return "it takes more time or memory than a page may take"
    return f"the reader failed: {one_line(last, 200)}"
