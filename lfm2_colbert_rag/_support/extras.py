"""Optional dependencies: import one, or say which command installs it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from ..errors import MissingExtraError

DISTRIBUTION = "lfm2-colbert-rag"


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: dotted name of the module, for example ``"torch"``.
        extra: the extra of this distribution that brings it.

    Returns:
        The imported module.

    Raises:
        MissingExtraError: it is not installed; the message holds the command that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        # A broken installation of the dependency itself must not read as "not installed".
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"{module} is not installed, and this needs it. "
            f'Run: pip install "{DISTRIBUTION}[{extra}]"'
        ) from None
