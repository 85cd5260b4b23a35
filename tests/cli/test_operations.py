"""``verify``, ``backup``, ``restore``, ``export`` and ``import``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.testing import HashEncoder

from ..inside import store_of
from .conftest import Run

TEXTS = {"reset": "Hold the reset key.", "library": "The library opens at nine."}


@pytest.fixture
def index(run: Run, docs: Path) -> str:
    assert run("index", docs, "--into", "an.index", "--model", "hash").code == 0
    return "an.index"


def segment_file(folder: str) -> Path:
    return next(Path(folder).glob("segments/*/spans.npy"))


def test_a_sound_index(run: Run, index: str) -> None:
    outcome = run("verify", index)
    assert (outcome.code, outcome.out, outcome.err) == (0, "an.index is sound.\n", "")
    outcome = run("verify", index, "--json")
    assert json.loads(outcome.out) == {"path": "an.index", "sound": True, "problems": []}


def test_damage_is_named_and_the_exit_code_is_1(run: Run, index: str) -> None:
    path = segment_file(index)
    os.truncate(path, path.stat().st_size - 1)
    outcome = run("verify", index)
    assert outcome.code == 1
    assert outcome.out.startswith(f"{path} has ")
    assert outcome.out.count("\n") == 1
    assert outcome.err == "an.index is not sound: 1 problem.\n"
    path.unlink()
    outcome = run("verify", index, "--json")
    assert (outcome.code, outcome.err) == (1, "")
    told = json.loads(outcome.out)
    assert (told["sound"], len(told["problems"])) == (False, 1)
    assert f"{path} is missing" in told["problems"][0]


def test_verifying_works_while_the_index_is_in_use(run: Run, index: str) -> None:
    with Retriever.open(index) as retriever, store_of(retriever).locks.writing():
        assert run("verify", index).code == 0


def test_what_was_deleted_is_purged(run: Run, index: str) -> None:
    run("delete", index, "--all")
    outcome = run("purge", index)
    assert (outcome.code, outcome.err) == (0, "")
    assert "nothing is left of 6 deleted or replaced passages in an.index (" in outcome.out
    outcome = run("purge", index, "--json")
    assert json.loads(outcome.out).items() >= {"path": "an.index", "passages": 0}.items()


def test_backup_and_restore(run: Run, index: str) -> None:
    outcome = run("backup", index, "a.backup")
    assert outcome.code == 0
    assert outcome.out.startswith("Copied an.index to a.backup (")
    run("delete", index, "--where", "{}")
    outcome = run("restore", "a.backup", "new.index")
    assert outcome.code == 0
    assert outcome.out == "Restored 6 passages from a.backup; new.index is sound.\n"
    found = run("search", "new.index", "reset key", "--json").out.splitlines()
    assert json.loads(found[0])["id"] == "reset"


def test_a_broken_backup_is_not_restored(run: Run, index: str) -> None:
    run("backup", index, "a.backup")
    path = segment_file("a.backup")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    outcome = run("restore", "a.backup", "new.index")
    assert (outcome.code, outcome.out) == (1, "")
    assert "a.backup is broken and was not restored." in outcome.err
    assert f"{path.absolute()} was altered" in outcome.err
    assert not Path("new.index").exists()


def test_an_export_is_imported(run: Run, index: str) -> None:
    outcome = run("export", index, "--into", "out", "--dtype", "float32")
    assert (outcome.code, outcome.out) == (0, "Exported 6 passages from an.index to out.\n")
    assert np.load("out/vectors.npy").dtype == np.float32
    outcome = run("import", "out", "--into", "new.index", "--model", "hash")
    assert outcome.code == 0
    assert outcome.out == "Imported 6 passages from out (an export); new.index holds 6.\n"
    questions = (run("search", name, "reset key", "--json").out for name in (index, "new.index"))
    assert len(set(questions)) == 1


@pytest.fixture
def dump() -> str:
    encoded = HashEncoder().encode_document(list(TEXTS.values()))
    np.savez("dump.npz", **{id: one.vectors for id, one in zip(TEXTS, encoded, strict=True)})
    lines = [json.dumps({"id": id, "text": text, "n": 1}) for id, text in TEXTS.items()]
    Path("texts.jsonl").write_text("\n".join(reversed(lines)), encoding="utf-8")
    return "dump.npz"


def test_arrays_and_texts_are_imported(run: Run, dump: str) -> None:
    command = ("import", dump, "--texts", "texts.jsonl", "--into", "an.index")
    assert run(*command, "--model", "hash").out == (
        "Imported 2 passages from dump.npz (arrays by id); an.index holds 2.\n"
    )
    assert run(*command).code == 0  # again, into what is there
    (hit, _) = map(json.loads, run("search", "an.index", "library", "--json").out.splitlines())
    assert (hit["id"], hit["metadata"]) == ("library", {"n": 1})


def test_a_blank_text_is_imported_neither_with_its_vectors_nor_without(run: Run, dump: str) -> None:
    lines = [json.dumps({"id": id, "text": " " * (id != "library")}) for id in TEXTS]
    lines = [line.replace('""', '"The library."') for line in lines]
    Path("texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    outcome = run("import", dump, "--texts", "texts.jsonl", "--into", "an.index", "--model", "hash")
    assert outcome.out == "Imported 1 passage from dump.npz (arrays by id); an.index holds 1.\n"


IMPORT_ERRORS = {
    "no texts": ((), "holds no texts"),
    "no dump": (("nowhere.npz",), "does not exist"),
    "a text is missing": (("--texts", "fewer.jsonl"), "no text for the id 'library'"),
    "another width": (
        ("--texts", "texts.jsonl", "wide.npz"),
        "width 16, but those of hash have 32",
    ),
    "not a number": (("--texts", "texts.jsonl", "nan.npz"), "'reset' are not finite"),
    "truncated": (("--texts", "texts.jsonl", "half.npz"), "half.npz cannot be read"),
    "a broken line": (("--texts", "broken.jsonl"), "broken.jsonl, line 1"),
    "no such model": (("--texts", "texts.jsonl", "--model", "./no/model"), "no/model"),
}


@pytest.mark.parametrize("name", IMPORT_ERRORS)
def test_a_bad_dump_is_named_and_makes_no_index(run: Run, dump: str, name: str) -> None:
    arguments, said = IMPORT_ERRORS[name]
    Path("fewer.jsonl").write_text('{"id": "reset", "text": "x"}', encoding="utf-8")
    Path("broken.jsonl").write_text('{"id": "reset"', encoding="utf-8")
    np.savez("wide.npz", **dict.fromkeys(TEXTS, np.ones((2, 16), np.float32)))
    np.savez("nan.npz", **dict.fromkeys(TEXTS, np.full((2, 32), np.nan, np.float32)))
    Path("half.npz").write_bytes(Path(dump).read_bytes()[:300])
    if not any(one.endswith(".npz") for one in arguments):
        arguments = (dump, *arguments)
    model = () if "--model" in arguments else ("--model", "hash")
    outcome = run("import", *arguments, "--into", "an.index", *model)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert said in outcome.err
    assert not Path("an.index").exists()


ERRORS = {
    "nothing to verify": (("verify", "nowhere"), "nowhere is no folder"),
    "no index to verify": (("verify", "docs"), "docs holds no index"),
    "nothing to back up": (("backup", "nowhere", "b"), "nowhere holds no index"),
    "nothing to restore": (("restore", "nowhere", "b"), "nowhere holds no index"),
    "nothing to export": (("export", "nowhere", "--into", "b"), "nowhere holds no index"),
    "backup into what is there": (("backup", "an.index", "docs"), "docs exists"),
    "restore into what is there": (("restore", "an.index", "docs"), "docs exists"),
    "export into what is there": (("export", "an.index", "--into", "docs"), "docs exists"),
}


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_one_line(run: Run, name: str) -> None:
    args, message = ERRORS[name]
    outcome = run(*args)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert not Path("b").exists()
    assert not Path("nowhere").exists()


def test_a_model_is_exported_by_another_command(run: Run) -> None:
    outcome = run("export-model", "nano", "--into", "nano-int8")
    assert outcome.code == 0
    assert outcome.out.startswith("Exported nano in int8 to nano-int8 (")


def test_a_tilde_that_no_shell_expanded_is_the_home(
    run: Run, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    docs.rename(home / "docs")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for command in (
        ("index", "~/docs", "--into=~/i", "--model", "hash"),
        ("search", "~/i", "~/docs", "-k", "1"),  # the query is no path, and stays as it is
        ("verify", "~/i"),
        ("backup", "~/i", "~/copy"),
        ("export", "~/i", "--into", "~/dump"),
        ("import", "~/dump", "--into=~/again", "--model", "hash"),
        ("restore", "~/copy", "~/restored"),
        ("keys", "create", "--keys", "~/keys.json", "--name", "a", "--scope", "search"),
    ):
        outcome = run(*command)
        assert outcome.code in (0, 3), (command, outcome.err)
        assert "(0 bytes)" not in outcome.out
    assert not (tmp_path / "~").exists()
    made = {"docs", "i", "copy", "dump", "again", "restored", "keys.json"}
    assert made <= {path.name for path in home.iterdir()}
