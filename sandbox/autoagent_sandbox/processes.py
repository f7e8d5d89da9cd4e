"""All processes of the container but the runner: ending them, and what the kernel says of their limits."""

from __future__ import annotations

import contextlib
import os
import signal


def kill_all() -> None:
    """Kill every other process of the container and wait until all are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def reap() -> list[tuple[int, int]]:
    """The children that have ended, adopted ones too."""
    found: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found.append((pid, status))


def read_limits() -> tuple[int, int]:
    """(processes killed for want of memory, forks refused) so far; zeros where the kernel doesn't tell."""
    memory = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
    processes = ("/sys/fs/cgroup/pids.events", "/sys/fs/cgroup/pids/pids.events")
    return _counter(memory, "oom_kill"), _counter(processes, "max")


def _counter(paths: tuple[str, ...], name: str) -> int:
    for path in paths:
        try:
            with open(path) as lines:
                return next((int(line.split()[1]) for line in lines if line.split()[0] == name), 0)
        except OSError:
            continue
    return 0
