"""What a plugin has opened, as a record: for its hash, for a replay, and to say what has changed. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from autoagent.door.foreign import ForeignSchema
from autoagent.door.tools import SearchedAt, Tool
from autoagent.events import Label
from autoagent.ids import digest
from autoagent.redact import one_line

_SHOWN = 160
_MOST_NAMES = 12


def records_of(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Each tool as JSON: all that a model, a policy and a person know of it."""
    return [_record_of(tool) for tool in tools]


def as_record(tools: Sequence[Tool]) -> bytes:
    return json.dumps(records_of(tools), ensure_ascii=True).encode()


def hash_of(code: str, records: Sequence[Mapping[str, Any]]) -> str:
    """A plugin's hash with what it has opened; `code` covers its files and settings."""
    return digest([code, records])


def labels_of(tools: Sequence[Tool]) -> tuple[Label, ...]:
    """What a model that is offered these tools has read, by their descriptions alone."""
    return ("outside",) if any(x.is_foreign or x.behind for x in tools) else ()


def _record_of(tool: Tool) -> dict[str, Any]:
    given = tool.arguments
    is_foreign = isinstance(given, ForeignSchema)
    follows = type(tool).effect_of is not Tool.effect_of
    schema = dict(given.checked) if isinstance(given, ForeignSchema) else given.model_json_schema()
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": schema,
        "fills_defaults": not is_foreign,
        "effect": BY_ARGUMENTS if follows else _declared(tool.effect),
        "destination": BY_ARGUMENTS if follows else _declared(tool.destination),
        "follows": follows,
        "under": tool.under,
        "runs_code": tool.runs_code,
        "paths": list(tool.paths),
        "sends": list(tool.sends),
        "has_probe": tool.probe is not None,
        "has_key": tool.idempotency_key is not None,
        "timeout_s": tool.timeout_s,
        "output_limit": tool.output_limit,
        "behind": dict(tool.behind),
    }


BY_ARGUMENTS = "by its arguments"
"""Of an effect or a destination that is a function; what `follows` is judged as the tool that it names."""


def _declared(value: str | SearchedAt | Callable[..., object] | None) -> str | None:
    return value if value is None or isinstance(value, str) else BY_ARGUMENTS


# --- differences --------------------------------------------------------------------------------------------


def changes(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Name -> how a tool differs from what it was, in words; without those that are gone."""
    known = {record["name"]: record for record in before}
    found: dict[str, str] = {}
    for record in now:
        name = record["name"]
        if name not in known:
            found[name] = f"it is new: {one_line(record['description'], _SHOWN)}"
        elif parts := list(_differences(known[name], record)):
            found[name] = "; ".join(parts)
    return found


def _differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> Sequence[str]:
    parts = []
    for part in now:
        if was.get(part) == now[part]:
            continue
        if part == "behind":
            parts.append(_behind(was.get(part) or {}, now[part]))
        elif isinstance(now[part], str) and isinstance(was.get(part), str):
            parts.append(f"its {part} was {' and is now '.join(_around(was[part], now[part]))}")
        elif part == "parameters":
            parts.append(f"its parameters: {_parameters(was.get(part) or {}, now[part])}")
        else:
            parts.append(f"its {part} was {was.get(part)!r} and is now {now[part]!r}")
    return parts


def _around(was: str, now: str) -> tuple[str, str]:
    """Both texts from shortly before they part."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(was, now, strict=False)))
    start = max(same - 30, 0)
    dots = "…" if start else ""
    was, now = (dots + one_line(text[start:], _SHOWN) for text in (was, now))
    return repr(was), repr(now)


def _parameters(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    old, new = was.get("properties") or {}, now.get("properties") or {}
    names = [f"{n!r} is new" for n in new if n not in old] + [f"{n!r} is gone" for n in old if n not in new]
    names += [
        f"{n!r} was {was_} and is now {now_}"
        for n in new
        if n in old and old[n] != new[n]
        for was_, now_ in [_around(json.dumps(old[n], sort_keys=True), json.dumps(new[n], sort_keys=True))]
    ]
    return _listed(names) or "what they must be together"


def _behind(was: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = [
        f"{n!r} was {' and is now '.join(_around(was[n], now[n]))}"
        for n in now
        if was.get(n, now[n]) != now[n]
    ]
    names += [f"{n!r} is new: {one_line(now[n], _SHOWN)}" for n in now if n not in was]
    names += [f"{n!r} is gone" for n in was if n not in now]
    return f"of what it stands for, {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    more = f", and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
