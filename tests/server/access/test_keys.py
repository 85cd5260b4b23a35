"""The file of keys: private, whole, and the last good one where it is not."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from lfm2_colbert_rag.errors import FilterError, InputError, KeyFileError, LFM2ColBERTError
from lfm2_colbert_rag.server.access.key_record import stored
from lfm2_colbert_rag.server.access.keys import KeyFile

from .made import NOW

needs_modes = pytest.mark.skipif(os.name == "nt", reason="no bits of rights")


@pytest.fixture
def key(keys):
    return keys.create("chatbot", ["search"], ["a"], "acme", {"year": 2024}, ["title"], 5, NOW + 9)[
        0
    ]


def write(path: Path, content: bytes | str) -> None:
    """Put a file in the place of another, as editors do."""
    new = path.with_name("new")
    new.write_bytes(content if isinstance(content, bytes) else content.encode())
    new.chmod(0o600)
    new.replace(path)


def rows(path: Path) -> list[dict]:
    return json.loads(path.read_text("utf-8"))["keys"]


def file_of(rows: object, version: object = 1) -> str:
    return json.dumps({"version": version, "keys": rows})


def test_a_key_is_read_as_it_was_made(keys, key):
    assert keys.keys() == [key] == KeyFile(keys.path).keys()
    assert keys.find(key.id) == key
    assert keys.find("aaaaaaaa") is None
    assert key.to_dict() == {
        "id": key.id,
        "name": "chatbot",
        "scopes": ["search"],
        "indexes": ["a"],
        "tenant": "acme",
        "where": {"year": 2024},
        "fields": ["title"],
        "rate": 5,
        "expires": NOW + 9,
        "created": NOW,
        "revoked": None,
    }


@needs_modes
def test_nobody_else_may_read_it(keys, key):
    before = os.umask(0)
    try:
        keys.create("second", ["search"])
    finally:
        os.umask(before)
    assert keys.path.stat().st_mode & 0o777 == 0o600


@needs_modes
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o610])
def test_a_file_that_others_may_use_is_refused(keys, key, mode):
    keys.path.chmod(mode)
    before = keys.path.read_bytes()
    for do in (
        KeyFile(keys.path).keys,
        lambda: KeyFile(keys.path).find(key.id),
        lambda: keys.create("b", ["search"]),
        lambda: keys.revoke(key.id),
    ):
        with pytest.raises(KeyFileError, match=f"{mode:04o}.*chmod 600"):
            do()
    assert keys.path.read_bytes() == before


def test_a_link_is_refused(keys, key, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(keys.path)
    linked = KeyFile(link)
    for do in (linked.keys, lambda: linked.find("a"), lambda: linked.create("b", ["search"])):
        with pytest.raises(KeyFileError, match="is a link, not a file"):
            do()
    assert link.is_symlink()
    link.unlink()
    link.mkdir()
    with pytest.raises(KeyFileError, match="is a folder, not a file"):
        linked.keys()


def changed(row: dict, **more: object) -> dict:
    return {**row, **more}


def damages(row: dict) -> dict[str, str | bytes]:
    """Return files that are none of keys, however near to one they come."""
    whole = file_of([row])
    return {
        "nothing": "",
        "half": whole[: len(whole) // 2],
        "no JSON": "keys",
        "bytes": b"\xff\xfe",
        "zeros": bytes(100),
        "a list": "[]",
        "too deep": "[" * 5000,
        "another version": file_of([row], 2),
        "no keys": '{"version": 1}',
        "keys that are none": file_of({"a": 1}),
        "a key that is none": file_of([7]),
        "a key twice": file_of([row, row]),
        "more members": file_of([changed(row, roles=["admin"])]),
        "fewer members": file_of([{name: one for name, one in row.items() if name != "tenant"}]),
        "a member twice": whole.replace('"rate"', '"tenant": null, "rate"'),
        "another scope": file_of([changed(row, scopes=["root"])]),
        "a wrong hash": file_of([changed(row, sha256="0" * 63)]),
        "no hash": file_of([changed(row, sha256=None)]),
        "a wrong id": file_of([changed(row, id="../../..")]),
        "a wrong rate": file_of([changed(row, rate="5")]),
        "never made": file_of([changed(row, created=None)]),
        "a wrong filter": file_of([changed(row, where={"a": {"$near": 1}})]),
        "NaN": whole.replace("2024", "NaN"),
    }


@pytest.mark.parametrize("damage", sorted(damages({"where": {"year": 2024}})))
def test_a_damaged_file_is_refused_and_changes_nothing(keys, key, ticks, caplog, damage):
    """Whoever knew the keys before goes on with these, and says so once."""
    content = damages(rows(keys.path)[0])[damage]
    assert keys.find(key.id) == key
    write(keys.path, content)
    caplog.set_level(logging.WARNING)
    for _ in range(5):
        ticks.now += 1
        assert keys.find(key.id) == key
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "The keys stay as they were." in caplog.text
    assert key.digest.hex() not in caplog.text
    before = keys.path.read_bytes()
    for do in (KeyFile(keys.path).keys, lambda: keys.create("b", ["search"])):
        with pytest.raises(KeyFileError, match="cannot be used: "):
            do()
    assert keys.path.read_bytes() == before


def test_a_file_that_is_whole_again_counts(keys, key, ticks):
    good = keys.path.read_bytes()
    assert keys.find(key.id)
    for bad in (good[:-5], None):
        if bad is None:
            keys.path.unlink()
        else:
            write(keys.path, bad)
        ticks.now += 1
        assert keys.find(key.id) == key
        row = changed(json.loads(good)["keys"][0], revoked=NOW)
        write(keys.path, file_of([row]))
        ticks.now += 1
        assert keys.find(key.id).revoked == NOW
        write(keys.path, good)
        ticks.now += 1
        assert keys.find(key.id) == key


def test_an_edit_in_place_that_looks_the_same_is_seen(keys, key, ticks, monkeypatch):
    """The clocks of file systems are coarse: a young file may change and keep its time."""
    look = (*keys._stat()[:-2], time.time_ns(), time.time_ns())
    monkeypatch.setattr(KeyFile, "_stat", lambda self: look)
    keys.find(key.id)
    content = keys.path.read_bytes().replace(b'"acme"', b'"beta"')
    with keys.path.open("r+b") as file:
        file.write(content)
    ticks.now += 1
    assert keys.find(key.id).rights.tenant == "beta"


@needs_modes
def test_a_file_that_cannot_be_read_for_a_while_counts_again(keys, key, ticks, monkeypatch):
    """Although it is the same file as before: it was the process that had too many files open."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr("lfm2_colbert_rag.server.access.keys._YOUNG", -1)  # none ever is
    assert keys.find(key.id)
    KeyFile(keys.path).revoke(key.id)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        ticks.now += 1
        assert keys.find(key.id).revoked is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    ticks.now += 1
    assert keys.find(key.id).revoked is not None


