"""Services of config.toml as tools of a run, against servers on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from loops import Stage, finish, plan, worker_prompts, write, yes
from test_replay import assert_same, replayed
from web_servers import Asked, Say, WebServer, reply, web_server

from autoagent.errors import UsageError
from autoagent.events import CallDecided, CallEnded, CallStarted, QuestionAsked
from autoagent.messages import Reply
from autoagent.testing.model import ScriptedModel, call

GOAL = """
goal: look after the shop
allow: {{web: ['{host}'], send: {{openapi: ['{host}']}}}}
plugins: [files, openapi]
done_when: [{{file: done.txt}}]
"""
READS = GOAL.replace(", send: {{openapi: ['{host}']}}", "")
DONE = [write("done.txt", "x"), finish()]
ITEM = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
SHOP: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        "/items": {
            "get": {
                "operationId": "listItems",
                "summary": "List what is for sale",
                "parameters": [{"name": "q", "in": "query", "schema": {"type": "string"}}],
            },
            "post": {
                "operationId": "addItem",
                "summary": "Offer something new",
                "requestBody": {"required": True, "content": {"application/json": {"schema": ITEM}}},
            },
        },
        "/items/{id}": {
            "delete": {"operationId": "removeItem", "summary": "Take away", "parameters": [ID]},
        },
        "/items/{id}/photo": {
            "put": {
                "operationId": "setPhoto",
                "summary": "Show a photo",
                "parameters": [ID],
                "requestBody": {"required": True, "content": {"image/png": {}}},
            }
        },
    },
}
PAGES = {
    "/v1/items": reply(b'[{"id":7}]', content_type="application/json"),
    "/v1/items/7": reply(b"", "204 No Content"),
    "/v1/items/7/photo": reply(b"", "204 No Content"),
}


def model_of(*calls: Reply) -> ScriptedModel:
    return ScriptedModel(planner=[plan("a")], worker=[*calls, *DONE], by_number=True)


def stage_of(
    path: Path, web: WebServer, more: str = "", own_tools: int = 30, shop: dict[str, Any] = SHOP, **files: str
) -> Stage:
    """A workspace whose config.toml names the service."""
    stage = Stage.at(path, files)
    stage.home.mkdir()
    (path / "shop.json").write_text(json.dumps(shop))
    table = f'description = "{path / "shop.json"}"\nserver = "{web.url}/v1"\n{more}\n'
    (stage.home / "config.toml").write_text(
        f"[plugins.openapi]\nown_tools = {own_tools}\n[plugins.openapi.services.shop]\n{table}"
    )
    return stage


async def told(stage: Stage, web: WebServer, *calls: Reply, goal: str = GOAL) -> list[str]:
    """What the worker reads of each call."""
    model = model_of(*calls)
    await stage.start(goal.format(host=web.host), model)
    return [prompt.last.text for prompt in worker_prompts(model)[1 : len(calls) + 1]]


async def test_operations_are_tools_of_their_own(tmp_path: Path) -> None:
    """With what they take; a GET is a read at its URL, all else a send, each at the settings' server."""
    async with web_server(PAGES) as web:
        stage = stage_of(tmp_path, web)
        calls = [
            call("shop_listItems", q="a b"),
            call("shop_addItem", name="pen"),
            call("shop_removeItem", id=7),
        ]
        said = await told(stage, web, *calls)

    assert [(a.method, a.target, a.body) for a in web.asked] == [
        ("GET", "/v1/items?q=a+b", b""),
        ("POST", "/v1/items", b'{"name":"pen"}'),
        ("DELETE", "/v1/items/7", b""),
    ]
    assert [(d.effect, d.destination) for d in stage.events(CallDecided)][:3] == [
        ("read", f"{web.url}/v1/items?q=a+b"),
        ("external", f"{web.url}/v1/items"),
        ("external", f"{web.url}/v1/items/7"),
    ]
    assert said[0].startswith(f"HTTP 200 OK from {web.url}/v1/items?q=a+b\ncontent-type: application/json")
    assert stage.events(CallEnded)[0].labels == ("outside",)


