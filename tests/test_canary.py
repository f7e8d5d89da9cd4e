"""A canary secret is used in a whole run, and afterwards stands nowhere: in no file, no record, no process.

The control is the same run without the guard: there the very same search finds it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from loops import finish, goal, plan, write, yes
from pydantic import SecretStr
from web_servers import Asked, Say, WebServer, reply, web_server

from autoagent import wiring
from autoagent.door.tools import Plugin, ToolContext, tool
from autoagent.ids import new_id
from autoagent.loop.context import Models
from autoagent.memory.edge import EdgeMemory
from autoagent.messages import Reply
from autoagent.outward.client import GuardedOutward
from autoagent.outward.guard import Secrets
from autoagent.ports import ModelRequest, Sandbox
from autoagent.sandboxes.docker import connect
from autoagent.sandboxes.monty import MontySandbox
from autoagent.secrecy import BoundSecret
from autoagent.settings import SandboxSettings
from autoagent.testing.model import ScriptedModel, call
from autoagent.wiring import Hooks, Parts

CANARY = f"CaNaRy/{new_id()}+tweet=tweet"
FORMS = {
    "plain": CANARY,
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "basic": base64.b64encode(b"me:" + CANARY.encode()).decode(),
    "hex": CANARY.encode().hex(),
    "url": quote(CANARY, safe=""),
}
RUN = f"canary-{new_id()}"
NEEDLES = [form.rstrip("=")[4:-4].encode() for form in FORMS.values()]
"""What is searched for: without the ends, which base64 shares with what stands beside it."""
CODE = "import os\nopen('ran.txt', 'w').write('x')\nprint(dict(os.environ))"


async def echo(asked: Asked, say: Say) -> None:
    """A server that says back what it was sent, in every way."""
    sent = asked.headers.get("authorization", "")
    await say(reply(json.dumps({"sent": sent, **FORMS}).encode(), "200 OK", x_echo=sent))


@dataclass
class Spy:
    """Looks at processes and containers while the sandbox is there."""

    environments: dict[str, bytes] = field(default_factory=dict)
    inspected: str = ""

    def plugin(self) -> Plugin:
        @tool(effect="read", destination="url")
        async def echo_get(ctx: ToolContext, url: str) -> str:
            """Get what the server says."""
            answer = await ctx.http.get(url)
            return f"{answer.headers} {answer.text}"

        @tool(effect="external", destination="url")
        async def echo_post(ctx: ToolContext, url: str) -> str:
            """Post the secret itself; the server says it back, and the tool fails with it."""
            answer = await ctx.http.post(url, json={"key": ctx.secret("CANARY")})
            ctx.log.warning("the server says %s", ctx.secret("CANARY"))
            raise ValueError(f"the key {ctx.secret('CANARY')} isn't liked: {answer.text}")

        @tool(effect="read")
        async def look(ctx: ToolContext) -> str:
            """Look at what runs."""
            await asyncio.to_thread(self._look)
            return "looked"

        return Plugin("echo", [echo_get, echo_post, look])

    def _look(self) -> None:
        self.environments.update(_environments())
        if containers := _docker("ps", "-aq", "--filter", f"label=autoagent.run={RUN}").split():
            self.inspected = _docker("inspect", *containers)


def _docker(*command: str) -> str:
    """What the engine says; nothing where there is none."""
    if shutil.which("docker") is None:
        return ""
    return subprocess.run(["docker", *command], capture_output=True, text=True, check=False).stdout


def _environments() -> Iterator[tuple[str, bytes]]:
    """Of every process that isn't ours and that we may look into: its id and environment."""
    own = {os.getpid(), os.getppid()}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) not in own:
            try:
                yield folder.name, (folder / "environ").read_bytes()
            except OSError:  # it has ended, or isn't ours
                continue


def found_in(folder: Path) -> set[str]:
    """The first folder or file beneath `folder` of each file that holds the canary."""
    holding = (p for p in folder.rglob("*") if p.is_file() and any(n in p.read_bytes() for n in NEEDLES))
    return {p.relative_to(folder).parts[0] for p in holding}


def last_result(request: ModelRequest) -> str:
    return request.messages[-1].text


def copying(request: ModelRequest) -> Reply:
    """A model that writes whatever it has read into a file."""
    return write("copy.txt", last_result(request))


def remembering(request: ModelRequest) -> Reply:
    texts = [message.text for message in request.messages]
    return call("memory_remember", text=next(text for text in texts if "x-echo" in text))


