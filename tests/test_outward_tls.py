"""https: the certificate is that of the host that was asked for, though an address is connected to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from web_servers import reply

from autoagent.errors import NotDone, ToolError
from autoagent.outward.client import GuardedHttp
from autoagent.reach import Reach


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate that signs itself, for one host, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


class Secure:
    """A server for `secure.test`, and what it heard in TLS and in HTTP."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.hosts: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.hosts.append(next(line for line in head.split("\r\n") if line.lower().startswith("host:")))
        path = head.split(" ")[1]
        to = {"/down": f"http://secure.test:{self.port}/", "/up": "/"}.get(path)
        writer.write(reply(b"", "302 Found", location=to) if to else reply(b"secure"))
        await writer.drain()
        writer.close()


@pytest_asyncio.fixture
async def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Secure]:
    cert, key = certificate(tmp_path, "secure.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = Secure()
    context.sni_callback = lambda _, name, __: server.names.append(name)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def client(server: Secure, host: str) -> GuardedHttp:
    return GuardedHttp(Reach((f"{host}:{server.port}", f"127.0.0.1:{server.port}")), resolve=here)


async def test_its_name_is_asked_for_and_checked(secure: Secure) -> None:
    """Server name and `Host` are the host's, not the address's."""
    found = await client(secure, "secure.test").get(f"https://secure.test:{secure.port}/")

    assert found.text == "secure"
    assert secure.names == ["secure.test"]
    assert secure.hosts == [f"Host: secure.test:{secure.port}"]


async def test_another_name_at_the_same_address(secure: Secure) -> None:
    """The control: who can't show the host's certificate gets no request."""
    with pytest.raises(NotDone, match="certificate"):
        await client(secure, "other.test").get(f"https://other.test:{secure.port}/")

    assert secure.hosts == []


async def test_a_redirect_to_http(secure: Secure) -> None:
    """What was asked for over https isn't fetched in clear."""
    with pytest.raises(ToolError, match="from https to http"):
        await client(secure, "secure.test").get(f"https://secure.test:{secure.port}/down")


async def test_a_redirect_at_the_host(secure: Secure) -> None:
    """The control: this one is followed."""
    found = await client(secure, "secure.test").get(f"https://secure.test:{secure.port}/up")

    assert found.url == f"https://secure.test:{secure.port}/"
