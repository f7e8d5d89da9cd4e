"""A web site on this machine, PDFs of a few lines of code, and a stage whose agent may visit the site."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from loops import Stage, finish, plan, worker_prompts, write

from autoagent.messages import Reply
from autoagent.testing.model import ScriptedModel
from autoagent_web.tools import plugin

DONE = [write("done.txt", "x"), finish()]


@dataclass(frozen=True)
class Answer:
    """What the site says at one path."""

    content: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content.encode()


def html(text: str, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(text, status, {"content-type": "text/html; charset=utf-8", **named})


def article(title: str, *paragraphs: str, head: str = "") -> Answer:
    body = "".join(f"<p>{each}</p>" for each in paragraphs)
    return html(
        f"<html><head><title>{title}</title>{head}</head><body><article>{body}</article></body></html>"
    )


def redirect(to: str, status: int = 302) -> Answer:
    return Answer(b"", status, {"location": to})


@dataclass
class Site:
    """Its pages by path, and who asked for what."""

    pages: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Paths with their queries, in order; without those of robots.txt."""
    requests: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)
    """Every request: its path, headers by lower-case name, and body."""
    port: int = 0

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, path: str) -> Answer:
        if path in self.pages:
            return self.pages[path]
        return self.pages.get(path.partition("?")[0], Answer(b"no such page", 404))


@contextmanager
def serving(pages: Mapping[str, Answer] | None = None) -> Iterator[Site]:
    """The site behind a port of this machine."""
    site = Site(dict(pages or {}))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            named = {name.lower(): value for name, value in self.headers.items()}
            site.requests.append((self.path, named, self.rfile.read(length)))
            if self.path != "/robots.txt":
                site.asked.append(self.path)
            answer = site.answer(self.path)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pdf(*pages: str, title: str = "", link: str = "") -> bytes:
    """A PDF with a line of text for each line of each page, and with a link on each where one is given."""
    annotation = f"<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI ({link}) >> >>"
    links = f"/Annots [{annotation}]" if link else ""
    objects: list[bytes] = []
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(b"<< /Type /Catalog /Pages 2 0 R >>")
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for n, text in enumerate(pages):
        lines = "".join(f"({line}) Tj T* " for line in text.splitlines())
        stream = f"BT /F1 12 Tf 14 TL 72 720 Td {lines}ET".encode("latin-1")
        page = f"/Parent 2 0 R {links} /MediaBox [0 0 612 792] /Contents {5 + 2 * n} 0 R"
        objects.append(f"<< /Type /Page {page} /Resources << /Font << /F1 3 0 R >> >> >>".encode())
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    objects.append(f"<< /Title ({title}) /CreationDate (D:20260301120000Z) >>".encode())
    return _pdf_of(objects)


def _pdf_of(objects: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, each in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size, info = len(objects) + 1, len(objects)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n" % (size, info, start)
    return bytes(out + b"%%EOF\n")


def visiting(
    tmp_path: Path, *hosts: str, settings: str = "", files: Mapping[str, str] | None = None
) -> Stage:
    """A stage whose config.toml lets no host wait."""
    stage = Stage.at(tmp_path, files, plugins=[plugin])
    stage.home.mkdir(exist_ok=True)
    table = f"[plugins.web]\nseconds_between_requests = 0\n{settings}\n"
    (stage.home / "config.toml").write_text(table, encoding="utf-8")
    return stage


def goal(*urls: str, hosts: Sequence[str], more: str = "") -> str:
    """A goal in which these URLs stand, and whose `allow.web` names these hosts."""
    seen = " ".join(urls) or "the web"
    named = ", ".join(f'"{host}"' for host in hosts)
    allow = f"allow: {{web: [{named}]}}\nplugins: [files, web]\n"
    return f"goal: look at {seen} \n{allow}done_when: [{{file: done.txt}}]\n{more}"


async def told(stage: Stage, goal_text: str, *calls: Reply) -> str:
    """What the worker reads of the last of these calls."""
    model = ScriptedModel(planner=[plan("a")], worker=[*calls, *DONE], by_number=True)
    await stage.start(goal_text, model)
    return worker_prompts(model)[len(calls)].last.text
