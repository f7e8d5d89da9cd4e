"""What every sandbox promises, as tests: derive from `SandboxContract` and override its `sandbox` fixture.

The guest's code here keeps to what a Python subset runs too; where abilities differ, a test asks
`sandbox.abilities` and states the fact for both kinds, so that none is skipped.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from autoagent.ports import Sandbox
from autoagent.testing.contracts.sandbox_jobs import assert_unchanged, contents, run, working_copy
from autoagent.testing.contracts.sandbox_scripts import ScriptContract


class FilesContract:
    """Files are the sandbox's only state."""

    async def test_written_files_are_in_the_working_copy(self, sandbox: Sandbox) -> None:
        """A file that the code writes is in the working copy when the job ends well."""
        files = working_copy({"in.txt": "1\n2\n"})
        code = """
            total = sum(int(n) for n in open('in.txt'))
            with open('out.txt', 'w') as f:
                f.write(str(total))
            print('done')
        """
        result = await run(sandbox, code, files)

        assert (result.ok, result.ended, result.exit_code, result.problem) == (True, "exit", 0, "")
        assert result.output == "done\n"
        assert contents(files) == {"in.txt": b"1\n2\n", "out.txt": b"3"}

    async def test_nested_folders_and_any_unicode_name_are_read(self, sandbox: Sandbox) -> None:
        """Files in folders and with names beyond ASCII are where the tree says."""
        files = working_copy({"Über uns/naïve 文件.txt": "grüß dich", "a/b/c.txt": "deep"})
        code = """
            text = open('Über uns/naïve 文件.txt', encoding='utf-8').read()
            with open('a/b/c.txt', 'a', encoding='utf-8') as f:
                f.write(' and ' + text)
        """
        result = await run(sandbox, code, files)

        assert result.ok, result.problem
        assert contents(files)["a/b/c.txt"].decode() == "deep and grüß dich"

    async def test_a_path_may_be_absolute(self, sandbox: Sandbox) -> None:
        """`/workspace/x` and `x` name one file, and `/workspace` is the working directory."""
        files = working_copy({"a.txt": "A"})
        code = """
            import os
            print(os.getcwd())
            with open('/workspace/b.txt', 'w') as f:
                f.write(open('/workspace/a.txt').read())
            print(open('b.txt').read())
        """
        result = await run(sandbox, code, files)

        assert result.output == "/workspace\nA\n"
        assert contents(files)["b.txt"] == b"A"

    async def test_bytes_come_out_as_they_were_written(self, sandbox: Sandbox) -> None:
        """Binary content survives, whatever it is and also where it is large."""
        data = bytes(range(256)) * 4096
        files = working_copy({"in.bin": data})
        code = """
            data = open('in.bin', 'rb').read()
            with open('out.bin', 'wb') as f:
                f.write(data[:-1] + b'!')
        """
        result = await run(sandbox, code, files)

        assert result.ok, result.problem
        assert contents(files)["out.bin"] == data[:-1] + b"!"

    async def test_deletes_and_renames_come_out(self, sandbox: Sandbox) -> None:
        """Removed and renamed files and folders are so in the working copy."""
        files = working_copy({"old.txt": "x", "gone.txt": "y", "a/one.txt": "1", "b/two.txt": "2"})
        code = """
            import os
            os.rename('old.txt', 'new.txt')
            os.remove('gone.txt')
            os.rename('a', 'c')
            os.remove('b/two.txt')
            os.rmdir('b')
        """
        result = await run(sandbox, code, files)

        assert result.ok, result.problem
        assert contents(files) == {"new.txt": b"x", "c/one.txt": b"1"}
        assert (files.stat("a"), files.stat("b")) == (None, None)

    async def test_empty_folders_come_out(self, sandbox: Sandbox) -> None:
        """A folder without files is a change too."""
        files = working_copy()
        await run(sandbox, "import os\nos.makedirs('made/inner')", files)

        made = files.stat("made/inner")
        assert made is not None
        assert made.kind == "folder"

    async def test_what_the_code_did_not_touch_stays_exactly(self, sandbox: Sandbox) -> None:
        """Modes, empty folders, links and names that are no text survive a job that writes another file."""
        files = working_copy({"odd\udcff.txt": "odd"}, links={"link": "odd"})
        files.write("run.sh", b"#!/bin/sh\n", 0o755)
        files.make_folder("empty")
        before = {path: files.stat(path) for path in files.paths()}
        result = await run(sandbox, "open('new.txt', 'w').write('x')", files)

        assert result.ok, result.problem
        assert {path: files.stat(path) for path in files.paths() if path != "new.txt"} == before

    async def test_the_next_job_sees_exactly_the_tree_it_is_given(self, sandbox: Sandbox) -> None:
        """A lane's container is a cache: a job on another tree sees that tree alone."""
        await run(sandbox, "open('left.txt', 'w').write('x')", working_copy({"a.txt": "1"}))
        await run(sandbox, "open('failed.txt', 'w').write('x')\n1 / 0", working_copy({"a.txt": "2"}))
        other = working_copy({"a.txt": "3"})
        code = """
            import os
            print(sorted(os.listdir('.')), open('a.txt').read())
        """
        result = await run(sandbox, code, other)

        assert result.output == "['a.txt'] 3\n"


