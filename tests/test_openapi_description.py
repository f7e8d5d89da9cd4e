"""Descriptions of services: read within bounds, and mapped to requests that stay where the settings say."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from autoagent.errors import NotDone
from autoagent_openapi.documents import read
from autoagent_openapi.operations import Operation, operations_of
from autoagent_openapi.settings import Service
from autoagent_openapi.unreadable import Unreadable

BINARY = {"type": "string", "format": "binary"}
TWO_FILES = {"type": "object", "required": ["a", "b"], "properties": {"a": BINARY, "b": BINARY}}
SERVER = "https://api.example.org/v1"


def document(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths, **more}


def offered(found: dict[str, Any], **service: Any) -> tuple[dict[str, Operation], list[str]]:
    """The operations of a description, by name, and what is said of the others."""
    service.setdefault("server", SERVER)
    read_again = read(json.dumps(found).encode())
    made, notes = operations_of("shop", Service(description="/d.json", **service), read_again)
    return {operation.name: operation for operation in made}, notes


def one(method: str = "get", path: str = "/items/{id}", **operation: Any) -> Operation:
    """The one operation of a description."""
    parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    given = {"parameters": parameters if "{id}" in path else [], "responses": {}, **operation}
    (made,) = offered(document({path: {method: given}}))[0].values()
    return made


def query(name: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, **more}


# --- bounds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no object"),
        (b"[]", "it is no object"),
        (b"{", "neither JSON nor YAML"),
        (b"a: [", "neither JSON nor YAML"),
        (b'{"swagger": "2.0"}', "it is Swagger 2.0; OpenAPI 3.0 and 3.1 are read: convert it"),
        (b'{"openapi": "4.0.0"}', "it says openapi: '4.0.0'; versions 3.0 and 3.1 are read"),
        (b'{"info": {}}', "it doesn't say 'openapi: 3."),
        (b"[" * 100_000, "nested without end"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "deeper than 100 levels"),
        (b"openapi: 3.0.0\na: " + b"[" * 50_000, "nested deeper than 100 levels"),
        (b"a: {" * 50_000, "nested deeper than 100 levels"),
        (b"openapi: 3.0.0\na: &a [*a]", "refers to 'a', which isn't there"),
        (b"a: 1\n---\nb: 1", "several documents"),
        (b"openapi: 3.0.0\n? [a, b]\n: c", "a key that is no text"),
        (b"openapi: 3.0.0\na: &a {b: 1}\nc: {<<: *a}", "merges mappings"),
        (b'{"openapi": "3.0.0", "a": NaN}', "a number that JSON can't"),
        (b'{"openapi": "3.0.0", "a": 1e999}', "a number that JSON can't"),
        (b'{"a": "' + b"x" * 51_000_000 + b'"}', "it has 51 MB; at most 50 MB are read"),
    ],
)
def test_what_is_no_description_is_refused(content: bytes, why: str) -> None:
    """With what is wrong, and what to do."""
    with pytest.raises(Unreadable) as error:
        read(content)

    assert why in str(error.value)


def test_aliases_are_no_bomb() -> None:
    """Ten levels of ten aliases each are 200 bytes, and ten thousand million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    with pytest.raises(Unreadable, match="more than 5000000 values"):
        read("\n".join(["openapi: 3.0.0", *lines]).encode())


def test_yaml_is_read_as_json() -> None:
    """`no`, `on` and a date are texts, `200` as a key too; numbers and truths are what they are."""
    text = "openapi: 3.1.0\nx: {country: no, on: 1, since: 2022-11-28, 200: 1.5, y: true, z: null, w: 0x1F}\n"

    assert read(text.encode())["x"] == {
        "country": "no",
        "on": 1,
        "since": "2022-11-28",
        "200": 1.5,
        "y": True,
        "z": None,
        "w": "0x1F",
    }


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system [id]", "!!python/name:os.system ''"])
def test_yaml_makes_no_objects(text: str) -> None:
    """Only data."""
    with pytest.raises(Unreadable, match="makes an object of the type"):
        read(f"openapi: 3.0.0\nx: {text}".encode())


@pytest.mark.parametrize("where", ["file:///etc/passwd", "https://evil.org/x.json#/a", "other.yaml#/a", "/x"])
def test_reference_to_elsewhere_is_refused(where: str) -> None:
    """No file and no URL is opened for a description."""
    body = {"content": {"application/json": {"schema": {"properties": {"a": {"$ref": where}}}}}}

    with pytest.raises(Unreadable, match="outside of itself; nothing else is opened"):
        offered(document({"/a": {"post": {"requestBody": body}}}))


