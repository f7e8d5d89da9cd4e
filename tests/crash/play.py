"""What the run of the matrix does: its goal, the files that it finds, and what its model says.

The model's replies are a function of the conversation, so that a request that is made again, by another
process, is answered as before. Every write appends, so that one that happened twice is seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autoagent.testing.server import SeenRequest, ServedCall, ServedTurn


@dataclass(frozen=True)
class Cell:
    """One way to carry the run."""

    lanes: Literal[1, 4]
    style: Literal["tools", "code"]
    sandbox: Literal["monty", "docker"]

    def __str__(self) -> str:
        return f"{self.sandbox}, {self.style}, {'1 lane' if self.lanes == 1 else '4 lanes'}"

    @property
    def tasks(self) -> tuple[str, ...]:
        """The sub-tasks that stand side by side."""
        return ("left", "right") if self.lanes == 1 else ("left", "right", "up", "down")


CELLS = tuple(
    Cell(lanes, style, sandbox)  # type: ignore[arg-type]
    for sandbox in ("monty", "docker")
    for style in ("tools", "code")
    for lanes in (1, 4)
)
BIG = 100_000
"""Bytes of a file that is kept outside the database."""
FILES = {
    "input.txt": "12 pears\n",
    "log.txt": "",
    "notes.txt": "mine, first\n",
    "old.txt": "to be thrown away\n",
    "data/keep.txt": "to be moved\n",
    "check.py": "assert 'end' in open('report.md').read()\nassert open('log.txt').read() == 'gather\\n'\n",
}
EDIT = ("notes.txt", "mine, second\n")
"""What the person writes as soon as `gather` is done."""
PAGE = "http://pages.example.org/left"

# tool of the letter -> what it can do for recovery: a probe, a key, neither
LETTERS = {
    "gather": ("post_keyed", "anna"),
    "left": ("post_plain", "ben"),  # not named in the goal: a person is asked
    "right": ("post_plain", "anna"),
    "up": ("post_probed", "anna"),
    "down": ("post_keyed", "anna"),
    "end": ("post_probed", "anna"),
}


MAILS = {"gather": "input.txt", "end": "report.md"}
"""Sub-task -> the file that goes with its mail, which has a key: its Message-ID."""


def goal(cell: Cell) -> str:
    """The goal file's text."""
    tasks = [("gather", ()), *((name, ("gather",)) for name in cell.tasks), ("end", cell.tasks)]
    plan = [
        {"id": name, "title": name, "instructions": f"TASK {name}", "depends_on": [*before]}
        for name, before in tasks
    ]
    return f"""
goal: keep the books of one day
allow: {{run: sandbox, web: ["*.example.org"], send: {{post: [anna], mail: [anna@example.org]}}}}
plugins: [files, python, memory, post, mail]
parallel: {cell.lanes}
ask: [finish]
done_when:
  - {{file: report.md, contains: [gather, left, right, end]}}
  - {{run: python check.py}}
limits: {{steps: 1000, usd: 0, minutes: 600, tokens: 1000000000}}
plan: {json.dumps(plan)}
"""


def expected_files(cell: Cell) -> dict[str, str]:
    """What the folder holds at the end, whatever happened on the way."""
    shared = "".join(f"{name}\n" for name in sorted(cell.tasks))
    return {
        "input.txt": FILES["input.txt"],
        "check.py": FILES["check.py"],
        "log.txt": "gather\n",
        "notes.txt": EDIT[1],
        "big.txt": "x" * BIG,
        "shared.txt": shared,
        "report.md": f"gather\n{shared}end\n",
        "data/kept.txt": FILES["data/keep.txt"],
        **{f"data/{name}.txt": f"{name}\n" for name in cell.tasks},
    }


# --- the model ----------------------------------------------------------------------------------------------

_GATHER = f"open('log.txt', 'a').write('gather\\n')\nopen('big.txt', 'w').write('x' * {BIG})\n"
_END = (
    "names = sorted(open('shared.txt').read().split())\n"
    "open('shared.txt', 'w').write(''.join(n + '\\n' for n in names))\n"
    "open('report.md', 'w').write('\\n'.join(['gather'] + names + ['end']) + '\\n')\n"
)


def _shared(name: str) -> str:
    return f"open('shared.txt', 'a').write('{name}\\n')\nprint(open('shared.txt').read())\n"


def _both(name: str, kept: str) -> str:
    """Brings both versions of the shared file together."""
    return (
        f"names = set(open('shared.txt').read().split()) | set(open('{kept}').read().split())\n"
        "open('shared.txt', 'w').write(''.join(n + '\\n' for n in sorted(names)))\n"
    )