async def test_many_operations_stand_behind_two_tools(tmp_path: Path) -> None:
    """One finds them, one calls them; the call is judged as the operation that it names."""
    async with web_server(PAGES) as web:
        stage = stage_of(tmp_path, web, own_tools=0)
        remove = call("openapi_call", operation="shop_removeItem", arguments={"id": 7})
        said = await told(stage, web, call("openapi_search", query="take an item away"), remove)
        (first, *_) = stage.events(CallDecided)[1:]

    assert "shop_removeItem(id: integer)\n    DELETE /items/{id}: Take away" in said[0]
    assert said[1].startswith("HTTP 204 No Content")
    assert (first.effect, first.destination) == ("external", f"{web.url}/v1/items/7")
    assert [(a.method, a.target) for a in web.asked] == [("DELETE", "/v1/items/7")]


@pytest.mark.parametrize("own_tools", [30, 0])
async def test_goal_that_only_reads_changes_nothing(tmp_path: Path, own_tools: int) -> None:
    """`allow: web` lets the agent read at the service; to change something, `allow: send` must name it."""
    add = call("shop_addItem", name="pen")
    if not own_tools:
        add = call("openapi_call", operation="shop_addItem", arguments={"name": "pen"})
    async with web_server(PAGES) as web:
        (said,) = await told(stage_of(tmp_path, web, own_tools=own_tools), web, add, goal=READS)

    assert said == "Not allowed: the goal's 'allow: send' doesn't name 'openapi'"
    assert not web.asked


@pytest.mark.parametrize("own_tools", [30, 0])
async def test_operation_under_never_is_never_called(tmp_path: Path, own_tools: int) -> None:
    """However it would be called."""
    remove = call("shop_removeItem", id=7)
    if not own_tools:
        remove = call("openapi_call", operation="shop_removeItem", arguments={"id": 7})
    async with web_server(PAGES) as web:
        stage = stage_of(tmp_path, web, own_tools=own_tools)
        (said,) = await told(stage, web, remove, goal=GOAL + "never: [shop_removeItem]\n")

    wanted = (
        "there is no tool 'shop_removeItem'" if own_tools else "Not allowed: the goal lists 'shop_removeItem'"
    )
    assert said.startswith(wanted)
    assert not web.asked
    assert stage.notes == []


async def test_send_that_is_not_named_asks(tmp_path: Path) -> None:
    """With the URL as the destination."""
    async with web_server(PAGES) as web:
        stage = stage_of(tmp_path, web)
        goal = GOAL.replace("['{host}']}}", "[]}}")
        await stage.start(goal.format(host=web.host), model_of(call("shop_removeItem", id=7)), approver=yes())

    assert [q.question.subject.destination for q in stage.events(QuestionAsked)] == [f"{web.url}/v1/items/7"]
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (call("shop_addItem"), "'name' is a required property"),
        (call("shop_addItem", name=7), "parameter 'name': 7 is not of type 'string'"),
        (call("shop_addItem", name="a", colour="red"), "'colour' was unexpected"),
        (call("shop_removeItem", id="7/../8"), "is not of type 'integer'"),
    ],
)
async def test_wrong_arguments_are_told_before_anything_is_sent(tmp_path: Path, one: Reply, why: str) -> None:
    """The model reads which, and what was expected."""
    async with web_server(PAGES) as web:
        (said,) = await told(stage_of(tmp_path, web), web, one)

    assert why in said
    assert not web.asked


@pytest.mark.parametrize("own_tools", [30, 0])
async def test_file_of_the_workspace_is_sent(tmp_path: Path, own_tools: int) -> None:
    """Its bytes as they were when the call was decided, which the record holds by hash."""
    photo = {"id": 7, "body": "photo"}
    put = (
        call("shop_setPhoto", **photo)
        if own_tools
        else call("openapi_call", operation="shop_setPhoto", arguments=photo)
    )
    async with web_server(PAGES) as web:
        stage = stage_of(tmp_path, web, own_tools=own_tools, photo="PNG")
        await told(stage, web, put)

    (asked,) = web.asked
    assert (asked.method, asked.body, asked.headers["content-type"]) == ("PUT", b"PNG", "image/png")
    assert list(stage.events(CallDecided)[0].files) == ["photo"]


