"""What the base installation brings along."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

import pytest

packaging = pytest.importorskip("packaging.requirements")

LARGEST = 520_000_000
"""Bytes: a tenth of the environment that PyLate 1.6 needs."""


def closure(name: str, found: dict[str, int]) -> dict[str, int]:
    """Sizes in bytes of a distribution and all that it requires, without extras."""
    if name in found:
        return found
    try:
        installed = distribution(name)
    except PackageNotFoundError:  # required on another system or Python only
        return found
    files = [installed.locate_file(file) for file in installed.files or ()]
    found[name] = sum(path.stat().st_size for path in files if path.is_file())
    for line in installed.requires or ():
        requirement = packaging.Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            closure(requirement.name.lower().replace("_", "-"), found)
    return found


def test_the_base_installation_is_small_and_has_no_torch():
    sizes = closure("lfm2-colbert-rag", {})
    assert {"numba", "onnxruntime", "tokenizers", "safetensors", "numpy"} <= sizes.keys()
    assert not {"torch", "transformers", "scipy"} & sizes.keys()
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:8]
    assert sum(sizes.values()) <= LARGEST, f"{sum(sizes.values()):,} bytes: {largest}"
