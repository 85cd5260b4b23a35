"""Files to outputs: the same whoever makes them, whole or not at all, and into an index."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, IndexMismatchError, InputError
from lfm2_colbert_rag.files.encoded.job import Job
from lfm2_colbert_rag.files.encoded.loading import load_outputs
from lfm2_colbert_rag.files.encoded.record import find_outputs, read_record
from lfm2_colbert_rag.files.encoded.running import (
    Cluster,
    RayWorker,
    encode_files,
    outcome_of,
)
from lfm2_colbert_rag.files.kinds import READERS
from lfm2_colbert_rag.files.walk import find_sources

from ...cli.conftest import Run, docs, run
from .fleet import hashes

__all__ = ["docs", "run"]


def encode(docs: Path, into: Path, **options: object):
    """Encode a folder in this process."""
    return list(encode_files(Job("hash", into, **options), find_sources([docs], READERS).files))


def test_each_file_becomes_one_output(docs: Path, tmp_path: Path) -> None:
    outcomes = encode(docs, tmp_path / "out")
    assert [one.made for one in outcomes] == [True] * 4
    outputs = list(find_outputs(tmp_path / "out"))
    assert [one.relative_to(tmp_path / "out").as_posix() for one in outputs] == [
        "docs/faq.jsonl.encoded",
        "docs/more/note.txt.encoded",
        "docs/prices.csv.encoded",
        "docs/readme.md.encoded",
    ]
    assert [read_record(one).passages for one in outputs] == [2, 1, 2, 1]
    assert not list((tmp_path / "out").rglob(".tmp-*"))


def test_loaded_it_is_the_index_that_the_files_make(docs: Path, tmp_path: Path, run: Run) -> None:
    assert run("index", docs, "--into", "direct.index", "--model", "hash").code == 0
    outcome = run("encode", docs, "--into", "out", "--model", "hash")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Encoded 4 files (")
    outcome = run("import", "out", "--into", "loaded.index", "--model", "hash")
    assert outcome.out == "Imported 6 passages from 4 outputs in out; loaded.index holds 6.\n"
    with Retriever.open("direct.index") as direct, Retriever.open("loaded.index") as loaded:
        ids = sorted(one.id for one in direct.passages())
        assert direct.get(ids) == loaded.get(ids)
        for question in ("reset the router", "Wann fährt der Zug?", "tea"):
            before, after = direct.search(question, k=9), loaded.search(question, k=9)
            assert before == after
            assert [hit.evidence for hit in before] == [hit.evidence for hit in after]
    again = run("import", "out", "--into", "loaded.index")
    assert again.out.startswith("Imported 0 passages")
    assert again.err == "Skipped 6 passages that it held already.\n"
    again = run("index", docs, "--into", "loaded.index", "--prune")
    assert "6 passages" in again.out
    with Retriever.open("loaded.index") as loaded:
        assert loaded.stats().generation == 1, "the files hold nothing new for it"


def test_what_did_not_change_is_kept(docs: Path, tmp_path: Path, run: Run) -> None:
    run("encode", docs, "--into", "out", "--model", "hash")
    before = hashes(tmp_path / "out")
    (docs / "readme.md").write_text("# Washing\nDescale it.", encoding="utf-8")
    (docs / "new.txt").write_text("A new one.", encoding="utf-8")
    outcome = run("encode", docs, "--into", "out", "--model", "hash")
    assert outcome.out.startswith("Encoded 2 files")
    assert outcome.err == "Kept 3 outputs of files that did not change.\n"
    after = hashes(tmp_path / "out")
    changed = {name.rpartition("/")[0] for name in after if before.get(name) != after[name]}
    assert changed == {"docs/readme.md.encoded", "docs/new.txt.encoded"}
    other = run("encode", docs, "--into", "out", "--model", "hash:1")
    assert other.out.startswith("Encoded 5 files"), "another model makes all of it anew"
    assert not list((tmp_path / "out").rglob(".tmp-*"))


def test_odd_files_stop_nothing_and_are_told_each_time(
    docs: Path, tmp_path: Path, run: Run
) -> None:
    (docs / "bad.jsonl").write_text('{"text": "fine"}\n{"text": 7}\n', encoding="utf-8")
    (docs / "torn.pdf").write_bytes(b"%PDF-1.7 torn")
    for _ in range(2):
        outcome = run("encode", docs, "--into", "out", "--model", "hash")
        assert outcome.code == 3
        assert "bad.jsonl, line 2" in outcome.err
        assert "torn.pdf" in outcome.err
    assert (tmp_path / "out/docs/bad.jsonl.encoded/vectors.npy").is_file()
    assert not (tmp_path / "out/docs/torn.pdf.encoded").exists()


def test_a_torn_output_is_refused_by_its_name(docs: Path, tmp_path: Path, run: Run) -> None:
    run("encode", docs, "--into", "out", "--model", "hash")
    record = tmp_path / "out/docs/faq.jsonl.encoded/encoded.json"
    record.write_text("{", encoding="utf-8")
    for command in (("encode", docs, "--into", "out"), ("import", "out", "--into", "an.index")):
        outcome = run(*command, "--model", "hash")
        assert outcome.code == 1
        assert "docs/faq.jsonl.encoded/encoded.json cannot be read" in outcome.err
        assert "Remove its folder, and encode the files again." in outcome.err
    shutil.rmtree(record.parent)
    assert run("encode", docs, "--into", "out", "--model", "hash").code == 0


def test_vectors_of_another_model_are_refused(docs: Path, tmp_path: Path) -> None:
    encode(docs, tmp_path / "out")
    with Retriever.open(tmp_path / "an.index", model="hash:1") as retriever:
        with pytest.raises(IndexMismatchError, match="another model"):
            load_outputs(retriever, tmp_path / "out")
        assert len(retriever) == 0


def test_pooled_vectors_go_into_a_pooled_index_only(docs: Path, tmp_path: Path, run: Run) -> None:
    encode(docs, tmp_path / "out", pool_factor=2)
    with (
        Retriever.open(tmp_path / "whole.index", model="hash") as retriever,
        pytest.raises(IndexMismatchError, match="pool_factor 2, but the index has 1"),
    ):
        load_outputs(retriever, tmp_path / "out")
    assert run("import", "out", "--into", "pooled.index", "--model", "hash").code == 0
    with Retriever.open("pooled.index") as retriever:
        assert (retriever.stats().pool_factor, len(retriever)) == (2, 6)


def test_batches_are_commits(docs: Path, tmp_path: Path) -> None:
    encode(docs, tmp_path / "out")
    told: list[int] = []
    with Retriever.open(tmp_path / "an.index", model="hash") as retriever:
        loaded = load_outputs(retriever, tmp_path / "out", batch=4, progress=told.append)
        assert (loaded.outputs, loaded.added, loaded.kept, told) == (4, 6, 0, [4, 2])
        assert retriever.stats().generation == 2


def test_a_folder_without_outputs(tmp_path: Path) -> None:
    with (
        Retriever.open(tmp_path / "an.index", model="hash") as retriever,
        pytest.raises(InputError, match="holds nothing that 'lfm2-colbert encode' wrote"),
    ):
        load_outputs(retriever, tmp_path)


def test_what_is_wrong_is_said_before_anything_is_written(run: Run, docs: Path) -> None:
    for args, said in (
        (("nowhere",), "the path 'nowhere' does not exist"),
        ((docs, "--workers", 2), "--workers is for --ray"),
        ((docs, "--encoding", "klingon"), "klingon"),
        ((docs / ".hidden",), None),
    ):
        outcome = run("encode", *args, "--into", "out", "--model", "hash")
        if said is not None:
            assert outcome.code in (1, 2)
            assert said in outcome.err
            assert not Path("out").exists()


def test_the_record_is_plain_json(docs: Path, tmp_path: Path) -> None:
    encode(docs, tmp_path / "out", prefix="wiki")
    record = json.loads((tmp_path / "out/docs/readme.md.encoded/encoded.json").read_text("utf-8"))
    assert (record["source"], record["passages"]) == ("docs/readme.md", 1)
    assert record["recipe"]["reading"]["prefix"] == "wiki"


def test_what_a_worker_of_a_cluster_tells_is_what_a_loop_tells(docs: Path, tmp_path: Path) -> None:
    """All of it but Ray itself, which tests/ray runs."""
    (docs / "torn.pdf").write_bytes(b"%PDF-1.7 torn")
    files = find_sources([docs], READERS).files
    plain = list(encode_files(Job("hash", tmp_path / "plain"), files))
    job = Job("hash", tmp_path / "shared")
    worker = RayWorker(job, files)
    told = []
    for place, source in enumerate(files):
        batch = worker({"id": [place]})
        row = {name: values[0] for name, values in batch.items()}
        told.append(outcome_of(job, source, row))
    assert told == plain
    assert hashes(tmp_path / "shared") == hashes(tmp_path / "plain")


def test_a_cluster_has_a_worker_at_least() -> None:
    with pytest.raises(ConfigError, match="workers must be 1 or more, not 0"):
        Cluster("auto", 0)
