"""Backbones other than LFM2, run by the ``transformers`` library.

``transformers`` is imported when such a backbone is loaded, and not before. Of a checkpoint only
JSON and safetensors are read; code that comes with it is never run, and nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .._support.extras import require
from ..errors import ModelFormatError
from .lfm2 import PackedBatch
from .torch_weights import is_finite
from .transformers_config import TransformersConfig
from .weights import (
    SCALE_SUFFIX,
    StoredTensor,
    find_weight_files,
    read_array,
    stored_tensors,
)

_OPTIONS = {"local_files_only": True, "trust_remote_code": False}

# Saved without their decoders, these no longer say that they have any.
_ENCODER_DECODERS = frozenset({"mt5", "t5", "t5gemma", "umt5"})


class TransformersBackbone(nn.Module):
    """Token ids to hidden states with a model of ``transformers``.

    Its interface is that of :class:`~lfm2_colbert_rag.encoder.lfm2.Lfm2Backbone`: sequences come
    and go packed. In between they are padded on the right, and padding is never attended to.

    Args:
        model: takes ``input_ids`` and ``attention_mask``, both ``(B, S)``.
        config: what is known of it.
    """

    def __init__(self, model: nn.Module, config: TransformersConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config

    @classmethod
    def load(
        cls,
        config: TransformersConfig,
        *,
        device: torch.device,
        dtype: torch.dtype,
        longest_input: int,
    ) -> TransformersBackbone:
        """Build the model and read its weights.

        Args:
            config: where it lies and what it is.
            device: where to run it.
            dtype: of weights and arithmetic.
            longest_input: positions that it must be able to take.

        Raises:
            ModelFormatError: ``transformers`` does not know the architecture, the weights do not
                fit it, or it cannot take inputs of that length.
            MissingExtraError: ``transformers`` is not installed.
        """
        transformers = require("transformers", extra="torch")
        with _quiet(transformers):
            model = _load_model(transformers, config, dtype)
        _check_inputs(model, config, longest_input)
        return cls(model.to(device), config)

    def forward(self, batch: PackedBatch, *, zero_masked_positions: bool = False) -> Tensor:
        """Compute the final hidden states.

        Args:
            batch: B packed sequences of T positions in all.
            zero_masked_positions: means nothing here; see
                :class:`~lfm2_colbert_rag.encoder.config.FramingConfig`.

        Returns:
            ``(T, hidden)`` in the dtype of the weights.
        """
        del zero_masked_positions
        present = batch.pad(torch.ones_like(batch.attention_mask))
        # What follows the end of a text is padding to the model, whatever else pads queries:
        # RoBERTa and its kin number the positions of all tokens that are not.
        ids = batch.pad(batch.input_ids).masked_fill(~present, self.config.pad_token_id)
        inputs = {"input_ids": ids, "attention_mask": batch.pad(batch.attention_mask).long()}
        if self.config.token_types:
            inputs["token_type_ids"] = torch.zeros_like(ids)
        hidden: Tensor = self.model(**inputs, return_dict=True)[0]
        return batch.unpad(hidden)


def _load_model(transformers: Any, config: TransformersConfig, dtype: torch.dtype) -> nn.Module:
    if config.model_type not in transformers.CONFIG_MAPPING:
        raise ModelFormatError(
            f"{config.folder / 'config.json'} names the model_type {config.model_type!r}, which "
            f"neither this library nor transformers {transformers.__version__} knows; code that "
            "comes with a checkpoint is never run. A newer transformers may know it."
        )
    try:
        whole = _whole_numbers(config)
        if whole:
            model, report = _filled(transformers, config, dtype, whole)
        else:
            model, report = _from_pretrained(transformers, config, dtype)
    except ModelFormatError:
        raise
    # What transformers raises for a folder that does not fit itself is of any kind.
    except Exception as error:
        raise ModelFormatError(
            f"transformers {transformers.__version__} cannot load the {config.model_type!r} "
            f"backbone of {config.folder}: {type(error).__name__}: {error}"
        ) from error
    _check_report(report, config.folder)
    for name, values in model.named_parameters():
        if not is_finite(values):
            raise ModelFormatError(
                f"The tensor {name!r} of {config.folder} holds NaN or infinity, so the model can "
                "give no vectors. Its training went wrong, or the file is damaged: download it "
                "again."
            )
    return model


def _check_report(report: Mapping[str, Any], folder: Path) -> None:
    # Poolers are for sentence vectors; many checkpoints come without the one they are made with.
    missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    resized = sorted(str(names[0]) for names in report["mismatched_keys"])
    scales = sorted(name for name in report["unexpected_keys"] if name.endswith(SCALE_SUFFIX))
    for what, names in (
        ("missing tensors", missing),
        ("wrong shapes", resized),
        ("tensors of whole numbers, which this architecture is not read with; scales", scales),
    ):
        if names:
            raise ModelFormatError(
                f"The weights of {folder} do not fit its configuration; {what}: "
                f"{', '.join(names[:5])}" + (f" and {len(names) - 5} more." if names[5:] else ".")
            )


def _whole_numbers(config: TransformersConfig) -> Mapping[str, StoredTensor]:
    """Return the tensors of a checkpoint that keeps some as whole numbers with scales, else none.

    transformers itself would take the whole numbers for weights.
    """
    if config.shape is None:
        return {}
    stored = stored_tensors(find_weight_files(config.folder), config.shape.prefix)
    return stored if any(tensor.scale_key for tensor in stored.values()) else {}


def _filled(
    transformers: Any,
    config: TransformersConfig,
    dtype: torch.dtype,
    stored: Mapping[str, StoredTensor],
) -> tuple[nn.Module, dict[str, Any]]:
    """Make a model and give it tensors that were read here."""
    settings = transformers.AutoConfig.from_pretrained(str(config.folder), **_OPTIONS)
    model = transformers.AutoModel.from_config(
        settings, dtype=dtype, attn_implementation="sdpa", trust_remote_code=False
    )
    tensors = {name: torch.from_numpy(read_array(one)).to(dtype) for name, one in stored.items()}
    missing = model.load_state_dict(tensors, strict=False).missing_keys
    return model.eval(), {"missing_keys": missing, "mismatched_keys": [], "unexpected_keys": []}


def _from_pretrained(
    transformers: Any, config: TransformersConfig, dtype: torch.dtype
) -> tuple[nn.Module, dict[str, Any]]:
    folder = str(config.folder)
    settings = transformers.AutoConfig.from_pretrained(folder, **_OPTIONS)
    settings.use_cache = False
    # Of encoder-decoders the encoder alone reads.
    halved = config.model_type in _ENCODER_DECODERS or settings.is_encoder_decoder
    auto = transformers.AutoModelForTextEncoding if halved else transformers.AutoModel
    # Named, so that no configuration can ask for a kernel that is fetched from elsewhere.
    for attention in ("sdpa", "eager"):
        try:
            model, report = auto.from_pretrained(
                folder,
                config=settings,
                dtype=dtype,
                use_safetensors=True,
                output_loading_info=True,
                attn_implementation=attention,
                **_OPTIONS,
            )
        except (ValueError, ImportError):
            if attention == "eager":
                raise
            continue
        return model, report
    raise AssertionError("unreachable")  # pragma: no cover


def _check_inputs(model: Any, config: TransformersConfig, longest_input: int) -> None:
    table = model.get_input_embeddings()
    rows = getattr(table, "num_embeddings", None)
    if rows is None or rows < config.vocab_size:
        raise ModelFormatError(
            f"The {config.model_type!r} backbone of {config.folder} has no embedding table of "
            f"{config.vocab_size} tokens, so it does not read text."
        )
    for name, module in model.named_modules():
        if not name.endswith("position_embeddings") or not isinstance(module, nn.Embedding):
            continue
        # With a padding index, positions are numbered from the one after it.
        offset = 0 if module.padding_idx is None else module.padding_idx + 1
        config.require_positions(longest_input, module.num_embeddings - offset)


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep transformers from reporting on the screen; what is wrong becomes an error."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
