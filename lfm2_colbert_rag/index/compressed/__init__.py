"""Search over vectors of a few bits a dimension, and all that makes and reads them."""

from .search import CompressedIndex

__all__ = ["CompressedIndex"]
