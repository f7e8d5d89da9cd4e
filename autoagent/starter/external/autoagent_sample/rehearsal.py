"""What `autoagent plugins check sample` calls the tools with, besides arguments that it makes up."""

from __future__ import annotations

from autoagent.testing import HttpWorld, Rehearsal

rehearsal = Rehearsal(
    world=HttpWorld,  # stands for the service, on loopback: keeps what is put to it, while the check lasts
    examples={"sample_put": [{"url": "{url}/notes", "text": "hello"}]},
)
