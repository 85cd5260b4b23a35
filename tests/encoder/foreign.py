"""Writes small checkpoints whose backbone is one of transformers', with tokenizers of our own.

    folder = write_foreign(tmp_path / "model", "bert")                   # PyLate
    folder = write_foreign(tmp_path / "model", "modernbert", layout="multi_vector")

``write_backbone`` writes the backbone and tokenizer alone, for other libraries to build upon.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from tokenizers import processors as post_processors

from .checkpoints import DIM, MARKERS, edit_json, write_json

FOREIGN = ("bert", "xlm-roberta", "modernbert")
HIDDEN = 32

_CORPUS = (
    "the quick brown fox jumps over the lazy dog . what is the capital of france ? ",
    "La capitale de la France est Paris, n'est-ce pas ? Où est la gare ? ",
    "Die Hauptstadt von Deutschland ist Berlin! 1234 5678 % & ( ) ",
    "الكتاب على الطاولة ، أين هو؟ ภาษาไทย 日本語のテキスト、東京。 ",
)


def foreign_tokenizer(kind: str, *, markers: bool = True) -> str:
    """Return the kind of tokenizer that goes with a kind of backbone."""
    tokenizer = Tokenizer.from_str(_trained(kind))
    if markers:
        tokenizer.add_tokens([AddedToken(marker, special=False) for marker in MARKERS])
    return tokenizer.to_str()


@lru_cache(maxsize=8)
def _trained(kind: str) -> str:
    # Once a process: the trainers break ties at random.
    train = {"bert": _word_pieces, "xlm-roberta": _unigrams, "modernbert": _byte_pairs}
    return train[kind]().to_str()


def special_tokens(kind: str) -> dict[str, str]:
    """Return the special tokens, as ``tokenizer_config.json`` names them."""
    if kind == "xlm-roberta":
        texts = ("<s>", "</s>", "<s>", "</s>", "<pad>", "<unk>", "<mask>")
        names = ("bos", "eos", "cls", "sep", "pad", "unk", "mask")
    else:
        texts = ("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]")
        names = ("cls", "sep", "pad", "unk", "mask")
    return {f"{name}_token": text for name, text in zip(names, texts, strict=True)}


def _word_pieces() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=250, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(_CORPUS * 4, trainer)
    return _with_ends(tokenizer, "[CLS]", "[SEP]")


def _unigrams() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=250,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS * 4, trainer)
    return _with_ends(tokenizer, "<s>", "</s>")


def _byte_pairs() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=350,
        special_tokens=["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS * 4, trainer)
    return _with_ends(tokenizer, "[CLS]", "[SEP]")


def _with_ends(tokenizer: Tokenizer, first: str, last: str) -> Tokenizer:
    ends = [(token, tokenizer.token_to_id(token)) for token in (first, last)]
    tokenizer.post_processor = post_processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=ends
    )
    return tokenizer


def foreign_config(kind: str, **changes: Any) -> Any:
    """Build the configuration object of a small backbone."""
    import transformers

    tokenizer = Tokenizer.from_str(foreign_tokenizer(kind))
    names = special_tokens(kind)
    sizes = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": HIDDEN,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 130,
        "pad_token_id": tokenizer.token_to_id(names["pad_token"]),
        "initializer_range": 0.3,
    }
    if kind == "modernbert":
        ends = {
            f"{name}_token_id": tokenizer.token_to_id(names[f"{source}_token"])
            for name, source in (("cls", "cls"), ("sep", "sep"), ("bos", "cls"), ("eos", "sep"))
        }
        sizes |= {**ends, "local_attention": 64, "global_attn_every_n_layers": 2}
        return transformers.ModernBertConfig(**{**sizes, **changes})
    configs = {"bert": transformers.BertConfig, "xlm-roberta": transformers.XLMRobertaConfig}
    return configs[kind](**{**sizes, **changes})


def foreign_model(kind: str, *, seed: int = 0, **changes: Any) -> Any:
    """Build a small backbone whose every weight matters."""
    import transformers

    torch.manual_seed(seed)
    model = transformers.AutoModel.from_config(foreign_config(kind, **changes)).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or "norm" in name.lower():
            parameter.data.add_(0.1 * torch.randn(parameter.shape))
    return model.requires_grad_(False)


def write_backbone(
    folder: Path, kind: str, *, seed: int = 0, markers: bool = True, **changes: Any
) -> Path:
    """Write the backbone and its tokenizer, as transformers does."""
    folder.mkdir(parents=True, exist_ok=True)
    foreign_model(kind, seed=seed, **changes).save_pretrained(folder)
    tokenizer = foreign_tokenizer(kind, markers=markers)
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    names = special_tokens(kind)
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 128,
            "model_input_names": inputs if kind == "bert" else inputs[::2],
            **names,
        },
    )
    return folder


def write_heads(folder: Path, heads: Sequence[Mapping[str, Any]], *, seed: int = 1) -> list[str]:
    """Write Dense modules with random weights; each head is its configuration.

    Returns:
        The names of their folders.
    """
    generator = torch.Generator().manual_seed(seed)
    names = []
    for place, head in enumerate(heads, start=1):
        names.append(f"{place}_Dense")
        write_json(folder / names[-1] / "config.json", head)
        wide, narrow = head["in_features"], head["out_features"]
        tensors = {"linear.weight": torch.randn(narrow, wide, generator=generator) / wide**0.5}
        if head.get("bias", True):
            tensors["linear.bias"] = torch.randn(narrow, generator=generator) / 3
        if head.get("use_residual") and wide != narrow:
            tensors["residual.weight"] = torch.randn(narrow, wide, generator=generator) / wide**0.5
        save_file(tensors, folder / names[-1] / "model.safetensors")
    return names


def dense(wide: int, narrow: int, activation: str = "linear.Identity", **more: Any) -> Any:
    """Describe a Dense as its ``config.json`` does."""
    return {
        "in_features": wide,
        "out_features": narrow,
        "bias": False,
        "activation_function": f"torch.nn.modules.{activation}",
        **more,
    }


PLAIN_HEADS = (dense(HIDDEN, DIM),)
RICH_HEADS = (
    dense(HIDDEN, 2 * HIDDEN, "activation.GELU", bias=True),
    dense(2 * HIDDEN, HIDDEN, "activation.Tanh", use_residual=True),
    dense(HIDDEN, HIDDEN, bias=True, use_residual=True),
    dense(HIDDEN, DIM),
)


def write_foreign(
    folder: Path,
    kind: str,
    *,
    layout: str = "pylate",
    heads: Sequence[Mapping[str, Any]] = PLAIN_HEADS,
    seed: int = 0,
    markers: bool = True,
    backbone: Callable[..., Path] = write_backbone,
    **options: Any,
) -> Path:
    """Write a whole checkpoint.

    Args:
        folder: made if need be.
        kind: one of ``FOREIGN``.
        layout: ``"pylate"`` or ``"multi_vector"``.
        heads: configurations of the Dense modules.
        seed: of the random weights.
        markers: whether the tokenizer knows the markers.
        backbone: writes backbone and tokenizer.
        **options: change keys of the framing's configuration.
    """
    backbone(folder, kind, seed=seed, markers=markers)
    names = write_heads(folder, heads, seed=seed + 1)
    write = _describe_pylate if layout == "pylate" else _describe_multi_vector
    write(folder, names, options)
    return folder


def _describe_pylate(folder: Path, heads: list[str], options: Mapping[str, Any]) -> None:
    modules = [("", "sentence_transformers.models.Transformer")]
    modules += [(name, "pylate.models.Dense.Dense") for name in heads]
    _write_modules(folder, modules)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 63, "do_lower_case": False})
    write_json(
        folder / "config_sentence_transformers.json",
        {
            "model_type": "ColBERT",
            "prompts": {"query": "", "document": ""},
            "similarity_fn_name": "MaxSim",
            "query_prefix": MARKERS[0],
            "document_prefix": MARKERS[1],
            "query_length": 16,
            "document_length": 64,
            "attend_to_expansion_tokens": False,
            "skiplist_words": list(string.punctuation),
            "do_query_expansion": True,
            **options,
        },
    )


def _describe_multi_vector(folder: Path, heads: list[str], options: Mapping[str, Any]) -> None:
    base, token_level = (
        "sentence_transformers.base.modules",
        {
            "module_input_name": "token_embeddings",
            "module_output_name": "token_embeddings",
        },
    )
    own = "sentence_transformers.multi_vector_encoder.modules"
    mask, norm = f"{len(heads) + 1}_MultiVectorMask", f"{len(heads) + 2}_Normalize"
    modules = [("", f"{base}.transformer.Transformer")]
    modules += [(name, f"{base}.dense.Dense") for name in heads]
    modules += [(mask, f"{own}.multi_vector_mask.MultiVectorMask")]
    modules += [(norm, f"{base}.normalize.Normalize")]
    _write_modules(folder, modules)
    for name in heads:
        edit_json(folder / name / "config.json", **token_level)
    write_json(folder / norm / "config.json", token_level)
    write_json(
        folder / mask / "config.json",
        {"skiplist_words": list(string.punctuation), "skiplist_tasks": ["document"]},
    )
    prompts = {"query": MARKERS[0], "document": MARKERS[1]}
    write_json(
        folder / "config_sentence_transformers.json",
        {"model_type": "MultiVectorEncoder", "prompts": prompts, "similarity_fn_name": "maxsim"},
    )
    expansion = {"strategy": "fixed", "attend": False, "token": None, "length": 16}
    write_json(
        folder / "sentence_bert_config.json",
        {"document_length": 64, "query_expansion": expansion, **options},
    )


def _write_modules(folder: Path, modules: Sequence[tuple[str, str]]) -> None:
    write_json(
        folder / "modules.json",
        [
            {"idx": place, "name": str(place), "path": path, "type": type_name}
            for place, (path, type_name) in enumerate(modules)
        ],
    )