@dataclass
class Aviary:
    """One home and workspace, and a run in it."""

    path: Path
    spy: Spy = field(default_factory=Spy)
    notes: list[str] = field(default_factory=list)
    model: ScriptedModel | None = None

    async def run(self, web: WebServer, sandbox: Sandbox, *, guarded: bool) -> None:
        folder = self.path / "workspace"
        folder.mkdir()
        (folder / "in.txt").write_text("something to work on")
        secrets = f"secrets: {{CANARY: '{web.host}'}}" if guarded else ""
        turns = [
            call("echo_get", url=f"{web.url}/"),
            copying,
            remembering,
            call("python_run", code=CODE),
            call("look"),
            *([call("echo_post", url=f"{web.url}/")] if guarded else []),
            finish("all is copied"),
        ]
        self.model = ScriptedModel(plan("a"), *turns)
        home, outward = self.path / "home", None
        if not guarded:  # the client sends it all the same: nobody knows that it is a secret
            outward = GuardedOutward(secrets=Secrets((BoundSecret("CANARY", web.host, SecretStr(CANARY)),)))
        allow = f"web: ['{web.host}'], run: sandbox, send: {{echo: ['{web.url}/']}}, {secrets}"
        await wiring.start(
            goal(f"{{goal: use the key, plugins: [files, memory, python], allow: {{{allow}}}}}"),
            folder,
            hooks=Hooks(approver=yes(), on_note=self.notes.append),
            parts=Parts(
                models=Models(self.model, self.model, self.model),
                sandbox=sandbox,
                plugins=[self.spy.plugin()],
                home=home,
                outward=outward,
            ),
        )

    @property
    def prompts(self) -> str:
        assert self.model is not None
        return "".join(prompt.text for prompt in self.model.prompts)

    async def remembered(self) -> str:
        memory = EdgeMemory(self.path / "home" / "memory")
        hits = await memory.search("sent echo copied key", limit=20)
        await memory.close()
        return " ".join(hit.point.text for hit in hits)


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", CANARY)


async def _stands_nowhere(path: Path, sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> Spy:
    aviary = Aviary(path)
    async with web_server({"/": echo}) as web:
        await aviary.run(web, sandbox, guarded=True)

    assert [asked.headers["authorization"] for asked in web.asked] == [f"Bearer {CANARY}"] * 2
    assert CANARY in json.loads(web.asked[1].body)["key"], "the tool had it"
    assert (path / "workspace" / "copy.txt").read_text().count("[CANARY]") >= len(FORMS)
    assert (path / "workspace" / "ran.txt").exists()
    assert found_in(path / "workspace") == set()
    assert found_in(path / "home") == set()
    told = (aviary.prompts, await aviary.remembered(), "\n".join(aviary.notes), caplog.text)
    assert "[CANARY]" in told[0]
    assert "[CANARY]" in told[1]
    assert "the server says [CANARY]" in caplog.text
    assert not [text for text in told for needle in NEEDLES if needle.decode() in text]
    held = [pid for pid, env in aviary.spy.environments.items() if any(n in env for n in NEEDLES)]
    assert aviary.spy.environments
    assert not held
    return aviary.spy


async def test_in_monty(tmp_path: Path, canary: None, caplog: pytest.LogCaptureFixture) -> None:
    """Home, workspace, objects, journal, memory, logs, prompts, environments."""
    sandbox = MontySandbox()
    try:
        await _stands_nowhere(tmp_path, sandbox, caplog)
    finally:
        await sandbox.close()


@pytest.mark.docker
async def test_in_docker(tmp_path: Path, canary: None, caplog: pytest.LogCaptureFixture) -> None:
    """The same, with the containers as the engine shows them."""
    sandbox = await connect(SandboxSettings(), RUN, lambda note: None)
    try:
        spy = await _stands_nowhere(tmp_path, sandbox, caplog)
    finally:
        await sandbox.close()

    assert '"autoagent.project": "autoagent"' in spy.inspected
    assert not [needle for needle in NEEDLES if needle.decode() in spy.inspected]


def test_a_process_that_has_it(canary: None) -> None:
    """The control: a child that is given our environment is found out."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = dict(_environments())[str(child.pid)]
        child.communicate(b"\n")

    assert any(needle in found for needle in NEEDLES)


async def test_without_the_guard(tmp_path: Path) -> None:
    """The control: where nobody knows that it is a secret, the same search finds it in each place."""
    sandbox, aviary = MontySandbox(), Aviary(tmp_path)
    async with web_server({"/": echo}) as web:
        await aviary.run(web, sandbox, guarded=False)
    await sandbox.close()

    assert found_in(tmp_path / "workspace") == {"copy.txt"}
    assert {"journal.sqlite3", "memory"} & found_in(tmp_path / "home")
    assert CANARY in aviary.prompts
    assert CANARY in await aviary.remembered()
