"""Which process holds a lease, and whether it still lives. Owns the notion of "the same machine"."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

STALE_AFTER_S = 60.0
"""A holder that wasn't heard of for so long counts as dead: stopped, hung, or on a host that is gone.

Its heart beats every twelfth of that, on a thread that needs the interpreter for microseconds: a process that
does not get those within a minute does not get on with its run either.
"""


@dataclass(frozen=True)
class Instant:
    """A moment on the wall's clock, and on that of a boot, which no person sets and which sleeps with it."""

    now: datetime
    clock: str
    """Names the boot's clock; empty where the platform doesn't say."""
    ns: int
    """On that clock."""

    def since_s(self, earlier: Instant) -> float:
        """Seconds from `earlier` to here; by the wall where the two have no clock in common."""
        if self.clock and self.clock == earlier.clock:
            return (self.ns - earlier.ns) / 1e9
        return (self.now - earlier.now).total_seconds()


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

    @property
    def clock(self) -> str:
        """Names the clock of its boot; a container can have one of its own, in a time namespace."""
        return f"{self.boot} {_time_space()}" if self.boot else ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Process:
    """The process that calls."""
    pid = os.getpid()
    return Process(os.uname().nodename, _boot(), _pid_space(), pid, _start_of(pid) or "")


def is_there(holder: Process, here: Process) -> bool:
    """Whether `holder` still exists, as far as `here` can see; in doubt it does."""
    if _sees(here, holder):
        return _start_of(holder.pid) == holder.started
    # another boot of this host: the machine was started again since
    return not (holder.host == here.host and holder.boot != here.boot)


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
    return _namespace("pid")


@lru_cache(maxsize=1)
def _time_space() -> str:
    return _namespace("time")


def _namespace(kind: str) -> str:
    linux = Path("/proc/self/ns") / kind
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
