"""How thoroughly a compressed index is searched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchSettings:
    """What a search over compressed vectors looks at.

    Attributes:
        nprobe: centroids whose lists each query vector walks.
        groups: share of the coarse groups in which these centroids are looked for.
        candidates: most windows that are scored exactly.
        caution: candidates come in the order of their votes; scoring ends when the next would have
            to beat what its votes promise by so many standard deviations to be among the best k.
    """

    nprobe: int = 128
    groups: float = 0.12
    candidates: int = 2048
    caution: float = 3.0


# From fast to thorough; measured on the index itself, the first that is good enough is used.
LADDER = (
    SearchSettings(32, 0.06, 128, 1.5),
    SearchSettings(64, 0.08, 256, 2.0),
    SearchSettings(96, 0.10, 512, 2.5),
    SearchSettings(128, 0.12, 1024, 3.0),
    SearchSettings(192, 0.16, 2048, 3.5),
    SearchSettings(256, 0.25, 4096, 4.0),
    SearchSettings(512, 0.50, 16384, 6.0),
)
DEFAULT_SETTINGS = LADDER[3]
