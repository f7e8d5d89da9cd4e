"""The cockpit's pictures in the docs: `python -m tests.screens` draws them anew.

A run with a scripted model, as far as its first letter; the pictures are what Textual says a terminal shows.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"
GOAL = """
goal: Find which services failed in logs/ on 20 November and why. Mail the summary to Anna.
done_when:
  - file: report.md
    contains: [payments, OOMKilled]
  - human: The report reads well.
allow: {send: {post: []}}
plugins: [files, post]
limits: {usd: 2.00, steps: 60, minutes: 30}
"""
LOG = "2026-11-20 02:14:07 ERROR payments OOMKilled\n2026-11-20 09:30:44 ERROR checkout upstream timeout\n"
REPORT = """# Failed services, 20 November

## payments
OOMKilled, 3 times, first at 02:14.
> 2026-11-20 02:14:07 ERROR payments OOMKilled

## checkout
Timed out while payments was down.
> 2026-11-20 09:30:44 ERROR checkout upstream timeout
"""
MAIL = """Three services failed on 20 November.

payments: OOMKilled, 3 times, first at 02:14 (logs/payments.log, line 1)
checkout: timed out while payments was down (logs/payments.log, line 2)
"""


async def draw(folder: Path) -> None:
    """The list, a run and a question, as SVG."""
    sys.path.insert(0, str(HERE))
    from loops import finish, write
    from worlds import World

    from autoagent.console.finding import opened
    from autoagent.goal.file import understand
    from autoagent.journal.home import home
    from autoagent.loop.context import Models
    from autoagent.testing.model import ScriptedModel, call
    from autoagent.tui.app import Cockpit
    from autoagent.tui.lines import Lines
    from autoagent.tui.question import QuestionScreen
    from autoagent.wiring import Parts, start

    work = folder / "incident"
    (work / "logs").mkdir(parents=True)
    (work / "logs" / "payments.log").write_text(LOG)
    sub_tasks = [
        {"id": "1", "title": "Read the logs"},
        {"id": "2", "title": "Write report.md", "depends_on": ["1"]},
        {"id": "3", "title": "Mail the summary", "depends_on": ["2"]},
    ]
    model = ScriptedModel(
        planner=[call("propose_plan", sub_tasks=sub_tasks)],
        worker={
            "1": [call("files_read", path="logs/payments.log"), finish("payments and checkout")],
            "2": [write("report.md", REPORT), finish("written")],
            "3": [call("post_send", to="anna@example.org", text=MAIL)],
        },
    )
    with opened() as journal:
        parts = Parts(journal=journal, models=Models(model, model, model), plugins=[World().plugin()])
        outcome = await start(understand(GOAL)[0], work, parts=parts)
    app = Cockpit(home(), outcome.run)
    async with app.run_test(size=(112, 30)) as pilot:
        while not app.has_looked or not app.screen.query_one("#activity", Lines).rows:
            await pilot.pause(0.05)
        await pilot.pause(2)
        _keep(app.export_screenshot(title="autoagent tui"), "run")
        await pilot.press("a")
        while not isinstance(app.screen, QuestionScreen):
            await pilot.pause(0.05)
        await pilot.pause(0.5)
        _keep(app.export_screenshot(title="autoagent tui"), "question")


def _keep(svg: str, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        os.environ["AUTOAGENT_HOME"] = str(Path(made) / "home")
        asyncio.run(draw(Path(made)))
