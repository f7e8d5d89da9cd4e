"""A file larger than memory should hold passes through a run's paths piece by piece."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, json, resource, sys
from pathlib import Path
from autoagent.folder import LocalFolder
from autoagent.journal.sqlite import SqliteJournal
from autoagent.trees import EMPTY, WorkingCopy
from autoagent_files import search, text

base, size = Path(sys.argv[1]), int(sys.argv[2])
line = b"2026-11-20 12:00:00 payments OOMKilled exit=137 " + b"x" * 951 + b"\\n"
(base / "work").mkdir()
(base / "copy").mkdir()
with (base / "work" / "big.log").open("wb") as file:
    for _ in range(size // len(line)):
        file.write(line)

def peak_mb():
    per_mb = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // per_mb

before = peak_mb()
journal = SqliteJournal(base / "home")
tree = LocalFolder(base / "work", journal.objects).scan()
other = LocalFolder(base / "copy", journal.objects)
other.project(EMPTY, tree)
assert other.scan().entries["big.log"].sha256 == tree.entries["big.log"].sha256
files = WorkingCopy(tree, journal.objects)
page = text.page(files, "big.log", -2, 2)
found = asyncio.run(search.found(files, "OOM", "."))
journal.close()
print(json.dumps({"grown_mb": peak_mb() - before, "page": page[-40:], "found": found}))
"""


def test_a_large_file_needs_little_memory(tmp_path: Path) -> None:
    """Scanned, stored, projected, compared, read in pages, and left out of a search with a word about it."""
    size = 96_000_000
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(size)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    told = json.loads(child.stdout)

    assert told["grown_mb"] < 32
    assert told["page"].endswith("[lines 95999 to 96000 of 96000]")
    assert f"big.log was not searched: it has {size} bytes" in told["found"]
