"""What every sandbox promises of scripts: tools as functions, one working copy, and how it all ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from autoagent.errors import ToolError
from autoagent.ports import Sandbox, StopScript
from autoagent.testing.contracts.sandbox_jobs import (
    answering,
    assert_unchanged,
    contents,
    raising,
    run,
    working_copy,
)


class ScriptContract:
    """Tools are functions; each call is answered by `call_tool`."""

    async def test_functions_take_positions_and_keywords(self, sandbox: Sandbox) -> None:
        """Arguments arrive by name whichever way they were passed, and the result is text."""
        calls: list[tuple[str, dict[str, object]]] = []

        async def call_tool(name: str, args: Mapping[str, object]) -> str:
            calls.append((name, dict(args)))
            return f"found {args['topic']}"

        code = """
            a = lookup('tea', 2)
            b = lookup(limit=[1, {'k': None}], topic='rum')
            print(a.upper(), b)
        """
        result = await run(sandbox, code, kind="script", call_tool=call_tool)

        assert result.output == "FOUND TEA found rum\n"
        assert calls == [
            ("lookup", {"topic": "tea", "limit": 2}),
            ("lookup", {"topic": "rum", "limit": [1, {"k": None}]}),
        ]

    async def test_a_wrong_argument_is_the_scripts_error(self, sandbox: Sandbox) -> None:
        """Too many or unknown arguments raise `TypeError` in the script; the tool isn't called."""
        code = """
            try:
                lookup('a', 1, 2)
            except TypeError as e:
                print('many:', e)
            try:
                lookup(colour='red')
            except TypeError as e:
                print('unknown:', e)
        """
        result = await run(sandbox, code, kind="script", call_tool=raising(AssertionError("was called")))

        assert result.ok, result.problem
        many, unknown = result.output.splitlines()
        assert many.startswith("many: lookup()")
        assert "colour" in unknown

    async def test_a_tool_error_can_be_caught(self, sandbox: Sandbox) -> None:
        """A `ToolError` is an exception in the script, with its text."""
        files = working_copy()
        code = """
            try:
                lookup('x')
            except Exception as e:
                print('caught', e)
            open('a.txt', 'w').write('x')
        """
        error = raising(ToolError("no such topic"))
        result = await run(sandbox, code, files, kind="script", call_tool=error)

        assert result.ok, result.problem
        assert "caught no such topic" in result.output
        assert contents(files) == {"a.txt": b"x"}

    async def test_a_tool_error_has_a_name(self, sandbox: Sandbox) -> None:
        """A script may write `except ToolError` without an import."""
        code = """
            try:
                lookup('x')
            except ToolError as e:
                print('caught', e)
        """
        result = await run(sandbox, code, kind="script", call_tool=raising(ToolError("no such topic")))

        assert result.output == "caught no such topic\n"

    async def test_an_uncaught_tool_error_ends_the_script(self, sandbox: Sandbox) -> None:
        """Nothing of the script is kept, neither its files nor those that a tool wrote for it."""
        files = working_copy({"a.txt": "before"})

        async def call_tool(name: str, args: Mapping[str, object]) -> str:
            files.write("by_tool.txt", b"x")
            raise ToolError("no such topic")

        code = """
            open('a.txt', 'w').write('x')
            lookup('x')
        """
        result = await run(sandbox, code, files, kind="script", call_tool=call_tool)

        assert result.ended == "error"
        assert_unchanged(result, files, {"a.txt": b"before"})
        assert "no such topic" in result.output + result.problem

    async def test_stop_ends_the_script_at_once(self, sandbox: Sandbox) -> None:
        """`StopScript` can't be caught by the script, and nothing is kept."""
        files = working_copy()
        code = """
            open('a.txt', 'w').write('x')
            try:
                lookup('x')
            except BaseException:
                print('caught')
            print('went on')
        """
        stop = raising(StopScript("a person is asked"))
        result = await run(sandbox, code, files, kind="script", call_tool=stop)

        assert result.ended == "stopped"
        assert_unchanged(result, files, {})
        assert result.output == ""

    async def test_tools_and_open_see_one_working_copy(self, sandbox: Sandbox) -> None:
        """What the script wrote a tool reads; what a tool wrote or deleted the script sees."""
        files = working_copy({"old.txt": "old", "a.txt": "zero"})

        def reply(args: Mapping[str, object]) -> str:
            seen = files.read("a.txt").decode()
            files.write("a.txt", f"{seen} two".encode())
            files.write("sub/new.txt", b"from the tool")
            if files.stat("old.txt"):
                files.delete("old.txt")
            return seen

        code = """
            import os
            with open('a.txt', 'w') as f:
                f.write('one')
            print(lookup('x'))
            print(open('a.txt').read(), '|', open('sub/new.txt').read())
            print(os.path.exists('old.txt'))
            with open('a.txt', 'a') as f:
                f.write(' three')
            print(lookup('x'))
        """
        result = await run(sandbox, code, files, kind="script", call_tool=answering(reply))

        assert result.output.splitlines() == ["one", "one two | from the tool", "False", "one two three"]
        assert contents(files) == {"a.txt": b"one two three two", "sub/new.txt": b"from the tool"}

    async def test_many_calls_are_answered_in_turn(self, sandbox: Sandbox) -> None:
        """Each call is answered before the next begins, and there may be thousands."""
        running = 0

        async def call_tool(name: str, args: Mapping[str, object]) -> str:
            nonlocal running
            running += 1
            assert running == 1
            await asyncio.sleep(0)
            running -= 1
            return str(args["topic"])

        code = "print(sum(int(lookup(n)) for n in range(2000)))"
        result = await run(sandbox, code, kind="script", call_tool=call_tool)

        assert result.output == "1999000\n"
