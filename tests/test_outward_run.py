"""The way out inside runs: each call reaches what policy let it reach."""

from __future__ import annotations

from pathlib import Path

import pytest
from loops import Stage, finish, plan
from web_servers import WebServer, reply, web_server

from autoagent.door.tools import Plugin, ToolContext, tool
from autoagent.errors import ToolError, UsageError
from autoagent.events import CallDecided, CallEnded
from autoagent.messages import Reply
from autoagent.sandboxes.monty import MontySandbox
from autoagent.testing.model import ScriptedModel, call, script


@tool(effect="read", destination="url")
async def page_get(ctx: ToolContext, url: str) -> str:
    """Get a page."""
    return (await ctx.http.get(url)).text


@tool(effect="external", destination="url")
async def page_post(ctx: ToolContext, url: str, then: str = "") -> str:
    """Post to a page, then to another."""
    said = (await ctx.http.post(url, content=b"x")).text
    return said + ((await ctx.http.post(then)).text if then else "")


@tool(effect="read", destination=lambda args: f"search:{args['provider']}/s")
async def look_up(ctx: ToolContext, provider: str, url: str) -> str:
    """Ask a provider; the test's model names it."""
    return (await ctx.http.get(url)).text


@tool(effect="read")
async def quiet(ctx: ToolContext, url: str) -> str:
    """Declares no destination, and tries to reach one."""
    return (await ctx.http.get(url)).text


PLUGIN = Plugin("page", [page_get, page_post, look_up, quiet])


def ended(stage: Stage, tool: str) -> CallEnded:
    """How the last call of a tool ended."""
    events = [entry.event for entry in stage.entries]
    calls = {e.call for e in events if isinstance(e, CallDecided) and e.tool == tool}
    return next(e for e in reversed(events) if isinstance(e, CallEnded) and e.call in calls)


class TestReach:
    """Which call reaches whom."""

    async def test_a_read_reaches_what_the_goal_names(self, tmp_path: Path) -> None:
        """An answer from a server is outside text."""
        async with web_server({"/": reply(b"a page")}) as web:
            stage = Stage.at(tmp_path, plugins=[PLUGIN])
            goal = f"{{goal: look, allow: {{web: ['{web.host}']}}, plugins: [files]}}"
            await stage.start(goal, ScriptedModel(plan("a"), call("page_get", url=web.url + "/"), finish()))

        assert ended(stage, "page_get").output == "a page"
        assert ended(stage, "page_get").labels == ("outside",)

    async def test_a_redirect_into_the_network_is_not_followed(self, tmp_path: Path) -> None:
        """Policy saw the first URL; the client sees the second."""
        async with web_server({"/": reply(b"inner")}) as inner, web_server() as web:
            web.pages["/"] = reply(b"", "302 Found", location=inner.url + "/")
            stage = Stage.at(tmp_path, plugins=[PLUGIN])
            goal = f"{{goal: look, allow: {{web: ['{web.host}', '*']}}, plugins: [files]}}"
            await stage.start(goal, ScriptedModel(plan("a"), call("page_get", url=web.url + "/"), finish()))

        assert not inner.asked
        assert ": not reached: " in ended(stage, "page_get").output

    async def test_an_external_call_reaches_its_destination_alone(self, tmp_path: Path) -> None:
        """Not even another host that the goal lets it post to."""
        async with web_server({"/": reply(b"one")}) as one, web_server({"/": reply(b"two")}) as two:
            stage = Stage.at(tmp_path, plugins=[PLUGIN])
            send = f"{{page: ['{one.url}/', '{two.url}/']}}"
            goal = f"{{goal: post, allow: {{send: {send}}}, plugins: [files]}}"
            there = call("page_post", url=one.url + "/", then=two.url + "/")
            await stage.start(goal, ScriptedModel(plan("a"), there, finish()))

        assert [a.method for a in one.asked] == ["POST"]
        assert not two.asked
        assert "the call's destination names" in ended(stage, "page_post").output

    async def test_a_search_reaches_its_provider(self, tmp_path: Path) -> None:
        """And nobody else."""
        async with web_server({"/s": reply(b"found")}) as web, web_server() as other:
            stage = Stage.at(tmp_path, plugins=[PLUGIN])
            goal = "{goal: look, allow: {web: ['example.org']}, plugins: [files]}"
            first = call("look_up", provider=web.url, url=f"{web.url}/s")
            second = call("look_up", provider=web.url, url=f"{other.url}/s")
            await stage.start(goal, ScriptedModel(plan("a"), first, second, finish()))

        assert len(web.asked) == 1
        assert not other.asked

    @pytest.mark.parametrize("web", ["['127.0.0.1']", "['*']"])
    async def test_a_tool_without_destination_reaches_nobody(self, tmp_path: Path, web: str) -> None:
        """What policy couldn't see isn't reached."""
        async with web_server() as server:
            stage = Stage.at(tmp_path, plugins=[PLUGIN])
            goal = f"{{goal: look, allow: {{web: {web}}}, plugins: [files]}}"
            await stage.start(goal, ScriptedModel(plan("a"), call("quiet", url=server.url), finish()))

        assert not server.asked
        assert "may reach nobody" in ended(stage, "quiet").output


