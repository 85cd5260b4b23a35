"""What a server refuses to start as: in one line that says what helps, and nothing is made."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trustme

from lfm2_colbert_rag.cli import main
from lfm2_colbert_rag.server.access.callers import SCOPES
from lfm2_colbert_rag.server.access.keys import KeyFile
from lfm2_colbert_rag.server.audit.log import AuditLog
from lfm2_colbert_rag.server.audit.verifying import verify_log

from .running import Server, start, waiting

NAME = "search.example.com"


@pytest.fixture
def place(tmp_path):
    """Make a folder with a key, certificates, and an audit log that was never written to."""
    KeyFile(tmp_path / "keys.json").create("admin", sorted(SCOPES))
    (tmp_path / "indexes").mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def authority():
    """Sign certificates, of servers and of clients."""
    return trustme.CA()


def certify(authority: trustme.CA, place: Path, name: str = "server", **more) -> list[str]:
    """Write a certificate and its key, and return the options that name them."""
    made = authority.issue_cert("localhost", "127.0.0.1", NAME, **more)
    certificate, key = place / f"{name}.pem", place / f"{name}.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    made.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
    return ["--tls-cert", str(certificate), "--tls-key", str(key)]


def tree(place: Path) -> dict[str, tuple[int, bytes]]:
    """Return all that lies in a folder, locks of files aside."""
    found = {}
    for one in sorted(place.rglob("*")):
        info = one.lstat()
        data = one.read_bytes() if stat.S_ISREG(info.st_mode) else b""
        found[str(one.relative_to(place))] = (info.st_mode, data)
    return found


def keys_missing(place):
    (place / "keys.json").unlink()


def keys_for_all(place):
    (place / "keys.json").chmod(0o644)


def keys_linked(place):
    (place / "keys.json").rename(place / "real.json")
    (place / "keys.json").symlink_to(place / "real.json")


def keys_damaged(place):
    (place / "keys.json").write_text('{"version": 1, "keys": [')


def keys_empty(place):
    (place / "keys.json").write_text('{"version": 1, "keys": []}')


def keys_revoked(place):
    KeyFile(place / "keys.json").revoke("admin")


def keys_expired(place):
    keys_revoked(place)
    long_ago = KeyFile(place / "keys.json", clock=lambda: time.time() - 1000)
    long_ago.create("old", ["search"], expires=time.time() - 500)


def key_of_a_tenant(place):
    KeyFile(place / "keys.json").create("acme", ["search"], tenant="acme")


def folder_is_a_file(place):
    (place / "indexes").rmdir()
    (place / "indexes").write_text("no folder")


def audit_for_all(place):
    (place / "audit").mkdir(mode=0o755)


def file_at_the_socket(place):
    (place / "socket").write_text("somebody's")


ALL = ("--insecure-http", "--host", "0.0.0.0")
PLAIN = ("--host", "192.0.2.1")  # an address for documentation: nobody's

REFUSED = {
    "no key file": (keys_missing, (), 1, "lfm2-colbert keys create --keys"),
    "key file for all": (keys_for_all, (), 1, "chmod 600"),
    "key file a link": (keys_linked, (), 1, "Name the key file itself"),
    "key file damaged": (keys_damaged, (), 1, "keys.json"),
    "no key in it": (keys_empty, (), 1, "lfm2-colbert keys create --keys"),
    "all keys revoked": (keys_revoked, (), 1, "lfm2-colbert keys create --keys"),
    "all keys expired": (keys_expired, (), 1, "lfm2-colbert keys create --keys"),
    "tenant's key, isolation by index": (key_of_a_tenant, (), 1, "--isolation view"),
    "keys among the indexes": (None, ("--keys", "{place}/indexes/keys.json"), 1, "outside"),
    "audit log among them": (None, ("--audit-log", "{place}/indexes/audit"), 1, "outside"),
    "backups among them": (None, ("--backups", "{place}/indexes/backups"), 1, "outside"),
    "socket among them": (None, ("--uds", "{place}/indexes/socket"), 1, "outside"),
    "audit without a folder": (None, ("--audit", "all"), 1, "--audit-log"),
    "audit log for all to see": (audit_for_all, ("--audit-log", "{place}/audit"), 1, "chmod 700"),
    "plain HTTP beyond this machine": (None, PLAIN, 1, "--tls-cert"),
    "all addresses, no names": (None, ALL, 1, "--allowed-host"),
    "any name": (None, ("--allowed-host", "*"), 1, "--allowed-host"),
    "any name below": (None, ("--allowed-host", "*.example.com"), 1, "--allowed-host"),
    "a name with a port": (None, ("--allowed-host", "example.com:80"), 1, "--allowed-host"),
    "any page": (None, ("--cors-origin", "*"), 1, "--cors-origin"),
    "no page": (None, ("--cors-origin", "null"), 1, "--cors-origin"),
    "a page with a path": (None, ("--cors-origin", "https://a.b/c"), 1, "--cors-origin"),
    "proxies everywhere": (None, ("--behind-proxy", "0.0.0.0/0"), 1, "address of the proxy"),
    "proxies nearly everywhere": (None, ("--behind-proxy", "128.0.0.0/1"), 1, "of the proxy"),
    "proxies everywhere, IPv6": (None, ("--behind-proxy", "::/0"), 1, "address of the proxy"),
    "a proxy by name": (None, ("--behind-proxy", "proxy.example.com"), 1, "--behind-proxy"),
    "a host by name": (None, ("--host", "example.com"), 1, "--host"),
    "an address of another machine": (None, (*PLAIN, "--insecure-http"), 1, "--host"),
    "a port that is none": (None, ("--port", "70000"), 1, "--port"),
    "certificate without key": (None, ("--tls-cert", "{place}/server.pem"), 1, "--tls-key"),
    "client CA without TLS": (None, ("--client-ca", "{place}/ca.pem"), 1, "--tls-cert"),
    "no certificate": (None, ("--tls-cert", "{place}/no", "--tls-key", "{place}/no"), 1, "PEM"),
    "a folder that is a file": (folder_is_a_file, (), 1, "a folder of indexes"),
    "a model that is not there": (None, ("--model", "no/such"), 1, "hf download no/such"),
    "a model's folder that is not": (None, ("--model", "./none"), 1, "--model"),
    "a file at the socket": (file_at_the_socket, ("--uds", "{place}/socket"), 1, "--uds"),
    "a socket in no folder": (None, ("--uds", "{place}/none/socket"), 1, "--uds"),
    "a socket too long": (None, ("--uds", "{place}/" + "a" * 120), 1, "100 bytes"),
    "searches of none": (None, ("--searches", "0"), 2, "--searches"),
    "a drain of the past": (None, ("--drain", "-1"), 2, "--drain"),
    "isolation by hope": (None, ("--isolation", "none"), 2, "--isolation"),
}


def refusal(place, capsys, *options: str) -> tuple[int, str]:
    """Start a server that must not start; return its exit code, and what it says."""
    command = ["serve", str(place / "indexes"), "--keys", str(place / "keys.json")]
    code = main([*command, "--port", "0", "--model", "hash", *options])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return code, err


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What a server sets for itself and its children is no other test's business."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("why", REFUSED)
def test_it_does_not_start(place, capsys, monkeypatch, why):
    arrange, options, code, remedy = REFUSED[why]
    monkeypatch.chdir(place)
    if arrange is not None:
        arrange(place)
    before = tree(place)
    found, said = refusal(place, capsys, *(one.replace("{place}", str(place)) for one in options))
    assert found == code
    assert remedy in said
    assert tree(place) == before


def test_it_does_not_start_with_certificates_that_nobody_would_trust(place, capsys, authority):
    options = [*certify(authority, place), "--audit-log", str(place / "audit")]

    def refused(remedy: str, *more: str) -> None:
        code, said = refusal(place, capsys, *options, *more)
        assert (code, remedy in said) == (1, True), said
        assert not (place / "audit").exists()

    key = place / "server.key"
    key.chmod(0o644)
    refused("chmod 600")
    key.chmod(0o600)
    refused("client.pem", "--client-ca", str(place / "client.pem"))
    (place / "client.pem").write_text("no certificate")
    refused("client.pem", "--client-ca", str(place / "client.pem"))
    own = key.read_bytes()
    certify(authority, place, "other")
    key.write_bytes((place / "other.key").read_bytes())
    refused("KEY_VALUES_MISMATCH")
    key.write_bytes(own)
    command = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:secret"]
    key.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    refused("openssl pkey")
    past = datetime.now(UTC) - timedelta(days=1)
    certify(authority, place, not_after=past)
    refused("has expired")


def test_it_takes_no_port_socket_or_log_of_another(place, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        before = tree(place)
        code, said = refusal(place, capsys, "--port", port, "--audit-log", str(place / "audit"))
        assert (code, "--port" in said) == (1, True)
        assert tree(place) == before
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place / "socket"))
        other.listen()
        code, said = refusal(place, capsys, "--uds", str(place / "socket"))
        assert (code, "another server" in said) == (1, True)
        assert (place / "socket").exists()
    log = AuditLog(place / "audit")
    try:
        code, said = refusal(place, capsys, "--audit-log", str(place / "audit"))
        assert (code, "another folder" in said) == (1, True)
    finally:
        log.close()


@pytest.mark.subprocess
def test_it_does_not_start_where_it_may_not_read(place):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (place / "indexes").chmod(0)
    command = [sys.executable, "-m", "lfm2_colbert_rag.cli", "serve", str(place / "indexes")]
    said = subprocess.run(
        [*command, "--keys", str(place / "keys.json")], capture_output=True, text=True, check=False
    )
    (place / "indexes").chmod(0o700)
    assert (said.returncode, "may read" in said.stderr) == (1, True)


def client(
    server: Server, authority: trustme.CA, files: list[str] | None = None, at: str | None = None
) -> httpx.Client:
    """Return a client that trusts the authority, and has a certificate of its own or none.

    ``at`` is its own address.
    """
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if files is not None:
        context.load_cert_chain(files[1], files[3])
    keyed = {"authorization": f"Bearer {server.admin}"}
    transport = httpx.HTTPTransport(verify=context, local_address=at)
    return httpx.Client(base_url=server.url, transport=transport, headers=keyed, trust_env=False)


@pytest.mark.subprocess
def test_certificates_of_clients_and_a_new_one_of_the_server(tmp_path, authority):
    keys = KeyFile(tmp_path / "keys.json")
    admin = keys.create("admin", sorted(SCOPES))[1]
    options = certify(authority, tmp_path)
    signer = trustme.CA()
    signer.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    own = certify(signer, tmp_path, "client")
    stranger = certify(trustme.CA(), tmp_path, "stranger")
    audit = tmp_path / "audit"
    options += ["--audit-log", str(audit), "--audit", "all", "--behind-proxy", "127.0.0.2"]
    server = start(tmp_path, keys, admin, *options, "--client-ca", str(tmp_path / "ca.pem"))
    try:
        with client(server, authority, own) as known:
            for _ in waiting():
                if known.get("/readyz").is_success:
                    break
            assert known.get("/v1/indexes").json() == {"indexes": []}
            gauge = "lfm2_colbert_tls_certificate_expiry_seconds"
            before = line_of(known.get("/metrics").text, gauge)
            for files in (None, stranger):
                with client(server, authority, files) as unknown, pytest.raises(httpx.HTTPError):
                    unknown.get("/livez")

            # Where a request is from is what a proxy says, and nobody else.
            said = {"x-forwarded-for": "203.0.113.8, 203.0.113.9"}
            for at in ("127.0.0.2", "127.0.0.3"):
                with client(server, authority, own, at) as asking:
                    assert asking.get("/v1/indexes", headers=said).is_success
            (log,) = audit.glob("*.jsonl")
            remotes = [json.loads(line).get("remote") for line in log.read_text().splitlines()]
            assert remotes[-2:] == ["203.0.113.9", "127.0.0.3"]

            # A certificate without its key changes nothing; one with it is seen by the next.
            certify(authority, tmp_path, not_after=datetime.now(UTC) + timedelta(days=7))
            key = (tmp_path / "server.key").read_bytes()
            (tmp_path / "server.key").write_bytes((tmp_path / "client.key").read_bytes())
            server.process.send_signal(signal.SIGHUP)
            for _ in waiting():
                if "not renewed" in server.log.read_text():
                    break
            with client(server, authority, own) as second:
                assert second.get("/livez").is_success
                assert line_of(second.get("/metrics").text, gauge) == before
            (tmp_path / "server.key").write_bytes(key)
            server.process.send_signal(signal.SIGHUP)
            for _ in waiting():
                with client(server, authority, own) as second:
                    after = line_of(second.get("/metrics").text, gauge)
                if after != before:
                    break
            assert 0 < float(after) - time.time() <= 7 * 86400
            assert known.get("/v1/indexes").is_success  # connections stay
    finally:
        assert server.stop() == 0
    report = verify_log(audit)
    assert (report.problems, report.stopped) == ((), True)


def line_of(text: str, metric: str) -> str:
    """Return a metric's value."""
    return next(line.split()[-1] for line in text.splitlines() if line.startswith(metric))
