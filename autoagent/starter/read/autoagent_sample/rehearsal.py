"""What `autoagent plugins check sample` calls the tools with, besides arguments that it makes up."""

from __future__ import annotations

from autoagent.testing import Rehearsal

rehearsal = Rehearsal(
    files={"notes.txt": "one two\nthree\n"},
    examples={"sample_count": [{"path": "notes.txt"}]},
)
