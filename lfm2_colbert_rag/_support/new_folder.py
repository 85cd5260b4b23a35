"""A folder that appears whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConfigError
from .disk import sync_file, sync_folder


@contextmanager
def new_folder(target: Path, *, private: bool = False) -> Iterator[Path]:
    """Give a folder to fill; it takes its name when the block ends, and vanishes if it fails.

    A process that is killed meanwhile leaves a folder beside it whose name begins with a dot.

    Args:
        target: where it will be; nothing may be there but an empty folder.
        private: let nobody but its owner read it, at any time.

    Raises:
        ConfigError: something is there.
        OSError: it cannot be written.

    Example:
        >>> with new_folder(Path("new")) as folder:
        ...     _ = (folder / "file").write_text("whole", encoding="utf-8")
        >>> Path("new/file").read_text(encoding="utf-8")
        'whole'
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} exists and is not empty; name a new folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield scratch
        _finish(scratch, private=private)
        if target.exists():
            target.rmdir()  # Windows puts nothing in the place of a folder, even an empty one
        scratch.rename(target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _finish(folder: Path, *, private: bool) -> None:
    """Flush all files, and give them and the folders their rights."""
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir():
            path.chmod(0o700 if private else 0o755)
            sync_folder(path)
        else:
            sync_file(path)
            path.chmod(0o600 if private else 0o644)
