"""What `autoagent plugins check sample` calls the tools with, besides arguments that it makes up."""

from __future__ import annotations

from autoagent.testing import Rehearsal

rehearsal = Rehearsal(
    files={"names.txt": "Bob\nAnna\n"},
    examples={"sample_sort": [{"path": "names.txt"}]},
)
