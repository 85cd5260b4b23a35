"""What a migration did, and where one stands; and what is read of the word of a gate."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from ..._support.regular import IrregularFileError
from ..._support.safe_json import JsonError, load_json
from ...encoder.query_adapter import FILE
from ...errors import ConfigError, shown

VERDICT = "verdict.json"
"""Under this name what judged a model says of it, in the model's folder."""

Tier: TypeAlias = Literal["query", "everything"]
"""What a migration changes: the map of questions alone, or all vectors."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PERIOD = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


@dataclass(frozen=True)
class Migration:
    """What a migration, or a rollback, has come to.

    Attributes:
        tier: what was changed: ``"query"``, the map that questions go through, or
            ``"everything"``, all vectors.
        model: the model that serves now.
        query_adapter: how the index's adapter was made; None where it has none now.
        generation: the first generation that is so.
        encoded: passages that were encoded for it in this call.
        seconds: how long the call took.
        kept_until: when what served before may be removed, in ISO 8601 (UTC); None where nothing
            was changed.
        asked: questions of the canary; 0 where there were none.
        overlap: which part of their ten best passages, in the mean, are the same before and after;
            None where there were none.

    Raises:
        ConfigError: values that no migration has.
    """

    tier: Tier
    model: str
    query_adapter: str | None
    generation: int
    encoded: int = 0
    seconds: float = 0.0
    kept_until: str | None = None
    asked: int = 0
    overlap: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.tier not in get_args(Tier) or min(self.encoded, self.asked, self.generation) < 0:
            raise ConfigError(f"no migration has tier {self.tier!r:.40} and {self.encoded!r:.40}.")
        if (self.overlap is None) != (self.asked == 0) or not 0 <= (self.overlap or 0) <= 1:
            raise ConfigError(f"no canary has {self.asked} questions and overlap {self.overlap}.")

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class MigrationStatus:
    """What serves an index, what did before, and what is being made.

    Attributes:
        model: the model that serves.
        query_adapter: how the index's adapter was made; None where it has none.
        former_model: the model that served before; None where nothing of it is kept.
        former_query_adapter: how the index's adapter was made that served before.
        since: when it ceased to, in ISO 8601 (UTC).
        kept_until: when it may be removed, likewise.
        missing: passages that a rollback has to encode first.
        building: the model for which passages are being encoded; None where none is.
        built: how many passages have vectors of it.
        passages: how many the index has.

    Raises:
        ConfigError: values that no index has.
    """

    model: str
    query_adapter: str | None = None
    former_model: str | None = None
    former_query_adapter: str | None = None
    since: str | None = None
    kept_until: str | None = None
    missing: int = 0
    building: str | None = None
    built: int = 0
    passages: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not 0 <= max(self.missing, self.built) <= self.passages:
            raise ConfigError(
                f"of {self.passages} passages {self.missing} cannot be missing and {self.built} be "
                "built."
            )

    @property
    def can_roll_back(self) -> bool:
        """Whether what served before is kept."""
        return self.former_model is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return {**asdict(self), "can_roll_back": self.can_roll_back}


def read_period(period: object) -> float:
    """Return the seconds of a period of time: a number of them, or such as ``"7d"``.

    Raises:
        ConfigError: it is none.

    Example:
        >>> read_period("7d"), read_period("1.5 h"), read_period(60)
        (604800.0, 5400.0, 60.0)
    """
    if isinstance(period, int | float) and not isinstance(period, bool):
        if math.isfinite(period) and period >= 0:
            return float(period)
    elif isinstance(period, str) and (found := _PERIOD.fullmatch(period.strip())):
        return float(found[1]) * _UNITS[found[2]]
    raise ConfigError(
        f'keep must be seconds, or a time such as "7d", "12h" or "30m", not {shown(period)}.'
    )


def require_adopted(model: object, *, despite_gate: bool = False) -> None:
    """Refuse a model that was judged, and not adopted.

    Args:
        model: what is to serve; only a folder, or a file of an adapter in one, has a verdict.
        despite_gate: take it all the same.

    Raises:
        ConfigError: it was not adopted; the message has the reasons.
    """
    verdict = None if despite_gate else read_verdict(model)
    if verdict is None or verdict["adopted"]:
        return
    reasons = " ".join(str(one) for one in verdict["reasons"]) or "no reason is given."
    raise ConfigError(
        f"{model} was judged and not adopted: {reasons} Nothing was changed; despite_gate=True "
        "takes it all the same."
    )


def read_verdict(model: object) -> Mapping[str, Any] | None:
    """Return what was judged of a model; None where nothing was.

    Raises:
        ConfigError: the file is damaged.
    """
    if not isinstance(model, str | os.PathLike):
        return None
    path = Path(model).expanduser()
    path = (path.parent if path.name == FILE and path.is_file() else path) / VERDICT
    try:
        verdict = load_json(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, IrregularFileError, JsonError) as error:
        raise ConfigError(f"{path} cannot be read ({error}). Judge the model again.") from error
    if isinstance(verdict, dict):
        verdict = {"reasons": [], **verdict}
        if isinstance(verdict.get("adopted"), bool) and isinstance(verdict["reasons"], list):
            return verdict
    raise ConfigError(f"{path} does not say whether a model was adopted. Judge the model again.")
