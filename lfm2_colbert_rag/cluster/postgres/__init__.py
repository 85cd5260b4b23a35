"""An index in PostgreSQL with pgvector, on one server or divided over several by ids.

Servers find candidates by the mean of token vectors and give their token vectors; MaxSim is
computed here, shard by shard, since PostgreSQL has none. Everything that a passage has lies on one
server, which a hash of its id chooses.
"""

from .backend import PostgresBackend

__all__ = ["PostgresBackend"]
