"""What `autoagent plugins check mail` sends mail to: a server on loopback that keeps it."""

from __future__ import annotations

import socketserver
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.parser import BytesHeaderParser
from typing import Any

from pydantic import JsonValue

from autoagent.testing import Rehearsal


class MailServer(socketserver.ThreadingTCPServer):
    """Takes every mail, in as much of SMTP as that needs."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.taken: list[bytes] = []

    @property
    def names(self) -> Mapping[str, JsonValue]:
        return {"mail_port": int(self.server_address[1])}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked is gone: a check has killed it. Anything else is told as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def happened(self) -> int:
        """Mails, each counted once by its Message-ID, as a mailbox that drops duplicates has them."""
        return len({BytesHeaderParser().parsebytes(mail)["Message-ID"] for mail in self.taken})


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 rehearsal")
        while command := self.rfile.readline().decode("latin-1").strip().upper():
            match command.split(maxsplit=1)[0]:
                case "DATA":
                    self._say("354 go on")
                    self.server.taken.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                    self._say("250 taken")
                case "EHLO":
                    self._say("250-rehearsal\r\n250-SMTPUTF8\r\n250 8BITMIME")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@contextmanager
def serving() -> Iterator[MailServer]:
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


rehearsal = Rehearsal(
    world=serving,
    settings={"host": "127.0.0.1", "port": "{mail_port}", "from": "agent@example.org", "tls": "none"},
    files={"report.md": "# All is well\n"},
    examples={
        "mail_send": [
            {
                "to": ["anna@example.org"],
                "subject": "A report",
                "body": "Hello",
                "attachments": ["report.md"],
            },
            {"to": "bob@example.org", "subject": "Grüße", "body": "."},
        ]
    },
)