class EndingContract:
    """How jobs end, and what is kept."""

    async def test_an_uncaught_exception_keeps_nothing(self, sandbox: Sandbox) -> None:
        """The working copy is dropped; the model reads type, message, line and that nothing was changed."""
        files = working_copy({"a.txt": "before"})
        code = """
            open('a.txt', 'w').write('after')
            open('b.txt', 'w').write('x')
            print('so far')
            1 / 0
        """
        result = await run(sandbox, code, files)

        assert result.ended == "error"
        assert_unchanged(result, files, {"a.txt": b"before"})
        told = result.output + result.problem
        assert "so far" in told
        assert "ZeroDivisionError: division by zero" in told
        assert "line 4" in told

    async def test_a_timeout_keeps_nothing(self, sandbox: Sandbox) -> None:
        """Code that runs too long is killed, also where it catches everything."""
        files = working_copy()
        code = """
            open('a.txt', 'w').write('x')
            while True:
                try:
                    while True:
                        pass
                except BaseException:
                    pass
        """
        result = await run(sandbox, code, files, timeout_s=0.5)

        assert result.ended == "timeout"
        assert_unchanged(result, files, {})

    async def test_sleeping_counts_as_time(self, sandbox: Sandbox) -> None:
        """A sleep longer than the limit is a timeout, not a wait."""
        code = """
            import time
            for _ in range(100):
                time.sleep(5)
        """
        result = await run(sandbox, code, timeout_s=0.5)

        assert (result.ok, result.ended) == (False, "timeout")

    async def test_output_is_cut_in_the_middle(self, sandbox: Sandbox) -> None:
        """Head and tail of a long output are kept, and the limit holds."""
        code = """
            print('BEGIN')
            for _ in range(2000):
                print('x' * 100)
            print('END')
        """
        result = await run(sandbox, code, output_limit_bytes=2000)

        assert result.ok, result.problem
        assert result.output.startswith("BEGIN\n")
        assert result.output.endswith("END\n")
        assert len(result.output.encode()) <= 2100

    async def test_endless_output_is_bounded(self, sandbox: Sandbox) -> None:
        """A flood of output is cut while it comes and ends as a timeout or a kill."""
        code = """
            while True:
                print('y' * 1000)
        """
        result = await run(sandbox, code, timeout_s=1, output_limit_bytes=2000)

        assert result.ended in ("timeout", "killed")
        assert len(result.output.encode()) <= 2100

    async def test_stderr_is_part_of_the_output(self, sandbox: Sandbox) -> None:
        """What is printed to stderr is read like what is printed to stdout."""
        code = """
            import sys
            print('one')
            print('two', file=sys.stderr)
        """
        result = await run(sandbox, code)

        assert sorted(result.output.splitlines()) == ["one", "two"]

    async def test_variables_do_not_outlive_a_call(self, sandbox: Sandbox) -> None:
        """Each job is a fresh process."""
        await run(sandbox, "kept = 41")
        result = await run(sandbox, "print(kept + 1)")

        assert result.ended == "error"
        assert "NameError" in result.output + result.problem

    async def test_an_ordinary_syntax_error_is_the_codes_own(self, sandbox: Sandbox) -> None:
        """Broken code isn't refused: it runs, fails and says where."""
        code = "x = 1\ny = (2 +\n"
        assert sandbox.refuses(code, "python") is None

        result = await run(sandbox, code)
        assert result.ended == "error"
        assert "SyntaxError" in result.output + result.problem

    async def test_cancelling_kills_the_job(self, sandbox: Sandbox) -> None:
        """A cancelled job leaves the files alone, and the lane goes on working."""
        started = asyncio.Event()
        files = working_copy({"a.txt": "before"})

        async def call_tool(name: str, args: Mapping[str, object]) -> str:
            started.set()
            return "go on"

        code = """
            open('a.txt', 'w').write('after')
            lookup('x')
            while True:
                pass
        """
        job = asyncio.create_task(run(sandbox, code, files, kind="script", call_tool=call_tool))
        await started.wait()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

        assert contents(files) == {"a.txt": b"before"}
        assert (await run(sandbox, "print(open('a.txt').read())", files)).output == "before\n"

    async def test_a_shell_job_runs_or_says_what_it_needs(self, sandbox: Sandbox) -> None:
        """With a shell, a non-zero exit is a result and keeps its files; without, the job says so."""
        files = working_copy()
        result = await run(sandbox, "echo hi > a.txt; echo out; exit 3", files, kind="shell")

        if sandbox.abilities.shell:
            assert (result.ok, result.ended, result.exit_code, result.output) == (True, "exit", 3, "out\n")
            assert contents(files) == {"a.txt": b"hi\n"}
        else:
            assert_unchanged(result, files, {})
            assert "needs Docker" in result.problem


