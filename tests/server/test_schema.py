"""Whatever the OpenAPI document allows, and what it does not, is answered as it says (schemathesis).

``LFM2_COLBERT_SCHEMA_CASES`` says how many cases are tried, over all routes.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from lfm2_colbert_rag.server.access.callers import PARTIAL_SCOPES
from lfm2_colbert_rag.server.openapi import document
from lfm2_colbert_rag.server.routes import ROUTES

schemathesis = pytest.importorskip("schemathesis")

CASES = int(os.environ.get("LFM2_COLBERT_SCHEMA_CASES", "250"))
EACH = max(2, CASES // len(ROUTES))

schema = schemathesis.openapi.from_dict(document("1"))
KEYS: list[str] = []


@schema.auth()
class Auth:
    """Asks with the key of the first peer."""

    def get(self, case, context):
        return KEYS[0]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@pytest.fixture(scope="module")
def peers(server):
    """Make an index for each of two who may know of their own only."""
    keys = []
    for name in ("one", "other"):
        server.make(f"peer-{name}", {"1": "a key"})
        keys.append(server.key(PARTIAL_SCOPES, indexes=[f"peer-{name}"], rate=1e6))
    KEYS[:] = keys
    return keys


@schema.parametrize()
@settings(
    max_examples=EACH,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
def test_every_answer_is_one_that_the_document_names(server, peers, case):
    if "index" in case.path_parameters and len(case.path_parameters["index"]) % 2:
        case.path_parameters["index"] = "peer-one"
    case.call_and_validate(base_url=server.url, timeout=60)
