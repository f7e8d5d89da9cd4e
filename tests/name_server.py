"""A name server on loopback that answers as it likes, and a resolver that asks it, for tests of rebinding."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from autoagent.outward.guard import Resolve

_HEADER = struct.Struct(">HHHHHH")
_A, _IN = 1, 1


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers each question for an IPv4 address by `answer`, with a time to live of 0."""

    answer: Callable[[str], Sequence[str]]
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = data[_HEADER.size :]
        name = _name(question)
        self.asked.append(name)
        addresses = [socket.inet_aton(address) for address in self.answer(name)]
        head = _HEADER.pack(_HEADER.unpack(data[: _HEADER.size])[0], 0x8400, 1, len(addresses), 0, 0)
        rows = b"".join(struct.pack(">HHHIH", 0xC00C, _A, _IN, 0, 4) + each for each in addresses)
        self._transport.sendto(head + question + rows, addr)


def _name(question: bytes) -> str:
    labels, at = [], 0
    while size := question[at]:
        labels.append(question[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(labels)


@asynccontextmanager
async def name_server(answer: Callable[[str], Sequence[str]]) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(answer), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()


def asking(server: NameServer) -> Resolve:
    """Resolves each name by asking the server, every time."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", server.port))
            labels = b"".join(bytes([len(part)]) + part.encode() for part in host.split("."))
            await loop.sock_sendall(
                sock, _HEADER.pack(7, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, _A, _IN)
            )
            said = await loop.sock_recv(sock, 4096)
        count = _HEADER.unpack(said[: _HEADER.size])[3]
        rows = said[len(said) - 16 * count :]
        return [socket.inet_ntoa(rows[16 * i + 12 : 16 * i + 16]) for i in range(count)]

    return resolve
