"""An OpenAPI description as plain data: read, bounded, cut down to what requests need. Opens nothing.

A description is foreign text. It is refused where it points to other files or hosts, is nested without end,
or is of a version that isn't read here; what answers look like, examples and callbacks are left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from autoagent.redact import one_line
from autoagent_openapi.unreadable import DEEPEST, Unreadable
from autoagent_openapi.yaml_json import yaml_as_json

Document = dict[str, Any]
MOST_BYTES = 50_000_000
_MOST_YAML_BYTES = 15_000_000
"""YAML is read ten times slower than JSON: 10 MB in 3 s."""
_MOST_VALUES = 5_000_000
"""GitHub's, with 1,200 operations, has 0.5 million."""
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_BODIES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
"""In this order, where an operation takes several kinds."""
_VERSIONS = {"3.0": "3.0.3", "3.1": "3.1.1", "3.2": "3.1.1"}
"""As it is told to the parser; what 3.2 adds over 3.1 isn't offered."""
_DATA = ("default", "enum", "const", "example", "examples")
"""Words of a schema whose values are data: a `$ref` in there points nowhere."""


def read(content: bytes) -> Document:
    """The description in a file. Raises `Unreadable`."""
    if len(content) > MOST_BYTES:
        raise Unreadable(
            f"it has {len(content) // 1_000_000} MB; at most {MOST_BYTES // 1_000_000} MB are read"
        )
    document = _parsed(content)
    if not isinstance(document, dict):
        raise Unreadable("it is no object; expected an OpenAPI description")
    _check_bounds(document)
    if "swagger" in document:
        raise Unreadable(
            f"it is Swagger {one_line(str(document['swagger']), 20)}; OpenAPI 3.0 and 3.1 are read: convert "
            "it, for example with the npm package swagger2openapi"
        )
    version = str(document.get("openapi", ""))
    known = _VERSIONS.get(".".join(version.split(".")[:2]))
    if known is None:
        said = f"it says openapi: {one_line(version, 20)!r}" if version else "it doesn't say 'openapi: 3.…'"
        raise Unreadable(f"{said}; versions 3.0 and 3.1 are read")
    return {**document, "openapi": known}


def operations(document: Document) -> Iterator[tuple[str, str, Document, Document]]:
    """(path, method in lower case, path item, operation) of each operation, in the description's order."""
    paths = document.get("paths")
    for path, item in (paths if isinstance(paths, dict) else {}).items():
        if not isinstance(item, dict):
            continue
        for method in _METHODS:
            operation = item.get(method)
            if isinstance(operation, dict):
                yield str(path), method, item, operation


def cut_down(document: Document, paths: Mapping[str, Document]) -> Document:
    """The description with these path items alone, without all that no request needs.

    Raises `Unreadable` for a reference that leaves the description.
    """
    components = document.get("components")
    kept = {
        kind: found
        for kind in ("schemas", "parameters", "requestBodies")
        if isinstance(components, dict) and isinstance(found := components.get(kind), dict)
    }
    kept["parameters"] = {n: _parameter(p) for n, p in kept.get("parameters", {}).items()}
    kept["requestBodies"] = {n: _request_body(b) for n, b in kept.get("requestBodies", {}).items()}
    slim_paths = {path: _item(item) for path, item in paths.items()}
    return {
        "openapi": document["openapi"],
        "info": {"title": "", "version": ""},
        "paths": slim_paths,
        "components": _reached(slim_paths, kept),
    }


def _item(item: Document) -> Document:
    slim = {method: _operation(item[method]) for method in _METHODS if isinstance(item.get(method), dict)}
    shared = [_parameter(p) for p in _listed(item.get("parameters"))]
    return {**slim, "parameters": shared} if shared else slim


def _operation(operation: Document) -> Document:
    slim = {
        word: operation[word]
        for word in ("operationId", "summary", "description")
        if isinstance(operation.get(word), str)
    }
    slim["parameters"] = [_parameter(p) for p in _listed(operation.get("parameters"))]
    if "requestBody" in operation:
        slim["requestBody"] = _request_body(operation["requestBody"])
    return {**slim, "responses": {"default": {"description": ""}}}


