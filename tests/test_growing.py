"""Values that only grow share what they hold, and nobody sees what another one added."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from autoagent.growing import Log, Seen

SLICES = st.builds(slice, *[st.none() | st.integers(-6, 6)] * 2, st.sampled_from([None, 1, 2, -1, -2]))


@given(st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(), max_size=3)), max_size=12), SLICES)
def test_a_log_is_the_list_that_it_would_be(added: list[tuple[int, list[int]]], some: slice) -> None:
    """Grown from any earlier one, in any order, each is as a list of its own would be."""
    logs: list[tuple[Log[int], list[int]]] = [(Log(), [])]
    for which, items in added:
        log, model = logs[which % len(logs)]
        logs.append((log.plus(*items), model + items))

    for log, model in logs:
        assert list(log) == model
        assert len(log) == len(model)
        assert log == Log(model)
        assert hash(log) == hash(Log(model))
        assert log[some] == tuple(model[some])
        assert [log[n] for n in range(-len(model), len(model))] == model + model


@given(st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(0, 9), max_size=3)), max_size=12))
def test_a_set_holds_what_it_was_given_and_no_more(added: list[tuple[int, list[int]]]) -> None:
    """Grown from any earlier one, in any order, each is as a set of its own would be, in order."""
    sets: list[tuple[Seen[int], dict[int, None]]] = [(Seen(), {})]
    for which, items in added:
        seen, model = sets[which % len(sets)]
        sets.append((seen.plus(items), model | dict.fromkeys(items)))

    for seen, model in sets:
        assert list(seen) == list(model)
        assert len(seen) == len(model)
        assert set(seen) == set(model)
        assert all((n in seen) == (n in model) for n in range(10))


def test_growing_does_not_copy() -> None:
    """Two thousand of them, each one longer than the last, take the room of one; tuples would take 16 MB."""
    tracemalloc.start()
    try:
        logs, sets = [Log[int]()], [Seen[int]()]
        for number in range(2000):
            logs.append(logs[-1].plus(number))
            sets.append(sets[-1].plus([number]))
        size_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size_bytes < 2_000_000
