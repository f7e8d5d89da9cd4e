"""Which process holds a lease, and whether it still lives. Owns the notion of "the same machine"."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

STALE_AFTER = timedelta(seconds=60)
"""A holder that can't be looked at (on another host) counts as dead when its heartbeat is older than this."""


@dataclass(frozen=True)
class Process:
    """One process, unmistakably: its id is used again after its death, its id and start time never are."""

    host: str
    boot: str
    """Names this boot of the kernel; empty where the platform doesn't say."""
    pid_space: str
    """The PID namespace: two containers have different processes of one id."""
    pid: int
    started: str
    """When it started, as the platform counts."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Process:
    """The process that calls."""
    pid = os.getpid()
    return Process(os.uname().nodename, _boot(), _pid_space(), pid, _start_of(pid) or "")


def is_alive(holder: Process, here: Process, heartbeat: datetime, now: datetime) -> bool:
    """Whether `holder` may still write, as seen from `here`."""
    if _sees(here, holder):
        return _start_of(holder.pid) == holder.started
    if holder.host == here.host and holder.boot != here.boot:
        return False  # the machine was started again since
    return now - heartbeat < STALE_AFTER


def _sees(here: Process, holder: Process) -> bool:
    """Whether `holder`'s process id means the same process to `here`."""
    if here.boot:  # names the kernel, whatever the host is called by now
        return (holder.boot, holder.pid_space) == (here.boot, here.pid_space)
    return (holder.host, holder.boot) == (here.host, "")


@lru_cache(maxsize=1)
def _boot() -> str:
    linux = Path("/proc/sys/kernel/random/boot_id")
    if linux.exists():
        return linux.read_text().strip()
    return _output("sysctl", "-n", "kern.bootsessionuuid")  # macOS


@lru_cache(maxsize=1)
def _pid_space() -> str:
    linux = Path("/proc/self/ns/pid")
    return str(linux.readlink()) if linux.is_symlink() else ""


def _start_of(pid: int) -> str | None:
    """When the process started; `None` if it is gone or dead and not yet waited for."""
    if not Path("/proc/self/stat").exists():
        return _start_by_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything, even ")"
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else start_ticks


def _start_by_ps(pid: int) -> str | None:
    state, _, started = _output("ps", "-o", "stat=,lstart=", "-p", str(pid)).partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def _output(*command: str) -> str:
    """What a program of the platform prints; empty where it fails or isn't there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
