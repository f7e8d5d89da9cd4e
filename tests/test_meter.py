"""Active time: what waits for a person costs none."""

from __future__ import annotations

import pytest

from autoagent.loop.meter import Meter
from autoagent.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_only_work_counts(clock: FakeClock) -> None:
    """Before and after it, time stands still; it is taken once."""
    meter = Meter(clock)
    clock.pass_time(5)
    with meter.working():
        clock.pass_time(3)
    clock.pass_time(5)

    assert meter.take() == 3
    assert meter.take() == 0


def test_time_is_counted_while_work_goes_on(clock: FakeClock) -> None:
    """What was taken in the middle isn't counted again."""
    meter = Meter(clock)
    with meter.working():
        clock.pass_time(2)
        assert meter.take() == 2
        clock.pass_time(1)
    assert meter.take() == 1


def test_waiting_for_a_person_costs_nothing(clock: FakeClock) -> None:
    """As long as nobody else works."""
    meter = Meter(clock)
    with meter.working():
        clock.pass_time(1)
        with meter.waiting():
            clock.pass_time(3600)
        clock.pass_time(1)

    assert meter.take() == 2


def test_lanes_beside_each_other_count_once(clock: FakeClock) -> None:
    """Two at work for a second are one second; one that waits beside one that works is no pause."""
    meter = Meter(clock)
    with meter.working(), meter.working():
        clock.pass_time(1)
        with meter.waiting():
            clock.pass_time(1)
            with meter.waiting():
                clock.pass_time(10)

    assert meter.take() == 2


def test_small_amounts_are_left(clock: FakeClock) -> None:
    """An entry for each millisecond would fill the journal; nothing is lost."""
    meter = Meter(clock)
    with meter.working():
        clock.pass_time(0.7)
        assert meter.take(at_least=1.0) == 0
        clock.pass_time(0.7)
        assert meter.take(at_least=1.0) == pytest.approx(1.4)


def test_an_error_ends_work_too(clock: FakeClock) -> None:
    """A lane that fails, or is cancelled while it waits, leaves no clock running."""
    meter = Meter(clock)

    def fails() -> None:
        with meter.working(), meter.waiting():
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    clock.pass_time(5)

    assert meter.take() == 0
