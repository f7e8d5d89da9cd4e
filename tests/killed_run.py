"""A run in a process of its own, to be killed: `python killed_run.py HOME FOLDER [RUN]`.

Prints the run's id when it begins, and its ending when it has one. The world outside is the file HOME/outbox.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Literal

from autoagent import wiring
from autoagent.door.tools import Plugin, ToolContext, tool
from autoagent.goal.file import understand
from autoagent.sandboxes.monty import MontySandbox
from autoagent.testing.memory import DictMemory
from autoagent.wiring import Hooks, Launch, Parts

GOAL = """
goal: append ten lines and send two letters
allow: {run: sandbox, send: {post: [anna]}}
plugins: [files, python, post]
done_when: [{file: end.txt}]
plan: [{id: a, title: first}, {id: b, title: second, depends_on: [a]}]
"""


def post(outbox: Path) -> Plugin:
    """Letters that stand in a file, each with its key."""

    def was_sent(key: str) -> bool:
        return outbox.exists() and f"{key} " in outbox.read_text()

    async def happened(ctx: ToolContext, to: str, text: str) -> Literal["done", "not_done", "unknown"]:
        return "done" if was_sent(ctx.key) else "not_done"

    @tool(effect="external", destination="to", probe=happened)
    async def post_send(ctx: ToolContext, to: str, text: str) -> str:
        """Send a letter."""
        with outbox.open("a") as file:
            file.write(f"{ctx.key} {to}: {text}\n")
        return "sent"

    return Plugin("post", [post_send])


def say(launch: Launch) -> None:
    print(launch.run, flush=True)  # noqa: T201


async def main(home: Path, folder: Path, run: str | None) -> None:
    sandbox = MontySandbox()
    parts = Parts(home=home, memory=DictMemory(), sandbox=sandbox, plugins=[post(home / "outbox")])
    hooks = Hooks(on_launch=say)
    if run is None:
        outcome = await wiring.start(understand(GOAL)[0], folder, hooks=hooks, parts=parts)
    else:
        outcome = await wiring.resume(run, hooks=hooks, parts=parts)
    await sandbox.close()
    print(outcome.ending, outcome.reason, flush=True)  # noqa: T201


if __name__ == "__main__":
    home, folder, *rest = sys.argv[1:]
    asyncio.run(main(Path(home), Path(folder), rest[0] if rest else None))
