"""The command line, ``lfm2-colbert``: the library's verbs, in the library's words."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run ``lfm2-colbert``.

    Args:
        args: the arguments after the program's name; those of this process when omitted.

    Returns:
        The exit code: 0 done, 1 an error the library names, 2 a wrong command line, 130 Ctrl-C.
    """
    try:
        from .app import run
    except KeyboardInterrupt:  # a slow disk takes seconds to load it
        return 130
    return run(args)