def test_a_look_is_believed_for_a_quarter_of_a_second(keys, key, ticks):
    keys.find(key.id)
    other = KeyFile(keys.path)
    other.revoke(key.id)
    ticks.now += 0.2
    assert keys.find(key.id).revoked is None
    ticks.now += 0.05
    assert keys.find(key.id).revoked is not None


def test_ticks_that_go_back_do_not_blind(keys, key, ticks):
    keys.find(key.id)
    KeyFile(keys.path).revoke(key.id)
    ticks.now -= 1000
    assert keys.find(key.id).revoked is not None


@pytest.mark.slow
def test_ten_thousand_keys(keys, ticks):
    """One is made, found and revoked among them."""
    keys.create("first", ["search"])
    row = rows(keys.path)[0]
    letters = "abcdefghij"
    ids = ["".join(letters[int(digit)] for digit in f"{number:08d}") for number in range(9_999)]
    write(keys.path, file_of([changed(row, id=id, name=id + "x") for id in ids]))
    ticks.now += 1
    assert keys.find(ids[-1]).name == ids[-1] + "x"
    made, _ = keys.create("one more", ["search"])
    ticks.now += 1
    assert keys.find(made.id) == made
    assert keys.revoke(ids[5])[0].id == ids[5]
    assert len(keys.keys()) == 10_000