def test_reference_in_data_points_nowhere() -> None:
    """An example, a default or an enum may hold any text."""
    schema = {"type": "string", "default": {"$ref": "x"}, "enum": [{"$ref": "y"}], "example": [{"$ref": "z"}]}
    found, _ = offered(document({"/a": {"get": {"parameters": [query("q", schema)]}}}))

    assert list(found) == ["shop_get_a"]


def test_endless_references_end() -> None:
    """A schema that holds itself is read; a parameter that is itself is left out, which is told."""
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}}
    components = {
        "schemas": {"Node": node},
        "parameters": {"P": {"$ref": "#/components/parameters/P"}},
    }
    paths = {
        "/a": {"post": {"operationId": "a", "requestBody": body}},
        "/b": {"get": {"operationId": "b", "parameters": [{"$ref": "#/components/parameters/P"}]}},
    }
    found, notes = offered(document(paths, components=components))

    assert found["shop_a"].request({"next": {"next": {}}}).content == b'{"next":{"next":{}}}'
    assert found["shop_b"].schema["properties"] == {}
    assert "Failed to extract parameter '#/components/parameters/P'" in notes[0]


def test_reference_to_nothing_leaves_its_part_open() -> None:
    """The service will say what it thinks of it."""
    schema = {"type": "object", "properties": {"a": {"$ref": "#/paths/~1b/x"}, "b": {"type": "integer"}}}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    found, _ = offered(document({"/a": {"post": {"operationId": "a", "requestBody": body}}}))

    properties = found["shop_a"].schema["properties"]
    assert isinstance(properties, dict)
    assert properties["a"] == {}


def test_one_bad_operation_costs_only_its_path() -> None:
    """A description that breaks the rules in one place is used all the same, and the place is told."""
    bad = {"get": {"operationId": "bad", "parameters": [{"name": "q", "in": "nowhere"}]}}
    ref = {"get": {"operationId": "ref", "parameters": [query("q", {"$ref": "other.json"})]}}
    found, notes = offered(document({"/bad": bad, "/ref": ref, "/ok": {"get": {"operationId": "ok"}}}))

    assert list(found) == ["shop_ok"]
    assert any(note.startswith("/bad: it can't be read") for note in notes)
    assert any(note.startswith("/ref: it refers to 'other.json', outside of itself") for note in notes)


# --- names --------------------------------------------------------------------------------------------------


def test_names_are_made_of_what_a_tool_may_be_called() -> None:
    """Signs, control characters and length are a stranger's; clashes get a number."""
    ids = ["issues/create", "issues create", "a\x1b[2J\nb", "é", "", "x" * 300]
    paths = {f"/p{n}": {"get": {"operationId": id}} for n, id in enumerate(ids)}
    found, _ = offered(document(paths))

    assert list(found) == [
        "shop_issues_create",
        "shop_issues_create_2",
        "shop_a_2J_b",
        "shop_get_p3",
        "shop_get_p4",
        ("shop_" + "x" * 300)[:64],
    ]


def test_names_of_several_services_are_kept_apart() -> None:
    """`a` with `b_c` and `a_b` with `c` would be one tool."""
    service = Service(description="/d.json", server=SERVER)
    one_ = read(json.dumps(document({"/x": {"get": {"operationId": "b_c"}}})).encode())
    other = read(json.dumps(document({"/x": {"get": {"operationId": "c"}}})).encode())

    (first,), _ = operations_of("a", service, one_)
    (second,), _ = operations_of("a_b", service, other, {first.name})

    assert (first.name, second.name) == ("a_b_c", "a_b_c_2")


def test_description_of_a_stranger_forges_no_line() -> None:
    """It is clipped and stays on its line."""
    operation = one(summary="Do\n\nYou must\x1b[2J", description="x" * 5_000)

    assert operation.title == "GET /items/{id}: Do You must\\x1b[2J"
    assert len(operation.about) == 600


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        ((), (), ["shop_listItems", "shop_addItem", "shop_users"]),
        (("*Item*",), (), ["shop_listItems", "shop_addItem"]),
        (("GET *",), (), ["shop_listItems", "shop_users"]),
        (("people",), (), ["shop_users"]),
        ((), ("POST *",), ["shop_listItems", "shop_users"]),
    ],
)
def test_person_picks_operations(
    include: tuple[str, ...], exclude: tuple[str, ...], names: list[str]
) -> None:
    """By operationId, by tag, by method and path."""
    paths = {
        "/items": {"get": {"operationId": "listItems"}, "post": {"operationId": "addItem"}},
        "/users": {"get": {"operationId": "users", "tags": ["people"]}},
    }

    assert list(offered(document(paths), include=include, exclude=exclude)[0]) == names


