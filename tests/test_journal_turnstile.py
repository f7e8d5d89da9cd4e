"""Turns at the write lock: one at a time, nobody passed for long, nobody waiting for ever."""

from __future__ import annotations

import threading
from pathlib import Path
from time import monotonic

import pytest

from autoagent.errors import StoreUnavailable
from autoagent.journal.turnstile import Turnstile


class Taker(threading.Thread):
    """Takes turns of its own on another thread, as another process would."""

    def __init__(self, path: Path, turns: int, done: list[str], name: str) -> None:
        super().__init__(daemon=True, name=name)
        self._path, self._turns, self._done = path, turns, done
        self.waiting = threading.Event()

    def run(self) -> None:
        turnstile = Turnstile(self._path)
        for _ in range(self._turns):
            self.waiting.set()
            with turnstile.turn():
                self._done.append(self.name)
        turnstile.close()


def test_one_at_a_time(tmp_path: Path) -> None:
    """Nobody gets a turn while another has one."""
    done: list[str] = []
    mine = Turnstile(tmp_path / "db")
    with mine.turn():
        other = Taker(tmp_path / "db", 1, done, "other")
        other.start()
        other.waiting.wait()
        other.join(0.05)

        assert done == []
    other.join()
    assert done == ["other"]
    mine.close()


def test_who_waits_is_not_passed(tmp_path: Path) -> None:
    """However often a process takes its turn again at once, one that waits gets in between."""
    done: list[str] = []
    mine, other = Turnstile(tmp_path / "db"), Taker(tmp_path / "db", 1, done, "other")
    with mine.turn():
        other.start()
        other.waiting.wait()
    deadline = monotonic() + 60
    while not done and monotonic() < deadline:
        with mine.turn():
            other.join(0.02)  # all but all of the time it is ours

    assert done == ["other"]
    mine.close()


def test_waiting_ends(tmp_path: Path) -> None:
    """After the time-out the error says what to do."""
    mine, late = Turnstile(tmp_path / "db"), Turnstile(tmp_path / "db", timeout_s=0.05)

    with (
        mine.turn(),
        pytest.raises(StoreUnavailable, match=r"process (\d+ )?kept it locked for 0 s; end it"),
    ):
        late.turn().__enter__()
    mine.close()


def test_a_turn_that_comes_too_late_is_let_go(tmp_path: Path) -> None:
    """Who gave up waiting holds nothing, neither then nor later, and can take its turn the next time."""
    mine, late = Turnstile(tmp_path / "db"), Turnstile(tmp_path / "db", timeout_s=0.05)
    with mine.turn(), pytest.raises(StoreUnavailable):
        late.turn().__enter__()

    for turnstile in (mine, late, mine):
        with turnstile.turn():
            pass
    mine.close()
    late.close()


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A folder that isn't there is said as it is."""
    turnstile = Turnstile(tmp_path / "none" / "db")

    with pytest.raises(StoreUnavailable, match="can't be locked: No such file or directory"):
        turnstile.turn().__enter__()
