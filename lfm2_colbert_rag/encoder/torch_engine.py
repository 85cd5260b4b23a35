"""The encoder on PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from ..errors import ConfigError, ModelFormatError
from ..types import TokenVectors
from .base import Fingerprint, Progress
from .checkpoint import Checkpoint, StoredTensor
from .framing import FramedText, Framing, check_texts
from .lfm2 import Lfm2Backbone, PackedBatch

DType = Literal["float32", "bfloat16", "float16"]
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# Texts framed and sorted together: enough for batches of like length, little enough to hold.
_BLOCK = 2048


class TokenEmbedder(nn.Module):
    """Backbone and projection: packed token ids to unit vectors.

    Args:
        checkpoint: for the sizes; no weights are read.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        head = checkpoint.head
        self.backbone = Lfm2Backbone(checkpoint.backbone)
        self.head = nn.Linear(head.in_features, head.out_features, bias=False)

    def forward(
        self, batch: PackedBatch, keep: Tensor, *, zero_masked_positions: bool = False
    ) -> Tensor:
        """Compute the vectors of some positions.

        Args:
            batch: packed sequences of T positions in all.
            keep: ``(T,)`` bool, the positions that get a vector; K of them.
            zero_masked_positions: see :meth:`Lfm2Backbone.forward`.

        Returns:
            ``(K, dim)`` float32, each row of unit length.
        """
        hidden = self.backbone(batch, zero_masked_positions=zero_masked_positions)
        return F.normalize(self.head(hidden[keep]).float(), dim=-1, eps=1e-12)


