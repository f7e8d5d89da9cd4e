"""Who has a file locked, for an error that says which process to look at."""

from __future__ import annotations

import os
from pathlib import Path


def holder_of(path: Path) -> str:
    """`process 4711`, as far as the platform says; else `another process`."""
    status = path.stat()
    name = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        rows = [row.split() for row in Path("/proc/locks").read_text().splitlines()]
    except OSError:  # not Linux
        return "another process"
    # `1: FLOCK ADVISORY WRITE 17793 fe:00:2819233 0 EOF`; who only waits has an arrow after the number. A
    # process of another namespace has the number -1 or 0
    held = [row[4] for row in rows if row[1] == "FLOCK" and row[5] == name and row[4] not in ("-1", "0")]
    return f"process {held[0]}" if held else "another process"