def test_a_file_that_is_replaced_while_it_is_read(keys, key):
    """Each look sees it as it was before some change, or after it."""
    writer = KeyFile(keys.path)
    seen = []
    thread = threading.Thread(
        target=lambda: [writer.create(str(number), ["search"]) for number in range(50)]
    )
    thread.start()
    while thread.is_alive():
        found = KeyFile(keys.path).keys()
        seen.append(len(found))
        assert [one.name for one in found[1:]] == [str(number) for number in range(len(found) - 1)]
    thread.join()
    assert seen == sorted(seen)
    assert len(keys.keys()) == 51


def test_two_live_keys_of_a_name(keys, clock):
    first, _ = keys.create("bot", ["search"], expires=NOW + 100)
    second, _ = keys.create("bot", ["search"])
    with pytest.raises(InputError, match=f"such as the older, {first.id}"):
        keys.create("bot", ["search"])
    clock.now += 100  # the first has expired
    third, _ = keys.create("bot", ["search"])
    assert [key.id for key in keys.revoke("bot")] == [second.id, third.id]
    kept = keys.keys()
    assert [key.revoked for key in kept] == [None, clock.now, clock.now]
    keys.create("bot", ["search"])


def test_revoking_by_id_and_by_name(keys):
    first, _ = keys.create("bot", ["search"])
    second, _ = keys.create("bot", ["search"])
    assert [key.id for key in keys.revoke(first.id)] == [first.id]
    for none in (first.id, "nobody", ""):
        before = keys.path.read_bytes()
        with pytest.raises(InputError, match="no live key"):
            keys.revoke(none)
        assert keys.path.read_bytes() == before
    assert [key.id for key in keys.revoke("bot")] == [second.id]


def test_no_name_is_another_keys_id(keys):
    key, _ = keys.create("bot", ["search"])
    with pytest.raises(InputError, match="is the id of a key"):
        keys.create(key.id, ["search"])


@pytest.mark.parametrize(
    "wrong",
    [
        *({"name": ""}, {"name": " a"}, {"name": "a\nb"}, {"name": "a" * 65}, {"name": None}),
        *({"name": "a\u202eb"}, {"name": "\ud800"}, {"scopes": []}, {"scopes": ["root"]}),
        *({"indexes": ["A"]}, {"tenant": ""}, {"where": {"a": ...}}, {"fields": ["a.b"]}),
        *({"where": {"a": {"$near": 1}}}, {"where": [1]}, {"where": {"a": float("nan")}}),
        *({"rate": 0}, {"rate": -1}, {"rate": "5"}, {"rate": True}, {"rate": float("nan")}),
        *({"expires": NOW}, {"expires": 0}, {"expires": "soon"}, {"expires": float("inf")}),
        *({"expires": float("nan")}, {"expires": True}, {"scopes": ["admin"], "tenant": "a"}),
    ],
    ids=str,
)
def test_what_cannot_be_a_key_is_refused_and_nothing_is_written(keys, wrong):
    with pytest.raises(LFM2ColBERTError):
        keys.create(**{"name": "bot", "scopes": ["search"], **wrong})
    assert not keys.path.exists()


def test_a_key_shares_nothing_with_what_it_was_made_of(keys):
    where = {"year": {"$in": [1, 2]}}
    key, _ = keys.create("bot", ["search"], where=where)
    where["year"]["$in"].append(3)
    assert key.rights.where == ({"year": {"$in": [1, 2]}},)
    assert stored(key) == rows(keys.path)[0]


def test_errors_of_filters_are_told(keys):
    with pytest.raises(FilterError, match=r"unknown operator '\$near'"):
        keys.create("bot", ["search"], where={"a": {"$near": 1}})


def test_where_no_file_can_be(tmp_path, keys):
    for path in (tmp_path / "none" / "keys.json", Path("/dev/null/keys.json")):
        with pytest.raises(KeyFileError, match="nothing was changed"):
            KeyFile(path).create("bot", ["search"])
    shutil.rmtree(tmp_path)
    with pytest.raises(KeyFileError):
        keys.create("bot", ["search"])


def test_what_a_killed_process_left_is_removed(keys, key):
    left = keys.path.with_name(f".{keys.path.name}-{os.getpid()}")
    other = keys.path.with_name(f".{keys.path.name}-99999999")
    mine = keys.path.with_name(f".{keys.path.name}-old")
    for one in (left, other, mine):
        one.write_text("half", "utf-8")
    keys.create("second", ["search"])
    assert not left.exists()
    assert not other.exists()
    assert mine.exists()
    assert len(keys.keys()) == 2