@tool(effect="read", destination="url")
async def secret_say(ctx: ToolContext, url: str) -> str:
    """Say how long the secret is that this call may use."""
    return f"{len(ctx.secret('TOKEN'))} letters"


@tool(effect="read", destination="url")
async def secret_tell(ctx: ToolContext, url: str) -> str:
    """Tell the secret, as a careless plugin does."""
    raise ToolError(f"the key {ctx.secret('TOKEN')} isn't liked")


class TestSecrets:
    """What the goal binds to a host."""

    @pytest.fixture(autouse=True)
    def _token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOKEN", "tok-12345678")

    async def _run(self, tmp_path: Path, web: WebServer, *turns: Reply, more: str = "") -> Stage:
        stage = Stage.at(tmp_path, plugins=[PLUGIN, Plugin("token", [secret_say, secret_tell])])
        goal = f"""
goal: look
allow: {{web: ['{web.host}', 127.0.0.9, '*'], secrets: {{TOKEN: '{web.host}'}}}}
plugins: [files]
{more}"""
        await stage.start(goal, ScriptedModel(plan("a"), *turns, finish()))
        return stage

    async def test_what_it_takes_a_secret_to_read_is_private(self, tmp_path: Path) -> None:
        """So that a search asks afterwards."""
        async with web_server({"/": reply(b"mine"), "/s": reply()}) as web:
            search = call("look_up", provider=web.url, url=f"{web.url}/s")
            stage = await self._run(tmp_path, web, call("page_get", url=web.url + "/"), search)

        assert web.asked[0].headers["authorization"] == "Bearer tok-12345678"
        assert ended(stage, "page_get").labels == ("outside", "private")
        assert "a search tells its provider" in stage.question().why

    async def test_a_search_with_a_secret_is_not_private(self, tmp_path: Path) -> None:
        """It pays for a public index: the next search goes on."""
        async with web_server({"/s": reply()}) as web:
            search = call("look_up", provider=web.url, url=f"{web.url}/s")
            stage = await self._run(tmp_path, web, search, search)

        assert len(web.asked) == 2
        assert ended(stage, "look_up").labels == ("outside",)

    async def test_only_a_call_to_its_host_has_it(self, tmp_path: Path) -> None:
        """`ctx.secret` gives it to that call, and to no other."""
        async with web_server() as web:
            here, there = call("secret_say", url=web.url), call("secret_say", url="http://127.0.0.9/")
            stage = await self._run(tmp_path, web, there, here)

        said = [e.output for e in stage.events(CallEnded) if "secret" in e.output or "letters" in e.output]
        assert "binds no secret of that name" in said[0]
        assert said[1] == "12 letters"

    async def test_what_a_model_says_holds_none(self, tmp_path: Path) -> None:
        """Wherever it has it from: its words are recorded without it, and the call is made as recorded."""
        async with web_server({"/": reply()}) as web:
            stage = await self._run(tmp_path, web, call("page_get", url=f"{web.url}/?k=tok-12345678"))

        record = "".join(entry.model_dump_json() for entry in stage.journal.read(stage.run))
        assert "tok-12345678" not in record
        assert f"{web.url}/?k=[TOKEN]" in record
        assert [asked.target for asked in web.asked] == ["/?k=[TOKEN]"]

    async def test_one_that_is_not_set_begins_no_run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is said at once, and nothing is in the journal."""
        monkeypatch.delenv("TOKEN")
        stage = Stage.at(tmp_path, plugins=[PLUGIN])
        with pytest.raises(UsageError, match="set the variable TOKEN"):
            await stage.start("{goal: x, allow: {secrets: {TOKEN: api.test}}}", ScriptedModel())

        assert not stage.journal.runs()

    async def test_what_a_script_reads_holds_none(self, tmp_path: Path) -> None:
        """What goes into the sandbox is what was recorded."""
        sandbox = MontySandbox()
        async with web_server() as web:
            stage = Stage.at(tmp_path, plugins=[Plugin("token", [secret_tell])], sandbox=sandbox)
            goal = f"""
goal: look
allow: {{run: sandbox, web: ['{web.host}'], secrets: {{TOKEN: '{web.host}'}}}}
plugins: [files, python]
"""
            code = f"""
try:
    secret_tell('{web.url}')
except Exception as error:
    open('told.txt', 'w').write(str(error))
finish('done')
"""
            await stage.start(goal, ScriptedModel(plan("a"), script(code), style="code"))
        await sandbox.close()

        assert "[TOKEN]" in stage.read("told.txt")
        assert "tok-12345678" not in stage.read("told.txt")
