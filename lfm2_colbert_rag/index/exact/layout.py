"""How bytes of vectors are laid out, and how large they may be."""

from __future__ import annotations

FOUR = 4  # neighbouring coordinates of one vector in a block
MOST = 127  # parts of a vector's largest coordinate
# Products with so many coordinates of a query vector are summed in 16 bits. Where these have one
# sign they sum up to LIMIT at most, so that no sum goes beyond 255 LIMIT < 2**15.
GROUP, LIMIT = 8, 128
# What coordinates of one sign may sum up to before they are rounded, by half a part at most each.
SUM = LIMIT - GROUP // 2 - 1
