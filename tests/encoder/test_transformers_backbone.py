"""Backbones of transformers: equal to computing each text alone, whatever it travels with."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from lfm2_colbert_rag.encoder import load_encoder, read_fingerprint
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint, SpecialTokens
from lfm2_colbert_rag.encoder.config import Lfm2Config
from lfm2_colbert_rag.encoder.engine import CheckpointEncoder
from lfm2_colbert_rag.encoder.onnx.onnx_engine import OnnxEncoder
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder
from lfm2_colbert_rag.encoder.transformers_config import TransformersConfig
from lfm2_colbert_rag.errors import MissingExtraError, ModelFormatError

from .checkpoints import DIM, edit_json, quantize, write_checkpoint
from .foreign import (
    FOREIGN,
    HIDDEN,
    foreign_model,
    foreign_tokenizer,
    write_backbone,
    write_foreign,
)

pytestmark = pytest.mark.long

TEXTS = [
    "What is the capital of France?",
    "",
    "Où est la gare ?",
    "!!!",
    "the lazy dog jumps over the quick brown fox, " * 8,
    "日本語のテキスト",
    "ẞ qwx [MASK] <mask>",
]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One PyLate checkpoint of each kind; not to be changed."""
    place = tmp_path_factory.mktemp("foreign")
    return {kind: write_foreign(place / kind, kind) for kind in FOREIGN}


@pytest.fixture(scope="session")
def encoders(folders: dict[str, Path]) -> dict[str, TorchEncoder]:
    return {kind: TorchEncoder(Checkpoint.read(folder)) for kind, folder in folders.items()}


@pytest.fixture(scope="session", params=FOREIGN)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def make(folder: Path, kind: str, **options: Any) -> TorchEncoder:
    return TorchEncoder(Checkpoint.read(write_foreign(folder, kind, **options)))


def vectors(encoder: CheckpointEncoder) -> list[Any]:
    encoded = [*encoder.encode_query(TEXTS), *encoder.encode_document(TEXTS)]
    return [text.vectors for text in encoded]


