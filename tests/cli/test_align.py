"""``lfm2-colbert align``, and questions that go through what it wrote."""

from __future__ import annotations

import json

import numpy as np

from lfm2_colbert_rag import QueryAdapter
from lfm2_colbert_rag.encoder.query_adapter import weights_of
from lfm2_colbert_rag.testing import HashEncoder

WORDS = ("key", "door", "router", "library", "train", "bread")


def texts(path, *languages):
    """Write texts in which a model without meaning sees no more than the names of languages."""
    rows = [{one: f"{one} {word} {word}s" for one in languages} for word in WORDS]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(path)


def test_what_is_found_is_shown_and_written(run, tmp_path):
    out = tmp_path / "adapter.safetensors"
    outcome = run(
        "align", "nano", "--texts", texts(tmp_path / "t.jsonl", "a", "b", "c"), "--out", str(out)
    )
    assert outcome.code == 0
    for shown in ("as they are", "the means of questions", "translations", "3 languages"):
        assert shown in " ".join(outcome.out.split())
    written = out.exists()
    assert ("Wrote" in outcome.err) == written == ("Nothing is gained" not in outcome.err)
    if written:
        assert QueryAdapter.read(out).origin["languages"] == ["a", "b", "c"]


def test_nothing_is_written_where_nothing_is_gained(run, tmp_path):
    out = tmp_path / "adapter.safetensors"
    outcome = run(
        "align", "hash", "--texts", texts(tmp_path / "t.jsonl", "en", "de"), "--out", str(out)
    )
    assert outcome.code == 0
    assert "Nothing is gained" in outcome.err
    assert not out.exists()


def test_texts_that_teach_nothing_are_an_error_in_one_line(run, tmp_path):
    outcome = run("align", "hash", "--texts", texts(tmp_path / "t.jsonl", "en"))
    assert outcome.code == 1
    assert "at least 2 languages" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_search_goes_through_an_adapter(run, folder, tmp_path):
    (tmp_path / "t.txt").write_text("The key of the router.\n\nDer Schlüssel der Tür.\n")
    assert run("index", str(tmp_path / "t.txt"), "--into", str(folder), "--model", "hash").code == 0
    path = tmp_path / "turned.safetensors"
    turned = np.eye(32, dtype=np.float32)[::-1].copy()
    QueryAdapter(turned, weights_of(HashEncoder()), "always", {"summary": "turned"}).save(path)
    asked = ("search", str(folder), "key", "--json", "--plan")
    plain = run(*asked).out.splitlines()
    mapped = run(*asked, "--query-adapter", str(path)).out.splitlines()
    assert json.loads(plain[-1])["plan"]["query_adapter"] is None
    assert json.loads(mapped[-1])["plan"]["query_adapter"] == "turned"
    assert [json.loads(line)["score"] for line in plain[:-1]] != [
        json.loads(line)["score"] for line in mapped[:-1]
    ]
    outcome = run(*asked, "--query-adapter", str(tmp_path / "gone"))
    assert outcome.code == 1
    assert "no query adapter at" in outcome.err
