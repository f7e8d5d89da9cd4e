"""The ports: everything that the core asks of the world, a module a port, all of it importable from here.

Implementations live at the edge (`journal/`, `folder/`, `llm/`, `memory/`, `sandboxes/`, `outward/`) and
each runs its port's contract suite from `autoagent.testing.contracts`. Only `autoagent.means` and
`autoagent.wiring` pick them.
"""

from autoagent.ports.folder import Folder, Projection
from autoagent.ports.http import Http, HttpOptions, HttpReply, HttpSending, Outward, Uses
from autoagent.ports.journal import (
    Blanked,
    Journal,
    Lease,
    Objects,
    OnEntry,
    RunHead,
    SentCommand,
    Verification,
)
from autoagent.ports.memory import Memory, MemoryHit, MemoryPoint
from autoagent.ports.model import Listener, Located, Model, ModelRequest, ModelRole, Price, ToolSchema
from autoagent.ports.onlookers import NOBODY, Coming, Heard, Onlookers, OpenOnlookers, nobody
from autoagent.ports.passages import Passage, PassageHit, Passages, Source
from autoagent.ports.sandbox import Abilities, CallTool, Job, JobResult, Sandbox, ScriptFunction, StopScript

__all__ = [
    "NOBODY",
    "Abilities",
    "Blanked",
    "CallTool",
    "Coming",
    "Folder",
    "Heard",
    "Http",
    "HttpOptions",
    "HttpReply",
    "HttpSending",
    "Job",
    "JobResult",
    "Journal",
    "Lease",
    "Listener",
    "Located",
    "Memory",
    "MemoryHit",
    "MemoryPoint",
    "Model",
    "ModelRequest",
    "ModelRole",
    "Objects",
    "OnEntry",
    "Onlookers",
    "OpenOnlookers",
    "Outward",
    "Passage",
    "PassageHit",
    "Passages",
    "Price",
    "Projection",
    "RunHead",
    "Sandbox",
    "ScriptFunction",
    "SentCommand",
    "Source",
    "StopScript",
    "ToolSchema",
    "Uses",
    "Verification",
    "nobody",
]
