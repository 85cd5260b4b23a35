# mypy: ignore-errors
"""Where compiled kernels are kept, so that several users and read-only images can share them.

Numba by itself takes the first folder that can be written, which is another than at installation
where a program runs as another user, or from a read-only image. Here kernels are looked for in the
folder that was chosen, whether it can be written or not, and written to it if it can, else to the
user's own. They are known by the contents of all files that they are made of, not by times, which
change on the way into an image. Each compiled version has files of its own, so that processes that
compile at once do not mix them up.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from functools import lru_cache
from pathlib import Path

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile

from ..._support.cache_folder import cache_folder, own_cache_folder, require_writable

NUMBA_VARIABLE = "NUMBA_CACHE_DIR"
# Files that kernels use beside those in their own folder, in the one above it.
_SHARED = ("../jit/__init__.py", "../jit/compiling.py", "../jit/simd.py")
_BESIDE = ("structs.py", "codec.py", "whole_levels.py", "layout.py")


def places() -> list[Path]:
    """Return the folders where kernels are looked for, the chosen one first."""
    chosen = os.environ.get(NUMBA_VARIABLE)
    first = Path(chosen).expanduser() / "lfm2-colbert" if chosen else cache_folder() / "kernels"
    second = own_cache_folder() / "kernels"
    return [first] if first == second or can_be_written(first) else [first, second]


@lru_cache
def can_be_written(folder: Path) -> bool:
    """Tell whether a folder can be written; remembered, as it is asked for each kernel."""
    try:
        require_writable(folder)
    except OSError:
        return False
    return True


class _Locator:
    """What numba asks about a function's file; where its cache lies is answered here."""

    def __init__(self, py_func, py_file):
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func, py_file)

    def ensure_cache_path(self):
        """Leave it to :meth:`_Files.save`."""

    def get_cache_path(self):
        return str(places()[0])

    def get_source_stamp(self):
        return _stamp(Path(self._py_file).parent)

    def get_disambiguator(self):
        return str(self._lineno)


class _Implementation(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012


class KernelCache(FunctionCache):
    """What numba asks for a kernel's compiled versions.

    Args:
        py_func: the kernel.
    """

    _impl_class = _Implementation

    def __init__(self, py_func):
        super().__init__(py_func)
        stamp = _stamp(Path(inspect.getfile(py_func)).parent)
        self._cache_file = _Files(self._impl.filename_base, stamp)


class _Files:
    """The files of one kernel, a pair for each types of arguments and each kind of processor."""

    def __init__(self, name, stamp):
        self._name, self._stamp = name, stamp
        self._folder = f"numba-{numba.__version__}-{stamp[:16]}"

    def load(self, key):
        """Return what was compiled, None if it was not."""
        for place in places():
            try:
                found = self._file(place, key).load(key)
            except Exception:  # damaged, or not for this user: compiled again
                continue
            if found is not None:
                return found
        return None

    def save(self, key, data):
        """Keep what was compiled, in the first place where that can be done."""
        for place in places():
            try:
                (place / self._folder).mkdir(parents=True, exist_ok=True)
                self._file(place, key).save(key, data)
            except OSError:
                continue
            return

    def flush(self):
        """Nothing is kept by name only."""

    def _file(self, place, key):
        name = f"{self._name}-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}"
        return IndexDataCacheFile(str(place / self._folder), name, self._stamp)


def sources(folder):
    """Return the files of all that kernels in a folder are compiled from."""
    files = [*sorted(folder.glob("*.py"))]
    files += [folder.parent / name for name in (*_SHARED, *_BESIDE)]
    return [file for file in files if file.is_file()]


@lru_cache
def _stamp(folder):
    digest = hashlib.sha256()
    for file in sources(folder):
        digest.update(file.read_bytes())
    return digest.hexdigest()
