"""Writes docs/plugins-reference.md from the code: `python docs/reference.py`. A test says when it is stale.

Names, signatures, fields and promises are read off the source: the page says what the code says.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autoagent.door.tools import Plugin, Tool
from autoagent.plugin_host.installed import installed

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "plugins-reference.md"

SECTIONS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "A plugin and its tools",
        (
            ("autoagent.door.tools", "Plugin"),
            ("autoagent.door.tools", "tool"),
            ("autoagent.door.tools", "tool_from_schema"),
            ("autoagent.door.tools", "Tool"),
            ("autoagent.door.tools", "SearchedAt"),
            ("autoagent.door.parameters", "WorkspacePath"),
            ("autoagent.door.parameters", "WorkspaceFile"),
            ("autoagent.door.extras", "needs"),
        ),
    ),
    (
        "What a tool is given and returns",
        (
            ("autoagent.door.contexts", "ToolContext"),
            ("autoagent.door.contexts", "FilesView"),
            ("autoagent.trees.working", "WorkingCopy"),
            ("autoagent.door.contexts", "Observation"),
            ("autoagent.ports.sandbox", "Job"),
            ("autoagent.ports.sandbox", "JobResult"),
            ("autoagent.door.tools", "observation"),
        ),
    ),
    (
        "The way out",
        (
            ("autoagent.ports.http", "Http"),
            ("autoagent.ports.http", "HttpOptions"),
            ("autoagent.ports.http", "HttpSending"),
            ("autoagent.ports.http", "HttpReply"),
        ),
    ),
    ("A plugin that is open while a run is carried", (("autoagent.door.contexts", "PluginContext"),)),
    (
        "Hooks",
        (
            ("autoagent.door.hooks", "Hooks"),
            ("autoagent.door.hooks", "HookContext"),
            ("autoagent.door.hooks", "HeardCall"),
            ("autoagent.door.hooks", "CallOutcome"),
            ("autoagent.door.hooks", "Report"),
        ),
    ),
    (
        "Providers",
        (
            ("autoagent.door.providers", "ProviderContext"),
            ("autoagent.door.providers", "ModelSpec"),
            ("autoagent.ports.model", "Model"),
            ("autoagent.ports.model", "Listener"),
            ("autoagent.door.providers", "Embedder"),
            ("autoagent.door.providers", "Searcher"),
            ("autoagent.door.providers", "SearchHit"),
        ),
    ),
    (
        "Memory and indexes",
        (
            ("autoagent.ports.memory", "Memory"),
            ("autoagent.ports.passages", "Passages"),
            ("autoagent.ports.passages", "Source"),
            ("autoagent.ports.passages", "Passage"),
            ("autoagent.ports.passages", "PassageHit"),
        ),
    ),
    (
        "Errors",
        (
            ("autoagent.errors", "ToolError"),
            ("autoagent.errors", "NotDone"),
            ("autoagent.errors", "AutoagentError"),
            ("autoagent.errors", "UsageError"),
            ("autoagent.errors", "Unavailable"),
        ),
    ),
    (
        "For tests",
        (
            ("autoagent.testing.contracts.plugin", "PluginContract"),
            ("autoagent.testing.rehearsal", "Rehearsal"),
            ("autoagent.testing.rehearsal", "World"),
            ("autoagent.testing.http_world", "HttpWorld"),
            ("autoagent.testing.http_world", "HttpRequest"),
            ("autoagent.testing.http_world", "HttpAnswer"),
            ("autoagent.testing.model", "ScriptedModel"),
            ("autoagent.testing.model", "call"),
            ("autoagent.testing.model", "calls"),
            ("autoagent.testing.model", "says"),
        ),
    ),
)
_HEAD = """# Reference of the plugin door