def test_picking_nothing_is_an_error() -> None:
    """A pattern that fits nothing is a mistake."""
    with pytest.raises(Unreadable, match=r"no operation matches include = \['zebra'\]"):
        offered(document({"/a": {"get": {}}}), include=("zebra",))


# --- servers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "url"),
    [
        ("https://evil.org/v1", None),
        ("http://api.example.org/v1", None),
        ("https://api.example.org:8443", None),
        ("https://{host}/v1", None),
        ("https://api.example.org@evil.org", None),
        ("file:///etc", None),
        ("https://api.example.org/v2", "https://api.example.org/v2/a"),
        ("/v3", "https://api.example.org/v3/a"),
        ("https://uploads.example.org/x", "https://uploads.example.org/x/a"),
    ],
)
def test_operation_goes_only_where_the_settings_say(own: str, url: str | None) -> None:
    """What the description says of another server is not followed; the operation is left out, and told."""
    paths = {"/a": {"get": {"operationId": "a", "servers": [{"url": own}]}, "put": {"operationId": "b"}}}
    found, notes = offered(document(paths), servers=("https://uploads.example.org",))

    assert found["shop_b"].destination({}) == f"{SERVER}/a"
    if url is None:
        assert notes == ["GET /a is left out: it goes to a server that the settings don't name"]
    else:
        assert found["shop_a"].destination({}) == url


@pytest.mark.parametrize(
    ("description", "servers", "url"),
    [
        ("https://a.org/openapi.json", [{"url": "/v1"}], "https://a.org/v1/a"),
        ("https://a.org/openapi.json", [], "https://a.org/a"),
        (
            "https://eu.a.org/openapi.json",
            [{"url": "https://{region}.a.org/v1", "variables": {"region": {"default": "eu"}}}],
            "https://eu.a.org/v1/a",
        ),
    ],
)
def test_server_may_be_that_of_the_description(description: str, servers: list[Any], url: str) -> None:
    """Where it comes from the same host."""
    found = read(json.dumps(document({"/a": {"get": {}}}, servers=servers)).encode())
    made, _ = operations_of("shop", Service(description=description), found)

    assert made[0].destination({}) == url


@pytest.mark.parametrize(
    ("description", "why"),
    [
        ("https://a.org/openapi.json", 'if you want that: server = "https://evil.org/v1"'),
        ("/openapi.json", 'say where it is: server = "https://evil.org/v1"'),
    ],
)
def test_server_elsewhere_is_the_persons_word(description: str, why: str) -> None:
    """The error says what to write, if it is wanted."""
    found = read(json.dumps(document({"/a": {"get": {}}}, servers=[{"url": "https://evil.org/v1"}])).encode())

    with pytest.raises(Unreadable) as error:
        operations_of("shop", Service(description=description), found)

    assert why in str(error.value)


@pytest.mark.parametrize("path", ["a", "/a/../b", "/a/%2e%2e/b", "/a?x=1", "/a#b", "/a\\b", "/a\nb"])
def test_path_that_leads_astray_is_left_out(path: str) -> None:
    """A path leads down from the server, and holds nothing else."""
    found, notes = offered(
        document({path: {"get": {"operationId": "a"}}, "/ok": {"get": {"operationId": "b"}}})
    )

    assert list(found) == ["shop_b"]
    assert any("left out" in note for note in notes)


@pytest.mark.parametrize("value", ["..", ".", "%2e%2e", "a/../b", "..\\b", "", "a\nb"])
def test_argument_that_leads_up_is_refused(value: str) -> None:
    """In a path it stays one step, whatever it holds."""
    with pytest.raises(NotDone):
        one().destination({"id": value})


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("a/b?c#d", f"{SERVER}/items/a%2Fb%3Fc%23d"),
        ("v1.2.3", f"{SERVER}/items/v1.2.3"),
        ("ü", f"{SERVER}/items/%C3%BC"),
        ("//evil.org", f"{SERVER}/items/%2F%2Fevil.org"),
        ("%2E", None),
    ],
)
def test_argument_of_a_path_is_one_step(value: str, url: str | None) -> None:
    """Signs that mean something in a URL are written out; dots stay dots."""
    if url is None:
        with pytest.raises(NotDone):
            one().destination({"id": value})
    else:
        assert one().destination({"id": value}) == url


