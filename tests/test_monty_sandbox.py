"""The monty sandbox: the port's suite, what hostile code gets, checks, refusals and hints."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from monty_snippets import FILES, LACKING, SNIPPETS

from autoagent.ports import Job, ScriptFunction
from autoagent.sandboxes.monty import MontyLimits, MontySandbox
from autoagent.sandboxes.monty_files import FileLimits
from autoagent.sandboxes.monty_hints import MODULES
from autoagent.testing.contracts.sandbox import SandboxContract
from autoagent.testing.contracts.sandbox_jobs import (
    answering,
    assert_unchanged,
    contents,
    guest,
    run,
    working_copy,
)

SMALL = MontyLimits(
    memory_bytes=16 << 20,
    printed_bytes=1 << 20,
    files=FileLimits(written_bytes=1 << 20, read_bytes=1 << 20, entries=500),
)


@pytest.fixture
async def sandbox() -> AsyncIterator[MontySandbox]:
    monty = MontySandbox()
    yield monty
    await monty.close()


@pytest.fixture
async def small() -> AsyncIterator[MontySandbox]:
    monty = MontySandbox(SMALL)
    yield monty
    await monty.close()


class TestMontySandbox(SandboxContract):
    """Monty keeps the port's promises."""

    @pytest.fixture
    async def sandbox(self) -> AsyncIterator[MontySandbox]:
        monty = MontySandbox()
        yield monty
        await monty.close()


# --- what models write -------------------------------------------------------------------------------------

_CPYTHON = """
import contextlib, io, json, os, sys, tempfile
from pathlib import Path
files, snippets = json.load(sys.stdin)
results = {}
for name, code in snippets.items():
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for path, text in files.items():
            Path(path).parent.mkdir(exist_ok=True)
            Path(path).write_text(text)
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit, ModuleNotFoundError):
            exec(code, {"__name__": "__main__"})
        kept = {str(p): p.read_bytes().decode("latin-1") for p in Path(".").rglob("*") if p.is_file()}
        results[name] = [output.getvalue(), kept]
json.dump(results, sys.stdout)
"""


@pytest.fixture(scope="module")
def in_cpython() -> Mapping[str, tuple[str, dict[str, str]]]:
    """What each snippet prints and leaves in CPython."""
    command = [sys.executable, "-I", "-c", _CPYTHON]
    asked = json.dumps([FILES, SNIPPETS])
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    results: dict[str, tuple[str, dict[str, str]]] = json.loads(done.stdout)
    return results


@pytest.mark.parametrize("name", [name for name in SNIPPETS if name not in LACKING])
async def test_common_snippets_run_as_in_cpython(
    sandbox: MontySandbox, in_cpython: Mapping[str, tuple[str, dict[str, str]]], name: str
) -> None:
    """The same output and the same files, byte for byte."""
    files = working_copy(FILES)
    result = await run(sandbox, SNIPPETS[name], files)

    assert result.ok, result.problem
    output, kept = in_cpython[name]
    assert result.output == output
    assert {path: data.decode("latin-1") for path, data in contents(files).items()} == kept


@pytest.mark.parametrize("name", LACKING)
async def test_what_the_subset_lacks_fails_with_a_hint(sandbox: MontySandbox, name: str) -> None:
    """The model reads what to write instead, and nothing was changed."""
    files = working_copy(FILES)
    result = await run(sandbox, SNIPPETS[name], files)

    assert_unchanged(result, files, {path: text.encode() for path, text in FILES.items()})
    assert LACKING[name] in result.problem


async def test_the_list_of_modules_is_what_can_be_imported(sandbox: MontySandbox) -> None:
    """Of the whole standard library, what the notes name and nothing else."""
    code = "".join(
        f"try:\n    import {name}\n    print({name!r})\nexcept ImportError:\n    pass\n"
        for name in sorted(sys.stdlib_module_names)
    )
    result = await run(sandbox, code)

    assert result.ok, result.problem
    assert set(result.output.split()) == MODULES
    assert all(name in sandbox.abilities.notes for name in MODULES)


