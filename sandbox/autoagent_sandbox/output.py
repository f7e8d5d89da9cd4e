"""What a job prints: the first half of the limit goes to the host as it comes, the last half at the end."""

from __future__ import annotations

from collections.abc import Callable

from autoagent_sandbox.wire import OUTPUT, TAIL, pack

FLOOD_BYTES = 64 << 20
"""A job that prints more is ended: nobody will read it, and it may never stop."""


class Output:
    """Counts all, keeps head and tail."""

    def __init__(self, limit_bytes: int, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._head_left = limit_bytes // 2
        self._tail_limit = limit_bytes - limit_bytes // 2
        self._tail = bytearray()
        self._after_head = 0
        self.total = 0

    @property
    def is_flood(self) -> bool:
        return self.total > FLOOD_BYTES

    @property
    def cut_bytes(self) -> int:
        """How many bytes of the middle are left out."""
        return max(0, self._after_head - self._tail_limit)

    def add(self, data: bytes) -> None:
        self.total += len(data)
        head, rest = data[: self._head_left], data[self._head_left :]
        if head:
            self._head_left -= len(head)
            self._send(pack(OUTPUT, head))
        if rest:
            self._after_head += len(rest)
            self._tail += rest[-self._tail_limit :] if self._tail_limit else b""
            if len(self._tail) > 2 * self._tail_limit:
                self._trim()

    def finish(self) -> None:
        """Send the tail."""
        self._trim()
        if self._tail:
            self._send(pack(TAIL, bytes(self._tail)))

    def _trim(self) -> None:
        del self._tail[: max(0, len(self._tail) - self._tail_limit)]
