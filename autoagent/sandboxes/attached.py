"""The stream of an attached container, as the engine gives it: stdin in, stdout and stderr out, in blocks."""

from __future__ import annotations

import asyncio
import socket
import struct

_BLOCK = struct.Struct(">BxxxI")
_BLOCK_LIMIT_BYTES = 16 << 20
"""Engines send 32 KB."""
_STDOUT, _STDERR = 1, 2
_ERRORS_KEPT_BYTES = 4000


class Attached:
    """Implements `protocol.Stream`. What the runner itself says on stderr is kept for error messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._held = bytearray()
        self._errors = bytearray()

    @classmethod
    async def over(cls, connection: socket.socket) -> Attached:
        """Takes the socket over."""
        connection.setblocking(False)
        if connection.family == socket.AF_UNIX:
            return cls(*await asyncio.open_unix_connection(sock=connection))
        return cls(*await asyncio.open_connection(sock=connection))

    @property
    def errors(self) -> str:
        return self._errors.decode("utf-8", "replace").strip()

    async def readexactly(self, size: int) -> bytes:
        while len(self._held) < size:
            kind, length = _BLOCK.unpack(await self._reader.readexactly(_BLOCK.size))
            if length > _BLOCK_LIMIT_BYTES:
                raise ConnectionError(f"a block of {length} bytes is none of an engine's")
            data = await self._reader.readexactly(length)
            if kind == _STDOUT:
                self._held += data
            elif kind == _STDERR:
                self._errors = (self._errors + data)[-_ERRORS_KEPT_BYTES:]
        data = bytes(self._held[:size])
        del self._held[:size]
        return data

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def is_gone(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    def close(self) -> None:
        self._writer.close()
