"""The two ways that late-interaction checkpoints are laid out on disk, read into one form.

- **PyLate** (1.x): ``modules.json`` lists a transformer and one Dense or more; everything about
  framing is in ``config_sentence_transformers.json``.
- **sentence-transformers** (6.x ``MultiVectorEncoder``): ``modules.json`` also lists the scoring
  mask and the normalisation; prompts are in ``config_sentence_transformers.json``, lengths and
  query expansion in ``sentence_bert_config.json``, the skiplist in the mask's own folder.

Class names in these files are compared as strings and never imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ModelFormatError
from .config import FramingConfig
from .jsonfiles import option, read_json, read_json_list, words

Layout = Literal["pylate", "sentence-transformers"]
Activation = Literal[
    "identity",
    "tanh",
    "relu",
    "gelu",
    "silu",
    "sigmoid",
    "leaky_relu",
    "elu",
    "mish",
    "softplus",
]

_PYLATE_DOCUMENT_LENGTH = 180  # where the checkpoint says nothing

_KNOWN_PACKAGES = ("pylate", "sentence_transformers")
_KNOWN_MODULES = ("Transformer", "Dense", "MultiVectorMask", "Normalize")

# Both libraries name an activation by its class, which they make again without arguments.
_ACTIVATIONS: Mapping[str, Activation] = {
    "Identity": "identity",
    "Tanh": "tanh",
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
    "LeakyReLU": "leaky_relu",
    "ELU": "elu",
    "Mish": "mish",
    "Softplus": "softplus",
}
_ACTIVATION_MODULES = ("torch.nn", "torch.nn.modules.activation", "torch.nn.modules.linear")


@dataclass(frozen=True)
class DenseHead:
    """One projection on the way from the backbone's width to that of a token vector.

    It computes ``activation(x @ linear.weight.T + linear.bias)``, plus, with a residual, ``x``
    itself where the sizes are equal and ``x @ residual.weight.T`` where they differ.

    Attributes:
        folder: where its weights are.
        in_features: width of what it reads.
        out_features: width of what it gives.
        bias: whether it has a ``linear.bias``.
        activation: the function's lower-case name; ``"identity"`` for none.
        residual: whether its input is added to its output.
    """

    folder: Path
    in_features: int
    out_features: int
    bias: bool = False
    activation: Activation = "identity"
    residual: bool = False

    @property
    def is_plain(self) -> bool:
        """True when it is one matrix and nothing else."""
        return not self.bias and not self.residual and self.activation == "identity"


@dataclass(frozen=True)
class Modules:
    """What ``modules.json`` lists, checked.

    Attributes:
        layout: which library wrote the folder.
        transformer: folder of the backbone and tokenizer.
        heads: the projections, in order; each reads what the one before it gives.
        mask: configuration of the scoring mask; empty for PyLate, which has none.
    """

    layout: Layout
    transformer: Path
    heads: tuple[DenseHead, ...]
    mask: Mapping[str, Any]


def read_modules(folder: Path) -> Modules:
    """Read ``modules.json`` and the configuration of each module but the transformer.

    Raises:
        ModelFormatError: the folder is no late-interaction checkpoint, or one with modules that
            are not supported.
    """
    if not (folder / "modules.json").exists():
        raise ModelFormatError(
            f"{folder} has no modules.json, so it is not a late-interaction checkpoint: expected "
            "a model saved by PyLate or by sentence-transformers' MultiVectorEncoder."
        )
    entries = read_json_list(folder / "modules.json")
    kinds = [_module_kind(entry) for entry in entries]
    count = kinds.count("Dense")
    if kinds[: 1 + count] != ["Transformer"] + ["Dense"] * count or not count:
        raise ModelFormatError(
            f"{folder / 'modules.json'} lists {kinds}; supported is one Transformer, then one "
            "Dense or more, then optionally MultiVectorMask and Normalize."
        )
    folders = [_module_folder(folder, entry) for entry in entries]
    configs = [read_json(part / "config.json", required=False) for part in folders]
    layout: Layout = "pylate"
    mask: Mapping[str, Any] = {}
    if "MultiVectorMask" in kinds or _model_type(folder) == "MultiVectorEncoder":
        layout = "sentence-transformers"
        mask = _scoring_mask(kinds[1 + count :], configs[1 + count :])
    heads = map(_dense, folders[1 : 1 + count], configs[1 : 1 + count])
    return Modules(layout, folders[0], tuple(heads), mask)


def _module_kind(entry: Mapping[str, Any]) -> str:
    type_name = str(entry.get("type", ""))
    package, kind = type_name.partition(".")[0], type_name.rpartition(".")[2]
    if package not in _KNOWN_PACKAGES or kind not in _KNOWN_MODULES:
        raise ModelFormatError(
            f"modules.json lists a module of type {type_name!r}; supported are "
            f"{', '.join(_KNOWN_MODULES)} of {' and '.join(_KNOWN_PACKAGES)}. Code that comes "
            "with a checkpoint is never run."
        )
    return kind


def _module_folder(folder: Path, entry: Mapping[str, Any]) -> Path:
    path = Path(option(entry, "path", ""))
    if path.anchor or ".." in path.parts or "\0" in str(path):
        raise ModelFormatError(f"modules.json points out of its folder: {str(path)!r}.")
    return folder / path


def _model_type(folder: Path) -> str:
    config = read_json(folder / "config_sentence_transformers.json", required=False)
    return option(config, "model_type", "ColBERT")


def _dense(folder: Path, config: Mapping[str, Any]) -> DenseHead:
    for size in ("in_features", "out_features"):
        if option(config, size, 0) <= 0:
            raise ModelFormatError(f"{folder / 'config.json'} has no positive {size!r}.")
    for key in ("module_input_name", "module_output_name"):
        name = option(config, key, "token_embeddings")
        if name != "token_embeddings":
            raise ModelFormatError(
                f"The Dense of {folder} has {key}={name!r}, which is not supported; supported is "
                "'token_embeddings'."
            )
    return DenseHead(
        folder,
        config["in_features"],
        config["out_features"],
        bias=option(config, "bias", True),
        activation=_activation(folder, config),
        residual=option(config, "use_residual", False),
    )


def _activation(folder: Path, config: Mapping[str, Any]) -> Activation:
    # The default is that of sentence-transformers; PyLate always writes one.
    name = option(config, "activation_function", "torch.nn.modules.activation.Tanh")
    module, _, kind = name.rpartition(".")
    if module not in _ACTIVATION_MODULES or kind not in _ACTIVATIONS:
        raise ModelFormatError(
            f"The Dense of {folder} has activation_function={name!r}, which is not supported; "
            f"supported are {', '.join(_ACTIVATIONS)} of torch.nn."
        )
    return _ACTIVATIONS[kind]


def _scoring_mask(kinds: list[str], configs: list[dict[str, Any]]) -> Mapping[str, Any]:
    if kinds != ["MultiVectorMask", "Normalize"]:
        raise ModelFormatError(
            f"modules.json lists {kinds} after the Dense; a MultiVectorEncoder is supported when "
            "it ends in MultiVectorMask and Normalize."
        )
    mask, normalize = configs
    tasks = words(mask, "skiplist_tasks", ("document",))
    if tasks != ("document",) or mask.get("keep_only_token_ids"):
        raise ModelFormatError(
            "The MultiVectorMask has skiplist_tasks or keep_only_token_ids that are not supported; "
            "supported is a skiplist for documents."
        )
    if normalize.get("module_input_name") != "token_embeddings":
        raise ModelFormatError(
            "The Normalize module must work on 'token_embeddings', not on "
            f"{normalize.get('module_input_name')!r}."
        )
    return mask


def read_framing(folder: Path, modules: Modules) -> FramingConfig:
    """Read how texts are framed.

    Args:
        folder: the checkpoint.
        modules: its modules, as :func:`read_modules` gave them.

    Raises:
        ModelFormatError: an option has the wrong type, or a value that is not supported.
    """
    config = read_json(folder / "config_sentence_transformers.json", required=False)
    if config.get("default_prompt_name"):
        raise ModelFormatError(
            f"The checkpoint sets default_prompt_name={config['default_prompt_name']!r}; prompts "
            "other than the query and document markers are not supported."
        )
    # Not an option of either library: lets a checkpoint say which of the two it was trained with.
    masked = option(config, "masked_positions", FramingConfig.masked_positions)
    if modules.layout == "pylate":
        return _pylate_framing(config, masked, modules)
    return _multi_vector_framing(config, masked, modules)


def _pylate_framing(config: Mapping[str, Any], masked: str, modules: Modules) -> FramingConfig:
    default = FramingConfig()
    transformer = read_json(modules.transformer / "sentence_bert_config.json", required=False)
    expansion = option(config, "do_query_expansion", default.query_expansion)
    return FramingConfig(
        query_prefix=option(config, "query_prefix", default.query_prefix),
        document_prefix=option(config, "document_prefix", default.document_prefix),
        query_length=option(config, "query_length", default.query_length),
        document_length=option(config, "document_length", _PYLATE_DOCUMENT_LENGTH),
        query_expansion=expansion,
        attend_to_expansion_tokens=expansion
        and option(config, "attend_to_expansion_tokens", False),
        skiplist=words(config, "skiplist_words", default.skiplist),
        masked_positions=masked,  # type: ignore[arg-type]  # checked by FramingConfig
        lower_case=option(transformer, "do_lower_case", False),
    )


def _multi_vector_framing(
    config: Mapping[str, Any], masked: str, modules: Modules
) -> FramingConfig:
    transformer = read_json(modules.transformer / "sentence_bert_config.json", required=False)
    if transformer.get("processing_kwargs"):
        raise ModelFormatError("sentence_bert_config.json sets processing_kwargs: not supported.")
    longest = _longest_input(modules.transformer, transformer)
    expansion = _expansion(transformer.get("query_expansion"))
    query_length = option(expansion or transformer, "length" if expansion else "query_length", 0)
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict):
        raise ModelFormatError(f"The option 'prompts' must be an object, not {prompts!r:.100}.")
    document_names = ("document", "passage", "corpus")
    return FramingConfig(
        query_prefix=option(prompts, "query", ""),
        document_prefix=next((option(prompts, n, "") for n in document_names if n in prompts), ""),
        query_length=query_length or longest or FramingConfig.query_length,
        document_length=option(transformer, "document_length", 0)
        or longest
        or FramingConfig.document_length,
        query_expansion=expansion is not None,
        attend_to_expansion_tokens=option(expansion or {}, "attend", False),
        expansion_token=(expansion or {}).get("token"),
        skiplist=words(modules.mask, "skiplist_words", ()),
        masked_positions=masked,  # type: ignore[arg-type]  # checked by FramingConfig
        lower_case=option(transformer, "do_lower_case", False),
    )


def _expansion(config: object) -> Mapping[str, Any] | None:
    if config is None:
        return None
    if not isinstance(config, dict) or config.get("strategy") != "fixed" or "length" not in config:
        raise ModelFormatError(
            f"query_expansion is {config!r}; supported is the strategy 'fixed' with a length."
        )
    return config


def _longest_input(folder: Path, transformer: Mapping[str, Any]) -> int:
    """Length limit of a MultiVectorEncoder that states none for its task; 0 when unknown."""
    tokenizer = read_json(folder / "tokenizer_config.json", required=False)
    backbone = read_json(folder / "config.json")
    limits = (
        transformer.get("max_seq_length"),
        tokenizer.get("model_max_length"),  # 1e30 stands for "no limit"
        backbone.get("max_position_embeddings"),
    )
    known = [limit for limit in limits if isinstance(limit, int | float) and limit > 0]
    return int(min(known, default=0))
