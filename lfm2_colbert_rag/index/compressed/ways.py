"""Which kernels work on compressed vectors now: the compiled ones, or those of numpy meanwhile.

The ones are :mod:`.kernels`, the others :mod:`.plain`; both have the same functions. A search asks
once, so that all its scores come from the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import TypeAlias

from ..jit.readiness import KernelSet
from .codec import Codec

Kernels: TypeAlias = ModuleType

# How they are made ready is said in :mod:`.rehearsal`, which uses what stands above this module.
SEARCHING = KernelSet("compressed search")
WRITING = KernelSet("compression")


def kernels_now(codecs: Iterable[Codec]) -> Kernels:
    """Return the kernels of a search: of numpy, until those for all these codecs are compiled."""
    missing = [codec for codec in codecs if not SEARCHING.ready(codec)]  # all are begun
    if not missing:
        return _compiled()
    from . import plain

    return plain


def compiled_kernels(codecs: Iterable[Codec]) -> Kernels:
    """Return the compiled kernels of a search, once they are there.

    Raises:
        ConfigError: they cannot be compiled.
    """
    for codec in codecs:
        SEARCHING.prepare(codec)
    return _compiled()


def prepare_writing(codec: Codec) -> None:
    """Have the kernels compiled that make codebooks and segments.

    Raises:
        ConfigError: they cannot be compiled.
    """
    WRITING.prepare(codec)


def _compiled() -> Kernels:
    from . import kernels

    return kernels
