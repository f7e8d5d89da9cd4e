"""The web service for tests of plugins: keeps what it is sent, counts effects once, says what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from autoagent.outward.client import GuardedHttp
from autoagent.ports import Http
from autoagent.reach import Reach
from autoagent.testing import HttpAnswer, HttpRequest, HttpWorld


@pytest.fixture
def world() -> Iterator[HttpWorld]:
    with HttpWorld() as made:
        yield made


@pytest.fixture
def http(world: HttpWorld) -> Http:
    return GuardedHttp(Reach((f"127.0.0.1:{world.port}",)))


async def test_what_is_put_can_be_got(world: HttpWorld, http: Http) -> None:
    """Under its path; another one has nothing."""
    await http.request("PUT", f"{world.url}/notes/1", content=b"hello")

    assert (await http.get(f"{world.url}/notes/1")).text == "hello"
    assert (await http.get(f"{world.url}/notes/2")).status == 404
    assert [(r.method, r.path) for r in world.requests] == [
        ("PUT", "/notes/1"),
        ("GET", "/notes/1"),
        ("GET", "/notes/2"),
    ]


async def test_an_effect_is_counted_once(world: HttpWorld, http: Http) -> None:
    """The same PUT, and the same key, are the same effect; a second POST is another, a refused one none."""
    for _ in range(2):
        await http.request("PUT", f"{world.url}/a", content=b"x")
        await http.post(f"{world.url}/b", headers={"Idempotency-Key": "k"})
    assert world.happened() == 2

    await http.post(f"{world.url}/b")
    await http.post(f"{world.url}/b")
    await http.request("DELETE", f"{world.url}/missing")
    assert world.happened() == 4


async def test_an_answer_can_be_held(world: HttpWorld, http: Http) -> None:
    """The request has arrived meanwhile, and nobody has heard."""
    with world.held():
        asked = asyncio.create_task(http.post(f"{world.url}/a"))
        while not world.happened():  # noqa: ASYNC110 (it comes from another thread)
            await asyncio.sleep(0.001)
        assert not asked.done()

    assert (await asked).status == 200


async def test_another_answer_can_be_given(world: HttpWorld, http: Http) -> None:
    """To everybody, for a while; nothing is kept then."""
    with world.answering(HttpAnswer(503, b"later")):
        assert (await http.request("PUT", f"{world.url}/a", content=b"x")).status == 503

    assert (world.kept, world.happened()) == ({}, 0)


async def test_another_service_is_a_class_of_its_own() -> None:
    """It overrides the answer; names for examples are the same."""

    class Service(HttpWorld):
        def answer(self, request: HttpRequest) -> HttpAnswer:
            return HttpAnswer(200, json.dumps({"path": request.path}).encode(), "application/json")

    with Service() as world:
        reply = await GuardedHttp(Reach((f"127.0.0.1:{world.port}",))).get(f"{world.url}/x?y=1")

        assert reply.json() == {"path": "/x?y=1"}
        assert world.names == {"url": world.url, "host": "127.0.0.1", "port": world.port}