async def test_an_ordinary_error_gets_no_hint(sandbox: MontySandbox) -> None:
    """What CPython would refuse too is told plainly, with its line."""
    result = await run(sandbox, "rows = []\nprint(rows.first)\n")

    assert result.problem.startswith("AttributeError: 'list' object has no attribute 'first' (line 2: print(")
    assert result.problem.endswith("nothing was changed")


async def test_a_missing_file_names_what_is_there(sandbox: MontySandbox) -> None:
    """The error that the code sees says which file was probably meant."""
    result = await run(sandbox, "open('report.md')", working_copy({"reports.md": "x"}))

    assert "FileNotFoundError: [Errno 2]" in result.problem
    assert "did you mean 'reports.md'?" in result.problem


async def test_a_deep_traceback_is_short(sandbox: MontySandbox) -> None:
    """A thousand frames are told by their two ends."""
    result = await run(sandbox, "def f(n):\n    return f(n + 1)\nf(0)\n")

    assert "RecursionError" in result.problem
    assert "more\n" in result.output
    assert len(result.output.splitlines()) < 30


# --- hostile code ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "x = 'a' * 10**10",
        "x = []\nwhile True:\n    x.append('abc' * 1000)",
        "x = 10 ** 10**8",
        "x = list(range(10**9))",
    ],
)
async def test_a_memory_bomb_ends_in_an_error(small: MontySandbox, code: str) -> None:
    """The interpreter's heap is limited, and the host's memory isn't touched."""
    result = await run(small, code)

    assert result.ended == "error"
    assert "MemoryError: memory limit exceeded" in result.problem


@pytest.mark.parametrize(
    "code",
    [
        "with open('a', 'w') as f:\n    while True:\n        f.write('x' * 1000)",
        "n = 0\nwhile True:\n    n += 1\n    open(str(n), 'w').write('x' * 1000)",
        "import os\nn = 0\nwhile True:\n    n += 1\n    os.mkdir(str(n))",
        "import os\nos.makedirs('/'.join(['d'] * 600))",
    ],
)
async def test_a_file_bomb_ends_in_an_error(small: MontySandbox, code: str) -> None:
    """Bytes and entries that a job may write are limited."""
    files = working_copy()
    result = await run(small, code, files)

    assert result.ended == "error"
    assert "No space left" in result.problem
    assert_unchanged(result, files, {})


async def test_a_file_that_is_too_large_is_not_read(small: MontySandbox) -> None:
    """Reading takes a whole file into memory, so that there is a limit, which the error names."""
    result = await run(small, "open('big').read()", working_copy({"big": b"x" * (2 << 20)}))

    assert "larger than the 1048576 bytes" in result.problem


async def test_a_flood_of_output_is_killed(small: MontySandbox) -> None:
    """Long before its time is up, and the next job has a worker of its own."""
    result = await run(small, "while True:\n    print('x' * 10000)")

    assert result.ended == "killed"
    assert "it printed without end and was killed; nothing was changed" in result.problem
    assert (await run(small, "print(1)")).output == "1\n"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/proc/self/environ", "../../etc/passwd", "/workspace/../etc/hosts"]
)
async def test_nothing_outside_the_workspace_is_there(sandbox: MontySandbox, path: str) -> None:
    """Not even the machine's own files exist."""
    result = await run(sandbox, f"import os\nprint(os.path.exists({path!r}))\nopen({path!r})")

    assert result.output.startswith("False\n")
    assert "FileNotFoundError" in result.problem


async def test_the_environment_is_empty(sandbox: MontySandbox) -> None:
    """No variable of the host's is seen."""
    result = await run(
        sandbox, "import os\nprint(dict(os.environ), os.getenv('PATH'), os.environ.get('HOME', '-'))"
    )

    assert result.output == "{} None -\n"


# --- files -------------------------------------------------------------------------------------------------