Written by `python docs/reference.py` from the code. How it fits together stands in [Plugins](plugins.md).
"""
_HIDDEN = {"__init__", "kind"}


def page() -> str:
    """The page as the code wants it."""
    parts = [_HEAD]
    for title, names in SECTIONS:
        parts.append(f"## {title}\n")
        parts += [_entry(module, name) for module, name in names]
    parts.append("## Tools that autoagent brings\n")
    parts += [_plugin(p.name, p.target) for p in installed() if p.package == "autoagent"]
    return "\n".join(parts).rstrip() + "\n"


# --- names --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """A field or method of a class."""

    name: str
    said: str


def _entry(module: str, name: str) -> str:
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    where = f"`from {_door(module, name)} import {name}`"
    for node, after in _with_next(tree.body):
        match node:
            case ast.ClassDef() if node.name == name:
                rows = list(_rows(node))
                return "\n".join(
                    [f"### {name}\n", f"{where}\n", _prose(ast.get_docstring(node)), *_table(rows)]
                )
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name == name:
                said = _prose(ast.get_docstring(node))
                return f"### {name}\n\n{where}\n\n```text\n{_signature(node)}\n```\n\n{said}"
            case ast.Assign(targets=[ast.Name(id=found)]) if found == name:
                return f"### {name}\n\n{where}\n\n{_prose(_text(after))}"
            case _:
                continue
    raise LookupError(f"{module} defines no {name}")


def _door(module: str, name: str) -> str:
    """The shortest place that the name is imported from."""
    for place in ("autoagent", "autoagent.testing", "autoagent.door.tools", "autoagent.ports"):
        if name in getattr(importlib.import_module(place), "__all__", ()):
            return place
    return "autoagent.trees" if module.startswith("autoagent.trees") else module


def _rows(node: ast.ClassDef) -> Iterator[_Row]:
    """Its public fields and methods, those of its bases in autoagent first."""
    for base in node.bases:
        if (inherited := _base(base)) is not None:
            yield from _rows(inherited)
    for each, after in _with_next(node.body):
        match each:
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                default = f" = {ast.unparse(each.value)}" if each.value is not None else ""
                default = "" if "field(" in default or len(default) > 40 else default
                yield _Row(f"{name}: {ast.unparse(each.annotation)}{default}", _text(after))
            case ast.FunctionDef() | ast.AsyncFunctionDef() if _is_shown(each):
                yield _Row(_method(each), ast.get_docstring(each) or "")
            case _:
                continue


_BASES = {"OfPlugin": "autoagent.door.contexts", "HttpOptions": "autoagent.ports.http"}


def _base(base: ast.expr) -> ast.ClassDef | None:
    name = base.id if isinstance(base, ast.Name) else ""
    if name not in _BASES:
        return None
    tree = ast.parse(inspect.getsource(importlib.import_module(_BASES[name])))
    return next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)


def _is_shown(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return not function.name.startswith("_") and not function.name.startswith("test_")


def _method(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """A property by its type, a method by its call."""
    result = f" -> {ast.unparse(function.returns)}" if function.returns is not None else ""
    if any(
        isinstance(d, ast.Name) and d.id in ("property", "cached_property") for d in function.decorator_list
    ):
        return f"{function.name}: {result.removeprefix(' -> ')}"
    arguments = re.sub(r"^(self|cls)\b(, )?", "", ast.unparse(function.args))
    return f"{'await ' * isinstance(function, ast.AsyncFunctionDef)}{function.name}({arguments}){result}"


def _signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    parts = [ast.unparse(function.args)]
    if len(parts[0]) > 70:
        parts = _arguments(function.args)
    inner = ",\n    ".join(parts)
    inner = inner if len(parts) == 1 else f"\n    {inner},\n"
    result = f" -> {ast.unparse(function.returns)}" if function.returns is not None else ""
    return f"{function.name}({inner}){result}"


def _arguments(arguments: ast.arguments) -> list[str]:
    """Each argument with its type and default."""
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    shown = [_argument(a, d) for a, d in zip(plain, defaults, strict=True)]
    if arguments.kwonlyargs:
        shown.append("*")
        shown += [_argument(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return shown


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {ast.unparse(argument.annotation)}" if argument.annotation is not None else ""
    return f"{argument.arg}{kind}{'' if default is None else f' = {ast.unparse(default)}'}"


def _with_next(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, ast.stmt | None]]:
    return zip(body, [*body[1:], None], strict=True)


def _text(node: ast.stmt | None) -> str:
    """The text that stands alone behind a field."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return inspect.cleandoc(text)
        case _:
            return ""