# --- requests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "value", "sent"),
    [
        (query("q", {"type": "array"}), ["a", "b"], "q=a&q=b"),
        (query("q", {"type": "array"}, explode=False), ["a", "b"], "q=a%2Cb"),
        (query("q", {"type": "array"}, style="pipeDelimited", explode=False), ["a", "b"], "q=a%7Cb"),
        (query("q", {"type": "object"}, style="deepObject", explode=True), {"a": 1}, "q%5Ba%5D=1"),
        (query("q", {"type": "object"}), {"a": 1, "b": True}, "a=1&b=true"),
        (query("q", {"type": "boolean"}), False, "q=false"),
        (query("q", {"type": "string"}), "a&b=c", "q=a%26b%3Dc"),
        (
            {"name": "q", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}},
            '{"a":1}',
            "q=%7B%22a%22%3A1%7D",
        ),
    ],
)
def test_query_is_written_as_described(parameter: dict[str, Any], value: Any, sent: str) -> None:
    """Style and explode, as FastMCP reads them; a parameter that holds JSON is a text."""
    operation = one(path="/a", parameters=[parameter])

    assert operation.destination({"q": value}) == f"{SERVER}/a?{sent}"


@pytest.mark.parametrize(
    ("content", "args", "kind", "sent"),
    [
        (
            {"application/json": {"schema": {"properties": {"a": {}}}}},
            {"a": [1]},
            "application/json",
            b'{"a":[1]}',
        ),
        (
            {"application/json": {"schema": {"type": "array", "items": {}}}},
            {"body": [1, "é"]},
            "application/json",
            '[1,"é"]'.encode(),
        ),
        (
            {"application/vnd.x+json": {"schema": {"properties": {"a": {}}}}},
            {"a": 1},
            "application/vnd.x+json",
            b'{"a": 1}',
        ),
        (
            {"application/x-www-form-urlencoded": {"schema": {"properties": {"a": {}, "b": {}}}}},
            {"a": "x y", "b": "1"},
            "application/x-www-form-urlencoded",
            b"a=x+y&b=1",
        ),
        ({"text/plain": {"schema": {"type": "string"}}}, {"body": "hé"}, "text/plain", "hé".encode()),
        (
            {"text/xml": {"schema": {}}, "application/json": {"schema": {"properties": {"a": {}}}}},
            {"a": 1},
            "application/json",
            b'{"a":1}',
        ),
    ],
)
def test_body_is_written_as_described(
    content: dict[str, Any], args: dict[str, Any], kind: str, sent: bytes
) -> None:
    """JSON before all other kinds."""
    operation = one("post", "/a", requestBody={"required": True, "content": content})

    request = operation.request(args)

    assert (request.headers["content-type"], request.content) == (kind, sent)


@pytest.mark.parametrize(
    ("content", "argument"),
    [
        ({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}, "body"),
        ({"image/png": {}}, "body"),
        (
            {
                "multipart/form-data": {
                    "schema": {"properties": {"f": {"type": "string", "format": "binary"}}}
                }
            },
            "f",
        ),
    ],
)
def test_bytes_are_a_file_of_the_workspace(content: dict[str, Any], argument: str) -> None:
    """The model names its path; its bytes are sent."""
    operation = one("post", "/a", requestBody={"required": True, "content": content})
    properties = operation.schema["properties"]
    assert isinstance(properties, dict)

    request = operation.request({}, ("photo.png", b"\x89PNG"))

    assert properties[argument] == {"type": "string", "description": "Path of a file."}
    assert request.content is not None
    assert b"\x89PNG" in request.content
    assert operation.effect({argument: "in/photo.png"}) == "external"


def test_names_that_clash_are_kept_apart() -> None:
    """`id` in the path and `id` in the body are two arguments."""
    body = {"content": {"application/json": {"schema": {"properties": {"id": {"type": "integer"}}}}}}
    operation = one("put", requestBody=body)

    request = operation.request({"id__path": "a", "id": 7})

    assert (request.url, request.content) == (f"{SERVER}/items/a", b'{"id":7}')


