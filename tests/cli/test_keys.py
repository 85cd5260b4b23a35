"""``keys``: made once, listed without what is secret, revoked for good."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from lfm2_colbert_rag.server.access.gate import Gate, Refused
from lfm2_colbert_rag.server.access.keys import KeyFile

from .conftest import Run

CREATE = ("keys", "create", "--keys", "keys.json", "--name", "chatbot", "--scope", "search")


def test_a_key_is_shown_once_and_opens_the_gate(run: Run) -> None:
    """Nothing else is on stdout, so that a shell can take it."""
    outcome = run(*CREATE)
    assert outcome.code == 0
    text = outcome.out.strip()
    assert "shown this once" in outcome.err
    pytest.importorskip("jwt")  # keys are made without it; the gate reads tokens, too
    gate = Gate(KeyFile("keys.json"), isolation="index")
    assert gate.caller([(b"x-api-key", text.encode())], "").name == "chatbot"
    listed = run("keys", "list", "--keys", "keys.json")
    assert text[4:12] in listed.out
    assert "chatbot" in listed.out
    assert text[13:30] not in listed.out + listed.err


def test_all_options(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    outcome = run(
        *(*CREATE, "--scope", "read", "--index", "a", "--index", "b", "--tenant", "acme"),
        *("--where", '{"year": {"$gte": 2024}}', "--field", "title", "--field", "year"),
        *("--rate", "5", "--expires-in", "90d", "--json"),
    )
    made = json.loads(outcome.out)
    text = made.pop("key")
    assert text.startswith(f"lcb_{made['id']}_")
    assert made["expires"] == pytest.approx(time.time() + 90 * 86_400, abs=60)
    wanted = {
        "name": "chatbot",
        "scopes": ["read", "search"],
        "indexes": ["a", "b"],
        "tenant": "acme",
        "where": {"year": {"$gte": 2024}},
        "fields": ["title", "year"],
        "rate": 5.0,
        "revoked": None,
    }
    assert made.items() >= wanted.items()
    (listed,) = json.loads(run("keys", "list", "--keys", "keys.json", "--json").out)
    assert listed == {**made, "state": "live"}
    seen = run("keys", "list", "--keys", "keys.json").out
    for shown in ("acme", "index a", "a filter", "field year"):
        assert shown in seen


def test_what_is_left_out(run: Run) -> None:
    """The file is where ``serve`` looks for it, and a key is for searching."""
    assert run("keys", "create", "--name", "me").code == 0
    (listed,) = json.loads(run("keys", "list", "--json").out)
    assert (listed["scopes"], listed["indexes"], listed["expires"]) == (["search"], None, None)
    assert run("keys", "revoke", "me").code == 0


@pytest.mark.parametrize("by", ["id", "name"])
def test_revoking(run: Run, by: str) -> None:
    text = run(*CREATE).out.strip()
    outcome = run("keys", "revoke", text[4:12] if by == "id" else "chatbot", "--keys", "keys.json")
    assert (outcome.code, outcome.out) == (0, f"Revoked the key {text[4:12]} (chatbot).\n")
    pytest.importorskip("jwt")
    with pytest.raises(Refused, match="revoked"):
        Gate(KeyFile("keys.json"), isolation="index").caller([(b"api-key", text.encode())], "")
    again = run("keys", "revoke", "chatbot", "--keys", "keys.json")
    assert again.code == 1
    assert "no live key" in again.err
    (listed,) = json.loads(run("keys", "list", "--keys", "keys.json", "--json").out)
    assert listed["state"] == "revoked"
    run(*CREATE)
    ended = json.loads(run("keys", "revoke", "chatbot", "--keys", "keys.json", "--json").out)
    assert [one["name"] for one in ended] == ["chatbot"]


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        ((*CREATE, "--scope", "root"), 1, "there is no scope 'root'"),
        ((*CREATE, "--expires-in", "soon"), 2, "such as 90d"),
        ((*CREATE, "--expires-in", "999999999w"), 1, "expires"),
        ((*CREATE, "--where", "{"), 2, "--where is not JSON"),
        ((*CREATE, "--where", '{"a": {"$near": 1}}'), 1, "unknown operator '$near'"),
        ((*CREATE, "--index", "../etc"), 1, "cannot be the name of an index"),
        ((*CREATE, "--rate", "-1"), 1, "rate of a key"),
        ((*CREATE, "--tenant", "acme", "--scope", "admin"), 1, "make a key of its own"),
        (("keys", "list", "--keys", "none.json"), 1, "there is no key file"),
        (("keys", "create"), 2, "Missing option '--name'"),
        (("keys", "revoke", "a"), 1, "there is no key file"),
    ],
    ids=lambda one: str(one)[-40:],
)
def test_mistakes_are_one_line(run: Run, args: tuple[str, ...], code: int, told: str) -> None:
    outcome = run(*args)
    assert (outcome.code, outcome.out) == (code, "")
    assert told in outcome.err
    assert outcome.err.count("\n") == 1
    assert not os.path.lexists("keys.json")


@pytest.mark.subprocess
def test_it_starts_without_numpy_and_without_a_retriever(run: Run) -> None:
    code = """
import sys
from lfm2_colbert_rag.cli import main
main(["keys", "create", "--keys", "keys.json", "--name", "a", "--scope", "search"])
main(["keys", "revoke", "a", "--keys", "keys.json", "--json"])
heavy = {"numpy", "numba", "jwt", "lfm2_colbert_rag.retriever", "lfm2_colbert_rag.index"}
print(sorted(heavy & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
