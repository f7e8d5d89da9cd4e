"""What a job prints, cut in the middle while it comes, so that endless output costs a constant."""

from __future__ import annotations


class CutText:
    """Text of at most `limit_bytes` in UTF-8: its head, its tail, and a note of what is missing between."""

    def __init__(self, limit_bytes: int, flood_bytes: int) -> None:
        self._head_limit = limit_bytes // 2
        self._tail_limit = limit_bytes - self._head_limit
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped_bytes = 0
        self._flood_bytes = flood_bytes
        self._total_bytes = 0

    @property
    def is_flood(self) -> bool:
        """Whether more came than anybody will ever read."""
        return self._total_bytes > self._flood_bytes

    def add(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        self._total_bytes += len(data)
        room = self._head_limit - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._tail_limit:  # trimmed now and then, not at each line
            self._trim()

    def text(self) -> str:
        self._trim()
        if not self._dropped_bytes:
            return (self._head + self._tail).decode("utf-8", "replace")
        # a character may be cut in two on either side
        head, tail = self._head.decode("utf-8", "ignore"), self._tail.decode("utf-8", "ignore")
        return f"{head}\n… {self._dropped_bytes} bytes left out …\n{tail}"

    def _trim(self) -> None:
        excess = len(self._tail) - self._tail_limit
        if excess > 0:
            del self._tail[:excess]
            self._dropped_bytes += excess
