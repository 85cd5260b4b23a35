"""Each known layout is read as it was written; every other says what is wrong with it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.storage.exchange.formats import open_dump
from lfm2_colbert_rag.testing import HashEncoder

from ...conftest import CORPUS

PLAID = Path(__file__).parent / "fast_plaid"
PASSAGES = [Passage(id, text, {"n": n}) for n, (id, text) in enumerate(CORPUS.items())]
LENGTHS = [3, 5, 1, 7, 4]


def matrices() -> dict[str, np.ndarray]:
    encoded = HashEncoder().encode_document(list(CORPUS.values()))
    return {id: one.vectors for id, one in zip(CORPUS, encoded, strict=True)}


def write_npz(path: Path) -> Path:
    np.savez(path / "dump.npz", **matrices())
    return path / "dump.npz"


def write_safetensors(path: Path) -> Path:
    save_file(matrices(), path / "dump.safetensors")
    return path / "dump.safetensors"


def write_flat(path: Path, lengths: str = "token_counts.npy", vectors: str = "vectors.npy") -> Path:
    each = list(matrices().values())
    counts = [len(one) for one in each]
    folder = path / "flat"
    folder.mkdir()
    np.save(folder / vectors, np.concatenate(each))
    if lengths == "doclens":
        (folder / "doclens.0.json").write_text(json.dumps(counts[:2]))
        (folder / "doclens.1.json").write_text(json.dumps(counts[2:]))
    elif lengths.endswith(".json"):
        (folder / lengths).write_text(json.dumps(counts))
    else:
        np.save(folder / lengths, np.array(counts))
    return folder if vectors in ("vectors.npy", "embeddings.npy") else folder / vectors


WRITERS = {
    "npz": write_npz,
    "safetensors": write_safetensors,
    "flat": write_flat,
    "flat, named": lambda path: write_flat(path, "lengths.npy", "mine.npy"),
    "flat, doclens": lambda path: write_flat(path, "doclens"),
    "flat, doclens as one": lambda path: write_flat(path, "doclens.json", "embeddings.npy"),
    "flat, as arrays": lambda path: write_flat(path, "doclens.npy"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_gives_the_same_index(retriever, tmp_path, name):
    dump = WRITERS[name](tmp_path)
    with Retriever.open(tmp_path / "new", model="hash") as other:
        assert sorted(other.import_dump(dump, PASSAGES)) == sorted(CORPUS)
        before, after = (
            [(hit.id, hit.score) for hit in one.search("the router", k=9)]
            for one in (retriever, other)
        )
        assert after == before
        assert other.get(["linge"])[0].metadata == {"n": 3}
        assert other.verify() == []


@pytest.mark.parametrize("name", ["npz", "safetensors"])
def test_ids_bring_texts_into_order(tmp_path, name):
    dump = open_dump(WRITERS[name](tmp_path))
    matched = dump.match(PASSAGES[::-1])
    assert [passage.id for passage in matched] == list(dump.ids)
    for passage, vectors in zip(matched, dump.vectors(), strict=True):
        np.testing.assert_array_equal(vectors, matrices()[passage.id])


@pytest.mark.parametrize("name", ["npz", "safetensors"])
def test_a_text_or_a_vector_that_is_missing_is_named(tmp_path, name):
    dump = open_dump(WRITERS[name](tmp_path))
    with pytest.raises(InputError, match="no text for the id 'kaffee'"):
        dump.match([one for one in PASSAGES if one.id != "kaffee"])
    with pytest.raises(InputError, match="no vector for the id 'unknown'"):
        dump.match([*PASSAGES, Passage("unknown", "text")])
    with pytest.raises(InputError, match=r"no text for the id .* and 2 more"):
        dump.match([])
    with pytest.raises(InputError, match="holds no texts; give them"):
        dump.match(None)


def test_without_ids_the_numbers_must_agree(tmp_path):
    dump = open_dump(write_flat(tmp_path))
    with pytest.raises(InputError, match="vectors of 5 passages, but there are 4 texts"):
        dump.match(PASSAGES[:-1])


@pytest.mark.parametrize("layout", ["merged", "chunks", "within PyLate"])
def test_fast_plaid_is_decoded_as_it_decodes_itself(tmp_path, layout):
    name = "merged" if layout == "within PyLate" else layout
    path = PLAID / name
    if layout == "within PyLate":
        path = tmp_path / "an_index"
        shutil.copytree(PLAID / name, path / "fast_plaid_index")
        (path / "plaid_ids_to_documents_ids.pkl").write_bytes(b"never read")
    dump = open_dump(path)
    vectors = [np.asarray(one) for one in dump.vectors()]
    assert [len(one) for one in vectors] == LENGTHS
    assert (dump.length, dump.dim, dump.ids) == (5, 16, None)
    expected = np.load(PLAID / name / "expected.npy")
    # It computes some of it in half precision.
    np.testing.assert_allclose(np.concatenate(vectors), expected, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate(vectors), axis=1), 1, atol=1e-6)


def test_fast_plaid_becomes_an_index(tmp_path):
    with Retriever.open(tmp_path / "new", model=HashEncoder(dim=16)) as retriever:
        ids = retriever.import_dump(PLAID / "merged", PASSAGES)
        assert ids == list(CORPUS)
        assert (len(retriever), retriever.stats().vectors) == (5, 20)
        assert retriever.verify() == []


@pytest.fixture
def plaid(tmp_path: Path) -> Path:
    """Return an index of fast-plaid that may be changed."""
    path = tmp_path / "plaid"
    shutil.copytree(PLAID / "merged", path)
    return path


def split(path: Path) -> None:
    """Make two chunks of it, the second of which is not merged yet."""
    for what in ("codes", "residuals"):
        merged = np.load(path / f"merged_{what}.npy")
        np.save(path / f"1.{what}.npy", merged[9:20])
        merged[9:] = 0
        np.save(path / f"merged_{what}.npy", merged)
        manifest = {f"0.{what}.npy": {"rows": 9, "merged": True}}
        (path / f"merged_{what}.manifest.json").write_text(json.dumps(manifest))
    (path / "doclens.0.json").write_text("[3, 5, 1]")
    (path / "doclens.1.json").write_text("[7, 4]")
    metadata = json.loads((path / "metadata.json").read_text())
    (path / "metadata.json").write_text(json.dumps(metadata | {"num_chunks": 2}))


def test_what_fast_plaid_has_not_merged_yet_counts(plaid):
    split(plaid)
    vectors = np.concatenate(list(open_dump(plaid).vectors()))
    np.testing.assert_allclose(vectors, np.load(PLAID / "merged" / "expected.npy"), atol=1e-3)


def replace(name: str, change):
    def apply(path: Path) -> None:
        np.save(path / name, change(np.load(path / name)))

    return apply


def metadata(**values: object):
    def apply(path: Path) -> None:
        found = json.loads((path / "metadata.json").read_text())
        (path / "metadata.json").write_text(json.dumps(found | values))

    return apply


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: (path / "metadata.json").unlink(), "metadata.json is missing"),
        (lambda path: (path / "bucket_weights.npy").unlink(), "bucket_weights.npy is missing"),
        (lambda path: (path / "doclens.0.json").unlink(), "doclens.0.json is missing"),
        (lambda path: (path / "merged_codes.npy").unlink(), "0.codes.npy is missing, and so is"),
        (lambda path: (path / "doclens.2.json").write_text("[1]"), "one in between is missing"),
        (lambda path: (path / "doclens.1.json").write_text("[1]"), "more files"),
        (lambda path: (path / "doclens.0.json").write_text('{"a": 1}'), "must hold a list"),
        (lambda path: (path / "doclens.0.json").write_text("[3, -1]"), "number of vectors"),
        (lambda path: (path / "doclens.0.json").write_text("[3, 5"), "cannot be read"),
        (lambda path: (path / "doclens.0.json").write_text("[3, 5, 1, 7, 9]"), "truncated"),
        (metadata(nbits=3), "residuals of 3 bits"),
        (metadata(nbits=2), "bucket_weights.npy holds"),
        (metadata(num_chunks=2), "doclens.1.json is missing"),
        (metadata(num_chunks="x"), "cannot be read"),
        (replace("merged_codes.npy", lambda a: a + 100), "refers to centroid"),
        (replace("merged_codes.npy", lambda a: a - 100), "refers to centroid"),
        (replace("merged_codes.npy", lambda a: a[:7]), "doclens count"),
        (replace("merged_residuals.npy", lambda a: a[:, :-1]), "merged_residuals.npy holds"),
        (replace("centroids.npy", lambda a: a[:, :-2]), "merged_residuals.npy holds"),
        (replace("centroids.npy", lambda a: a.astype(int)), "expected floats"),
        (lambda path: os.truncate(path / "merged_codes.npy", 200), "cannot be read"),
        (
            lambda path: (path / "merged_codes.manifest.json").write_text('{"0.codes.npy": 3}'),
            "cannot be read",
        ),
    ],
)
def test_a_broken_fast_plaid_index_is_refused(plaid, change, said):
    change(plaid)
    with pytest.raises(InputError, match=said) as caught:
        list(open_dump(plaid).vectors())
    assert str(plaid) in str(caught.value)


def truncate(path: Path) -> Path:
    os.truncate(path, path.stat().st_size // 2)
    return path


def alter(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)
    return path


def pickled(path: Path) -> Path:
    ragged = np.empty(2, dtype=object)
    ragged[:] = [np.ones((2, 3)), np.ones((1, 3))]
    np.save(path / "pickled.npy", ragged, allow_pickle=True)
    return path / "pickled.npy"


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def empty_npz(path: Path) -> Path:
    np.savez(path / "empty.npz")
    return path / "empty.npz"


def flat_npz(path: Path) -> Path:
    np.savez(path / "flat.npz", a=np.ones(3))
    return path / "flat.npz"


def short_flat(path: Path) -> Path:
    folder = write_flat(path)
    np.save(folder / "token_counts.npy", np.load(folder / "token_counts.npy")[:-1])
    return folder


def no_lengths(path: Path) -> Path:
    folder = write_flat(path)
    (folder / "token_counts.npy").unlink()
    return folder


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path / "nowhere", "does not exist"),
        (lambda path: path, "holds no dump"),
        (lambda path: write(path / "x.txt", b"text"), "holds no dump"),
        (lambda path: write(path / "x.npz", b""), "cannot be read"),
        (lambda path: write(path / "x.npz", b"no archive"), "cannot be read"),
        (lambda path: write(path / "x.safetensors", b"no tensors"), "cannot be read"),
        (lambda path: truncate(write_npz(path)), "cannot be read"),
        (lambda path: alter(write_npz(path)), "cannot be read"),
        (lambda path: truncate(write_safetensors(path)), "cannot be read"),
        (lambda path: truncate(write_flat(path) / "vectors.npy"), "cannot be read"),
        (pickled, "cannot be read"),
        (empty_npz, "holds no arrays"),
        (flat_npz, "each must be a matrix"),
        (short_flat, "counts .* vectors, but .* holds"),
        (no_lengths, "there must be how many vectors"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, make, said):
    path = make(tmp_path)
    with pytest.raises(InputError, match=said) as caught:
        list(open_dump(path).vectors())
    assert str(path) in str(caught.value)


def test_another_width_and_a_value_that_is_no_number_change_nothing(retriever, state, tmp_path):
    before = state(retriever)
    with pytest.raises(InputError, match=r"have shape \(3, 16\) instead of \(n, dim\) of dim 32"):
        retriever.import_dump(PLAID / "merged", PASSAGES)
    spoilt = matrices()
    spoilt["linge"] = np.full((2, 32), np.nan, dtype=np.float32)
    np.savez(tmp_path / "nan.npz", **spoilt)
    with pytest.raises(InputError, match="'linge' are not finite"):
        retriever.import_dump(tmp_path / "nan.npz", PASSAGES)
    spoilt["linge"] = np.ones((0, 32), dtype=np.float32)
    np.savez(tmp_path / "none.npz", **spoilt)
    with pytest.raises(InputError, match="no vector for 'linge'"):
        retriever.import_dump(tmp_path / "none.npz", PASSAGES)
    assert state(retriever) == before


def test_a_passage_without_vectors_in_the_middle_of_a_flat_dump(retriever, tmp_path):
    folder = write_flat(tmp_path)
    counts = np.load(folder / "token_counts.npy")
    counts[1] += counts[2]
    counts[2] = 0
    np.save(folder / "token_counts.npy", counts)
    with pytest.raises(InputError, match="no vector for 'kaffee'"):
        retriever.import_dump(folder, PASSAGES)
