"""What holds for every test: no network but loopback, no model by accident, a home folder of its own.

Docker tests carry the marker `docker` and are skipped, with the reason, where there is no engine or no image.
"""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("quick", deadline=None, derandomize=True, database=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process a core for the whole suite; what is picked by hand runs in this one, at once."""
    is_whole = config.args == config.getini("testpaths") and not config.option.keyword
    return len(os.sched_getaffinity(0)) if is_whole else 0


# --- the network --------------------------------------------------------------------------------------------


class NetworkClosed(RuntimeError):
    """A test tried to leave this machine. No `OSError`: code must not take it for a server that is down."""

    def __init__(self, host: object) -> None:
        super().__init__(
            f"a test tried to reach {host!r}; tests reach only this machine: "
            "use autoagent.testing.ScriptedModel, or a server on 127.0.0.1"
        )


_NETWORK = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}
"""Audit event -> where in its arguments the address is."""
_NAMES = {"socket.getaddrinfo", "socket.gethostbyname"}


def _guard(event: str, args: tuple[object, ...]) -> None:
    """Hears every connection that Python makes; an audit hook can't be undone by the code under test."""
    if event in _NETWORK:
        address = args[_NETWORK[event]]
        if isinstance(address, tuple) and not _is_here(address[0]):  # a unix socket's address is no tuple
            raise NetworkClosed(address[0])
    elif event in _NAMES and not _is_here(args[0]):
        raise NetworkClosed(args[0])


def _is_here(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


sys.addaudithook(_guard)


# --- models and state ---------------------------------------------------------------------------------------

_homes = count(1)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is configured, and the state of a run goes to a folder of the test's own."""
    for name in [n for n in os.environ if n.startswith(("OPENAI_", "AUTOAGENT_"))]:
        if name not in _KEPT:
            monkeypatch.delenv(name)
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(_homes))  # made by whoever needs it
    monkeypatch.setenv("AUTOAGENT_HOME", str(home))


_KEPT = {"AUTOAGENT_SANDBOX_IMAGE"}
"""Says which image the Docker tests use."""


@pytest.fixture(scope="session")
def told_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the runs of `stories`, to be looked at and never changed."""
    from stories import lay_out

    home = tmp_path_factory.mktemp("told")
    lay_out(home)
    return home


# --- Docker -------------------------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)  # after `-m` and `-k`: the engine is only looked at for tests that will run
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    needing = [item for item in items if item.get_closest_marker("docker") is not None]
    if needing and (why := _why_no_docker()):
        for item in needing:
            item.add_marker(pytest.mark.skip(reason=why))


def _why_no_docker() -> str:
    """Why no sandbox can be started here; empty where one can."""
    from autoagent.sandboxes.docker import probe
    from autoagent.settings import SandboxSettings

    with warnings.catch_warnings():
        # docker's client leaves its socket open where nothing listens; it is collected here, not in a test
        warnings.simplefilter("ignore", ResourceWarning)
        status = asyncio.run(probe(SandboxSettings()))
        gc.collect()
    return status.problem or ("" if status.has_image else f"the engine has no image {status.image}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note on a report whether its test needs Docker, for the closing line."""
    outcome = yield
    outcome.get_result().needs_docker = item.get_closest_marker("docker") is not None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many Docker tests ran; where they must (in CI), one that was skipped fails the whole."""
    ran, skipped = _docker_tests(terminalreporter)
    terminalreporter.write_line(f"of the tests that need Docker {ran} ran and {skipped} did not")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("AUTOAGENT_REQUIRE_DOCKER"):
        return
    ran, skipped = _docker_tests(reporter)
    if skipped or not ran:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _docker_tests(reporter: pytest.TerminalReporter) -> tuple[int, int]:
    """(ran, skipped), counted over the reports of this session."""

    def count_of(*outcomes: str, when: str) -> int:
        reports = [r for o in outcomes for r in reporter.stats.get(o, [])]
        return sum(getattr(r, "needs_docker", False) and getattr(r, "when", "") == when for r in reports)

    ran = count_of("passed", "failed", when="call")
    return ran, count_of("skipped", when="setup")


@pytest.fixture
def writers() -> Iterator[list[subprocess.Popen[str]]]:
    """Started processes, ended with the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
