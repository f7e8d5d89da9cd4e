"""Pages as a browser shows them: headless Chromium, driven by playwright-core and looked over by axe-core.

Debian's `chromium` and the two packages from npm (see `npm_peers`) are needed; where they aren't, the tests
are skipped with the reason, or fail where they are required.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from npm_peers import IS_REQUIRED, package

_DRIVER = Path(__file__).with_name("browser.mjs")
_WITHIN_S = 120.0


@dataclass(frozen=True)
class Visit:
    """A page that is opened, and what is done there."""

    url: str
    scheme: str = "light"
    keys: tuple[dict[str, str], ...] = ()
    """Each waits `until` a text has come through a web socket, and may `press` a key for it."""
    tops: tuple[str, ...] = ()
    """Texts of which to say where they stand."""
    axe: bool = False
    """Look for what shuts people out, everything unfolded."""
    pdf: bool = False
    shot: str = ""
    """File for a picture."""


@dataclass(frozen=True)
class Found:
    """What a page did."""

    status: int
    said: list[str]
    """On its console."""
    requests: list[str]
    received: str
    """Through web sockets."""
    violations: list[str]
    text: str
    height: int
    pages: int
    """Of the PDF."""
    tops: tuple[float | None, ...] = ()
    """Pixels from the top of the page."""


async def visited(*visits: Visit) -> list[Found]:
    """All of them in one browser, one after the other."""
    peers = package("playwright-core").parent.parent
    package("axe-core")
    process = await asyncio.create_subprocess_exec(
        "node",
        str(_DRIVER),
        str(peers),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "CHROMIUM": _chromium()},
    )
    given = json.dumps([asdict(visit) for visit in visits]).encode()
    out, err = await asyncio.wait_for(process.communicate(given), _WITHIN_S)
    assert process.returncode == 0, err.decode()
    return [Found(**each) for each in json.loads(out)]


def _chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        why = "needs Chromium: apt-get install chromium"
        assert not IS_REQUIRED, why
        pytest.skip(why)
    return found
