"""Labels: whether text comes from outside, whether it is private. Pure.

Outside is everything but the goal, the person's answers and files that the goal marks as `yours`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from autoagent.events import Label
from autoagent.goal import Goal
from autoagent.paths import is_beneath
from autoagent.trees import Tree

_URL = re.compile(r"https?://[^\s<>\"'`\]}|\\^{]+", re.IGNORECASE)
_ENDING = ".,;:!?*"
_MOST_URLS = 500


def labels_of_paths(goal: Goal, paths: Iterable[str]) -> tuple[Label, ...]:
    """What reading these files adds to a run's labels."""
    paths = tuple(paths)
    found: list[Label] = []
    if any(not is_beneath(p, goal.yours) for p in paths):
        found.append("outside")
    if goal.private and any(is_beneath(p, goal.private) for p in paths):
        found.append("private")
    return tuple(found)


def labels_of_tree(goal: Goal, tree: Tree, roots: Iterable[str] = ()) -> tuple[Label, ...]:
    """What code that can open every file of `tree`, or of the `roots` in it, adds."""
    files: Iterable[str] = (p for p, entry in tree.entries.items() if entry.kind != "folder")
    roots = tuple(r or "." for r in roots)
    if roots and "." not in roots:
        files = (p for p in files if is_beneath(p, roots))
    if not goal.yours and not goal.private:
        return ("outside",) if next(iter(files), None) is not None else ()
    return labels_of_paths(goal, files)


def urls_in(text: str) -> tuple[str, ...]:
    """URLs that stand verbatim in a text: a GET of one of them tells its host nothing new.

    Without the signs that end a sentence, a closing bracket that was opened before the URL, and the fragment,
    which no GET sends.
    """
    return tuple(dict.fromkeys(_bare(found) for found in _URL.findall(text)))[:_MOST_URLS]


def urls_of_files(contents: Iterable[bytes]) -> frozenset[str]:
    """Every whole URL in these files."""
    texts = (content.decode(errors="replace") for content in contents if b"://" in content)
    return frozenset(_bare(found) for text in texts for found in _URL.findall(text))


def without_fragment(url: str) -> str:
    return url.partition("#")[0]


def urls_of_goal(goal: Goal) -> frozenset[str]:
    """URLs that the person wrote: in the goal, its criteria, and the sub-tasks that it fixes."""
    texts = [goal.goal, *map(str, goal.done_when)]
    for sub_task in goal.plan:
        texts += [sub_task.title, sub_task.instructions, *map(str, sub_task.done_when)]
    return frozenset(url for text in texts for url in urls_in(text))


def _bare(url: str) -> str:
    url = without_fragment(url)
    while url.endswith(tuple(_ENDING)) or (url.endswith(")") and url.count(")") > url.count("(")):
        url = url[:-1]
    return url
