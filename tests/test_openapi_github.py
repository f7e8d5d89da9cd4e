"""GitHub's own description, with its 1,223 operations, against a mock server that knows it too.

The mock (prism) checks each request against the description, path and query; a violation is an answer 422.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loops import Stage, finish, plan, worker_prompts, write
from npm_peers import package

from autoagent.events import CallDecided, CallEnded, SubTaskStarted, ToolsOpened
from autoagent.messages import Reply
from autoagent.testing.model import ScriptedModel, call

GOAL = """
goal: look after the issues
allow: {{web: ['{host}'], send: {{openapi: ['{host}']}}}}
plugins: [files, openapi]
done_when: [{{file: done.txt}}]
"""
DONE = [write("done.txt", "x"), finish()]
REPO = {"owner": "octocat", "repo": "Hello-World"}


@pytest.fixture(scope="module")
def description() -> Path:
    return package("@octokit/openapi") / "generated" / "api.github.com.json"


@pytest.fixture(scope="module")
def host(description: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A mock of the issues' part of the API; for the whole it takes 11 s and 300 MB to start."""
    prism = package("@stoplight/prism-cli") / "dist" / "index.js"
    part = tmp_path_factory.mktemp("mock") / "issues.json"
    part.write_text(_part(json.loads(description.read_bytes()), "/zen", "/repos/{owner}/{repo}/issues"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["node", str(prism), "mock", "--errors", "--host", "127.0.0.1", "--port", str(port), str(part)]
    log = part.with_suffix(".log")
    with log.open("w") as out:
        mock = subprocess.Popen(command, stdout=out, stderr=out, env=dict(os.environ), cwd=part.parent)
    try:
        _until_it_answers(port, mock, log)
        yield f"127.0.0.1:{port}"
    finally:
        mock.terminate()
        mock.wait(10)


def _part(whole: dict[str, Any], *paths: str) -> str:
    """The description with these paths, and the components that they need."""
    kept: dict[str, Any] = {}
    made = {word: whole[word] for word in ("openapi", "info", "servers")}
    made |= {"paths": {path: whole["paths"][path] for path in paths}, "components": kept}
    rest = [json.dumps(made["paths"])]
    while rest:
        for kind, name in re.findall(r'"#/components/(\w+)/([^"]+)"', rest.pop()):
            if name not in kept.setdefault(kind, {}):
                kept[kind][name] = whole["components"][kind][name]
                rest.append(json.dumps(kept[kind][name]))
    return json.dumps(made)


def _until_it_answers(port: int, mock: subprocess.Popen[bytes], log: Path) -> None:
    """The mock listens when it has read the description."""
    for _ in range(600):
        assert mock.poll() is None, log.read_text()
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the mock doesn't listen: {log.read_text()}")


def stage_of(path: Path, description: Path, host: str, more: str = "") -> Stage:
    stage = Stage.at(path)
    stage.home.mkdir()
    table = f'description = "{description}"\nserver = "http://{host}"\n{more}\n'
    (stage.home / "config.toml").write_text(f"[plugins.openapi.services.github]\n{table}")
    return stage


async def told(stage: Stage, host: str, *calls: Reply) -> list[str]:
    model = ScriptedModel(planner=[plan("a")], worker=[*calls, *DONE], by_number=True)
    await stage.start(GOAL.format(host=host), model)
    return [prompt.last.text for prompt in worker_prompts(model)[1 : len(calls) + 1]]


def operation(name: str, **arguments: object) -> Reply:
    return call("openapi_call", operation=name, arguments=arguments)


async def test_whole_api_is_searched_and_called(tmp_path: Path, description: Path, host: str) -> None:
    """Two tools stand in the prompt; what is found by words is called, and the mock finds nothing wrong."""
    stage = stage_of(tmp_path, description, host)
    said = await told(
        stage,
        host,
        call("openapi_search", query="create an issue in a repository"),
        call("openapi_search", query="github_issues_create"),
        operation("github_issues_create", **REPO, title="It crashes", labels=["bug"], assignees=["octocat"]),
        operation("github_issues_list_for_repo", **REPO, state="open", labels="bug,ui", per_page=2),
    )

    assert "github_issues_create(owner: string, repo: string, title: string or integer" in said[0]
    assert '"issue_field_values"' in said[1]
    assert said[2].startswith(f"HTTP 201 Created from http://{host}/repos/octocat/Hello-World/issues")
    assert '"number": 1347' in said[2]
    assert said[3].startswith(f"HTTP 200 OK from http://{host}/repos/octocat/Hello-World/issues?state=open")
    decided = [d for d in stage.events(CallDecided) if d.tool == "openapi_call"]
    assert [d.effect for d in decided] == ["external", "read"]
    assert [t for t in stage.events(SubTaskStarted)[0].tools if "openapi" in t] == [
        "openapi_search",
        "openapi_call",
    ]


async def test_every_operation_but_one_is_offered(tmp_path: Path, description: Path, host: str) -> None:
    """1,223, without the upload that goes to another server, which the settings don't name."""
    stage = stage_of(tmp_path, description, host)
    await told(stage, host)

    (opened,) = stage.events(ToolsOpened)
    records = json.loads(stage.journal.objects.get(opened.tools))
    behind = next(record["behind"] for record in records if record["name"] == "openapi_call")
    assert len(behind) == 1222
    assert "github_repos_upload_release_asset" not in behind
    assert len({name for name in behind if len(name) <= 64}) == 1222


async def test_a_few_are_tools_of_their_own(tmp_path: Path, description: Path, host: str) -> None:
    """Picked by operationId; the mock answers what a wrong argument would be, and we say it before."""
    stage = stage_of(tmp_path, description, host, 'include = ["issues/create", "GET /zen"]')
    said = await told(
        stage,
        host,
        call("github_issues_create", **REPO, title="It crashes"),
        call("github_meta_get_zen"),
        call("github_issues_create", **REPO, title=["no text"]),
    )

    assert said[0].startswith("HTTP 201 Created")
    assert said[1].startswith("HTTP 200 OK")
    assert "parameter 'title': ['no text'] is not valid under any of the given schemas" in said[2]
    assert [e.ok for e in stage.events(CallEnded)][:3] == [True, True, False]


async def test_the_mock_would_notice(host: str) -> None:
    """The control: a request that doesn't fit the description is answered with 422."""
    reader, writer = await asyncio.open_connection(*host.split(":"))
    target = "/repos/a/b/issues?state=bogus&per_page=many"
    writer.write(f"GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 422")
