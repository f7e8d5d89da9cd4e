"""Server-sent events out of bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.llm.assembly import REPLY_LIMIT_CHARS, MalformedReply
from autoagent.llm.sse import EventReader


def read(*pieces: bytes) -> list[bytes]:
    reader = EventReader()
    return [data for piece in pieces for data in reader.take(piece)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_a_blank_line_ends_an_event(end: bytes) -> None:
    """Whichever of the three line ends the server uses."""
    stream = end.join([b"data: 1", b"", b"data: 2", b"", b": the next line", b""])

    assert read(stream) == [b"1", b"2"]


def test_only_data_counts() -> None:
    """Comments, names of events, ids and fields that nobody knows are passed over."""
    stream = b": ping\n\nevent: message\nid: 7\ndata: 1\nretry: 3\ndatabase: x\n\nevent: end\n\n"

    assert read(stream) == [b"1"]


def test_lines_of_data_are_one_text() -> None:
    """One space behind the colon is no part of it, and none is needed."""
    assert read(b"data:a\ndata: b\ndata:  c\ndata\n\n") == [b"a\nb\n c\n"]


def test_an_event_without_an_end_is_left_out() -> None:
    """A stream that breaks off gives no half events."""
    assert read(b"data: 1\n\ndata: 2\n") == [b"1"]


@given(
    st.lists(st.sampled_from([b"data: a", b"data:", b"b", b"\n", b"\r\n", b"\r", b": c", b"\xc3\xa4"])),
    st.data(),
)
def test_it_does_not_matter_where_a_stream_is_cut(parts: list[bytes], data: st.DataObject) -> None:
    """Any pieces give the events of the whole; the last line keeps a CR back from being taken too early."""
    stream = b"".join(parts) + b"x"
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))) | {0, len(stream)})

    assert read(*(stream[a:b] for a, b in pairwise(cuts))) == read(stream)


def test_a_line_without_end_is_refused() -> None:
    """Memory is not for a server to fill."""
    reader, piece = EventReader(), b"x" * (REPLY_LIMIT_CHARS // 2)
    for _ in range(2):
        assert list(reader.take(piece)) == []

    with pytest.raises(MalformedReply, match="a line of the stream is longer than"):
        list(reader.take(b"x"))
