"""What a server answered, as the text that the model reads. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from autoagent.redact import one_line


def as_text(result: Mapping[str, Any]) -> str:
    """Texts as they are; what was left out; structured content, where no text says the same."""
    blocks = [block for block in result.get("content") or () if isinstance(block, dict)]
    parts = [part for block in blocks for part in _of_block(block)]
    structured = result.get("structuredContent")
    if structured is not None and not any(_is(block.get("text"), structured) for block in blocks):
        parts.append(json.dumps(structured, ensure_ascii=False))
    return "\n".join(parts) or "(no output)"


def _is(text: object, structured: object) -> bool:
    """Whether a text says the same, or the one value in it: servers send both."""
    if not isinstance(text, str):
        return False
    same = [
        structured,
        *(structured.values() if isinstance(structured, dict) and len(structured) == 1 else ()),
    ]
    try:
        return text in same or json.loads(text) in same
    except (ValueError, RecursionError):
        return False


def _of_block(block: Mapping[str, Any]) -> Iterator[str]:
    match block.get("type"):
        case "text":
            yield str(block.get("text", ""))
        case "image" | "audio" as kind:
            yield f"({kind}, {_size(block)}: left out)"
        case "resource_link":
            yield f"(a link to {_shown(block, 'uri')}: {_shown(block, 'name')})"
        case "resource":
            resource = block.get("resource") or {}
            if isinstance(text := resource.get("text"), str):
                yield f"({_shown(resource, 'uri')}:)\n{text}"
            else:
                yield f"({_shown(resource, 'uri')}, {_size(resource)}: left out)"
        case other:
            yield f"(something of the kind {one_line(str(other), 40)!r}: left out)"


def _shown(of: Mapping[str, Any], key: str) -> str:
    return one_line(str(of.get(key, "?")), 200)


def _size(of: Mapping[str, Any]) -> str:
    """Media type and size of what is sent as base64."""
    data = str(of.get("data") or of.get("blob") or "")
    return f"{one_line(str(of.get('mimeType') or 'of no kind'), 60)}, {len(data) * 3 // 4:,} bytes"
