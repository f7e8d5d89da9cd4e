"""What of a prompt is kept: a digest of all of it, and the text of its head, which is the same at every step.

With these a replay finds out whether the same state still makes the same prompt, and shows what has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping, Sequence
from operator import attrgetter

from autoagent.messages import Message
from autoagent.ports import Objects, ToolSchema

HEAD = 2
"""Messages: the rules and the task. Those after them follow from the run's other entries."""
_digest, _wire = attrgetter("digest"), attrgetter("wire")


def prompt_digest(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str:
    """SHA-256 over the digests of all messages and tools: 20 µs at 400 messages: each is hashed once."""
    return hashlib.sha256(b"".join([*map(_digest, messages), b"|", *map(_digest, tools)])).hexdigest()


def keep_head(
    kept: MutableMapping[bytes, str],
    objects: Objects,
    messages: Sequence[Message],
    tools: Sequence[ToolSchema],
) -> str:
    """The object that holds the head; `kept` knows those that are stored already."""
    key = b"".join([*map(_digest, messages[:HEAD]), b"|", *map(_digest, tools)])
    if (known := kept.get(key)) is None:
        known = kept[key] = objects.put(head_json(messages, tools))
    return known


def head_json(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> bytes:
    """The head as JSON: `{"messages": […], "tools": […]}`, each as on the wire."""
    said, offered = b",".join(map(_wire, messages[:HEAD])), b",".join(map(_wire, tools))
    return b'{"messages":[' + said + b'],"tools":[' + offered + b"]}"
