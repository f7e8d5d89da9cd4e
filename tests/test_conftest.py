"""What `conftest.py` promises to every test."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import closing
from pathlib import Path

import pytest
from conftest import NetworkClosed

from autoagent.journal.home import home
from autoagent.settings import load

OUTSIDE = ["93.184.216.34", "10.0.0.1", "169.254.169.254", "2606:2800:220:1::1"]


@pytest.mark.parametrize("host", OUTSIDE)
def test_no_address_outside_is_reached(host: str) -> None:
    """Connecting, and sending without a connection, ends before a byte leaves."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as udp:
        with pytest.raises(NetworkClosed, match=host):
            udp.connect((host, 53))
        with pytest.raises(NetworkClosed):
            udp.sendto(b"x", (host, 53))


async def test_no_name_outside_is_looked_up() -> None:
    """A model's public address is no more reachable than any other."""
    with pytest.raises(NetworkClosed, match=r"api\.openai\.com"):
        await asyncio.open_connection("api.openai.com", 443)


async def test_this_machine_is_reached(tmp_path: Path) -> None:
    """Loopback and unix sockets work."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(greet, "localhost", 0)
    local = await asyncio.start_unix_server(greet, tmp_path / "s")
    async with server, local:
        for opened in (
            asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1]),
            asyncio.open_unix_connection(tmp_path / "s"),
        ):
            reader, writer = await opened
            assert await reader.read() == b""
            writer.close()


def test_no_model_is_configured() -> None:
    """Whatever the shell has set, a test starts without a model, in a home folder of its own."""
    assert not [name for name in os.environ if name.startswith("OPENAI_")]
    assert load(home(), os.environ).chain("worker") == ()
    assert not home().exists()
