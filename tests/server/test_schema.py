"""Whatever the OpenAPI document allows, or not, is answered as it says (schemathesis).

``LFM2_COLBERT_SCHEMA_CASES`` says how many cases are tried, over all routes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from lfm2_colbert_rag.server.access.callers import PARTIAL_SCOPES
from lfm2_colbert_rag.server.routes import ROUTES

pytest.importorskip("schemathesis")

CASES = int(os.environ.get("LFM2_COLBERT_SCHEMA_CASES", "150"))
# Every boundary of every value takes a minute more.
PHASES = "examples,fuzzing,stateful" if CASES <= 500 else "examples,coverage,fuzzing,stateful"
EACH = max(2, CASES // len(ROUTES))
PEERS = ("acme", "beta")


def without_tuples(schema):
    """Return a schema as schemathesis reads it: it takes tuples for those of older drafts."""
    if isinstance(schema, list):
        return [without_tuples(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kinds = schema.get("prefixItems")
    kept = {name: without_tuples(one) for name, one in schema.items() if name != "prefixItems"}
    return kept | {"items": {"anyOf": kinds}} if kinds else kept


@pytest.mark.subprocess
def test_every_answer_is_one_that_the_document_names(shared, index, tmp_path):
    """All checks; by two tenants who must not see one another's passages."""
    shared.make(index)
    keys = [shared.key(PARTIAL_SCOPES, tenant=name, rate=1e6) for name in PEERS]
    for key in keys:
        passages = {"passages": [{"id": "1", "text": "a key", "metadata": {"n": 1}}]}
        assert shared.ask("PUT", f"/v1/indexes/{index}/passages", passages, key=key).is_success
    document = shared.ask("GET", "/openapi.json", key=keys[0]).json()
    for path in document["paths"].values():
        for operation in path.values():
            for one in operation.get("parameters", ()):
                if one["name"] == "index":
                    one["schema"] = {"enum": [index, "none-such"]}
    document["components"] = without_tuples(document["components"])
    (tmp_path / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    who = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}
        for name, key in zip(PEERS, keys, strict=True)
    ]
    (tmp_path / "who.json").write_text(json.dumps({"auth": who}), encoding="utf-8")
    (tmp_path / "schemathesis.toml").write_text(
        f"[auth.wfc]\npath = {str(tmp_path / 'who.json')!r}\npeers = {list(PEERS)!r}\n"
        # What a filter may hold, and what is blank, no schema tells.
        "[checks.positive_data_acceptance]\n"
        'expected-statuses = ["2xx", "400", "401", "403", "404", "409"]\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"]
    options = ["--url", shared.url, "--checks", "all", "--max-examples", str(EACH)]
    options += ["--phases", PHASES]
    # Of a body with a line for each passage it knows nothing.
    more = [
        "--exclude-operation-id",
        "stream_passages",
        "--suppress-health-check",
        "all",
        "--generation-database",
        "none",
        "--no-color",
    ]
    done = subprocess.run(
        [*command, "run", "openapi.json", *options, *more],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert "Traceback" not in shared.log.read_text(encoding="utf-8")
