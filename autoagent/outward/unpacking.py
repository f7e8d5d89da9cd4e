"""Unpacks a body piece by piece, never more of it than is wanted. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_PIECE = 1 << 16
_ANOTHER_MEMBER = b"\x1f"
"""gzip is a row of members."""


class Unpacker:
    """Bytes in, bytes out, for one `content-encoding`. Raises `ValueError` for what can't be unpacked."""

    def __init__(self, encoding: str) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise ValueError(f"packed as {encoding[:40]!r}, which wasn't asked for")
        self._is_plain = encoding in ("", "identity")
        self._is_deflate = encoding == "deflate"
        self._stream: zlib._Decompress | None = None
        self._has_ended = False

    def take(self, data: bytes) -> Iterator[bytes]:
        """What `data` unpacks to, in pieces of at most 64 KiB: who takes no more of them stops a bomb."""
        if self._is_plain:
            yield data
            return
        is_full = False
        while data or is_full:
            if self._stream is None:
                if self._has_ended and (self._is_deflate or not data.startswith(_ANOTHER_MEMBER)):
                    return  # what follows the end is nobody's
                self._stream = self._opened(data)
            try:
                piece = self._stream.decompress(data, _PIECE)
            except zlib.error as error:
                raise ValueError(f"packed wrongly ({error})") from error
            if piece:
                yield piece
            data, is_full = self._stream.unconsumed_tail, len(piece) == _PIECE
            if self._stream.eof:
                data, is_full = self._stream.unused_data, False
                self._stream, self._has_ended = None, True

    def end(self) -> None:
        """Raises `ValueError` where the packed body wasn't whole."""
        if self._stream is not None:
            raise ValueError("packed, and cut off before its end")

    def _opened(self, first: bytes) -> zlib._Decompress:
        if not self._is_deflate:
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        has_header = len(first) > 1 and first[0] & 0x0F == 8 and (first[0] << 8 | first[1]) % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
