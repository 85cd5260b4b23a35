"""A server on a Unix socket, and certificates for the proxies before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme

from ..server.running import Server, running, waiting
from .proxies import NAME


@dataclass(frozen=True)
class Behind:
    """A server that proxies stand before.

    Attributes:
        server: the server.
        socket: where it listens.
        audit: the folder of its audit log.
        certificate, key, authority: files for the proxies, and for whoever asks them.
    """

    server: Server
    socket: Path
    audit: Path
    certificate: Path
    key: Path
    authority: Path

    def figures(self) -> str:
        """Return what the server counts."""
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.socket)), trust_env=False
        ) as client:
            headers = {"authorization": f"Bearer {self.server.admin}"}
            return client.get("http://localhost/metrics", headers=headers).text


@pytest.fixture(scope="session")
def behind(tmp_path_factory):
    """Run such a server."""
    place = tmp_path_factory.mktemp("behind")
    authority = trustme.CA()
    made = authority.issue_cert(NAME)
    certificate, key, roots = place / "own.pem", place / "own.key", place / "roots.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(roots))
    listens, audit = place / "http.sock", place / "audit"
    options = ("--uds", str(listens), "--behind-proxy", "127.0.0.1", "--allowed-host", NAME)
    with running(place, *options, "--audit-log", str(audit), "--audit", "all") as server:
        found = Behind(server, listens, audit, certificate, key, roots)
        for _ in waiting():
            if "lfm2_colbert_ready 1.0" in found.figures():
                break
        yield found
