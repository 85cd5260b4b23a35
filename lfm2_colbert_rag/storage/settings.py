"""What an index remembers of how it was made, and how it is to be written and searched."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar, get_args

from ..errors import REMEDY, IndexCorruptError
from ..types import Storage
from .tunings import Fusion, PoolFit, PoolingRule

T = TypeVar("T")

STORAGES: tuple[str, ...] = get_args(Storage)
NBITS = (2, 4)
FIRST = "first"
"""The space that an index is made with."""

SPACE_FIELDS = (
    "model", "dim", "fingerprint", "window_overlap", "nbits", "pool_factor", "pooling_rule",
    "pool_fit", "fusion", "query_adapter",
)  # fmt: skip
"""The settings of a space; the others are the whole index's."""

_SPACE = re.compile(r"[0-9a-z-]{1,64}")
# Far beyond any model and any text.
_WIDEST, _MOST = 1 << 16, 1 << 31


@dataclass(frozen=True)
class IndexSettings:
    """The settings of an index as one generation has them.

    Those of :data:`SPACE_FIELDS` belong to the space of vectors that serves, and change with it.
    The first seven are settled when a space is made. The others may change, by a commit like any
    other: who reads a generation reads its settings with it, in whatever process they were changed.

    Attributes:
        model: how to ask for the index's model again.
        dim: width of a vector.
        fingerprint: everything that decides the model's vectors, as a flat JSON object.
        window_overlap: tokens that consecutive windows of a long text share at most.
        nbits: bits a dimension of compressed vectors.
        pool_factor: how many vectors of a text become one; 1 keeps all.
        pooling_rule: a JSON object that whoever pools understands.
        storage: how vectors are kept from the next commit on.
        pool_fit: what was fitted to the first passages for pooling, as a JSON object; None until
            there were enough.
        fusion: how the legs of a hybrid search are fused, as a JSON object; None for the default.
        query_adapter: the adapter that questions go through, as a JSON object, see
            :class:`~.adapters.AdapterInfo`; None for none.
        space: the name of the space of vectors that serves.
        former: what served before the last migration, as a JSON object, see
            :class:`~.former.Former`; None where nothing of it is kept.

    Raises:
        IndexCorruptError: a value that no version of the library writes.

    Example:
        >>> IndexSettings("hash", 32, {"kind": "hash"}).storage
        'auto'
    """

    model: str
    dim: int
    fingerprint: Mapping[str, Any]
    window_overlap: int = 0
    nbits: int = 4
    pool_factor: int = 1
    pooling_rule: Mapping[str, Any] | None = None
    storage: Storage = "auto"
    pool_fit: Mapping[str, Any] | None = None
    fusion: Mapping[str, Any] | None = None
    query_adapter: Mapping[str, Any] | None = None
    former: Mapping[str, Any] | None = None
    space: str = FIRST

    def __post_init__(self) -> None:
        sizes = (
            (self.dim, 1, _WIDEST),
            (self.pool_factor, 1, _MOST),
            (self.window_overlap, 0, _MOST),
        )
        if not all(type(size) is int and low <= size <= high for size, low, high in sizes):
            raise _corrupt(
                f"dim, pool_factor and window_overlap are {self.dim!r:.40}, "
                f"{self.pool_factor!r:.40} and {self.window_overlap!r:.40}"
            )
        if not (isinstance(self.storage, str) and self.storage in STORAGES) or not (
            type(self.nbits) is int and self.nbits in NBITS
        ):
            raise _corrupt(f"storage is {self.storage!r:.40} and nbits {self.nbits!r:.40}")
        if not isinstance(self.model, str) or not isinstance(self.fingerprint, Mapping):
            raise _corrupt(f"model is {self.model!r:.40}, of {self.fingerprint!r:.40}")
        for name in ("pooling_rule", "pool_fit", "fusion", "query_adapter", "former"):
            if not isinstance(getattr(self, name), Mapping | None):
                raise _corrupt(f"{name} is {getattr(self, name)!r:.40}")
        self._check_tunings()
        check_space(self.space)

    def _check_tunings(self) -> None:
        if (rule := self.pooling_rule) is not None:
            understood("pooling_rule", lambda: PoolingRule(**rule))
        if (fit := self.pool_fit) is not None:
            understood("pool_fit", lambda: PoolFit.from_json(fit))
        if (fusion := self.fusion) is not None:
            understood("fusion", lambda: Fusion(**fusion))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> IndexSettings:
        """Read what :meth:`to_json` gave, among other keys.

        Raises:
            IndexCorruptError: a setting is missing, or has a senseless value.
        """
        known = {one.name: values[one.name] for one in fields(cls) if one.name in values}
        try:
            return cls(**known)
        except TypeError as error:
            raise _corrupt(str(error)) from None

    def to_json(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)


def check_space(name: object) -> str:
    """Return the name of a space.

    Raises:
        IndexCorruptError: it is none that this library gives.
    """
    if isinstance(name, str) and _SPACE.fullmatch(name):
        return name
    raise IndexCorruptError(f"the catalog names a space {ascii(name)[:100]}. {REMEDY}")


def understood(name: str, read: Callable[[], T]) -> T:
    """Return what a setting holds for whoever understands it.

    Args:
        name: of the setting.
        read: reads it; what a JSON object with other members, or values of other kinds, makes it
            raise counts as damage.

    Raises:
        IndexCorruptError: it holds something else.
    """
    try:
        return read()
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise _corrupt(f"{name} cannot be read ({error!r:.200})") from None


def _corrupt(what: str) -> IndexCorruptError:
    return IndexCorruptError(
        f"the catalog's settings make no sense: {what}. Restore the index from a backup."
    )