def difference(one: CheckpointEncoder, other: CheckpointEncoder) -> float:
    pairs = zip(vectors(one), vectors(other), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


@torch.inference_mode()
def alone(kind: str, folder: Path, framed: Any) -> Any:
    """The vectors of one framed text as transformers computes them, without any padding."""
    ids = torch.from_numpy(framed.input_ids)[None]
    mask = torch.from_numpy(framed.attention_mask)[None].long()
    model = foreign_model(kind)
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state[0]
    head = load_file(folder / "1_Dense" / "model.safetensors")["linear.weight"]
    kept = (hidden @ head.T)[torch.from_numpy(framed.keep)]
    return torch.nn.functional.normalize(kept, dim=-1).numpy()


@pytest.mark.parametrize("side", ["query", "document"])
def test_vectors_are_those_of_transformers(
    kind: str, side: str, folders: dict[str, Path], encoders: dict[str, TorchEncoder]
) -> None:
    """Of masked positions too, which are query expansion."""
    encoder = encoders[kind]
    found = getattr(encoder, f"encode_{side}")(TEXTS)
    for framed, text in zip(getattr(encoder._framing, side)(TEXTS), found, strict=True):
        np.testing.assert_allclose(text.vectors, alone(kind, folders[kind], framed), atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_vector_does_not_depend_on_its_batch(
    kind: str, encoders: dict[str, TorchEncoder], data: st.DataObject
) -> None:
    encoder = encoders[kind]
    texts = data.draw(st.lists(st.sampled_from(TEXTS) | st.text(max_size=30), max_size=6))
    for encode in (encoder.encode_document, encoder.encode_query):
        for text, found in zip(texts, encode(texts), strict=True):
            np.testing.assert_allclose(found.vectors, encode([text])[0].vectors, atol=1e-5)


def test_texts_are_framed_by_both_ends_and_a_marker(
    kind: str, encoders: dict[str, TorchEncoder]
) -> None:
    """The marker comes second; expansion takes the mask token."""
    framing = encoders[kind]._framing
    names = {"bert": (2, 3, 4), "xlm-roberta": (0, 2, 4), "modernbert": (1, 2, 4)}
    first, last, mask = names[kind]
    document, query = framing.document(["Paris"])[0], framing.query(["Paris"])[0]
    assert document.input_ids[[0, -1]].tolist() == [first, last]
    assert {(document.input_ids[1],), (query.input_ids[1],)} == set(framing._markers.values())
    used = len(document)
    assert query.input_ids[used - 1 :].tolist() == [last] + [mask] * (16 - used)
    assert query.attention_mask.tolist() == [True] * used + [False] * (16 - used)
    assert query.keep.all()


def test_spans_reach_into_the_text_as_it_was_passed(
    kind: str, encoders: dict[str, TorchEncoder]
) -> None:
    """Although one of the tokenizers puts everything in lower case."""
    text = "  Où est la GARE ?"
    spans = encoders[kind]._framing.document([text])[0].spans.tolist()
    covered = {place for start, end in spans for place in range(start, end)}
    assert covered >= {place for place, character in enumerate(text) if character != " "}
    assert text.index("GARE") in [start for start, _ in spans]


def test_markers_may_lie_beyond_the_tokenizer_in_pylate_layout(
    tmp_path: Path, kind: str, encoders: dict[str, TorchEncoder]
) -> None:
    """The embedding table has their rows already."""
    folder = write_foreign(tmp_path, kind, markers=False)
    assert difference(TorchEncoder(Checkpoint.read(folder)), encoders[kind]) <= 1e-6


def test_prompts_of_several_tokens_come_before_a_text_in_the_other_layout(
    tmp_path: Path, kind: str
) -> None:
    """Where the tokenizer splits after them; byte pairs take the space with the next word."""
    folder = write_foreign(tmp_path, kind, layout="multi_vector")
    prompts = {"query": "the question: ", "document": "paris: "}
    edit_json(folder / "config_sentence_transformers.json", prompts=prompts)
    if kind == "modernbert":
        with pytest.raises(ModelFormatError, match=r"not one token.*same before every text"):
            load_encoder(folder)
        return
    encoder = TorchEncoder(Checkpoint.read(folder))
    tokenizer = Tokenizer.from_str(foreign_tokenizer(kind))
    text = "Où est la gare ?"
    query, document = encoder.encode_query([text])[0], encoder._framing.document([text])[0]
    expected = tokenizer.encode(prompts["query"] + text).ids
    kept = min(len(expected), 16) - 1  # a query is cut after 16
    assert query.token_ids[:kept].tolist() == expected[:kept]
    assert document.input_ids.tolist() == tokenizer.encode(prompts["document"] + text).ids
    count = len(document) - len(encoder._framing.token_spans([text])[0]) - 2
    assert count > 1
    assert not document.spans[: 1 + count].any()
    assert encoder.document_room == 64 - 2 - count
    assert encoder.fingerprint["document_prefix"] == "paris: "


def test_prompts_must_leave_room_for_a_text(tmp_path: Path) -> None:
    folder = write_foreign(tmp_path, "bert", layout="multi_vector")
    prompts = {"query": "the question: " * 9, "document": ""}
    edit_json(folder / "config_sentence_transformers.json", prompts=prompts)
    with pytest.raises(ModelFormatError, match="leave no room for a text"):
        load_encoder(folder)


def test_both_layouts_give_the_same_vectors(
    tmp_path: Path, kind: str, encoders: dict[str, TorchEncoder]
) -> None:
    """Where no word of the skiplist is unknown, which the two libraries treat differently."""
    words = ["!", "?"]
    one = make(tmp_path / "a", kind, skiplist_words=words)
    other = make(tmp_path / "b", kind, layout="multi_vector")
    edit_json(tmp_path / "b" / "2_MultiVectorMask" / "config.json", skiplist_words=words)
    other = TorchEncoder(Checkpoint.read(tmp_path / "b"))
    assert difference(one, other) <= 1e-6
    assert one.fingerprint == other.fingerprint


def test_unknown_words_of_the_skiplist_are_pylates_unknown_token(tmp_path: Path) -> None:
    """PyLate looks them up as transformers does; sentence-transformers drops them."""
    text = "paris ẞẞ"
    pylate = make(tmp_path / "a", "bert", skiplist_words=["nowhere"])
    other = make(tmp_path / "b", "bert", layout="multi_vector")
    unknown = 1
    assert unknown not in pylate.encode_document([text])[0].token_ids
    assert unknown in other.encode_document([text])[0].token_ids


def test_attention_to_expansion_tokens_is_an_option(
    tmp_path: Path, kind: str, encoders: dict[str, TorchEncoder]
) -> None:
    attended = make(tmp_path, kind, attend_to_expansion_tokens=True)
    assert all(f.attention_mask.all() for f in attended._framing.query(TEXTS))
    one, other = (e.encode_query(["a"])[0].vectors for e in (attended, encoders[kind]))
    assert np.abs(one - other).max() > 1e-3


def test_lower_case_is_put_before_the_tokenizer(tmp_path: Path) -> None:
    """Offsets still reach into the text as it was passed."""
    folder = write_foreign(tmp_path, "modernbert")
    before = read_fingerprint(folder)
    edit_json(folder / "sentence_bert_config.json", do_lower_case=True)
    encoder = TorchEncoder(Checkpoint.read(folder))
    loud, low = encoder.encode_document(["LA GARE", "la gare"])
    np.testing.assert_array_equal(loud.vectors, low.vectors)
    np.testing.assert_array_equal(loud.spans, low.spans)
    assert encoder.fingerprint == {**before, "lower_case": True}


def test_the_mask_token_is_found_without_any_description(tmp_path: Path, kind: str) -> None:
    folder = write_foreign(tmp_path, kind)
    described = TorchEncoder(Checkpoint.read(folder))
    (folder / "tokenizer_config.json").unlink()
    undescribed = Checkpoint.read(folder)
    mask, unk = ("<mask>", "<unk>") if kind == "xlm-roberta" else ("[MASK]", "[UNK]")
    assert undescribed.special_tokens.mask == mask
    assert undescribed.special_tokens.unk == unk
    assert difference(TorchEncoder(undescribed), described) == 0


def test_a_tokenizer_without_any_special_token_is_described_by_nothing(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    (folder / "tokenizer_config.json").unlink()
    edit_json(folder / "config.json", eos_token_id=None)
    assert Checkpoint.read(folder).special_tokens == SpecialTokens()


def test_the_configuration_tells_what_transformers_is_to_run(folders: dict[str, Path]) -> None:
    backbone = Checkpoint.read(folders["bert"]).backbone
    assert isinstance(backbone, TransformersConfig)
    assert replace(backbone, shape=None) == TransformersConfig(
        folder=folders["bert"],
        model_type="bert",
        vocab_size=backbone.vocab_size,
        hidden_size=HIDDEN,
        max_positions=130,
        pad_token_id=0,
        token_types=True,
    )
    assert Checkpoint.read(folders["bert"]).fingerprint["architecture"] == "bert"
    assert Checkpoint.read(folders["bert"]).dim == DIM


def test_our_own_backbone_is_never_given_to_transformers(folder: Path) -> None:
    assert isinstance(Checkpoint.read(folder).backbone, Lfm2Config)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_float32_unit_vectors_close_to_full(
    kind: str, folders: dict[str, Path], encoders: dict[str, TorchEncoder], dtype: Any
) -> None:
    half = TorchEncoder(Checkpoint.read(folders[kind]), dtype=dtype)
    assert half.fingerprint == encoders[kind].fingerprint
    for one, other in zip(vectors(half), vectors(encoders[kind]), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
        assert (one * other).sum(1).mean() > 0.97


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_vectors(
    kind: str, folders: dict[str, Path], encoders: dict[str, TorchEncoder]
) -> None:
    gpu = TorchEncoder(Checkpoint.read(folders[kind]), device="cuda")
    assert difference(gpu, encoders[kind]) <= 1e-4


OTHERS = {
    "distilbert": {"dim": HIDDEN, "hidden_dim": 48, "n_layers": 2, "n_heads": 4},
    "electra": {"embedding_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4},
    "qwen2": {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2},
    "t5": {"d_model": HIDDEN, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4},
}


@pytest.mark.parametrize(("other", "half"), [*((o, False) for o in OTHERS), ("t5", True)])
def test_other_architectures_run(tmp_path: Path, other: str, half: bool) -> None:
    """Among them a decoder, and an encoder-decoder with and without its decoder."""
    import transformers

    def write(folder: Path, kind: str, **_: Any) -> None:
        write_backbone(folder, kind)
        rows = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
        sizes = {"vocab_size": rows, **OTHERS[other]}
        if other in ("electra", "qwen2"):
            sizes |= {"hidden_size": HIDDEN, "intermediate_size": 48}
        model = transformers.AutoModel.from_config(
            transformers.AutoConfig.for_model(other, **sizes)
        )
        if half:
            model = transformers.T5EncoderModel(model.config)
        model.save_pretrained(folder)

    encoder = make(tmp_path, "bert", backbone=write)
    assert encoder.fingerprint["architecture"] == other
    for text, found in zip(TEXTS, encoder.encode_document(TEXTS), strict=True):
        alone = encoder.encode_document([text])[0]
        np.testing.assert_allclose(found.vectors, alone.vectors, atol=1e-5)


def test_masked_positions_mean_nothing_without_convolutions(folders: dict[str, Path]) -> None:
    """So the option changes neither vectors nor fingerprint."""
    folder = folders["bert"]
    assert read_fingerprint(folder, masked_positions="zeroed") == read_fingerprint(folder)


def test_loading_is_silent(
    folders: dict[str, Path], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    load_encoder(folders["modernbert"], engine="torch").encode_query(["x"])
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_missing_pooler_is_no_matter(tmp_path: Path, encoders: dict[str, TorchEncoder]) -> None:
    """It makes one vector of a text, and is not used."""
    folder = write_foreign(tmp_path, "bert")
    change_tensors(folder, lambda name, tensor: None if "pooler" in name else tensor)
    assert difference(TorchEncoder(Checkpoint.read(folder)), encoders["bert"]) == 0


def change_tensors(folder: Path, change: Any) -> None:
    file = folder / "model.safetensors"
    changed = {name: change(name, tensor) for name, tensor in load_file(file).items()}
    tensors = {name: tensor for name, tensor in changed.items() if tensor is not None}
    save_file(tensors, file, metadata={"format": "pt"})


def without_a_layer(folder: Path) -> None:
    change_tensors(folder, lambda name, t: None if "layer.1.attention.self" in name else t)


def with_other_widths(folder: Path) -> None:
    change_tensors(folder, lambda name, t: t[:, :7].clone() if "word_embeddings" in name else t)


def with_int8(folder: Path) -> None:
    """Every matrix of the layers in int8, the embeddings in 4 bits."""
    tensors = load_file(folder / "model.safetensors")
    stored = quantize({n: t for n, t in tensors.items() if t.ndim == 2 and "layer." in n})
    name = "embeddings.word_embeddings.weight"
    grouped = tensors[name].unflatten(-1, (-1, 16))
    scale = grouped.abs().amax(-1, keepdim=True) / 7
    numbers = (grouped / scale).round().flatten(-2).to(torch.int8) + 8
    packed = (numbers[:, 0::2] | (numbers[:, 1::2] << 4)).to(torch.uint8)
    stored |= {name: packed, f"{name}_scale": scale.squeeze(-1)}
    save_file({**tensors, **stored}, folder / "model.safetensors", metadata={"format": "pt"})


def test_whole_numbers_are_the_same_to_both_engines(tmp_path: Path) -> None:
    folder = write_foreign(tmp_path, "bert")
    floats = TorchEncoder(Checkpoint.read(folder))
    with_int8(folder)
    checkpoint = Checkpoint.read(folder)
    torch_engine, onnx_engine = TorchEncoder(checkpoint), OnnxEncoder(checkpoint, dtype="float32")
    assert difference(torch_engine, onnx_engine) <= 1e-4
    pairs = zip(vectors(floats), vectors(torch_engine), strict=True)
    assert 0.9 < np.concatenate([(a * b).sum(1) for a, b in pairs]).mean() < 1


def test_whole_numbers_are_not_taken_for_weights(tmp_path: Path) -> None:
    """By transformers, where a form of it is not known here."""
    folder = write_foreign(tmp_path, "bert")
    with_int8(folder)
    edit_json(folder / "config.json", hidden_act="gelu_fast")
    with pytest.raises(ModelFormatError, match=r"whole numbers|cannot load"):
        load_encoder(folder)


def with_an_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def edit(name: str, **changes: Any) -> Any:
    return lambda folder: edit_json(folder / name, **changes)


BROKEN = {
    "unknown type": (edit("config.json", model_type="nonesuch"), "'nonesuch'.*transformers"),
    "no type": (edit("config.json", model_type=None), "no 'model_type'"),
    "no width": (edit("config.json", hidden_size=None), "'hidden_size' or 'd_model'"),
    "wrong width": (edit("config.json", hidden_size=-1), "it says -1"),
    "other width": (edit("config.json", hidden_size=64), "takes 32 features.*gives 64"),
    "impossible": (edit("config.json", num_attention_heads=5), "not a multiple of num_attention"),
    "images": (edit("config.json", model_type="vit"), "missing tensors"),
    "missing layer": (without_a_layer, "missing tensors: .*attention"),
    "other widths": (with_other_widths, "bert.*mismatched|wrong shapes: .*word_embeddings"),
    "adapter": (with_an_adapter, "holds an adapter.*Merge it"),
    "pickled": (pickled, "is a pickle"),
    "small table": (edit("config.json", vocab_size=100), "embedding table has 100 rows"),
    "too long": (
        edit("config_sentence_transformers.json", document_length=131),
        "texts of 131 positions.*has 130",
    ),
}


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_folder_is_a_format_error(tmp_path: Path, case: str, engine: Any) -> None:
    folder = write_foreign(tmp_path, "bert")
    change, message = BROKEN[case]
    change(folder)
    with pytest.raises(ModelFormatError, match=f"(?s){message}"):
        load_encoder(folder, engine=engine)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_positions_that_are_numbered_from_the_padding_are_counted_so(
    tmp_path: Path, engine: Any
) -> None:
    """XLM-R with 130 rows takes 128 positions."""
    folder = write_foreign(tmp_path, "xlm-roberta", document_length=128)
    load_encoder(folder, engine=engine).encode_document(["the lazy dog " * 90])
    edit_json(folder / "config_sentence_transformers.json", document_length=129)
    with pytest.raises(ModelFormatError, match=r"129 positions.*has 128"):
        load_encoder(folder, engine=engine)


def test_without_transformers_the_error_holds_the_command(
    monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path], folder: Path
) -> None:
    """LFM2 backbones do not need it, nor do those that have a graph."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r'pip install "lfm2-colbert-rag\[torch\]"'):
        load_encoder(folders["bert"], engine="torch")
    load_encoder(folder, engine="torch")
    load_encoder(folders["bert"])


def test_code_in_the_folder_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for a known architecture nor for one that only the folder's code knows."""
    folder = write_foreign(tmp_path / "model", "bert")
    evil = "import pathlib; pathlib.Path(__file__).with_name('ran').touch()"
    (folder / "modeling_evil.py").write_text(evil, encoding="utf-8")
    remote = {"AutoConfig": "modeling_evil.Config", "AutoModel": "modeling_evil.Model"}
    monkeypatch.chdir(folder)
    edit_json(folder / "config.json", auto_map=remote)
    load_encoder(folder, engine="torch").encode_query(["hello"])
    edit_json(folder / "config.json", model_type="evil")
    with pytest.raises(ModelFormatError, match="'evil'"):
        load_encoder(folder)
    assert not (folder / "ran").exists()
    assert "modeling_evil" not in sys.modules
