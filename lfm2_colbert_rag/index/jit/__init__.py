"""What all kernels are made with: how they are compiled, and the vector instructions they name.

Nothing but kernels imports these modules, except :mod:`.readiness`: numba takes a second to load.
"""

# Kernels take so many coordinates at a time; rows that they read end with zeros up to the next.
CHUNK = 32
TOGETHER = 8  # rows that are multiplied at once
OFFSET = 128  # added to the bytes of one of two rows, which makes them unsigned