async def test_lines_written_one_by_one_are_stored_once(sandbox: MontySandbox) -> None:
    """Content is held back while it grows: two objects, the empty file and the whole one."""
    files = working_copy()
    before = len(files.objects._held)  # type: ignore[attr-defined]
    await run(
        sandbox, "with open('a', 'w') as f:\n    for n in range(500):\n        f.write(f'{n}\\n')", files
    )
    files.tree()

    assert len(files.read("a").splitlines()) == 500
    assert len(files.objects._held) - before <= 4  # type: ignore[attr-defined]  # two manifests besides


async def test_rename_replaces_as_posix_does(sandbox: MontySandbox) -> None:
    """A file takes a file's place; a folder that isn't empty is in the way."""
    files = working_copy({"new": "n", "old": "o", "a/x": "1", "b/y": "2"})
    code = """
        import os
        os.replace('new', 'old')
        try:
            os.rename('a', 'b')
        except OSError as e:
            print(e)
    """
    result = await run(sandbox, code, files)

    assert "Directory not empty" in result.output
    assert contents(files) == {"old": b"n", "a/x": b"1", "b/y": b"2"}


async def test_a_folder_must_be_there_before_its_file(sandbox: MontySandbox) -> None:
    """As in CPython, and the error says what to do."""
    result = await run(sandbox, "open('out/a.txt', 'w')")

    assert "FileNotFoundError" in result.problem
    assert "No such folder: 'out'; make it first" in result.problem


async def test_a_name_must_fit_a_file_system(sandbox: MontySandbox) -> None:
    """What the user's folder could not hold isn't written."""
    result = await run(sandbox, "open('x' * 300, 'w')")

    assert "OSError: [Errno 36] File name too long" in result.problem


async def test_a_link_is_seen_but_not_followed(sandbox: MontySandbox) -> None:
    """Even to a file beside it."""
    files = working_copy({"a.txt": "x"}, links={"link": "a.txt"})
    code = (
        "import os\nprint(os.path.islink('link'), os.path.exists('link'))\nopen('link')\nopen('link').read()"
    )
    result = await run(sandbox, code, files)

    assert result.output.startswith("True False\n")
    assert "links are not followed" in result.problem


async def test_a_name_that_is_no_text_is_listed_spelled_out(sandbox: MontySandbox) -> None:
    """The interpreter's text can't hold it; that it is there is told all the same."""
    result = await run(sandbox, "import os\nprint(os.listdir('.'))", working_copy({"odd\udcff": "x"}))

    assert result.output == "['odd\\\\xff']\n"


# --- endings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"),
    [("exit()", 0), ("quit(0)", 0), ("exit(False)", 0), ("exit(3)", 3), ("raise SystemExit", 0)],
)
async def test_exit_ends_with_its_status(sandbox: MontySandbox, code: str, status: int) -> None:
    """0 is an end like any other; another status keeps nothing."""
    files = working_copy()
    result = await run(sandbox, f"open('a', 'w').write('x')\n{code}\nprint('went on')", files)

    assert (result.ok, result.exit_code, result.output) == (status == 0, status, "")
    assert contents(files) == ({"a": b"x"} if status == 0 else {})


async def test_a_text_as_exit_status_is_printed_and_means_1(sandbox: MontySandbox) -> None:
    """As in CPython; the digits of a text are no status."""
    result = await run(sandbox, "raise SystemExit('0')")

    assert (result.exit_code, result.output) == (1, "0\n")


async def test_a_tools_time_is_not_the_scripts(sandbox: MontySandbox) -> None:
    """Waiting for a tool, or for whoever it asks, uses nothing of the script's time."""

    async def slow(name: str, args: Mapping[str, object]) -> str:
        await asyncio.sleep(0.4)
        return "done"

    result = await run(sandbox, "print(lookup('x'))", kind="script", call_tool=slow, timeout_s=0.3)

    assert result.output == "done\n"


async def test_a_cancelled_wait_for_a_tool_keeps_nothing(sandbox: MontySandbox) -> None:
    """The tool is cancelled with the script."""
    files = working_copy()
    asked, ended = asyncio.Event(), asyncio.Event()

    async def hanging(name: str, args: Mapping[str, object]) -> str:
        asked.set()
        try:
            return await asyncio.Event().wait() and ""
        finally:
            ended.set()

    code = "open('a', 'w').write('x')\nlookup('x')"
    job = asyncio.create_task(run(sandbox, code, files, kind="script", call_tool=hanging))
    await asked.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job

    assert ended.is_set()
    assert contents(files) == {}