def _parameter(parameter: Any) -> Any:
    """Without examples; one that holds a text in another language (JSON, as a rule) is a text."""
    if not isinstance(parameter, dict):
        return parameter
    slim = {
        word: value for word, value in parameter.items() if word not in ("example", "examples", "content")
    }
    content = parameter.get("content")
    if isinstance(content, dict) and content:
        kind = one_line(next(iter(content)), 60)
        about = f"{parameter.get('description', '')} (a text of the type {kind})".strip()
        slim |= {"schema": {"type": "string"}, "description": about}
    return slim


def _request_body(body: Any) -> Any:
    """With the one kind of content that will be sent."""
    if not isinstance(body, dict) or not isinstance(content := body.get("content"), dict) or not content:
        return body
    best = min(content, key=lambda kind: _rank(str(kind)))
    chosen = content[best]
    if isinstance(chosen, dict):
        chosen = {word: value for word, value in chosen.items() if word in ("schema", "encoding")}
        chosen.setdefault("schema", {} if _rank(str(best)) < 2 else {"type": "string", "format": "binary"})
    return {**{w: v for w, v in body.items() if w in ("required", "description")}, "content": {best: chosen}}


def _rank(kind: str) -> int:
    plain = kind.partition(";")[0].strip().lower()
    if plain in _BODIES:
        return _BODIES.index(plain) * 2
    return 1 if plain.endswith("+json") else len(_BODIES) * 2


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# --- bounds -------------------------------------------------------------------------------------------------


def _check_bounds(document: Document) -> None:
    """Raises `Unreadable` for more values, or deeper ones, than any honest description has."""
    count = 0
    rest: list[tuple[Iterator[Any], int]] = [(iter((document,)), 0)]
    while rest:
        values, depth = rest[-1]
        try:
            value = next(values)
        except StopIteration:
            rest.pop()
            continue
        count += 1
        if count > _MOST_VALUES or depth > DEEPEST:
            what = f"deeper than {DEEPEST} levels" if depth > DEEPEST else f"more than {_MOST_VALUES} values"
            raise Unreadable(f"it holds {what}, counting what stands behind YAML's aliases each time")
        if isinstance(value, float) and not math.isfinite(value):
            raise Unreadable("it holds a number that JSON can't: NaN, or infinity")
        if isinstance(value, dict):
            rest.append((iter(value.values()), depth + 1))
        elif isinstance(value, list):
            rest.append((iter(value), depth + 1))


def _reached(paths: Document, components: Document) -> Document:
    """The components that these paths need, directly or not. Raises `Unreadable` for what lies outside."""
    found: Document = {kind: {} for kind in components}
    rest: list[Any] = [paths]
    while rest:
        for reference in _references(rest.pop()):
            if not reference.startswith("#/"):
                raise Unreadable(
                    f"it refers to {one_line(reference, 200)!r}, outside of itself; nothing else is opened: "
                    "bundle it into one file, for example with the npm package @redocly/cli"
                )
            _, _, where = reference.partition("#/components/")
            kind, _, name = where.partition("/")
            if kind in components and name in components[kind] and name not in found[kind]:
                found[kind][name] = components[kind][name]
                rest.append(found[kind][name])
    return found


def _references(value: Any) -> Iterator[str]:
    """Each `$ref` in a part of the description."""
    rest = [(value, False)]
    while rest:
        inner, are_names = rest.pop()
        if isinstance(inner, list):
            rest += [(item, False) for item in inner]
        elif isinstance(inner, dict):
            if isinstance(reference := inner.get("$ref"), str):
                yield reference
            mapping = inner.get("discriminator")
            if isinstance(mapping, dict) and isinstance(names := mapping.get("mapping"), dict):
                yield from (str(name) for name in names.values() if str(name).startswith("#/"))
            rest += [(v, w == "properties") for w, v in inner.items() if are_names or w not in _DATA]


# --- JSON and YAML ------------------------------------------------------------------------------------------


def _parsed(content: bytes) -> Any:
    try:
        if content.lstrip()[:1] in (b"{", b"["):
            return json.loads(content)
    except RecursionError:
        raise Unreadable("it is nested without end") from None
    except ValueError as error:
        raise Unreadable(f"it is neither JSON nor YAML: {one_line(str(error), 300)}") from None
    if len(content) > _MOST_YAML_BYTES:
        raise Unreadable(f"it is YAML of {len(content) // 1_000_000} MB; have it as JSON")
    return yaml_as_json(content)