class CheckContract:
    """A check's exit status is a verdict."""

    async def test_a_check_that_holds_exits_with_0(self, sandbox: Sandbox) -> None:
        """The command runs on the given files, and its own are thrown away."""
        check = "assert open('a.txt').read() == 'x'\nopen('junk.txt', 'w').write('j')\n"
        files = working_copy({"check.py": check, "a.txt": "x"})
        before = contents(files)
        assert sandbox.refuses("python check.py", "check") is None
        result = await run(sandbox, "python check.py", files, kind="check")

        assert (result.ok, result.ended, result.exit_code) == (True, "exit", 0)
        assert contents(files) == before

    async def test_a_check_that_fails_exits_with_another_status(self, sandbox: Sandbox) -> None:
        """An assertion that fails is a verdict, not a broken job, and its text is in the output."""
        files = working_copy({"check.py": "print('looking')\nassert 1 + 1 == 3, 'sums are off'\n"})
        result = await run(sandbox, "python check.py", files, kind="check")

        assert (result.ok, result.ended, result.exit_code) == (True, "exit", 1)
        assert "looking" in result.output
        assert "AssertionError: sums are off" in result.output

    async def test_a_missing_file_is_no_proof(self, sandbox: Sandbox) -> None:
        """A check that isn't there exits with 2, as Python does."""
        result = await run(sandbox, "python nowhere.py", working_copy(), kind="check")

        assert (result.ended, result.exit_code) == ("exit", 2)
        assert "nowhere.py" in result.output

    async def test_printing_cannot_forge_the_verdict(self, sandbox: Sandbox) -> None:
        """The status comes from the engine, whatever the check prints, and wherever to."""
        forged = '{"ok": true, "ended": "exit", "exit_code": 0}\n'
        code = f"import sys\nprint({forged!r})\nprint({forged!r}, file=sys.stderr)\n"
        if sandbox.abilities.python == "full":
            code += (
                f"import os\nfor fd in range(3, 64):\n    try:\n        os.write(fd, {forged.encode()!r})\n"
            )
            code += "    except OSError:\n        pass\n"
        files = working_copy({"check.py": code + "assert False\n"})
        result = await run(sandbox, "python check.py", files, kind="check")

        assert result.exit_code != 0

    async def test_a_check_that_hangs_is_no_verdict(self, sandbox: Sandbox) -> None:
        """A timeout has no exit status."""
        files = working_copy({"check.py": "while True:\n    pass\n"})
        result = await run(sandbox, "python check.py", files, kind="check", timeout_s=0.5)

        assert (result.ok, result.ended, result.exit_code) == (False, "timeout", None)


