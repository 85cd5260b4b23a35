"""Find the files that the user named, and those in the folders that the user named."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import InputError
from ..storage.exchange.own import PASSAGES, is_export
from ..storage.layout import CATALOG
from .records import GZIP, Odd, SourceFile

__all__ = ["Sources", "find_sources"]


@dataclass
class Sources:
    """What a walk over the user's paths found.

    Attributes:
        files: the files to read, in order.
        roots: the files and folders that were named, absolute.
        skipped: number of other files a suffix.
        passed_over: indexes and exports of this library that lie in the folders.
        odd: folders and links that could not be followed.
        unread: those folders.
    """

    files: list[SourceFile] = field(default_factory=list)
    roots: list[Path] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    passed_over: list[str] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)


def find_sources(
    paths: Sequence[Path],
    kinds: Collection[str],
    *,
    prefix: str = "",
    kind: str | None = None,
    target: Path | None = None,
) -> Sources:
    """Find the readable files under some files and folders.

    Folders are walked without what is hidden, and without the indexes and exports of this library
    in them. Links are followed, but no file is taken twice, and no link that leads upwards.

    A file is known by the name of the folder that was named and its path in it; a file that was
    named itself, by that of its folder and its own.

    Args:
        paths: files and folders. Of an export of this library, the passages are taken.
        kinds: suffixes that can be read. Other files in folders are counted.
        prefix: put before the names of all files, to keep folders of one name apart.
        kind: how files that were named are read whose suffix is none of the kinds.
        target: the index that is written, which is passed over without a word.

    Raises:
        InputError: a named file is of another kind, a named folder is an index, or files in two
            folders would be known by one name.
    """
    walk = _Walk(kinds, None if target is None else _real(target))
    for given in paths:
        path = Path(os.path.abspath(given))  # noqa: PTH100 - ``resolve`` would follow links
        walk.sources.roots.append(path)
        if not path.is_dir():
            _require_kind(path, given, kinds, kind)
            name = _join(path.parent.name, path.name)
            known = SourceFile(path, name).suffix in kinds
            walk.file(SourceFile(path, name, str(given), kind="" if known else kind or ""))
        elif (path / CATALOG).is_file():
            raise InputError(
                f"{given} is an index of this library. To read its passages, write them out with "
                f"'lfm2-colbert export {given} --into FOLDER', and give that folder."
            )
        elif is_export(path):
            lines = path / PASSAGES
            walk.file(SourceFile(lines, _join(path.name, PASSAGES), str(Path(given) / PASSAGES)))
        else:
            walk.folder(SourceFile(path, path.name, str(given)))
    walk.follow_links()
    _refuse_one_name(walk.sources.files)
    if prefix:
        walk.sources.files = [
            replace(one, name=_join(prefix.strip("/"), one.name)) for one in walk.sources.files
        ]
    return walk.sources


class _Walk:
    """Folders gone through; links are kept for the end, so that files go by their own names."""

    def __init__(self, kinds: Collection[str], target: str | None) -> None:
        self.sources = Sources()
        self._kinds = kinds
        self._target = target
        self._seen: set[str] = set()
        self._links: deque[SourceFile] = deque()

    def file(self, file: SourceFile) -> None:
        """Take a file, unless it was taken before."""
        real = _real(file.path)
        if real not in self._seen:
            self._seen.add(real)
            self.sources.files.append(file)

    def folder(self, root: SourceFile) -> None:
        """Take what is in a folder."""
        for folder, entries in self._folders(root):
            for entry in entries:
                one = _inside(folder, entry.name)
                if entry.is_symlink():
                    self._links.append(one)
                elif one.suffix in self._kinds:
                    self.file(one)
                else:
                    self.sources.skipped[_kind(one)] += 1

    def follow_links(self) -> None:
        """Take what links lead to, and what links in there lead to, once."""
        while self._links:
            link = self._links.popleft()
            if link.path.is_dir():
                if not self._leads_upwards(link.path):
                    self.folder(link)
            elif not link.path.exists():
                self.sources.odd.append(Odd(str(link), "a link that leads nowhere."))
                self.sources.unread.append(link.path)
            elif link.suffix in self._kinds:
                self.file(link)
            else:
                self.sources.skipped[_kind(link)] += 1

    def _folders(self, root: SourceFile) -> Iterator[tuple[SourceFile, list[os.DirEntry[str]]]]:
        """Yield folders with what is in them but folders, hidden ones and indexes left out."""
        waiting = [root]
        while waiting:
            folder = waiting.pop()
            real = _real(folder.path)
            if real in self._seen or real == self._target:
                continue
            self._seen.add(real)
            if folder is not root and _is_ours(folder.path):
                self.sources.passed_over.append(str(folder))
                continue
            try:
                with os.scandir(folder.path) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError as error:
                self.sources.odd.append(Odd(str(folder), f"{error.strerror}."))
                self.sources.unread.append(folder.path)
                continue
            visible = [entry for entry in entries if not entry.name.startswith(".")]
            below = [entry for entry in visible if entry.is_dir(follow_symlinks=False)]
            waiting += [_inside(folder, entry.name) for entry in reversed(below)]
            yield folder, [entry for entry in visible if entry not in below]

    def _leads_upwards(self, link: Path) -> bool:
        """Tell whether a link leads to a folder that holds it or what the user named."""
        real = _real(link)
        homes = [_real(link.parent), *map(_real, self.sources.roots)]
        return any(Path(home).is_relative_to(real) for home in homes)


def _require_kind(path: Path, given: Path, kinds: Collection[str], kind: str | None) -> None:
    if kind is None and SourceFile(path, path.name).suffix not in kinds:
        raise InputError(
            f"{given} is not one of the kinds that can be read: {', '.join(kinds)}. Say how it is "
            "to be read with --kind, such as --kind txt."
        )


def _refuse_one_name(files: Sequence[SourceFile]) -> None:
    names: dict[str, SourceFile] = {}
    for file in files:
        other = names.setdefault(file.name, file)
        if other is not file:
            raise InputError(
                f"{other} and {file} would both be known as {file.name}. Index them one after the "
                "other, each with a --prefix of its own."
            )


def _is_ours(folder: Path) -> bool:
    return (folder / CATALOG).is_file() or is_export(folder)


def _inside(folder: SourceFile, name: str) -> SourceFile:
    shown = os.path.join(folder.shown, name) if folder.shown else ""  # noqa: PTH118 - keeps "./"
    return SourceFile(folder.path / name, _join(folder.name, name), shown)


def _kind(file: SourceFile) -> str:
    packed = GZIP if file.path.suffix.lower() == GZIP else ""
    return file.suffix + packed or "no suffix"


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _real(path: Path) -> str:
    return os.path.realpath(path)
