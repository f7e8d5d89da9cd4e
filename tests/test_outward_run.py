"""The way out inside runs: each call reaches what policy let it reach."""

from __future__ import annotations

from pathlib import Path

import pytest
from loops import Stage, finish, plan
from web_servers import reply, web_server

from autoagent.events import CallDecided, CallEnded
from autoagent.testing.model import ScriptedModel, call
from autoagent.tools import Plugin, ToolContext, tool


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
        assert "redirects: not reached" in ended(stage, "page_get").output

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
