"""SIGKILL at every moment that matters, then `resume`: the end is that of a run that nobody disturbed.

`python -m tests.crash` tries all moments in all cells, each in a run of its own, and takes an hour.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from crash.__main__ import OTHERS, PLACES, Row, table
from crash.matrix import LIVES, Dying, Run, Theatre
from crash.play import CELLS, Cell
from crash.warm import COMMIT
from pages import rows, section

from autoagent.events import QuestionAnswered
from autoagent.faults import POINTS
from autoagent.grants_file import GrantsFile
from autoagent.journal.sqlite import SqliteJournal
from autoagent.state import fold

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(sys.platform != "linux", reason="its processes need Linux"),
]

FORKS = {"merge worked out", "merged, not projected", "conflict kept"}
"""Places that only lanes beside each other come to."""
SCRIPTS = {"script read done"}


def places_of(cell: Cell) -> set[str]:
    """The places that a run of the cell comes to."""
    return {*PLACES} - (FORKS if cell.lanes == 1 else set()) - (SCRIPTS if cell.style == "tools" else set())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def theatre(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Theatre]:
    async with Theatre(tmp_path_factory.mktemp("crash")) as theatre:
        yield theatre


def dying(path: Path, *, by_place: bool = False, only: tuple[str, ...] = ()) -> Dying:
    covered = path / "covered"
    covered.write_text("")
    return Dying(covered, sys.maxsize, by_place=by_place, only=only)


async def test_undisturbed_run_keeps_its_books(theatre: Theatre) -> None:
    """What all others are compared with: nobody dies, and nobody asks what became of a letter."""
    played = await theatre.play(CELLS[0], LIVES)

    assert (played.kills, played.asked) == (0, 0)


async def test_death_after_every_entry(theatre: Theatre, tmp_path: Path) -> None:
    """Right after the commit of each entry a process dies: a hundred in one run."""
    deaths = dying(tmp_path, only=(COMMIT,))

    played = await theatre.play(CELLS[0], deaths)

    assert played.kills > 90
    assert len(set(deaths.died())) == played.kills


async def test_death_in_every_gap(theatre: Theatre, tmp_path: Path) -> None:
    """Between each effect and its record a process dies, wherever in the run that is."""
    played = await theatre.play(CELLS[0], dying(tmp_path, only=OTHERS))

    assert played.kills > 150
    assert played.asked > 0


async def test_death_around_an_answer(theatre: Theatre, tmp_path: Path) -> None:
    """A process waits, the answer comes from another one, and it dies before or after it reads that."""
    places = ("question put down", "waiting for a person", "command read", "approval at hand", "probed")
    deaths = dying(tmp_path, only=places)

    played = await theatre.play(CELLS[0], deaths, wait_s=20)

    assert {moment.partition(" @ ")[0] for moment in deaths.died()} >= {*places[:4]}
    assert played.asked == 0


class Granting(Run):
    """A run whose person answers questions about calls by an *always* alone, which its processes find."""

    def _answer_all(self) -> None:
        self.run = self.run or self._begun()
        assert self.run is not None
        with closing(SqliteJournal(self.home)) as journal:
            for asked in fold(self.run, journal.read(self.run)).waiting:
                if (always := asked.question.explained.always) is not None:
                    GrantsFile(self.home).add(asked.question, always, datetime.now(UTC))
                else:
                    journal.send(self.run, self.said(asked.question), by="command")

    async def check(self) -> None:
        """As ever, and each question, about a page and a letter, was answered once."""
        assert self.run is not None
        with closing(SqliteJournal(self.home)) as journal:
            answers = [x.event for x in journal.read(self.run) if isinstance(x.event, QuestionAnswered)]
        assert [answer.by for answer in answers] == ["grant", "grant", "command"]
        assert len({answer.question for answer in answers}) == 3
        await super().check()


async def test_death_around_an_always(theatre: Theatre, tmp_path: Path) -> None:
    """A process dies when it has asked, and when a grant has answered; the letter goes out once."""
    places = ("decided", "question put down", "approval at hand", "about to send")
    deaths = dying(tmp_path, by_place=True, only=places)

    await theatre.perform(Granting(theatre, CELLS[0], theatre.place(), deaths))

    assert {*deaths.died()} == {*places}


@pytest.mark.parametrize("cell", [c for c in CELLS if c.sandbox == "monty"], ids=str)
async def test_death_at_every_place(theatre: Theatre, tmp_path: Path, cell: Cell) -> None:
    """One run in which a process dies at each place, in both styles, with one lane and with four."""
    deaths = dying(tmp_path, by_place=True)

    await theatre.play(cell, deaths)

    assert {*deaths.died()} == places_of(cell)


@pytest.mark.docker
@pytest.mark.parametrize("cell", [c for c in CELLS if c.sandbox == "docker"], ids=str)
async def test_death_at_every_place_with_docker(theatre: Theatre, tmp_path: Path, cell: Cell) -> None:
    """The same with containers, of which none is left."""
    deaths = dying(tmp_path, by_place=True)

    await theatre.play(cell, deaths)

    assert {*deaths.died()} == places_of(cell)


# --- the page -----------------------------------------------------------------------------------------------


async def test_page_holds_the_whole_matrix() -> None:
    """Each place is a line of the table and each cell a column, with no run that ended wrong."""
    text = section("docs/reliability.md", "The matrix")
    matrix, cells = rows(text), [line for line in text.split("\n") if line.startswith("| place |")]

    assert cells == [table([Row(cell=str(cell)) for cell in CELLS]).split("\n")[0]]
    assert [row[0] for row in matrix if row[0] in PLACES] == [*PLACES]
    assert set(matrix[-1][1:]) == {"0"}


async def test_page_explains_every_place() -> None:
    """The meaning of each fault point stands there in the words of the code."""
    meanings = {row[0]: row[1] for row in rows(section("docs/reliability.md", "The places"))}

    assert {place: meanings.get(place) for place in POINTS} == POINTS
