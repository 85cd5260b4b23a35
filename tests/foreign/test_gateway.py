"""LiteLLM's gateway before a server: whoever speaks to the gateway reaches an index.

Skipped where ``make test-clients`` did not make the environment.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from .cases import QUERY, TEXTS, Case
from .conftest import Asked
from .programs import PATIENCE, QUIET, patiently, python_of
from .test_page import ADDRESS, BLOCKS

pytestmark = pytest.mark.subprocess

# The configuration of the page, for the index that the tests of clients ask.
CONFIG = BLOCKS["config.yaml"].replace("support", "docs")


@pytest.fixture(scope="module")
def gateway(asked: Asked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Start the gateway with a configuration as the docs have it, and ask it with its own key."""
    python = python_of("litellm")
    place = tmp_path_factory.mktemp("gateway")
    config = CONFIG.replace(ADDRESS, asked.server.url)
    (place / "config.yaml").write_text(config, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    master = f"sk-{secrets.token_hex(32)}"
    own = {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "LITELLM_MASTER_KEY": master,
        "LFM2_COLBERT_API_KEY": asked.key,
    }
    command = [python.with_name("litellm"), "--config", "config.yaml", "--host", "127.0.0.1"]
    log = place / "log"
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=place, env=QUIET | own, stdout=said, stderr=said
        )
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {master}"},
            timeout=PATIENCE,
            trust_env=False,
        ) as client:
            for _ in patiently():
                assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
                with suppress(httpx.TransportError):
                    if client.get("/health/liveliness").is_success:
                        break
            yield client
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_its_rerank_is_ours(gateway, asked):
    body = {"model": "reranker", "query": QUERY, "documents": TEXTS, "top_n": 3}
    answer = gateway.post("/rerank", json=body)
    assert answer.status_code == 200, answer.text
    found = [(one["index"], one["relevance_score"]) for one in answer.json()["results"]]
    assert found == asked.natively(Case("", "", "rerank", ""), 3)


def test_its_vector_store_is_an_index_of_ours(gateway, asked):
    body = {"query": QUERY, "max_num_results": 3}
    answer = gateway.post("/v1/vector_stores/docs/search", json=body)
    assert answer.status_code == 200, answer.text
    found = [(one["file_id"], one["score"]) for one in answer.json()["data"]]
    assert found == asked.natively(Case("", "", "search", ""), 3)
