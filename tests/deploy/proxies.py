"""nginx and Caddy with the configurations that we ship, on ports and files of a test."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..server.running import PATIENCE, waiting

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "search.example.com"


@dataclass(frozen=True)
class Place:
    """Where a proxy of a test finds what it needs.

    Attributes:
        folder: for what it writes.
        socket: on which the server listens.
        certificate: its own, as PEM.
        key: of the certificate.
        port: where it listens.
    """

    folder: Path
    socket: Path
    certificate: Path
    key: Path
    port: int


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def nginx_command(place: Place) -> list[str]:
    """Write a configuration around ours, and return what runs it."""
    ours = (DEPLOY / "nginx.conf").read_text("utf-8")
    changes = {
        "unix:/run/lfm2-colbert/http.sock": f"unix:{place.socket}",
        f"/etc/ssl/{NAME}.pem": str(place.certificate),
        f"/etc/ssl/private/{NAME}.key": str(place.key),
        "listen 443 ssl": f"listen 127.0.0.1:{place.port} ssl",
    }
    temporary = "".join(
        f"{kind}_temp_path {place.folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    written = place.folder / "nginx.conf"
    user = "user root;\n" if place.folder.owner() == "root" else ""
    written.write_text(
        f"{user}daemon off;\nworker_processes 1;\npid {place.folder}/pid;\n"
        f"error_log {place.folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{changed(ours, changes)}\n}}\n"
    )
    return ["nginx", "-p", str(place.folder), "-e", "stderr", "-c", str(written)]


def caddy_command(place: Place) -> list[str]:
    """Write our configuration, and return what runs it."""
    ours = (DEPLOY / "Caddyfile").read_text("utf-8")
    changes = {
        "unix//run/lfm2-colbert/http.sock": f"unix/{place.socket}",
        f"https://{NAME} {{": f"https://{NAME}:{place.port} {{\n\tbind 127.0.0.1",
        f"# tls /etc/ssl/{NAME}.pem /etc/ssl/private/{NAME}.key": (
            f"tls {place.certificate} {place.key}"
        ),
        "{\n\tservers": "{\n\tadmin off\n\tauto_https off\n\tservers",
    }
    written = place.folder / "Caddyfile"
    written.write_text(changed(ours, changes))
    return ["caddy", "run", "--config", str(written), "--adapter", "caddyfile"]


COMMANDS = {"nginx": nginx_command, "caddy": caddy_command}


def changed(text: str, changes: dict[str, str]) -> str:
    """Return a text in which each of some parts, which must be there once, is another."""
    text = re.sub(r"^( *)#(?! tls).*\n", "", text, flags=re.M)  # comments may say the same
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def found(name: str) -> bool:
    """Tell whether a program is installed."""
    return shutil.which(name) is not None


@contextmanager
def running(command: list[str], place: Place) -> Iterator[None]:
    """Run a proxy until the block ends."""
    log = place.folder / "log"
    with log.open("w") as said:
        home = {"HOME": str(place.folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        process = subprocess.Popen(command, stdout=said, stderr=said, env=home)
    try:
        for _ in waiting():
            assert process.poll() is None, log.read_text()
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", place.port)):
                    break
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)
