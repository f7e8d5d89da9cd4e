"""Run the matrix: `python -m tests.crash [--cells monty,docker] [--write docs/reliability.md]`.

In each cell: one run in which a process dies at each place, runs with one death each, and runs with as many
deaths as there are moments (a place after an entry; with Docker on demand). What fails is told, and the rest
goes on; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from autoagent.faults import POINTS
from autoagent.messages import Frozen

from .matrix import LIVES, Dying, Played, Theatre
from .play import CELLS, Cell
from .warm import COMMIT, STREAM

PLACES = (*POINTS, STREAM, COMMIT)
OF_THE_JOURNAL = ("lease taken", "entries queued", "about to commit", "committed", COMMIT)
OTHERS = tuple(place for place in PLACES if place not in OF_THE_JOURNAL)
CHANCES = (0.1, 0.2, 0.4, 1.0)
"""Which share of the moments counts in each run; the last for all that follow."""
ROUNDS_AT_MOST = 8
BEGIN, END = "<!-- the matrix -->", "<!-- end of the matrix -->"


class Row(Frozen):
    """What one cell went through."""

    cell: str
    runs: int = 0
    most_kills: int = 0
    resumes: int = 0
    letters: int = 0
    mails: int = 0
    again: int = 0
    asked: int = 0
    kills: dict[str, int] = Field(default_factory=dict)
    """Place -> how often a process died there."""
    failures: tuple[str, ...] = ()
    seconds: float = 0
    day: str = ""
    seed: int = 1


class Counting:
    """Adds up the runs of a cell."""

    def __init__(self, cell: Cell, seed: int) -> None:
        self.cell, self.seed = cell, seed
        self.kills: Counter[str] = Counter()
        self.runs = self.most = self.resumes = self.letters = self.asked = 0
        self.mails = self.again = 0
        self.failures: list[str] = []
        self.began = time.monotonic()

    def add(self, played: Played, moments: list[str]) -> None:
        self.runs += 1
        self.most = max(self.most, played.kills)
        self.resumes += played.resumes
        self.letters += played.letters
        self.asked += played.asked
        self.mails += played.mails
        self.again += played.again
        self.kills.update(moment.partition(" @ ")[0] for moment in moments)

    @property
    def row(self) -> Row:
        return Row(
            cell=str(self.cell),
            runs=self.runs,
            most_kills=self.most,
            resumes=self.resumes,
            letters=self.letters,
            mails=self.mails,
            again=self.again,
            asked=self.asked,
            kills=dict(self.kills),
            failures=tuple(self.failures),
            seconds=time.monotonic() - self.began,
            day=f"{datetime.now(UTC):%Y-%m-%d}",
            seed=self.seed,
        )


async def alone(theatre: Theatre, count: Counting, covered: Path, seed: int, runs: int) -> None:
    """Runs with one death each, at moments picked at random."""
    for number in range(runs):
        await _tried(theatre, count, Dying(covered, 1, chance=0.02, seed=seed + number))


async def together(theatre: Theatre, count: Counting, covered: Path, seed: int) -> None:
    """Runs with many deaths each, few of the moments at first, until a run passes none that is new.

    A death can keep the next process from the moment that would have come, so each run picks others.
    """
    number, died = 0, 1
    while died and number < ROUNDS_AT_MOST:
        chance = CHANCES[min(number, len(CHANCES) - 1)]
        died = await _tried(theatre, count, Dying(covered, sys.maxsize, chance=chance, seed=seed + number))
        died += chance < 1
        number += 1


async def at_every_place(theatre: Theatre, count: Counting, covered: Path) -> None:
    """One run with a death at each place."""
    await _tried(theatre, count, Dying(covered, sys.maxsize, by_place=True))


async def _tried(theatre: Theatre, count: Counting, dying: Dying) -> int:
    """How often a process died."""
    before = len(dying.died())
    try:
        played = await theatre.play(count.cell, dying)
    except AssertionError as failure:
        count.failures.append(str(failure)[:3000])
        _say(f"FAILED {failure}")
        return 1
    count.add(played, dying.died()[before:])
    return played.kills


async def run(cells: list[Cell], arguments: argparse.Namespace) -> list[Row]:
    rows = []
    for cell in cells:
        count, path = Counting(cell, arguments.seed), Path(tempfile.mkdtemp(prefix="autoagent-crash-"))
        covered = [path / name for name in ("alone", "together", "places")]
        for file in covered:
            file.write_text("")
        async with Theatre(path / "runs") as theatre:
            count.add(await theatre.play(cell, LIVES), [])
            await at_every_place(theatre, count, covered[2])
            await alone(theatre, count, covered[0], arguments.seed, arguments.alone)
            if cell.sandbox == "monty" or arguments.whole_docker:
                await together(theatre, count, covered[1], arguments.seed)
        row = count.row
        rows.append(row)
        _say(
            f"{row.cell}: {row.runs} runs, {sum(row.kills.values())} kills, {len(row.failures)} failures, "
            f"{row.seconds:.0f} s" + (f"; what is left is in {path}" if row.failures else "")
        )
        if not row.failures:
            shutil.rmtree(path)
        if arguments.results:
            _keep(arguments.results, row)
    return rows


def _keep(path: Path, row: Row) -> None:
    """Put a row into the file of results, in the place of an earlier one of its cell."""
    rows = {r["cell"]: r for r in json.loads(path.read_text())} if path.exists() else {}
    rows[row.cell] = row.model_dump(mode="json")
    path.write_text(json.dumps([rows[str(cell)] for cell in CELLS if str(cell) in rows], indent=1) + "\n")


def table(rows: list[Row]) -> str:
    """The rows as Markdown: a line a place, a column a cell."""
    lines = [["place", *(row.cell for row in rows)], ["---", *("---:" for _ in rows)]]
    lines += [[place, *(str(row.kills.get(place, "")) for row in rows)] for place in PLACES]
    sums = {
        "**kills**": [sum(row.kills.values()) for row in rows],
        "most in one run": [row.most_kills for row in rows],
        "runs": [row.runs for row in rows],
        "resumed": [row.resumes for row in rows],
        "letters, each once": [row.letters for row in rows],
        "mails, each with one Message-ID": [row.mails for row in rows],
        "sent again with it": [row.again for row in rows],
        "asked about": [row.asked for row in rows],
        "**runs that ended wrong**": [len(row.failures) for row in rows],
    }
    lines += [[name, *map(str, numbers)] for name, numbers in sums.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(path: Path, rows: list[Row]) -> None:
    """Put the table between the marks of a page."""
    head, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    tail = rest.partition(END)[2]
    day = max(row.day for row in rows)
    minutes = sum(row.seconds for row in rows) / 60
    seeds = ", ".join(sorted({str(row.seed) for row in rows}))
    said = f"Run on {day} with seed {seeds}, on 2 shared cores with Docker 20.10, in {minutes:.0f} minutes."
    path.write_text(f"{head}{BEGIN}\n{said}\n\n{table(rows)}\n{END}{tail}", encoding="utf-8")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--cells", default="monty,docker", help="parts of their names, between ',' or ';'")
    parser.add_argument("--alone", type=int, default=30, help="runs of a cell with one death each")
    parser.add_argument("--seed", type=int, default=1, help="which moments are picked at random")
    parser.add_argument("--whole-docker", action="store_true", help="Docker too: a death at each moment")
    parser.add_argument("--results", type=Path, help="a JSON file to add the results to")
    parser.add_argument("--write", type=Path, help="a page whose table is made of all results")
    arguments = parser.parse_args()
    wanted = [part.strip() for part in arguments.cells.split(";" if ";" in arguments.cells else ",")]
    cells = [cell for cell in CELLS if any(part and part in str(cell) for part in wanted)]
    rows = asyncio.run(run(cells, arguments))
    if arguments.write:
        kept = json.loads(arguments.results.read_text()) if arguments.results else None
        write(arguments.write, rows if kept is None else [Row.model_validate(row) for row in kept])
    return 1 if any(row.failures for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
