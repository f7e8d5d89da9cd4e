"""The reading room of Brenn on this machine, http://127.0.0.1:8917: the pages of site/, and a search page.

    python serve.py                                     serves until ^C
    python serve.py autoagent run workspaces/research   serves while the command runs, and ends as it does

/search?q=WORDS is a page of results; with &format=json it answers as SearXNG does, so that `web_search` can
ask it too: providers = ["searx"], searx_url = "http://127.0.0.1:8917" under [plugins.web] in config.toml.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PORT = 8917
SITE = Path(__file__).resolve().parent / "site"
_TYPES = {".html": "text/html; charset=utf-8", ".pdf": "application/pdf", ".txt": "text/plain; charset=utf-8"}
_TAG = re.compile(r"<[^<>]*>")


class Room(BaseHTTPRequestHandler):
    """Answers GETs."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/search":
            asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            self._search(asked)
            return
        path = "/index.html" if parts.path == "/" else parts.path
        content = pages().get(path)
        if content is None:
            self._answer(404, _TYPES[".txt"], b"There is no such page.\n")
        else:
            self._answer(200, _TYPES[Path(path).suffix], content)

    def _search(self, asked: Mapping[str, str]) -> None:
        found = results(asked.get("q", ""))
        if asked.get("format") == "json":
            said = {"query": asked.get("q", ""), "results": found, "unresponsive_engines": []}
            self._answer(200, "application/json", json.dumps(said).encode())
        else:
            self._answer(200, _TYPES[".html"], page_of(asked.get("q", ""), found).encode())

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a run's own lines are on the same terminal."""


def pages() -> dict[str, bytes]:
    """Path -> content of every page."""
    files = sorted(file for file in SITE.rglob("*") if file.is_file())
    return {f"/{file.relative_to(SITE).as_posix()}": file.read_bytes() for file in files}


def results(query: str) -> list[dict[str, str]]:
    """The public pages that hold most of the words, best first."""
    words = re.findall(r"\w+", query.lower())
    found = []
    for path, content in pages().items():
        if path.endswith(".txt") or path.startswith("/drafts/") or path == "/index.html":
            continue
        text = " ".join(_TAG.sub(" ", content.decode("utf-8", "replace")).split())
        score = sum(text.lower().count(word) > 0 for word in words)
        if score:
            title = re.search(r"<title>(.*?)</title>", content.decode("utf-8", "replace"))
            url = f"http://127.0.0.1:{PORT}{path}"
            found.append((score, {"title": title[1] if title else path, "url": url, "content": text[:200]}))
    return [result for _, result in sorted(found, key=lambda each: -each[0])]


def page_of(query: str, found: list[dict[str, str]]) -> str:
    rows = "".join(f'<li><a href="{r["url"]}">{html.escape(r["title"])}</a></li>' for r in found)
    said = f"{len(found)} pages for {html.escape(repr(query))}" if query else "Search with ?q=WORDS"
    head = '<head><meta charset="utf-8"><title>Search</title></head>'
    return f"<!doctype html><html>{head}<body><article><p>{said}</p><ul>{rows}</ul></article></body></html>"


def main(command: list[str]) -> int:
    try:
        server = ThreadingHTTPServer(("127.0.0.1", PORT), Room)
    except OSError as error:
        print(f"port {PORT} can't be had ({error.strerror}); stop what listens there", file=sys.stderr)
        return 1
    with server:
        if not command:
            print(f"http://127.0.0.1:{PORT}/  (^C ends it)")
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                return 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            return subprocess.run(command).returncode
        finally:
            server.shutdown()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