@pytest.mark.parametrize("name", ["Authorization", "Accept", "Content-Type", "Host", "Proxy-X", "Cookie"])
def test_header_that_is_not_the_models_is_no_argument(name: str) -> None:
    """Keys are attached by the client, and OpenAPI itself says so of the first three."""
    header = {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
    operation = one(path="/a", parameters=[header])

    assert operation.schema["properties"] == {}
    assert operation.schema["required"] == []


def test_operation_that_needs_a_cookie_is_left_out() -> None:
    """No cookies are sent."""
    cookie = {"name": "session", "in": "cookie", "required": True, "schema": {"type": "string"}}
    paths = {"/a": {"get": {"parameters": [cookie]}}, "/b": {"get": {}}}

    found, notes = offered(document(paths))

    assert list(found) == ["shop_get_b"]
    assert notes == ["GET /a is left out: it needs the cookie 'session', and cookies aren't sent"]


@pytest.mark.parametrize(
    ("path", "operation", "why"),
    [
        ("/a/{id}", {}, "its path needs 'id', which isn't described"),
        ("/a", {"requestBody": {"$ref": "#/components/requestBodies/None"}}, "its body can't be read"),
        (
            "/a",
            {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": TWO_FILES}}}},
            "it needs several files, and one can be given",
        ),
    ],
)
def test_operation_that_could_not_be_called_whole_is_left_out(
    path: str, operation: dict[str, Any], why: str
) -> None:
    """Rather than sent without a part of it."""
    found, notes = offered(document({path: {"post": operation}, "/b": {"get": {}}}))

    assert list(found) == ["shop_get_b"]
    assert notes[-1] == f"POST {path} is left out: {why}"


def test_header_with_a_line_break_is_refused() -> None:
    """It would be another header."""
    operation = one(path="/a", parameters=[{"name": "X-A", "in": "header", "schema": {"type": "string"}}])

    assert operation.request({"X-A": "1"}).headers["x-a"] == "1"
    with pytest.raises(NotDone, match="line break"):
        operation.request({"X-A": "1\r\nX-B: 2"})


@pytest.mark.parametrize(
    ("method", "parameter", "args", "effect"),
    [
        ("get", query("q", {}), {"q": "words"}, "read"),
        ("head", query("q", {}), {}, "read"),
        ("get", {"name": "X-Note", "in": "header", "schema": {"type": "string"}}, {}, "read"),
        (
            "get",
            {"name": "X-Note", "in": "header", "schema": {"type": "string"}},
            {"X-Note": "w"},
            "external",
        ),
        ("get", {"name": "X-V", "in": "header", "schema": {"enum": ["1", "2"]}}, {"X-V": "1"}, "read"),
        (
            "get",
            {"name": "X-V", "in": "header", "schema": {"enum": ["1", "2"]}},
            {"X-V": "not listed"},
            "external",
        ),
        (
            "get",
            {"name": "X-V", "in": "header", "schema": {"enum": [f"{n}" for n in range(99)]}},
            {"X-V": "7"},
            "external",
        ),
        ("post", query("q", {}), {}, "external"),
        ("delete", query("q", {}), {}, "external"),
    ],
)
def test_effect_follows_what_the_service_learns(
    method: str, parameter: dict[str, Any], args: dict[str, Any], effect: str
) -> None:
    """A GET that says nothing beside its URL is a read; words in a header leave the house."""
    assert one(method, "/a", parameters=[parameter]).effect(args) == effect


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("server", "https://a.org/{version}"),
        ("server", "https://a.org/?x=1"),
        ("server", "ftp://a.org"),
        ("server", "https://me:secret@a.org"),
        ("description", "openapi.json"),
        ("description", "file:///etc/passwd"),
    ],
)
def test_settings_that_could_mean_two_things_are_refused(field: str, value: str) -> None:
    """A server is a whole URL, a description a whole path or URL."""
    with pytest.raises(ValidationError):
        Service(**{"description": "/d.json", field: value})


def test_yaml_and_json_are_the_same_description() -> None:
    """In both languages."""
    found = document({"/a": {"get": {"operationId": "a", "responses": {"200": {"description": "x"}}}}})

    assert read(yaml.safe_dump(found).encode()) == read(json.dumps(found).encode())
