"""What all kernels are made with: how they are compiled, and the vector instructions they name.

Nothing but kernels imports these modules, except :mod:`.readiness`: numba takes a second to load.
"""

# Kernels take so many coordinates at a time; rows that they read end with zeros up to the next.
CHUNK = 32
# So many rows are taken at once.
TOGETHER = 8
# Added to the bytes of the left row of a product, which are unsigned then.
OFFSET = 128
