"""How well and how fast documents are found here; run by hand: `python tests/bench/bench_documents.py`.

Recall is measured over the papers of workspaces/document-questions, alone and among the pages of autoagent's
own documentation and some thousand of invented words, by questions as a person would put them. With `--smoke`
there are few pages, and only that it works is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import random
import re
import sys
import tempfile
import time
from pathlib import Path

from autoagent.door.tools import Observation, ToolContext
from autoagent.memory.edge import EdgePassages
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import WorkingCopy, make_tree
from autoagent_documents.tools import DocumentsSettings, documents_search

PAPERS = Path(__file__).parents[2] / "workspaces" / "document-questions" / "papers"
DOCS = Path(__file__).parents[2] / "docs"
SUNDAYS = 'timetable.html, section "Sundays and public holidays"'
QUESTIONS = {
    "How many days of paid leave are there in the first year?": "handbook.pdf, page 3",
    "until when must leave be taken before it lapses": "handbook.pdf, page 3",
    "do I get leave back when I was ill": "handbook.pdf, page 3",
    "How long may a shift on board last?": "handbook.pdf, page 2",
    "what do I get for working on a public holiday": "handbook.pdf, page 2",
    "How much is paid for meals on a journey?": "handbook.pdf, page 4",
    "kilometre allowance for a private car": "handbook.pdf, page 4",
    "Whom do I call when somebody has fallen overboard?": "handbook.pdf, page 5",
    "what to do in case of fire": "handbook.pdf, page 5",
    "What does a child pay for the crossing to Skerry?": "tariff.pdf, page 1",
    "price of a bicycle": "tariff.pdf, page 2",
    "when must a car be on the quay": "tariff.pdf, page 2",
    "money back after a sailing was cancelled because of weather": "tariff.pdf, page 3",
    "Are dogs or other pets allowed?": "tariff.pdf, page 3",
    "What was decided about the engine of the Alba?": 'minutes.docx, section "Decisions"',
    "which ship replaces the Alba during the repair": 'minutes.docx, section "Decisions"',
    "what would a new engine cost": 'minutes.docx, section "Report of the technical department"',
    "date of the next board meeting": 'minutes.docx, section "Other business"',
    "Which ship carries the most cars?": 'fleet.xlsx, sheet "Ships"',
    "How fast is the Tern in knots?": 'fleet.xlsx, sheet "Ships"',
    "cost of the Fulmar's dry dock": 'fleet.xlsx, sheet "Maintenance"',
    "When does the last ship leave Norhaven on Sundays?": SUNDAYS,
    "does a ship sail on 25 December": SUNDAYS,
    "How long does the crossing take?": 'timetable.html, section "Timetable, winter 2026/27"',
}
_PLACE = re.compile(r"^\[\d+\] papers/(.*?), lines? \d", re.MULTILINE)


def filler(pages: int, seed: int) -> bytes:
    """A PDF of invented words."""
    from reportlab.pdfgen.canvas import Canvas

    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghilmnoprstu", k=draw.randint(3, 9))) for _ in range(3_000)]
    data = io.BytesIO()
    canvas = Canvas(data, invariant=True)
    for _ in range(pages):
        for line in range(45):
            canvas.drawString(40, 800 - 16 * line, " ".join(draw.choices(words, k=11)))
        canvas.showPage()
    canvas.save()
    return data.getvalue()


async def bench(home: Path, pages: int, questions: dict[str, str]) -> None:
    files = WorkingCopy(make_tree({}), MemoryObjects())
    for paper in sorted(PAPERS.iterdir()):
        files.write(f"papers/{paper.name}", paper.read_bytes())
    for page in sorted(DOCS.rglob("*.md")):
        files.write(f"docs/{page.name}", page.read_bytes())
    await searched(files, home, "leave")  # the first one makes the index and starts Python
    for number in range(pages // 100):
        files.write(f"filler/{number}.pdf", filler(100, number))
    began = time.perf_counter()
    calls = 1
    while "indexed so far" in (await searched(files, home, "leave")):
        calls += 1
    seconds = time.perf_counter() - began
    say("indexing, PDF pages a second", f"{pages / seconds:,.0f} /s")
    say(f"searches until {pages:,} pages were indexed", f"{calls}")
    times = []
    for question in questions:
        began = time.perf_counter()
        await searched(files, home, question)
        times.append(time.perf_counter() - began)
    say("a search, nothing to index, median", f"{sorted(times)[len(times) // 2] * 1000:,.0f} ms")
    for where in ("papers", "."):
        found = [await places(files, home, question, where) for question in questions]
        for most in (1, 5):
            hits = sum(right in those[:most] for right, those in zip(questions.values(), found, strict=True))
            say(f"recall@{most} in {where!r}, {len(questions)} questions", f"{hits / len(questions):.2f}")


async def places(files: WorkingCopy, home: Path, question: str, where: str) -> list[str]:
    return [*_PLACE.findall(await searched(files, home, question, where))]


async def searched(files: WorkingCopy, home: Path, query: str, path: str = ".") -> str:
    context = ToolContext(
        run_id="r",
        call_id="c",
        lane="main",
        key="k",
        effect="read",
        working_copy=files,
        passages=EdgePassages(home / "passages"),
        settings=DocumentsSettings(),
    )
    found = await documents_search.function(context, query=query, path=path, limit=5)
    assert isinstance(found, Observation)
    return found.text


def say(what: str, figure: str) -> None:
    sys.stdout.write(f"{what:<52}{figure:>12}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true")
    is_smoke = parser.parse_args().smoke
    questions = dict(list(QUESTIONS.items())[:6]) if is_smoke else QUESTIONS
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(bench(Path(home), 100 if is_smoke else 2_000, questions))


if __name__ == "__main__":
    main()
