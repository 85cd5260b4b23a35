"""How thoroughly a compressed index is searched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchSettings:
    """What a search over compressed vectors looks at.

    Attributes:
        nprobe: centroids whose lists each query vector walks.
        near: of these centroids, how many of each query vector are near enough for the vectors that
            belong to them to be decompressed and compared.
        groups: share of the coarse groups in which these centroids are looked for.
        candidates: at most so many windows are scored with all their vectors.
        margin: candidates come in the order of their estimated MaxSim; refining ends when the next
            would have to exceed its estimate by so many standard deviations of the errors of the
            latest estimates to be among the best k.
        final_margin: the same for the windows that are scored with all their vectors.
    """

    nprobe: int = 320
    near: int = 96
    groups: float = 0.15
    candidates: int = 4096
    margin: float = 5.5
    final_margin: float = 3.5


# From fast to thorough; measured on the index itself, the first that is good enough is used.
PRESETS = (
    SearchSettings(32, 24, 0.10, 256, 2.0, 2.0),
    SearchSettings(96, 64, 0.10, 512, 2.5, 2.5),
    SearchSettings(160, 80, 0.15, 4096, 4.5, 3.5),
    SearchSettings(320, 96, 0.15, 4096, 5.5, 3.5),
    SearchSettings(640, 192, 0.30, 8192, 7.0, 4.5),
    SearchSettings(1024, 512, 0.50, 16384, 8.0, 6.0),
)
DEFAULT_SETTINGS = PRESETS[3]
