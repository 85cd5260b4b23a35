"""The tables of an index on one server."""

from __future__ import annotations

from typing import Any

from ...errors import IndexMismatchError
from .servers import PREFIX, Servers

__all__ = ["ALIASES", "create_tables", "drop_tables", "require_layout"]

ALIASES = """
CREATE SCHEMA IF NOT EXISTS lfm2;
CREATE TABLE IF NOT EXISTS lfm2.aliases (alias text PRIMARY KEY, collection text NOT NULL)
"""
"""What is shared by the indexes of a database: which names stand for which others."""

# Filters ask ``flat``, see :mod:`.flat`; strings are compared by their bytes, as ours are.
_TABLES = """
CREATE TABLE layout (shard int NOT NULL, shards int NOT NULL);
CREATE TABLE side (
    name text, part int, parts int NOT NULL, digest text NOT NULL, data bytea NOT NULL,
    PRIMARY KEY (name, part)
);
CREATE TABLE points (
    uuid uuid PRIMARY KEY,
    pid text COLLATE "C" NOT NULL,
    owner text COLLATE "C",
    w int NOT NULL,
    rev bigint NOT NULL,
    windows int NOT NULL,
    first int NOT NULL,
    last int NOT NULL,
    vectors int NOT NULL,
    metadata text NOT NULL,
    flat jsonb NOT NULL,
    folds text[] COLLATE "C" NOT NULL,
    lang text COLLATE "C" NOT NULL,
    body text,
    digest text NOT NULL,
    tokens text,
    mean halfvec({dim}),
    colbert bytea,
    cent bytea,
    words bytea
);
ALTER TABLE points ALTER colbert SET STORAGE EXTERNAL;
CREATE TABLE words (
    term bigint NOT NULL,
    weight real NOT NULL,
    uuid uuid NOT NULL REFERENCES points ON DELETE CASCADE
);
CREATE INDEX ON words (term) INCLUDE (uuid, weight);
CREATE INDEX ON words (uuid);
CREATE INDEX ON points (pid);
CREATE INDEX ON points (owner, uuid);
CREATE INDEX ON points (uuid) WHERE w = 0;
CREATE INDEX ON points USING gin (flat jsonb_path_ops);
CREATE INDEX ON points USING hnsw (mean halfvec_ip_ops)
"""


def create_tables(connection: Any, name: str, dim: int, shard: int, shards: int) -> None:
    """Make the tables of an index in one transaction, unless they are there.

    Args:
        connection: to the server.
        name: of the index.
        dim: width of the vectors.
        shard: which part of the index it has.
        shards: how many there are.
    """
    from psycopg import sql

    schema = sql.Identifier(PREFIX + name)
    with connection.transaction():
        # Two who create at a time wait for one another; IF NOT EXISTS alone would fail for one.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('lfm2-colbert-rag'))")
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        connection.execute(ALIASES)
        if schema_exists(connection, name):
            return
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        connection.execute(sql.SQL("SET LOCAL search_path TO {}, public").format(schema))
        connection.execute(sql.SQL(_TABLES).format(dim=sql.Literal(dim)))
        connection.execute("INSERT INTO layout VALUES (%s, %s)", (shard, shards))


def drop_tables(connection: Any, name: str) -> None:
    """Remove the tables of an index, and what stands for it."""
    from psycopg import sql

    with connection.transaction():
        connection.execute(ALIASES)
        connection.execute("DELETE FROM lfm2.aliases WHERE collection = %s", (name,))
        schema = sql.Identifier(PREFIX + name)
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))


def schema_exists(connection: Any, name: str) -> bool:
    """Tell whether a server has the tables of an index."""
    found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (PREFIX + name,))
    return found.fetchone() is not None


def resolve(connection: Any, name: str) -> str | None:
    """Return the index that a name stands for: itself, or by an alias; None for none."""
    if schema_exists(connection, name):
        return name
    known = connection.execute("SELECT to_regclass('lfm2.aliases') IS NOT NULL").fetchone()
    if known is None or not known[0]:
        return None
    found = connection.execute("SELECT collection FROM lfm2.aliases WHERE alias = %s", (name,))
    row = found.fetchone()
    return None if row is None else str(row[0])


def require_layout(connection: Any, shard: int, servers: Servers) -> None:
    """Refuse to ask a server for another part of the index than it has.

    Raises:
        IndexMismatchError: the address names other servers, or in another order, than the index was
            made with.
    """
    row = connection.execute("SELECT shard, shards FROM layout").fetchone()
    if row is None or tuple(row) != (shard, len(servers.shards)):
        has = "nothing" if row is None else f"part {row[0] + 1} of {row[1]}"
        raise IndexMismatchError(
            f"{servers.shards[shard]} has {has} of {servers.address}, but the address makes it "
            f"part {shard + 1} of {len(servers.shards)}. Name the servers that the index was made "
            "with, in that order."
        )
