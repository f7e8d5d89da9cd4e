"""Trees: immutable pictures of a workspace. Pure values: no disk; bytes come from `ObjectSource`.

A tree maps relative paths to entries. It is stored as one canonical manifest a folder, so that unchanged
folders are shared, and named by the SHA-256 of its root manifest. Paths are `str` with `/` between names;
bytes of a name that are no UTF-8 stand as surrogates (PEP 383), so any name survives. The root is no entry.

Whatever is given `objects` and returns a `Tree` has stored it; `make_tree`, `build_tree` and `restrict` have
not.
"""

from __future__ import annotations

from autoagent.trees.changes import Changes, Conflict, diff, merge, restrict
from autoagent.trees.listing import listing
from autoagent.trees.manifest import ObjectSource, entry_in, load_tree, manifest_rows, store_tree
from autoagent.trees.tree import EMPTY, Tree, TreeEntry, build_tree, make_tree
from autoagent.trees.working import WorkingCopy

__all__ = [
    "EMPTY",
    "Changes",
    "Conflict",
    "ObjectSource",
    "Tree",
    "TreeEntry",
    "WorkingCopy",
    "build_tree",
    "diff",
    "entry_in",
    "listing",
    "load_tree",
    "make_tree",
    "manifest_rows",
    "merge",
    "restrict",
    "store_tree",
]
