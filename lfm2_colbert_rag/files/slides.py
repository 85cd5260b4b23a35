"""Presentations (.pptx): a slide is a passage, so that an answer can name its slide."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from .._support.extras import require
from ..errors import InputError
from .containers import content, open_zip, reading
from .records import Odd, Section, SourceFile

__all__ = ["read_pptx"]

KIND = "a .pptx file"


def read_pptx(file: SourceFile) -> Iterator[Section | Odd]:
    """Read the slides of a presentation; those without text give nothing.

    Args:
        file: the file.

    Yields:
        A slide, numbered from 1: its title, its texts and tables from top to bottom, its notes.

    Raises:
        InputError: it is damaged, encrypted, too large, or holds no text.
        MissingExtraError: the extra ``files`` is not installed.
    """
    pptx = require("pptx", extra="files")
    data = content(file)
    open_zip(data, KIND).close()
    with reading(KIND):
        presentation = pptx.Presentation(io.BytesIO(data))
        title = (presentation.core_properties.title or "").strip()
        slides = list(presentation.slides)
    found = False
    for number, slide in enumerate(slides, 1):
        place = f"slide {number}"
        try:
            with reading("a slide"):
                text = _text(slide)
        except InputError as error:
            yield Odd(place, str(error))
            continue
        found = found or bool(text)
        if text:
            facts = {"slide": number, **({"title": title} if title else {})}
            yield Section(text, place, facts, place)
    if not found:
        raise InputError(f"there is no text on its {len(slides):,} slide(s), only pictures.")


def _text(slide: Any) -> str:
    title = slide.shapes.title
    lines = [title.text_frame.text] if title is not None else []
    for shape in sorted(slide.shapes, key=lambda one: (one.top or 0, one.left or 0)):
        if title is None or shape.shape_id != title.shape_id:
            lines += _lines(shape)
    if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None:
        lines.append(notes.text)
    kept = (" ".join(line.split()) for text in lines for line in text.splitlines())
    return "\n".join(line for line in kept if line)


def _lines(shape: Any) -> Iterator[str]:
    if shape.has_text_frame:
        yield shape.text_frame.text
    elif getattr(shape, "has_table", False):
        for row in shape.table.rows:
            cells = [" ".join(cell.text.split()) for cell in row.cells]
            if any(cells):
                yield " | ".join(cells)
    elif hasattr(shape, "shapes"):  # a group
        for one in shape.shapes:
            yield from _lines(one)