async def test_answer_that_is_no_yes_says_what_it_means(tmp_path: Path) -> None:
    """It was answered: no doubt about that."""
    pages = {"/v1/items/7": reply(b'{"why":"sold"}', "409 Conflict", content_type="application/problem+json")}
    async with web_server(pages) as web:
        stage = stage_of(tmp_path, web)
        (said,) = await told(stage, web, call("shop_removeItem", id=7))

    assert "HTTP 409 Conflict" in said
    assert '"why": "sold"' in said
    assert said.endswith("It arrived, and was refused with this answer.")
    assert stage.events(CallEnded)[0].in_doubt is None


async def test_key_of_a_service_is_attached_and_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the client alone, to that host alone; a service that says it back is struck out."""

    async def echo(asked: Asked, say: Say) -> None:
        await say(reply(asked.headers.get("authorization", "none").encode(), content_type="text/plain"))

    monkeypatch.setenv("SHOP_TOKEN", "tweet-4711-tweet")
    async with web_server({"/v1/items": echo}) as web:
        stage = stage_of(tmp_path, web)
        goal = GOAL.replace("allow: {{", "allow: {{secrets: {{SHOP_TOKEN: '{host}'}}, ")
        said = await told(stage, web, call("shop_addItem", name="pen"), call("shop_listItems"), goal=goal)

    assert [a.headers["authorization"] for a in web.asked] == ["Bearer tweet-4711-tweet"] * 2
    assert all("SHOP_TOKEN" in text and "4711" not in text for text in said)


@pytest.mark.parametrize("own_tools", [30, 0])
async def test_replay_needs_neither_service_nor_description(tmp_path: Path, own_tools: int) -> None:
    """What was opened stands in the record."""
    add, look = call("shop_addItem", name="pen"), call("shop_listItems")
    if not own_tools:
        add = call("openapi_call", operation="shop_addItem", arguments={"name": "pen"})
        look = call("openapi_search", query="offer")
    async with web_server(PAGES) as web:
        stage = stage_of(tmp_path, web, own_tools=own_tools)
        await told(stage, web, add, look)
    (tmp_path / "shop.json").unlink()

    assert_same(await replayed(stage))
    assert len(web.asked) == (2 if own_tools else 1)


# --- after a crash ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own_tools", [30, 0])
@pytest.mark.parametrize(("more", "times"), [("", 1), ("idempotent = true", 2)])
async def test_killed_post_is_made_again_only_where_its_key_is_honoured(
    tmp_path: Path, more: str, times: int, own_tools: int
) -> None:
    """Else a person is asked, and nothing is sent meanwhile."""
    add = call("shop_addItem", name="pen")
    if not own_tools:
        add = call("openapi_call", operation="shop_addItem", arguments={"name": "pen"})
    async with web_server(PAGES) as web:
        stage = stage_of(tmp_path, web, more, own_tools)
        await stage.start(GOAL.format(host=web.host), model_of(add))
        started = next(e.seq for e in stage.journal.read(stage.run) if isinstance(e.event, CallStarted))
        stage.kill(started)
        await stage.resume(model_of(add))

    assert len(web.asked) == times
    assert len({asked.headers.get("idempotency-key") for asked in web.asked}) == 1
    assert [q.question.subject.kind for q in stage.events(QuestionAsked)] == ["recovery"] * (2 - times)


async def test_description_that_changed_asks_again(tmp_path: Path) -> None:
    """A call that was approved when the operation was another one is asked anew, with the difference."""
    async with web_server(PAGES) as web:
        stage = stage_of(tmp_path, web)
        goal = GOAL.replace("['{host}']}}", "[]}}").format(host=web.host)
        await stage.start(goal, model_of(call("shop_removeItem", id=7)))
        before = stage.question()
        changed = json.dumps(SHOP).replace("Take away", "Take away and burn")
        (tmp_path / "shop.json").write_text(changed)
        await stage.resume(model_of(call("shop_removeItem", id=7)))

    assert not web.asked
    assert before.digest != stage.question().digest


# --- descriptions -------------------------------------------------------------------------------------------


def at_url(stage: Stage, web: WebServer, server: str = "") -> None:
    (stage.home / "config.toml").write_text(
        f'[plugins.openapi.services.shop]\ndescription = "{web.url}/shop.json"\n{server}\n'
    )


async def test_description_comes_from_its_service(tmp_path: Path) -> None:
    """Its own word of its server is taken where that is where it comes from."""
    shop = json.dumps({**SHOP, "servers": [{"url": "/v1"}]}).encode()
    async with web_server({**PAGES, "/shop.json": reply(shop)}) as web:
        stage = stage_of(tmp_path, web)
        at_url(stage, web)
        await told(stage, web, call("shop_removeItem", id=7))

    assert [asked.target for asked in web.asked] == ["/shop.json", "/v1/items/7"]


async def test_description_is_kept_for_when_its_host_is_down(tmp_path: Path) -> None:
    """A run goes on with the one that was fetched before."""
    shop = json.dumps({**SHOP, "servers": [{"url": "/v1"}]}).encode()
    async with web_server({**PAGES, "/shop.json": reply(shop)}) as web:
        stage = stage_of(tmp_path, web)
        at_url(stage, web)
        await told(stage, web, call("shop_removeItem", id=7))
        web.pages["/shop.json"] = reply(b"", "503 Busy")
        await told(stage, web, call("shop_removeItem", id=7))

    assert [asked.target for asked in web.asked][2:] == ["/shop.json", "/v1/items/7"]


@pytest.mark.parametrize(
    ("shop", "why"),
    [
        (b"<html>", "can't be used: it is no object"),
        (b'{"swagger": "2.0"}', "can't be used: it is Swagger 2.0"),
        (
            json.dumps({**SHOP, "servers": [{"url": "https://evil.org"}]}).encode(),
            'server = "https://evil.org"',
        ),
        (None, "can't be had: "),
    ],
)
async def test_run_does_not_begin_without_its_description(
    tmp_path: Path, shop: bytes | None, why: str
) -> None:
    """The error names the service and says what to do; no model is called."""
    async with web_server({} if shop is None else {"/shop.json": reply(shop)}) as web:
        stage, model = stage_of(tmp_path, web), model_of()
        at_url(stage, web)
        with pytest.raises(UsageError) as error:
            await stage.start(GOAL.format(host=web.host), model)

    assert "the description of 'shop'" in str(error.value)
    assert why in str(error.value)
    assert model.prompts == []


async def test_service_that_the_goal_does_not_name_stays_closed(tmp_path: Path) -> None:
    """And if none is left, the goal is wrong."""
    async with web_server(PAGES) as web:
        stage = stage_of(tmp_path, web)
        with pytest.raises(UsageError) as error:
            await stage.start(READS.format(host="example.org"), model_of())

    assert f"none of its services (shop at {web.url}/v1)" in str(error.value)
    assert "name a host under 'allow: web'" in str(error.value)


async def test_a_file_does_not_say_where_its_service_is(tmp_path: Path) -> None:
    """However it names a server; the setting that does is named."""
    async with web_server(PAGES) as web:
        stage = stage_of(tmp_path, web)
        config = stage.home / "config.toml"
        config.write_text(
            "".join(x for x in config.read_text().splitlines(True) if not x.startswith("server"))
        )
        with pytest.raises(UsageError, match=r"add server = .* to \[plugins.openapi.services.shop\]"):
            await stage.start(READS.format(host=web.host), model_of())


async def test_missing_file_is_named(tmp_path: Path) -> None:
    """With its place in config.toml."""
    async with web_server(PAGES) as web:
        stage = stage_of(tmp_path, web)
        (tmp_path / "shop.json").unlink()
        with pytest.raises(
            UsageError, match=r"\[plugins.openapi.services.shop\] description = .*No such file"
        ):
            await stage.start(GOAL.format(host=web.host), model_of())
