"""A real searx on loopback, as Debian packages it, over a table of pages."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import yaml

PYTHON = Path("/usr/bin/python3")
"""The system's, which Debian's package is for."""
_SHARE = Path("/usr/share/python3-searx")
_PACKAGE = Path("/usr/lib/python3/dist-packages/searx/webapp.py")
_WITHIN_S = 30.0
_QUERY = "SELECT title, url, content FROM pages WHERE pages MATCH :query ORDER BY rank"

Row = tuple[str, str, str]
"""Title, URL, text."""


def missing() -> str:
    """Why there can be none; empty where there can."""
    if PYTHON.exists() and _PACKAGE.exists():
        return ""
    return "searx isn't installed: apt-get install -y searx"


@contextmanager
def running(folder: Path, rows: Sequence[Row]) -> Iterator[str]:
    """The address of one that finds these pages by their words."""
    database, settings = folder / "pages.db", folder / "settings.yml"
    with closing(sqlite3.connect(database)) as pages, pages:
        pages.execute("CREATE VIRTUAL TABLE pages USING fts5(title, url UNINDEXED, content)")
        pages.executemany("INSERT INTO pages VALUES (?, ?, ?)", rows)
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings.write_text(yaml.safe_dump(_settings(port, database)))
    process = subprocess.Popen(
        [str(PYTHON), "-m", "searx.webapp"],
        env={"SEARX_SETTINGS_PATH": str(settings), "PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Until it takes a connection."""
    until = time.monotonic() + _WITHIN_S
    while time.monotonic() < until:
        assert process.poll() is None, "searx ended by itself: run it by hand to see why"
        with closing(socket.socket()) as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"searx took no connection within {_WITHIN_S:.0f} s")


def _settings(port: int, database: Path) -> Mapping[str, Any]:
    """All that searx 1.1 reads without a default of its own."""
    engine = {
        "name": "pages",
        "engine": "sqlite",
        "shortcut": "p",
        "categories": "general",
        "database": str(database),
        "query_str": _QUERY,
        "result_template": "default.html",
    }
    return {
        "use_default_settings": False,
        "general": {"debug": False, "instance_name": "pages", "contact_url": False, "enable_stats": False},
        "search": {"safe_search": 0, "autocomplete": "", "default_lang": "", "formats": ["html", "json"]}
        | {"ban_time_on_fail": 5, "max_ban_time_on_fail": 120},
        "server": {"port": port, "bind_address": "127.0.0.1", "secret_key": "of a test", "base_url": False}
        | {"image_proxy": False, "method": "GET", "http_protocol_version": "1.0", "default_http_headers": {}},
        "ui": {"static_path": str(_SHARE / "static"), "templates_path": str(_SHARE / "templates")}
        | {"default_theme": "simple", "default_locale": "", "theme_args": {"oscar_style": "logicodev"}},
        "outgoing": {"request_timeout": 2.0, "pool_connections": 10, "pool_maxsize": 10},
        "brand": dict.fromkeys(("issue_url", "docs_url", "public_instances", "wiki_url", "git_url"), ""),
        "doi_resolvers": {"none": "http://127.0.0.1/"},
        "default_doi_resolver": "none",
        "locales": {"en": "English"},
        "engines": [engine],
    }
