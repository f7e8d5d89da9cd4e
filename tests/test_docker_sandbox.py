"""The Docker sandbox: the port's contract, what only a whole Python can do, and its containers' lives."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys

import pytest
from docker_sandboxes import NEEDS_DOCKER, RUN, engine, opened

from autoagent.errors import SandboxUnavailable
from autoagent.ids import new_id
from autoagent.ports import Sandbox
from autoagent.sandboxes.docker import DockerSandbox, connect, kill_leftovers, probe
from autoagent.sandboxes.engine import Engine, is_dead, this_process
from autoagent.settings import SandboxSettings
from autoagent.testing.contracts.sandbox import SandboxContract
from autoagent.testing.contracts.sandbox_jobs import answering, assert_unchanged, contents, run, working_copy

__all__ = ["engine", "opened"]
pytestmark = NEEDS_DOCKER

OWNER = """
import asyncio, sys
from autoagent.sandboxes.docker import connect
from autoagent.sandboxes.engine import Engine, is_dead, this_process
from autoagent.settings import SandboxSettings

async def main():
    sandbox = await connect(SandboxSettings(), sys.argv[1], print)
    print('open', flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
"""A process that owns a container and does nothing more."""


class TestContract(SandboxContract):
    """Docker keeps the port's promises."""

    @pytest.fixture
    def sandbox(self, opened: DockerSandbox) -> Sandbox:
        return opened


class TestPython:
    """A job is a whole Python program."""

    async def test_figures_come_back_as_png(self, opened: DockerSandbox) -> None:
        """Figures that are open at the end are pictures of the result; `show` says nothing."""
        code = """
            import matplotlib.pyplot as plt
            plt.plot([1, 2])
            plt.show()
            plt.figure()
        """
        result = await run(opened, code)

        assert (result.ok, result.output) == (True, "")
        assert [image[:8] for image in result.images] == [b"\x89PNG\r\n\x1a\n"] * 2

    async def test_the_image_has_the_usual_packages(self, opened: DockerSandbox) -> None:
        """Abilities name what can be imported."""
        assert {"numpy", "pandas", "matplotlib"} <= set(opened.abilities.packages)

    async def test_jobs_draw_different_random_numbers(self, opened: DockerSandbox) -> None:
        """A forked generator is seeded anew, Python's own and numpy's."""
        code = "import random, numpy\nprint(random.random(), numpy.random.rand())"
        first, second = await run(opened, code), await run(opened, code)

        assert not {*first.output.split()} & {*second.output.split()}

    async def test_the_end_is_that_of_a_program(self, opened: DockerSandbox) -> None:
        """Threads are waited for, exit functions run, and files left open are written."""
        files = working_copy()
        code = """
            import atexit, threading, time
            f = open('a.txt', 'w')
            f.write('flushed')
            threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()
            atexit.register(print, 'atexit')
        """
        result = await run(opened, code, files)

        assert result.output == "thread\natexit\n"
        assert contents(files) == {"a.txt": b"flushed"}

    async def test_a_module_of_the_workspace_can_be_imported(self, opened: DockerSandbox) -> None:
        """`import helper` finds helper.py, and leaves no cache behind."""
        files = working_copy({"helper.py": "def double(n):\n    return 2 * n\n"})
        result = await run(opened, "import helper\nprint(helper.double(21))", files)

        assert result.output == "42\n"
        assert set(contents(files)) == {"helper.py"}

    async def test_a_traceback_shows_the_guests_own_lines(self, opened: DockerSandbox) -> None:
        """Source lines are there, the runner's frames are not."""
        result = await run(opened, "def f():\n    return {}['key']\n\nf()\n")

        assert "return {}['key']" in result.output
        assert "KeyError: 'key'" in result.output
        assert "autoagent" not in result.output

    @pytest.mark.parametrize(
        ("code", "ended", "status", "output"),
        [
            ("import sys\nsys.exit()", "exit", 0, ""),
            ("raise SystemExit(3)", "error", 3, ""),
            ("import sys\nsys.exit('no data')", "error", 1, "no data\n"),
            ("import os\nos._exit(0)", "exit", 0, ""),
        ],
    )
    async def test_exit_statuses(
        self, opened: DockerSandbox, code: str, ended: str, status: int, output: str
    ) -> None:
        """Status 0 is a good end, any other an error."""
        result = await run(opened, code)

        assert (result.ended, result.exit_code, result.output) == (ended, status, output)

    async def test_a_crash_of_the_interpreter_is_told(self, opened: DockerSandbox) -> None:
        """A segmentation fault keeps nothing and is named."""
        files = working_copy()
        code = "import ctypes\nopen('a.txt', 'w').write('x')\nctypes.string_at(0)"
        result = await run(opened, code, files)

        assert_unchanged(result, files, {})
        assert "SIGSEGV" in result.problem

    async def test_input_is_empty(self, opened: DockerSandbox) -> None:
        """Nobody types: `input` raises at once."""
        assert "EOFError" in (await run(opened, "input()")).output

    async def test_modes_and_links_come_out(self, opened: DockerSandbox) -> None:
        """Permission bits, also those that forbid reading, and links within the workspace are kept."""
        files = working_copy({"a.txt": "x"})
        code = """
            import os
            os.mkdir('shut')
            open('shut/b.txt', 'w').write('b')
            os.chmod('shut/b.txt', 0)
            os.chmod('shut', 0)
            os.chmod('a.txt', 0o755)
            os.symlink('a.txt', 'link')
        """
        result = await run(opened, code, files)
        modes = {path: (entry.kind, entry.mode) for path in files.paths() if (entry := files.stat(path))}

        assert result.ok, result.problem
        assert modes == {
            "a.txt": ("file", 0o755),
            "link": ("link", 0o777),
            "shut": ("folder", 0o700),  # its owner may always read and write: a later scan must
            "shut/b.txt": ("file", 0o600),
        }
        assert files.read("shut/b.txt") == b"b"

    async def test_a_large_file_comes_out_whole(self, opened: DockerSandbox) -> None:
        """A file of many chunks goes in and out unchanged."""
        data = os.urandom(5_000_001)
        files = working_copy({"in.bin": data})
        result = await run(opened, "open('out.bin', 'wb').write(open('in.bin', 'rb').read())", files)

        assert result.ok, result.problem
        assert files.read("out.bin") == data

    async def test_a_script_calls_tools_from_its_own_process_only(self, opened: DockerSandbox) -> None:
        """A process that the script started gets an error, and the script's own calls go on."""
        code = """
            import multiprocessing

            def ask(queue):
                try:
                    queue.put(lookup('x'))
                except ToolError as e:
                    queue.put(f'ToolError {e}')

            queue = multiprocessing.Queue()
            worker = multiprocessing.Process(target=ask, args=(queue,))
            worker.start()
            print(queue.get()[:9])
            worker.join()
            print(lookup('y'))
        """
        result = await run(opened, code, kind="script", call_tool=answering(lambda args: "answer"))

        assert result.output == "ToolError\nanswer\n"


class TestContainers:
    """Containers are caches that come and go."""

    async def test_only_what_changed_is_sent(self, opened: DockerSandbox) -> None:
        """A file that stays the same keeps its inode from job to job, also after a failed one."""
        files = working_copy({"same.txt": "same", "other.txt": "1"})
        await run(opened, "import time\ntime.sleep(0.05)", files, lane="cache")
        first = await run(opened, "import os\nprint(os.stat('same.txt').st_ino)", files, lane="cache")
        files.write("other.txt", b"2")
        await run(opened, "open('other.txt', 'w').write('3')\n1 / 0", files, lane="cache")
        code = "import os\nprint(os.stat('same.txt').st_ino)\nassert open('other.txt').read() == '2'"
        second = await run(opened, code, files, lane="cache")

        assert second.output == first.output

    async def test_a_container_that_was_taken_away_is_made_anew(
        self, opened: DockerSandbox, engine: Engine
    ) -> None:
        """The next job doesn't notice."""
        await run(opened, "print(1)", lane="gone")
        for container in engine.containers_of(RUN):
            if container.lane == "gone":
                await asyncio.to_thread(engine.remove, container.id)
        await asyncio.sleep(0.1)

        assert (await run(opened, "print(2)", lane="gone")).output == "2\n"

    async def test_a_workspace_too_large_says_what_to_set(self, opened: DockerSandbox) -> None:
        """The operator reads the size and the setting."""
        files = working_copy({"large.bin": bytes(65 << 20)})
        with pytest.raises(SandboxUnavailable, match=r"'large\.bin' has 65 MB .* workspace_mb"):
            await run(opened, "print(1)", files, lane="large")

    async def test_a_missing_image_is_named(self) -> None:
        """Nothing is pulled behind anyone's back."""
        with pytest.raises(SandboxUnavailable, match=r"no image 'no-such-image:1'"):
            await connect(SandboxSettings(image="no-such-image:1"), "test", lambda note: None)

    async def test_an_engine_that_is_not_there_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`probe` says why and what to do, and raises nothing."""
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        status = await probe(SandboxSettings())

        assert "no Docker engine answered" in status.problem
        assert "DOCKER_HOST" in status.problem

    async def test_a_container_that_can_not_start_does_not_stay(self, engine: Engine) -> None:
        """The engine's own words say why."""
        run_id = f"test-{new_id()}"
        with pytest.raises(SandboxUnavailable, match="no-such-runtime"):
            await connect(SandboxSettings(runtime="no-such-runtime"), run_id, lambda note: None)

        assert engine.containers_of(run_id) == []

    async def test_a_cancelled_start_leaves_nothing(self, engine: Engine) -> None:
        """Whoever cancels while a container starts needn't clean up."""
        run_id = f"test-{new_id()}"
        sandbox = await connect(SandboxSettings(), run_id, lambda note: None)
        starting = asyncio.create_task(run(sandbox, "print(1)", lane="other"))
        await asyncio.sleep(0.05)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await sandbox.close()

        assert engine.containers_of(run_id) == []

    async def test_a_container_ends_with_its_owner(self, engine: Engine) -> None:
        """When the host's process is killed, its containers end and remove themselves."""
        run_id, owner = await _owner()
        owner.kill()
        await owner.wait()
        for _ in range(100):
            if not engine.containers_of(run_id):
                break
            await asyncio.sleep(0.1)

        assert engine.containers_of(run_id) == []

    async def test_a_container_that_was_never_started_is_removed(self, engine: Engine) -> None:
        """Its owner died between creating and starting it; whoever closes a sandbox next removes it."""
        run_id = f"test-{new_id()}"
        create = (  # no public call stops there
            "import sys\n"
            "from autoagent.sandboxes import docker\n"
            "from autoagent.sandboxes.limits import Limits\n"
            "engine = docker.Engine.connect()\n"
            "engine._create(docker.image_name(), sys.argv[1], 'a', Limits(), False, None)"
        )
        owner = await asyncio.create_subprocess_exec(sys.executable, "-c", create, run_id)
        assert await owner.wait() == 0
        assert len(engine.containers_of(run_id)) == 1
        sandbox = await connect(SandboxSettings(), f"test-{new_id()}", lambda note: None)
        await sandbox.close()

        assert engine.containers_of(run_id) == []

    async def test_a_takeover_removes_the_former_owners_containers(self, opened: DockerSandbox) -> None:
        """Also those of an owner that only sleeps; another run's stay."""
        run_id, owner = await _owner()
        owner.send_signal(signal.SIGSTOP)
        killed = await kill_leftovers(run_id)
        owner.kill()
        await owner.wait()

        assert killed == 1
        assert (await run(opened, "print(1)")).ok


@pytest.mark.parametrize(
    ("owner", "dead"),
    [
        (this_process(), False),
        (f"{socket.gethostname()}:1", False),
        ("elsewhere:999999999", False),
        ("", False),
    ],
    ids=["this one", "the first", "elsewhere", "unknown"],
)
async def test_only_the_certainly_dead_are_dead(owner: str, dead: bool) -> None:
    """Another host's process, or a label that can't be read, counts as living."""
    assert is_dead(owner) is dead


async def _owner() -> tuple[str, asyncio.subprocess.Process]:
    """Another process that has a sandbox open, and its run."""
    run_id = f"test-{new_id()}"
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, run_id, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    assert await owner.stdout.readline() == b"open\n"
    return run_id, owner
