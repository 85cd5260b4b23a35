"""The encoder on ONNX Runtime: the one that needs no torch."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..._support.forking import NO_FORK, abandon, end_without_handlers, renew_in_child
from ..._support.system_errors import system_errors
from ...errors import ConfigError, ModelFormatError
from ..checkpoint import Checkpoint
from ..engine import DEFAULT_QUERY_CACHE, CheckpointEncoder
from ..framing import FramedText
from .converted import find_or_convert
from .dtypes import OnnxDType
from .runtime import onnxruntime

DEFAULT_BATCH_TOKENS = 512
"""Positions computed at once. More is no faster on a CPU: the values fall out of its cache."""


class OnnxEncoder(CheckpointEncoder):
    """Turns texts into token vectors with ONNX Runtime on the CPU.

    Only texts of one length are computed together, so that nothing is padded.

    Args:
        checkpoint: the model, with a backbone that has a graph.
        name: see :class:`~lfm2_colbert_rag.encoder.engine.CheckpointEncoder`.
        dtype: of the weights: ``"int8"``, ``"float32"``, or ``"float16"`` and ``"bfloat16"``,
            which halve the file but not the memory. Vectors are float32 whichever it is.
        threads: how many compute; None takes one a physical core.
        batch_tokens: positions computed at once; more takes more memory.
        query_cache: see :class:`~lfm2_colbert_rag.encoder.engine.CheckpointEncoder`.
        graph: a file of one's own in place of that of ``dtype``, with the same inputs and output.

    Raises:
        ModelFormatError: the backbone has no graph, or its weights or its tokenizer do not fit.
        ConfigError: an option is invalid, or the cache folder cannot be written.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        name: str | None = None,
        dtype: OnnxDType = "int8",
        threads: int | None = None,
        batch_tokens: int = DEFAULT_BATCH_TOKENS,
        query_cache: int = DEFAULT_QUERY_CACHE,
        graph: Path | None = None,
    ) -> None:
        super().__init__(checkpoint, name=name, batch_tokens=batch_tokens, query_cache=query_cache)
        self.graph, self._threads = graph or find_or_convert(checkpoint, dtype), threads
        self._session: onnxruntime.InferenceSession | None = None
        self.renew_after_fork()
        self._get_session()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Leave the session to the parent, whose threads it has; another is made when it is used.

        To let go of it here would wait for these threads for ever.
        """
        if self._session is not None:
            abandon(self._session)
            end_without_handlers()  # those of ONNX Runtime end its threads
        self._session = None
        self._opening = threading.Lock()

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for index, length in enumerate(lengths):
            by_length[length].append(index)
        for length, indices in sorted(by_length.items(), reverse=True):
            count = max(1, self._batch_tokens // length)
            for start in range(0, len(indices), count):
                yield indices[start : start + count]

    def _vectors(self, batch: Sequence[FramedText]) -> npt.NDArray[np.float32]:
        inputs = {
            "input_ids": np.stack([text.input_ids for text in batch]),
            "attention_mask": np.stack([text.attention_mask for text in batch]),
        }
        with NO_FORK:
            vectors: npt.NDArray[np.float32] = self._get_session().run(["vectors"], inputs)[0]
        return vectors[np.stack([text.keep for text in batch])]

    def _get_session(self) -> onnxruntime.InferenceSession:
        if self._session is None:
            with NO_FORK, self._opening:
                if self._session is None:
                    self._session = open_session(self.graph, self._threads)
        return self._session


def open_session(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    """Load a graph.

    Args:
        path: the graph's file.
        threads: how many compute; None takes one a physical core.

    Raises:
        ConfigError: ``threads`` is below 1.
        ModelFormatError: ONNX Runtime cannot run the graph.
        AccessDeniedError, IndexUnavailableError: the system does not let it be read.
    """
    if threads is not None and threads < 1:
        raise ConfigError(f"threads must be 1 or more, not {threads}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    # Threads that wait busily for the next step are in the way of each other, and of the search.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; they arrive as exceptions too
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    # ONNX Runtime has one exception class for each of its status codes, with no common base.
    except Exception as error:
        with suppress(FileNotFoundError), system_errors(path):  # which it tells as a bad graph
            os.close(os.open(path, os.O_RDONLY))
        raise ModelFormatError(
            f"{path} cannot be run: {str(error).splitlines()[0]} Delete its folder, and it is "
            "converted again."
        ) from error