async def test_a_function_is_a_value_too(sandbox: MontySandbox) -> None:
    """It can be named, passed and called later; not where the interpreter can't stop, which the hint says."""
    call_tool = answering(lambda args: str(args["topic"]).upper())
    result = await run(
        sandbox, "f = lookup\nprint([f(x) for x in ['a', 'b']])", kind="script", call_tool=call_tool
    )
    refused = await run(sandbox, "print(list(map(lookup, ['a'])))", kind="script", call_tool=call_tool)

    assert result.output == "['A', 'B']\n"
    assert "in a for loop or comprehension" in refused.problem


async def test_an_argument_that_is_no_json_is_a_type_error(sandbox: MontySandbox) -> None:
    """Tools take JSON values; paths count as text and tuples as lists."""
    calls: list[dict[str, object]] = []
    call_tool = answering(lambda args: str(calls.append(dict(args))))
    code = """
        from pathlib import Path
        lookup(Path('a/b'), (1, 2))
        try:
            lookup({1, 2})
        except TypeError as e:
            print(e)
    """
    result = await run(sandbox, code, kind="script", call_tool=call_tool)

    assert calls == [{"topic": "a/b", "limit": [1, 2]}]
    assert "lookup() argument 'topic' must be text, a number, a list or a dict" in result.output


async def test_a_result_that_is_no_text_of_the_interpreters_is_spelled_out(sandbox: MontySandbox) -> None:
    """Half characters in a tool's result don't break the script."""
    result = await run(sandbox, "print(lookup('x'))", kind="script", call_tool=answering(lambda _: "a\ud800"))

    assert result.output == "a\\ud800\n"


async def test_a_function_may_be_called_like_a_module(sandbox: MontySandbox) -> None:
    """A script's function wins over nothing but an unknown name."""
    functions = (ScriptFunction("files_read", ("path",)),)
    result = await run(
        sandbox,
        "print(files_read('x'), len(files_read(path='y')))",
        kind="script",
        call_tool=answering(lambda args: f"<{args['path']}>"),
        functions=functions,
    )

    assert result.output == "<x> 3\n"


# --- checks and refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("python3 -I check.py one 'two words'", 0),
        ("python wrong.py", 1),
        ("python -c 'assert 1 + 1 == 2'", 0),
        ("python3.11 -c \"assert open('check.py').read() == ''\"", 1),
        ("python /workspace/check.py", 0),
        ("python ../check.py", 2),
    ],
)
async def test_check_commands_are_followed(sandbox: MontySandbox, command: str, status: int) -> None:
    """A file with flags and arguments, and code in the command itself."""
    files = working_copy({"check.py": "assert __file__ == '/workspace/check.py'", "wrong.py": "assert 0"})
    assert sandbox.refuses(command, "check") is None

    result = await run(sandbox, command, files, kind="check")
    assert (result.ended, result.exit_code) == ("exit", status)


@pytest.mark.parametrize(
    ("code", "status"), [("exit(4)", 4), ("exit(0)", 0), ("quit('bad')", 1), ("exit([])", 1), ("1 / 0", 1)]
)
async def test_a_check_may_exit(sandbox: MontySandbox, code: str, status: int) -> None:
    """With the status that CPython would give."""
    result = await run(sandbox, "python check.py", working_copy({"check.py": code}), kind="check")

    assert (result.ok, result.exit_code) == (True, status)


@pytest.mark.parametrize(
    "command",
    [
        "pytest -q",
        "python -m pytest",
        "python check.py && echo ok",
        "python check.py > out.txt",
        "python check.py $HOME",
        "python check.py *.txt",
        "python",
        "python 'unclosed",
        "python -c 'import yaml'",
        "python -c 'import sys; sys.exit(0)'",
        "./check.py",
        "",
    ],
)
async def test_other_commands_need_docker(sandbox: MontySandbox, command: str) -> None:
    """Refused before anything runs, and no verdict if they are run all the same."""
    refusal = sandbox.refuses(command, "check")
    assert refusal is not None
    assert refusal.startswith("needs Docker: ")

    result = await run(sandbox, command, working_copy({"check.py": ""}), kind="check")
    assert (result.ok, result.exit_code) == (False, None)
    assert "needs Docker: " in result.problem