# --- how it looks -------------------------------------------------------------------------------------------


def _prose(text: str | None) -> str:
    """A docstring as Markdown: what is indented is code, or what is raised."""
    lines: list[str] = []
    for paragraph in (text or "").split("\n\n"):
        if paragraph.startswith("Raises:"):
            lines += _raised(paragraph)
        elif paragraph.startswith("    "):
            lines += ["```python", *inspect.cleandoc(paragraph).splitlines(), "```", ""]
        else:
            lines += [_marked(paragraph), ""]
    return "\n".join(lines)


def _raised(paragraph: str) -> list[str]:
    said = " ".join(" ".join(paragraph.removeprefix("Raises:").split()).split())
    return [f"Raises {_marked(said)}", ""]


def _marked(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


def _table(rows: list[_Row]) -> Iterator[str]:
    if not rows:
        return
    yield "| | |\n|---|---|"
    for row in rows:
        if row.name.partition("(")[0].partition(":")[0] not in _HIDDEN:
            yield f"| `{_cell(row.name)}` | {_cell(_marked(row.said))} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# --- our tools ----------------------------------------------------------------------------------------------


def _plugin(name: str, target: str) -> str:
    module, _, attribute = target.partition(":")
    plugin = getattr(importlib.import_module(module), attribute)
    assert isinstance(plugin, Plugin)
    link = f"[its page](plugins/{name}.md)" if (ROOT / "docs" / "plugins" / f"{name}.md").exists() else ""
    settings = f"settings in `[plugins.{name}]`" if plugin.settings is not None else ""
    opened = "further tools, when a run begins" if plugin.opened is not None else ""
    about = "; ".join(part for part in (link, settings, opened) if part)
    return "\n".join([f"### {name}\n", *([f"{about}\n"] if about else []), *(_tool(t) for t in plugin.tools)])


def _tool(tool: Tool) -> str:
    parameters = tool.schema.parameters
    properties, required = parameters.get("properties"), parameters.get("required", [])
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    rows = [
        f"| `{name}` | {_cell(_kind(schema))} | {'' if name in required else _default(schema)} "
        f"| {_cell(_marked(str(schema.get('description', ''))))} |"
        for name, schema in properties.items()
    ]
    head = ["| parameter | type | default | |\n|---|---|---|---|", *rows, ""] if rows else []
    said = f"**`{tool.name}`**: {_marked(tool.description)}"
    return "\n".join([f"{said}\n", f"{_declared(tool)}\n", *head])


def _declared(tool: Tool) -> str:
    effect = f"`{tool.effect}`" if isinstance(tool.effect, str) else "by its arguments"
    match tool.destination:
        case None:
            whom = ""
        case str(parameter):
            whom = f", to its `{parameter}`"
        case _:
            whom = ", to whom its arguments or settings say"
    after = [w for w, has in (("probe", tool.probe), ("idempotency key", tool.idempotency_key)) if has]
    crash = f"; after a crash: {' and '.join(after)}" if after else ""
    code = ", in the sandbox" if tool.runs_code else ""
    most = f"at most {tool.timeout_s:g} s and {tool.output_limit:,} characters"
    return f"Effect {effect}{whom}{code}{crash}; {most}."


def _kind(schema: dict[str, object]) -> str:
    """A JSON schema in a word or two."""
    if isinstance(options := schema.get("enum"), list):
        return ", ".join(f"`{option}`" for option in options)
    if isinstance(options := schema.get("anyOf"), list):
        return " or ".join(_kind(option) for option in options)
    if schema.get("type") == "array":
        items = schema.get("items")
        return f"list of {_kind(items)}" if isinstance(items, dict) else "list"
    words = {"string": "text", "integer": "whole number", "null": "nothing", "boolean": "true or false"}
    kind = str(schema.get("type", "any JSON"))
    return words.get(kind, kind)


def _default(schema: dict[str, object]) -> str:
    return f"`{schema['default']!r}`" if "default" in schema else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
