"""What is wrong with what a tool declares, says or did. Pure."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePath

from pydantic import JsonValue

from autoagent.hosts import host_of
from autoagent.redact import one_line
from autoagent.testing.conformance.script import Called, DeedSeen, ToolSeen

MOST_OUTPUT = 200_000
"""Characters: more than that fills most models' context."""
MOST_S = 3_600.0
_SHOWN = 70
_GUARDED = "use ctx.http, which keeps to the hosts that are allowed, redirects too"
_WHERE = "declare a destination, so that it is known who is reached"
_STARTS = "use ctx.run_job, declare 'external', or name it in the rehearsal's `starts`"


def shown(args: Mapping[str, JsonValue]) -> str:
    """Arguments, short."""
    parts = []
    for name, value in args.items():
        text = one_line(json.dumps(value, ensure_ascii=True), 10_000)
        parts.append(f"{name}={text if len(text) <= _SHOWN else f'{text[:30]}… ({len(text)} characters)'}")
    return ", ".join(parts) or "no arguments"


def of_schema(tool: ToolSeen) -> Iterator[str]:
    """What the model isn't told."""
    if len(tool.description.split()) < 3:
        yield "its docstring hardly says what it does: the model knows nothing else of it"
    properties = tool.parameters.get("properties")
    for name, schema in (properties if isinstance(properties, dict) else {}).items():
        if not (isinstance(schema, dict) and schema.get("description")):
            yield f"the parameter {name!r} isn't described: add it under 'Args:' in the docstring"
        if isinstance(schema, dict) and not {"type", "anyOf", "oneOf", "allOf", "$ref", "enum", "const"} & {
            *schema
        }:
            yield f"the parameter {name!r} has no type that says anything: Any and object hold everything"


def of_limits(tool: ToolSeen) -> Iterator[str]:
    """Declarations beyond reason."""
    if tool.output_limit > MOST_OUTPUT:
        yield f"output_limit={tool.output_limit} is more than a model reads; give pages"
    if tool.timeout_s > MOST_S:
        yield f"timeout_s={tool.timeout_s:g} holds a run for more than an hour; split the work"


def of_words(tool: ToolSeen, called: Called, args: Mapping[str, JsonValue]) -> str | None:
    """What is wrong with the way in which a call failed; `None` where it ended well or said why not."""
    if called.broken:
        return f"its effect or destination can't be computed for {shown(args)}: {called.broken}"
    if called.ok or called.refused or called.was_cancelled:
        return None
    if match := re.match(rf"{re.escape(tool.name)} failed: (\w+): (.*)", called.text, re.DOTALL):
        if match[1] == "UnicodeEncodeError" and "surrogates" in match[2]:
            return None  # half of a character can't be kept or sent, and the error says so
        said = one_line(match[2], 120)
        return f"raises {match[1]} ({said}) for {shown(args)}: raise ToolError that says what to do instead"
    if called.text.endswith("the plugin is broken"):
        return f"for {shown(args)}: {called.text}"
    if " was stopped after " in called.text:
        return f"takes too long for {shown(args)}: {called.text}"
    return None


def shortened(wrong: Sequence[str]) -> Iterator[str]:
    """One sentence of each kind of failure, and how many more there are of it."""
    kinds: dict[str, list[str]] = {}
    for said in wrong:
        kinds.setdefault(re.sub(r"for [a-z_0-9]+=.*?: ", "", said).split(" (")[0][:60], []).append(said)
    for first, *others in kinds.values():
        yield first + (f" (and {len(others)} more like it)" if others else "")


def of_deeds(called: Called, starts: Collection[str] = ()) -> Iterator[str]:
    """What a call did that its effect doesn't say."""
    if called.changed and called.effect != "write":
        where = called.changed[0]
        yield f"declares {called.effect!r} and changes the workspace ({where}): declare effect='write'"
    for deed in called.deeds:
        if deed.kind == "starts" and _program(deed.what) in starts:
            continue
        of_effect = _of_external if called.effect == "external" else _of_inner
        if said := _of_anything(deed) or of_effect(deed, called):
            yield said


def _of_anything(deed: DeedSeen) -> str | None:
    match deed.kind:
        case "reads":
            return "opens a file of the host by a path of the model's: take a WorkspacePath, read ctx.files"
        case "prints":
            return f"prints {deed.what!r} among a run's own records: return it, or use ctx.log"
        case "changes":
            return f"changes the whole process ({deed.what}), in which other calls run too: leave that"
        case _:
            return None


def _of_inner(deed: DeedSeen, called: Called) -> str | None:
    """Of a `read` or `write`."""
    match deed.kind:
        case "writes":
            remedy = "use ctx.folder for what is kept" if called.effect == "read" else "use ctx.staging"
            said = f"declares {called.effect!r} and writes the host's file {deed.what}"
            return f"{said}: {remedy}, or declare 'external'"
        case "starts":
            return f"starts the program {deed.what!r}, which nothing watches: {_STARTS}"
        case "connects" if called.effect == "write" and called.destination is None:
            return f"declares 'write' and connects to {deed.what}: {_WHERE}, or declare 'external'"
        case "connects" if called.destination is None:
            return f"connects to {deed.what}: {_WHERE}, and use ctx.http"
        case "connects" if not deed.is_guarded:
            return f"connects to {deed.what} by itself: {_GUARDED}"
        case _:
            return None


def _of_external(deed: DeedSeen, called: Called) -> str | None:
    if deed.kind == "connects" and not deed.is_guarded and host_of(called.destination or ""):
        return f"connects to {deed.what} by itself: {_GUARDED}"
    return None


def _program(path: str) -> str:
    """`python` for any spelling of the interpreter that runs this."""
    return "python" if path == sys.executable else PurePath(path).name


def of_import(deeds: tuple[DeedSeen, ...]) -> Iterator[str]:
    """What importing a plugin did besides defining it."""
    for deed in deeds:
        yield f"importing it {deed.kind} {deed.what}: define the plugin and nothing else; do that in a tool"
