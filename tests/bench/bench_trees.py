"""How fast trees and the folder are on this machine; run by hand: `python tests/bench/bench_trees.py`.

With `--smoke` the folder is small, and only that everything works is shown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from autoagent.folder import LocalFolder
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, Tree, WorkingCopy, diff, listing, load_tree, merge

T = TypeVar("T")


def timed(what: str, action: Callable[[], T], times: int = 1) -> T:
    """Run it, report the fastest of `times` in milliseconds."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        value = action()
        best = min(best, time.perf_counter() - began)
    sys.stdout.write(f"{what:<44}{best * 1000:>12,.1f} ms\n")
    return value


def fill(workspace: Path, files: int) -> None:
    for n in range(files):
        folder = workspace / f"d{n % 100}" / f"s{n % 500}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{n}.txt").write_text(f"{n} " * 50)
    time.sleep(0.02)  # old enough to be trusted by the cache


def bench_folder(home: Path, files: int) -> tuple[Tree, MemoryObjects]:
    workspace, objects = home / "workspace", MemoryObjects()
    fill(workspace, files)
    folder = LocalFolder(workspace, objects, home / "cache")
    timed("scan, cold", folder.scan)
    timed("scan, nothing changed", folder.scan, 5)
    (workspace / "d0" / "new").write_text("x")
    timed("scan, one file changed", folder.scan)
    tree = folder.scan()
    timed(
        "scan, new process, cache on disk", lambda: LocalFolder(workspace, objects, home / "cache").scan(), 3
    )

    copy = home / "copy"
    copy.mkdir()
    other = LocalFolder(copy, objects)
    timed("project everything into an empty folder", lambda: other.project(EMPTY, tree))
    timed("project it again", lambda: other.project(EMPTY, tree))
    working = WorkingCopy(tree, objects)
    working.write("d0/new", b"y")
    timed("project one changed file", lambda: other.project(tree, working.tree()))
    timed("remove everything", lambda: other.project(working.tree(), EMPTY))
    return tree, objects


def bench_trees(tree: Tree, objects: MemoryObjects) -> None:
    timed("load", lambda: load_tree(tree.id, objects), 3)

    def edited(path: str) -> Tree:
        working = WorkingCopy(tree, objects)
        working.write(path, b"z")
        return working.tree()

    ours = timed("edit one file, new tree", lambda: edited("d1/ours"), 5)
    theirs = edited("d2/theirs")
    timed("diff", lambda: diff(tree, ours), 5)
    timed("merge", lambda: merge(tree, ours, theirs, objects), 5)
    timed("listing", lambda: listing(tree), 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true")
    files = 200 if parser.parse_args().smoke else 10_000
    sys.stdout.write(f"{files:,} files\n")
    with tempfile.TemporaryDirectory() as home:
        bench_trees(*bench_folder(Path(home), files))


if __name__ == "__main__":
    main()
