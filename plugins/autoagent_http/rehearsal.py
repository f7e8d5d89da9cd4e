"""What `autoagent plugins check http` sends its requests to."""

from __future__ import annotations

from autoagent.testing import HttpWorld, Rehearsal

rehearsal = Rehearsal(
    world=HttpWorld,
    files={"report.md": "# All is well\n"},
    examples={
        "http_request": [
            {"method": "PUT", "url": "{url}/notes/1", "body": "hello"},
            {"method": "GET", "url": "{url}/notes/1"},
            {"method": "POST", "url": "{url}/reports", "file": "report.md"},
        ],
        "http_download": [{"url": "{url}/notes/1", "path": "note.txt"}],
    },
)
