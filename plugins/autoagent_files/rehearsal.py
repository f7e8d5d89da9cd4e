"""What `autoagent plugins check files` calls the tools with."""

from __future__ import annotations

from autoagent.testing import Rehearsal

rehearsal = Rehearsal(
    files={"notes.txt": "one two\nthree\n"},
    examples={
        "files_edit": [{"path": "notes.txt", "old": "two", "new": "four"}],
        "files_search": [{"pattern": "th.ee", "path": "."}],
        "files_move": [{"path": "notes.txt", "to": "kept/notes.txt"}],
    },
    starts=("python",),  # matches a pattern where it can be stopped
)
