"""Where a service's description comes from: a file of the person's, or a URL, kept for when that is down."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from pathlib import Path

from autoagent.errors import ToolError, UsageError
from autoagent.hosts import host_of
from autoagent.ports import Http
from autoagent.redact import one_line
from autoagent_openapi.documents import MOST_BYTES

_TIMEOUT_S = 60


async def fetched(name: str, place: str, http: Http, folder: Path, log: logging.Logger) -> bytes:
    """The description's bytes. Raises `UsageError` that says what to do."""
    if host_of(place) is None:
        return await asyncio.to_thread(_of_file, name, Path(place))
    kept = folder / f"{hashlib.sha256(place.encode()).hexdigest()[:32]}.description"
    try:
        reply = await http.get(place, max_bytes=MOST_BYTES, timeout_s=_TIMEOUT_S)
        problem = None if reply.status == 200 else f"{place} answers {reply.status}"
    except ToolError as error:
        reply, problem = None, str(error)
    if reply is not None and problem is None:
        await asyncio.to_thread(_keep, kept, reply.content)
        return reply.content
    if kept.exists():
        log.warning("%s: %s; its description is the one that was fetched before", name, problem)
        return await asyncio.to_thread(kept.read_bytes)
    raise UsageError(f"the description of {name!r} can't be had: {one_line(problem or '', 300)}")


def _of_file(name: str, path: Path) -> bytes:
    where = f"[plugins.openapi.services.{name}] description = {str(path)!r}"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{where}: is longer than {MOST_BYTES // 1_000_000} MB")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{where}: can't be read: {error.strerror}") from error


def _keep(path: Path, content: bytes) -> None:
    """Whole or not at all: another run may read it meanwhile."""
    new = path.with_suffix(f".{os.getpid()}")
    new.write_bytes(content)
    new.replace(path)
