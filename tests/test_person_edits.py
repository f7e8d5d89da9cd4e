"""A person and the agent work on the same files, and processes die: nothing of the person's is ever lost.

`AUTOAGENT_SEEDS` says how many runs of each kind are tried (default 2).
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from crash.matrix import Dying, Theatre
from crash.person import Meddled, answer

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(sys.platform != "linux", reason="its processes need Linux"),
]
SEEDS = int(os.environ.get("AUTOAGENT_SEEDS", "2"))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def theatre(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Theatre]:
    async with Theatre(tmp_path_factory.mktemp("crash"), answer) as theatre:
        yield theatre


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("lanes", [1, 3])
async def test_every_version_of_the_person_is_kept(
    theatre: Theatre, tmp_path: Path, lanes: int, seed: int
) -> None:
    """It is in the folder, or was replaced by an act or an answer of theirs, or by an agent that knew it."""
    covered = tmp_path / "covered"
    covered.write_text("")
    dying = Dying(covered, sys.maxsize, chance=0.02, seed=seed)
    run = Meddled(theatre, theatre.place(), dying, lanes, seed)

    await theatre.perform(run)

    assert run.played.kills > 0
    assert Counter(run.fates).total() > 3