@pytest.mark.parametrize(
    "code",
    [
        "import sys\ntry:\n    sys.exit(1)\nexcept Exception:\n    pass\n",
        "from sys import exit\nexit(0)",
        "class Base:\n    pass\nclass Check(Base):\n    pass\n",
        "import unittest\n",
        "import sys\nassert sys.argv[1] == 'strict'\n",
        "text = 'abc'\nassert sorted('bA', key=str.lower)\n",
    ],
)
async def test_a_check_that_the_subset_cannot_follow_is_no_verdict(sandbox: MontySandbox, code: str) -> None:
    """Neither proved nor refuted: a failure that is the subset's own says nothing about the work."""
    result = await run(sandbox, "python check.py strict", working_copy({"check.py": code}), kind="check")

    assert (result.ok, result.ended, result.exit_code) == (False, "error", None)
    assert "needs Docker: " in result.problem


async def test_a_check_without_memory_is_no_verdict(small: MontySandbox) -> None:
    """It says nothing about the work."""
    result = await run(small, "python -c 'x = \"a\" * 10**9'", kind="check")

    assert (result.ok, result.ended, result.exit_code) == (False, "killed", None)


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("def rows():\n    yield 1\n", "yield"),
        ("class Wrong(ValueError):\n    pass\n", "class inheritance"),
        ("del x\n", "'del'"),
        ("import numpy as np\n", "'numpy'"),
        ("import os\nimport xml.etree.ElementTree as ET\n", "'xml.etree.ElementTree'"),
        ("from collections.abc import Iterable\n", "'collections.abc'"),
    ],
)
async def test_unsupported_source_is_refused(sandbox: MontySandbox, code: str, missing: str) -> None:
    """By monty's own parser, and by what it imports in any case."""
    refusal = sandbox.refuses(code, "python")

    assert refusal is not None
    assert refusal.startswith("needs Docker: the small Python subset has no ")
    assert missing in refusal


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    import numpy\nexcept ImportError:\n    numpy = None\n",
        "open('never run', 'w').write('x')\n",
        "def broken(:\n",
        "from __future__ import annotations\nimport os.path, glob\n",
        "while True:\n    pass\n",
        "\x00",
        "(" * 5000,
    ],
)
async def test_source_that_may_run_is_not_refused(sandbox: MontySandbox, code: str) -> None:
    """Nor is the code's own mistake; and nothing of it is run to find out."""
    assert sandbox.refuses(code, "python") is None


async def test_more_jobs_than_workers_wait_for_each_other(sandbox: MontySandbox) -> None:
    """Scripts that all call tools at once neither fail nor starve each other."""
    echo = answering(lambda args: str(args["topic"]))
    code = "print(sum(int(lookup(n)) for n in range(5)))"
    jobs = [run(sandbox, code, lane=str(n), kind="script", call_tool=echo) for n in range(70)]
    results = await asyncio.gather(*jobs)

    assert {result.output for result in results} == {"10\n"}


async def test_nothing_heavy_is_loaded_before_the_first_job(tmp_path: Path) -> None:
    """Importing and making the sandbox loads no interpreter."""
    code = (
        "import sys\nfrom autoagent.sandboxes.monty import MontySandbox\nMontySandbox().abilities\n"
        "assert 'pydantic_monty' not in sys.modules\n"
    )
    done = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=tmp_path)

    assert await done.wait() == 0


async def test_a_sandbox_can_be_closed_unused_and_twice(sandbox: MontySandbox) -> None:
    """Closing is idempotent."""
    await sandbox.close()
    await sandbox.close()
    result = await sandbox.run("main", Job("python", guest("print(1)")), working_copy())

    assert result.output == "1\n"
