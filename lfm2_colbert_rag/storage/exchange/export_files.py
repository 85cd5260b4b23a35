"""The files of an export, written passage by passage; see :mod:`.own` for what they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ...index.arrays import ArrayFile
from ...types import Passage, Window
from .own import ARRAYS, DESCRIPTION, FORMAT, PASSAGES, VERSION

__all__ = ["ExportFiles"]


class ExportFiles:
    """The files of an export in the making; no more than a passage is held.

    Args:
        folder: where they are made.
        dim: width of the vectors.
        dtype: of the vectors, ``float16`` or ``float32``.
    """

    def __init__(self, folder: Path, dim: int, dtype: str) -> None:
        self._folder, self._dim, self._dtype = folder, dim, dtype
        kinds: tuple[tuple[np.dtype[Any], tuple[int, ...]], ...] = (
            (np.dtype(dtype), (dim,)),
            (np.dtype(np.int32), ()),
            (np.dtype(np.int32), (2,)),
            (np.dtype(np.int64), ()),
            (np.dtype(np.int64), (4,)),
        )
        with ExitStack() as opened:
            self._lines = opened.enter_context(
                (folder / PASSAGES).open("w", encoding="utf-8", newline="\n")
            )
            self._arrays = {
                name: opened.enter_context(ArrayFile(folder, name, kind, *width))
                for name, (kind, width) in zip(ARRAYS, kinds, strict=True)
            }
            self._opened = opened.pop_all()

    def __enter__(self) -> ExportFiles:
        """Close the files at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files, finished or not."""
        self._opened.close()

    def add(self, passage: Passage, windows: Sequence[Window]) -> None:
        """Write a passage, and the vectors of its windows."""
        fields = {"id": passage.id, "text": passage.text, "metadata": passage.metadata}
        self._lines.write(json.dumps(fields, ensure_ascii=False) + "\n")
        place = self._arrays["token_counts"].rows
        for window in windows:
            encoded = window.encoded
            self._arrays["vectors"].extend(encoded.vectors)
            self._arrays["token_ids"].extend(encoded.token_ids)
            self._arrays["spans"].extend(encoded.spans)
            self._arrays["windows"].extend(np.array([(place, *window.span, len(encoded))]))
        self._arrays["token_counts"].extend(np.array([sum(len(one.encoded) for one in windows)]))

    def finish(self, described: Mapping[str, Any]) -> dict[str, int]:
        """Complete the arrays, and say in ``export.json`` what they are.

        Args:
            described: what is to be said beside the format, the width and the numbers.

        Returns:
            How many passages, windows and vectors there are.
        """
        for array in self._arrays.values():
            array.finish(durable=False)
        numbers = {
            "passages": self._arrays["token_counts"].rows,
            "windows": self._arrays["windows"].rows,
            "vectors": self._arrays["vectors"].rows,
        }
        form = {"format": FORMAT, "version": VERSION, "dim": self._dim, "dtype": self._dtype}
        text = json.dumps({**form, **described, **numbers}, indent=2)
        (self._folder / DESCRIPTION).write_text(f"{text}\n", "utf-8")
        return numbers