def answer(request: SeenRequest) -> ServedTurn:
    """What the model says next, read off the conversation."""
    name = task_of(request)
    done = sum(message.get("role") == "assistant" for message in request.messages)
    is_code = not request.tools
    steps = _scripts(name) if is_code else _calls(name)
    if done < len(steps):
        return _turn(name, done, steps[done], is_code)
    if (kept := _kept(request)) is None:
        return ServedTurn(status=400, error=f"nothing was to be asked after {request.last[:500]!r}")
    merged = _both(name, kept)
    if is_code:
        return _turn(name, done, f"{merged}files_delete(path='{kept}')\nfinish('{name}')\n", is_code)
    calls = [("python_run", {"code": merged}), ("files_delete", {"path": kept}), ("finish", {"result": name})]
    return _turn(name, done, calls, is_code)


_Call = tuple[str, Mapping[str, str | list[str]]]


def _mail(name: str) -> dict[str, str]:
    return {"to": "anna@example.org", "subject": name, "body": f"Enclosed: {MAILS[name]}."}


def _calls(name: str) -> list[list[_Call]]:
    """The replies of a sub-task in `tools` style."""
    tool, to = LETTERS[name]
    letter: list[_Call] = [(tool, {"to": to, "text": name})]
    if name in MAILS:
        letter.append(("mail_send", {**_mail(name), "attachments": [MAILS[name]]}))
    over: list[_Call] = [("finish", {"result": name})]
    match name:
        case "gather":
            first: list[_Call] = [
                ("files_read", {"path": "input.txt"}),
                ("memory_remember", {"text": "the books were opened"}),
            ]
            return [first, [("python_run", {"code": _GATHER})], letter, over]
        case "end":
            last: list[_Call] = [
                ("python_run", {"code": _END}),
                ("files_delete", {"path": "old.txt"}),
                ("files_move", {"path": "data/keep.txt", "to": "data/kept.txt"}),
            ]
            return [[("files_read", {"path": "shared.txt"})], last, letter, over]
        case _:
            page: list[_Call] = [("page_read", {"url": PAGE})] if name == "left" else []
            work: list[_Call] = [
                ("python_run", {"code": _shared(name)}),
                ("files_write", {"path": f"data/{name}.txt", "content": f"{name}\n"}),
            ]
            return [[*page, *work], letter, over]


def _scripts(name: str) -> list[str]:
    """The replies of a sub-task in `code` style."""
    tool, to = LETTERS[name]
    letter = f"{tool}(to='{to}', text='{name}')\n"
    if name in MAILS:
        letter += f"mail_send(**{_mail(name)!r}, attachments=['{MAILS[name]}'])\n"
    over = f"finish('{name}')\n"
    match name:
        case "gather":
            opened = "memory_remember(text='the books were opened')\n"
            return [f"print(open('input.txt').read())\n{_GATHER}", f"{opened}{letter}", over]
        case "end":
            tidied = "files_delete(path='old.txt')\nfiles_move(path='data/keep.txt', to='data/kept.txt')\n"
            return [f"{_END}{tidied}{letter}", over]
        case _:
            page = f"print(page_read(url='{PAGE}'))\n" if name == "left" else ""
            own = f"files_write(path='data/{name}.txt', content='{name}\\n')\n"
            return [f"{page}{_shared(name)}{own}{letter}", over]


def _turn(name: str, number: int, said: str | list[_Call], is_code: bool) -> ServedTurn:
    if is_code:
        return ServedTurn(text=f"Step {number}.\n```python\n{said}```")
    assert not isinstance(said, str)
    calls = [
        ServedCall(name=tool, arguments=dict(args), id=f"{name}-{number}-{index}")
        for index, (tool, args) in enumerate(said)
    ]
    return ServedTurn(text=f"Step {number}.", calls=tuple(calls))


def task_of(request: SeenRequest) -> str:
    """The sub-task that asks."""
    head = next(str(m["content"]) for m in request.messages if m.get("role") == "user")
    found = re.search(r"TASK (\w+)", head)
    assert found is not None, head
    return found[1]


def _kept(request: SeenRequest) -> str | None:
    """Where the lane's own version of the shared file is, after a conflict that was just told."""
    since: list[str] = []
    for message in reversed(request.messages):
        if message.get("role") == "assistant":
            break
        since.append(str(message.get("content")))
    found = re.search(r"'shared\.txt' \(your version: '([^']+)'\)", "\n".join(since))
    return None if found is None else found[1]