class TorchEncoder:
    """Turns texts into token vectors with PyTorch, on a CPU or an accelerator.

    Vectors do not depend on what else is encoded in the same call. It keeps no state between
    calls, so threads may share it.

    Args:
        checkpoint: the model.
        name: how to ask for this model again; by default the checkpoint's folder.
        device: as torch spells it: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        dtype: of weights and arithmetic. Vectors are float32 whichever it is.
        batch_tokens: positions computed at once; more takes more memory.

    Raises:
        ModelFormatError: the weights do not fit the configuration, or the tokenizer does not.
        ConfigError: no such device or dtype.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        name: str | None = None,
        device: str = "cpu",
        dtype: DType = "float32",
        batch_tokens: int = 4096,
    ) -> None:
        if batch_tokens < 1:
            raise ConfigError(f"batch_tokens must be positive, not {batch_tokens}.")
        self._checkpoint = checkpoint
        self._name = str(checkpoint.folder) if name is None else name
        self._device = _device(device)
        self._batch_tokens = batch_tokens
        self._framing = Framing.from_checkpoint(checkpoint)
        self._model = load_embedder(checkpoint, device=self._device, dtype=dtype)

    @property
    def name(self) -> str:
        """How to ask for this encoder again: ``"nano"``, a hub id, or a folder."""
        return self._name

    @property
    def dim(self) -> int:
        """Width of a token vector."""
        return self._checkpoint.dim

    @property
    def fingerprint(self) -> Fingerprint:
        """What an index must remember so that vectors of two models are never mixed."""
        return self._checkpoint.fingerprint

    def encode_query(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Encode questions.

        Args:
            texts: the questions.

        Returns:
            One result a text, in order.

        Raises:
            InputError: a text is no string, or not valid Unicode.
        """
        return self._encode(self._framing.query(texts))

    def encode_document(
        self, texts: Sequence[str], *, progress: Progress | None = None
    ) -> list[TokenVectors]:
        """Encode passages.

        Args:
            texts: the passages; longer ones are cut to the model's document length.
            progress: called with the number of texts finished since its last call.

        Returns:
            One result a text, in order.

        Raises:
            InputError: a text is no string, or not valid Unicode; none is encoded then.
        """
        check_texts(texts)
        encoded: list[TokenVectors] = []
        for start in range(0, len(texts), _BLOCK):
            framed = self._framing.document(texts[start : start + _BLOCK])
            encoded.extend(self._encode(framed, progress))
        return encoded

    def document_spans(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Return the ``spans`` that ``encode_document`` would give, without the vectors."""
        return [framed.spans[framed.keep] for framed in self._framing.document(texts)]

    def _encode(
        self, framed: Sequence[FramedText], progress: Progress | None = None
    ) -> list[TokenVectors]:
        encoded: dict[int, TokenVectors] = {}
        for places in batches([len(text) for text in framed], self._batch_tokens):
            batch = [framed[place] for place in places]
            encoded.update(zip(places, self._encode_batch(batch), strict=True))
            if progress is not None:
                progress(len(places))
        return [encoded[place] for place in range(len(framed))]

    @torch.inference_mode()
    def _encode_batch(self, framed: Sequence[FramedText]) -> list[TokenVectors]:
        ids, attention, keep = (
            torch.from_numpy(np.concatenate(arrays)).to(self._device)
            for arrays in zip(
                *((t.input_ids, t.attention_mask, t.keep) for t in framed), strict=True
            )
        )
        batch = PackedBatch(ids, attention, tuple(len(text) for text in framed))
        zeroed = self._checkpoint.framing.masked_positions == "zeroed"
        vectors = self._model(batch, keep, zero_masked_positions=zeroed).cpu().numpy()
        ends = np.cumsum([text.keep.sum() for text in framed])
        return [
            TokenVectors(
                # A copy: a view would keep the whole batch alive for as long as one text's.
                part.copy(),
                text.input_ids[text.keep].astype(np.int32),
                text.spans[text.keep],
            )
            for part, text in zip(np.split(vectors, ends[:-1]), framed, strict=True)
        ]


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Group texts of like length, longest first.

    Args:
        lengths: positions of each text.
        budget: most positions of a group, counted as its longest text times their number; a
            longer text is a group of its own.

    Yields:
        Places in ``lengths``; each place once.
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    start = 0
    while start < len(order):
        count = max(1, budget // max(1, lengths[order[start]]))
        yield order[start : start + count]
        start += count


def load_embedder(checkpoint: Checkpoint, *, device: torch.device, dtype: DType) -> TokenEmbedder:
    """Build the model and read its weights straight to where they will be used.

    Raises:
        ModelFormatError: tensors are missing, unexpected, or of the wrong shape.
        ConfigError: no such dtype.
    """
    if dtype not in _DTYPES:
        raise ConfigError(f"dtype must be one of {sorted(_DTYPES)}, not {dtype!r}.")
    # On the meta device a module has shapes but no memory; assigning the tensors as they are read
    # then peaks at one copy of the weights.
    with torch.device("meta"):
        model = TokenEmbedder(checkpoint)
    for module, stored in (
        (model.backbone, checkpoint.backbone_tensors()),
        (model.head, _head_names(checkpoint.head_tensors())),
    ):
        _check_tensors(module, stored, checkpoint.folder)
        state = _read_tensors(module.state_dict(), stored, device, _DTYPES[dtype])
        module.load_state_dict(state, strict=True, assign=True)
    return model.requires_grad_(False).eval()


def _head_names(stored: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    return {name.removeprefix("linear."): tensor for name, tensor in stored.items()}


def _check_tensors(module: nn.Module, stored: Mapping[str, StoredTensor], folder: Path) -> None:
    # The output layer of a language model, which is tied to the embedding and not needed here.
    found = {name: tensor.shape for name, tensor in stored.items() if name != "lm_head.weight"}
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    missing, unexpected = sorted(wanted.keys() - found), sorted(found.keys() - wanted)
    resized = [
        f"{name} has {found[name]}, not {wanted[name]}"
        for name in sorted(wanted.keys() & found.keys())
        if found[name] != wanted[name]
    ]
    problems = [
        f"{what}: {', '.join(names[:5])}" + (f" and {len(names) - 5} more" if names[5:] else "")
        for what, names in (
            ("missing tensors", missing),
            ("unexpected tensors", unexpected),
            ("wrong shapes", resized),
        )
        if names
    ]
    if problems:
        raise ModelFormatError(
            f"The weights of {folder} do not fit its configuration; {'; '.join(problems)}."
        )


def _read_tensors(
    names: Mapping[str, Tensor],
    stored: Mapping[str, StoredTensor],
    device: torch.device,
    dtype: torch.dtype,
) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for file in {stored[name].file for name in names}:
        with safe_open(file, framework="pt") as opened:
            for name in names:
                tensor = stored[name]
                if tensor.file != file:
                    continue
                value = opened.get_tensor(tensor.key)
                if tensor.scale_key is not None:
                    value = value.float() * opened.get_tensor(tensor.scale_key).float()
                state[name] = value.to(device=device, dtype=dtype)
    return state


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    # torch raises RuntimeError or AssertionError, by the kind of device that is missing.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"The device {name!r} cannot be used: {reason}") from error
    return device