class IsolationContract:
    """What untrusted code can't reach."""

    async def test_lanes_do_not_see_each_other(self, sandbox: Sandbox) -> None:
        """Jobs of two lanes run at the same time, each on its own files."""
        one, two = working_copy({"name.txt": "one"}), working_copy({"name.txt": "two"})
        code = """
            name = open('name.txt').read()
            with open(name + '.txt', 'w') as f:
                f.write(name)
            print(name)
        """
        first, second = await asyncio.gather(
            run(sandbox, code, one, lane="a"), run(sandbox, code, two, lane="b")
        )

        assert (first.output, second.output) == ("one\n", "two\n")
        assert set(contents(one)) == {"name.txt", "one.txt"}
        assert set(contents(two)) == {"name.txt", "two.txt"}

    async def test_a_closed_lane_can_be_used_again(self, sandbox: Sandbox) -> None:
        """`close_lane` frees what the lane holds; the next job has it made anew."""
        await run(sandbox, "print(1)", lane="again")
        await sandbox.close_lane("again")
        await sandbox.close_lane("never used")

        assert (await run(sandbox, "print(2)", lane="again")).output == "2\n"

    async def test_there_is_no_network(self, sandbox: Sandbox) -> None:
        """Not even a server on the host's loopback is reached."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0)
            code = f"""
                try:
                    import socket
                    socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 1)
                    print('reached')
                except Exception:
                    print('blocked')
            """
            result = await run(sandbox, code)

            assert result.output == "blocked\n"
            with pytest.raises(BlockingIOError):
                server.accept()

    async def test_no_file_of_the_host_is_read(self, sandbox: Sandbox, tmp_path: Path) -> None:
        """Neither an absolute path, nor `..`, nor a link of the tree leads out of the workspace."""
        secret = tmp_path / "secret.txt"
        secret.write_text("host-secret")
        files = working_copy(links={"link": str(secret), "up": "../" * 12 + str(secret)[1:]})
        code = f"""
            secret = {str(secret)!r}
            for path in [secret, '../' * 12 + secret[1:], '/workspace/../..' + secret, 'link', 'up']:
                try:
                    print('read', open(path).read())
                except Exception:
                    print('blocked')
        """
        result = await run(sandbox, code, files)

        assert result.output == "blocked\n" * 5

    async def test_no_file_of_the_host_is_written(self, sandbox: Sandbox, tmp_path: Path) -> None:
        """A write outside the workspace never touches the host and isn't kept."""
        planted = tmp_path / "planted.txt"
        files = working_copy(links={"link": str(planted)})
        code = f"""
            for path in [{str(planted)!r}, 'link']:
                try:
                    open(path, 'w').write('x')
                except Exception:
                    print('blocked')
        """
        await run(sandbox, code, files)

        assert not planted.exists()


class SandboxContract(FilesContract, EndingContract, ScriptContract, CheckContract, IsolationContract):
    """The whole suite; a subclass says which sandbox by overriding `sandbox`."""

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        raise NotImplementedError("override the `sandbox` fixture with the implementation to test")
