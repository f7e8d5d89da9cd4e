"""`ScriptedServer`: turns over a real socket, and as a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from autoagent.errors import UsageError
from autoagent.testing import call, says
from autoagent.testing.server import ScriptedServer, SeenRequest, ServedTurn, Turn, load_turns

PLANNER = [{"type": "function", "function": {"name": "propose_plan", "parameters": {}}}]
JUDGE = [{"type": "function", "function": {"name": "verdict", "parameters": {}}}]


def body(text: str = "Go.", **fields: object) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **fields}).encode()


def post(base_url: str, data: bytes) -> tuple[int, Any]:
    """Status and decoded body of one request."""
    request = urllib.request.Request(f"{base_url}/chat/completions", data)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def asked(server: ScriptedServer, data: bytes) -> str:
    """The text of a reply, or of an error."""
    status, answer = await asyncio.to_thread(post, server.base_url, data)
    found = answer["choices"][0]["message"]["content"] if status == 200 else answer["error"]["message"]
    return str(found)


async def test_turns_come_in_order() -> None:
    """Each request takes the next turn."""
    async with ScriptedServer([says("a"), says("b")]) as server:
        assert [await asked(server, body()) for _ in range(2)] == ["a", "b"]


async def test_roles_are_told_by_the_tools_offered() -> None:
    """A turn for a role waits for it."""
    turns = [ServedTurn(role="judge", text="j"), ServedTurn(role="planner", text="p"), ServedTurn(text="any")]
    async with ScriptedServer(turns) as server:
        assert await asked(server, body(tools=PLANNER)) == "p"
        assert await asked(server, body()) == "any"
        assert await asked(server, body(tools=JUDGE)) == "j"


async def test_a_turn_may_wait_for_words() -> None:
    """`when` looks into the last message; `times` lets a turn answer again."""
    turns = [ServedTurn(when="boom", text="oh", times=None), ServedTurn(text="fine")]
    async with ScriptedServer(turns) as server:
        assert await asked(server, body("all quiet")) == "fine"
        assert [await asked(server, body("a boom")) for _ in range(2)] == ["oh", "oh"]


async def test_a_turn_may_be_a_function() -> None:
    """A function of the request gives the answer."""

    def answer(request: SeenRequest) -> ServedTurn:
        return ServedTurn(text=f"You said {request.last}")

    async with ScriptedServer([answer]) as server:
        assert await asked(server, body("hi")) == "You said hi"


async def test_an_exhausted_script_says_so() -> None:
    """A 400 names the request, its role and its last message."""
    async with ScriptedServer([]) as server:
        assert (
            await asked(server, body("What now?"))
            == "the script has no turn left for request 1, which the worker makes; "
            "its last message says: 'What now?'"
        )


async def test_the_same_body_may_get_the_same_answer() -> None:
    """A client that was killed asks again and finds its place; faults are not repeated."""
    turns: list[Turn] = [ServedTurn(status=503), says("a"), says("b")]
    async with ScriptedServer(turns, same_again=True) as server:
        first = [await asked(server, body("one")) for _ in range(3)]
        assert first == ["scripted fault", "a", "a"]
        assert await asked(server, body("two")) == "b"


async def test_requests_are_kept_as_bytes(tmp_path: Path) -> None:
    """What was sent is there, byte for byte, in memory and in a file."""
    sent = [body("ä"), body("b")]
    async with ScriptedServer([says("a"), says("b")], record=tmp_path / "bodies") as server:
        for data in sent:
            await asked(server, data)

        assert [request.body for request in server.requests] == sent
        assert (tmp_path / "bodies").read_bytes().splitlines() == sent


async def test_call_ids_are_unique() -> None:
    """Two calls of two replies have two ids."""
    async with ScriptedServer([call("a"), call("a")]) as server:
        ids = set()
        for _ in range(2):
            _, answer = await asyncio.to_thread(post, server.base_url, body())
            ids.add(answer["choices"][0]["message"]["tool_calls"][0]["id"])

        assert len(ids) == 2


async def test_other_paths_are_404() -> None:
    """Models are listed, and nothing else is served."""
    async with ScriptedServer([], models=["m1"]) as server:
        with await asyncio.to_thread(urllib.request.urlopen, f"{server.base_url}/models") as response:
            assert json.load(response)["data"][0]["id"] == "m1"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            await asyncio.to_thread(urllib.request.urlopen, f"{server.base_url}/nothing")


def test_a_turns_file_is_checked(tmp_path: Path) -> None:
    """A mistake names the file, the turn and the field."""
    path = tmp_path / "turns.json"
    path.write_text('[{"text": "a"}, {"txt": "b"}]')
    with pytest.raises(UsageError, match=r"turns\.json: turn 1\.txt: Extra inputs"):
        load_turns(path)
    with pytest.raises(UsageError, match="can't be read"):
        load_turns(tmp_path / "none.json")


def test_it_is_a_process_of_its_own(tmp_path: Path) -> None:
    """`python -m autoagent.testing.server` prints its address, serves a file, and ends on SIGTERM."""
    path = tmp_path / "turns.json"
    path.write_text(json.dumps([{"calls": [{"name": "finish", "arguments": {"result": "x"}}]}]))
    command = [sys.executable, "-m", "autoagent.testing.server", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        status, answer = post(process.stdout.readline().strip(), body())
        process.terminate()

    assert status == 200
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "finish"
    assert process.returncode == 0


def test_a_bad_file_ends_the_process_with_words(tmp_path: Path) -> None:
    """A turns file that can't be read is an error message, not a traceback."""
    command = [sys.executable, "-m", "autoagent.testing.server", str(tmp_path / "none.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert done.stderr.startswith("error: ")
