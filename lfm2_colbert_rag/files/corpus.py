"""All that is to be indexed, read once into a temporary file: whole, checked, and without doubles.

So that what cannot be used is known before the first passage is added, that a file which changes
meanwhile does no harm, and that no file is parsed twice. A corpus may be larger than memory.
"""

from __future__ import annotations

import io
import json
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from .._support.intake import Intake, content_id
from .._support.lines import IdDigests
from .._support.regular import IrregularFileError
from .._support.system_errors import system_errors
from ..errors import InputError, MissingExtraError, StoredIndexError
from ..storage.exchange.own import PASSAGES, is_export
from ..types import Passage, public_metadata
from .encodings import find_encoding
from .kinds import ROWS, TEXTS
from .provenance import KEY, Ids, origin
from .records import Encoding, Odd, Reader, Section, SourceFile

__all__ = ["Corpus", "read_exactly"]

_IN_MEMORY = 64 << 20
# What of one file is named; a table of a million rows may have as many odd ones.
_NAMED = 5


class Corpus:
    """Passages of files, as they will be added. Closed at the end of a ``with`` block.

    Args:
        readers: the reader of each suffix.
        prefix: what was put before the names of the files, which is kept with the passages together
            with the paths of their files; neither is kept where it is None.
        encoding: of all texts; found out for each when None.
        strict: refuse what is odd, blank, or there twice, instead of leaving it out.

    Attributes:
        files: how many files gave passages.
        empty: how many files hold nothing, or blanks only.
        odd: what could not be used, and why.
        unread: files that could not be used, wholly or in parts.
        guessed: texts that are in an encoding which nothing but a detector tells, by its name.
    """

    def __init__(
        self,
        readers: Mapping[str, Reader],
        *,
        prefix: str | None = "",
        encoding: Encoding | None = None,
        strict: bool = False,
    ) -> None:
        self.files = self.empty = 0
        self.odd: list[Odd] = []
        self.unread: list[Path] = []
        self.guessed: dict[str, list[SourceFile]] = {}
        self._readers = readers
        self._prefix = prefix
        self._encoding = encoding
        self._strict = strict
        self._intake = Intake(strict=strict)
        self._digests = IdDigests()
        self._doubles: set[int] = set()
        self._spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by close

    def __enter__(self) -> Corpus:
        """Use the corpus in a ``with`` block, which closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the corpus."""
        self.close()

    def close(self) -> None:
        """Remove the temporary file."""
        self._spool.close()

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self._digests) - len(self._doubles)

    def __iter__(self) -> Iterator[Passage]:
        """Yield the passages, in the order of the files."""
        for number, (passage, _) in enumerate(self._lines()):
            if number not in self._doubles:
                yield passage

    @property
    def remark(self) -> str | None:
        """What was left out, translated or replaced within passages, in one line."""
        return self._intake.remark()

    def ids(self) -> Ids:
        """Return the ids of all passages, to ask which are among them."""
        return Ids(self._digests)

    def read(
        self, files: Sequence[SourceFile], progress: Callable[[int], None] = lambda finished: None
    ) -> None:
        """Read files; what cannot be used is added to :attr:`odd`.

        Args:
            files: the files.
            progress: called with the number of files just read.

        Raises:
            InputError: with ``strict``, something cannot be used; the message says where it is.
            StorageFullError: the disk of the system's temporary folder is full.
        """
        for file in files:
            self._add(file)
            progress(1)
        self._find_doubles()

    def _add(self, file: SourceFile) -> None:
        """Read one file: all of it that can be used, or nothing where it breaks off."""
        before = self._spool.seek(0, io.SEEK_END), len(self._digests), len(self.odd)
        try:
            count = self._add_sections(file)
        except (_RefusedError, StoredIndexError):
            raise
        except _ODD as error:
            self._undo(*before)
            self._note(file.path, Odd(str(file), _reason(error, file)))
            return
        self.files += bool(count)
        self.empty += not count and len(self.odd) == before[2]
        fresh = self.odd[before[2] :]
        if not count and len(fresh) > 1 and len({one.reason for one in fresh[:_NAMED]}) == 1:
            self.odd[before[2] :] = [Odd(str(file), fresh[0].reason)]

    def _add_sections(self, file: SourceFile) -> int:
        count = odd = 0
        export = _is_of_export(file)
        for section in self._readers[file.suffix](self._with_encoding(file)):
            place = f"{file}, {section.place}" if section.place else str(file)
            if isinstance(section, Section):
                found = self._passage(file, section, place, export=export)
            else:
                found = Odd(place, section.reason)
            if isinstance(found, Odd):
                odd += 1
                if odd <= _NAMED:
                    self._note(file.path, found)
            elif found is not None:
                self._keep(found, place)
                count += 1
        if odd > _NAMED:
            self.odd.append(Odd(str(file), f"{odd - _NAMED:,} more places like these."))
        return count

    def _with_encoding(self, file: SourceFile) -> SourceFile:
        if file.suffix not in TEXTS:
            return file
        found = self._encoding or find_encoding(file)
        if found.guessed:
            self.guessed.setdefault(found.name, []).append(file)
        if found.broken:
            self.guessed.setdefault("UTF-8 with broken characters", []).append(file)
        return replace(file, encoding=found)

    def _passage(
        self, file: SourceFile, section: Section, place: str, *, export: bool
    ) -> Passage | Odd | None:
        metadata = dict(section.metadata)
        if not export:
            metadata.pop(KEY, None)
            if file.suffix not in ROWS:
                metadata = {"source": file.name, **metadata}
            if self._prefix is not None and file.lasting:
                metadata[KEY] = origin(file.path, self._prefix)
        try:
            return self._intake.passage(
                section.text, section.id or _made(file, section), metadata, place
            )
        except InputError as error:
            return Odd(place, str(error).replace(place, "the passage"))

    def _keep(self, passage: Passage, place: str) -> None:
        line = json.dumps([passage.id, passage.text, passage.metadata, place])
        with system_errors(Path(tempfile.gettempdir())):
            self._spool.write(line.encode() + b"\n")
        self._digests.add(passage.id)

    def _undo(self, end: int, ids: int, odd: int) -> None:
        self._spool.seek(end)
        self._spool.truncate()
        self._digests.cut(ids)
        del self.odd[odd:]

    def _note(self, path: Path | None, odd: Odd) -> None:
        if self._strict:
            raise _RefusedError(f"{odd.place}: {odd.reason}")
        self.odd.append(odd)
        if path is not None and path not in self.unread[-1:]:
            self.unread.append(path)

    def _find_doubles(self) -> None:
        """Find passages whose id another had before: equal ones are one, others are odd."""
        if not (suspects := self._digests.repeated()):
            return
        first: dict[str, tuple[str, str]] = {}
        for number, (passage, place) in enumerate(self._lines()):
            if IdDigests.digest(passage.id) not in suspects:
                continue
            content = content_id(passage.text, public_metadata(passage.metadata))
            if passage.id not in first:
                first[passage.id] = content, place
                continue
            self._doubles.add(number)
            before, where = first[passage.id]
            if before != content or self._strict:
                reason = f"the id {passage.id!r} is that of another passage, {where}. Give each one"
                self._note(None, Odd(place, f"{reason} of its own."))

    def _lines(self) -> Iterator[tuple[Passage, str]]:
        self._spool.seek(0)
        for line in self._spool:
            id, text, metadata, place = json.loads(line)
            yield Passage(id, text, metadata), place


class _RefusedError(InputError):
    """Something is odd, and nothing odd is wanted."""


def read_exactly(files: Iterable[SourceFile], readers: Mapping[str, Reader]) -> Iterator[Passage]:
    """Read passages as they are, blank ones and doubles as well: one for each that files hold.

    Args:
        files: the files.
        readers: the reader of each suffix.

    Raises:
        InputError: something cannot be used; the message says where it is.
    """
    for file in files:
        try:
            for section in readers[file.suffix](file):
                if isinstance(section, Odd):
                    raise _RefusedError(f"{file}, {section.place}: {section.reason}")
                yield Passage(section.id or _made(file, section), section.text, section.metadata)
        except _RefusedError:
            raise
        except _ODD as error:
            raise InputError(f"{file}: {_reason(error, file)}") from None


def _made(file: SourceFile, section: Section) -> str:
    """Return the id of a part of a file that names none."""
    return file.name if section.key is None else f"{file.name}#{section.key}"


# What readers raise of files that are damaged, or that vanish while they are read.
_ODD = (InputError, MissingExtraError, OSError, EOFError, zlib.error, UnicodeError, RecursionError)


def _reason(error: BaseException, file: SourceFile) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"these bytes are not {error.encoding}, as the others are. Save the file as UTF-8."
    if isinstance(error, RecursionError):
        return "it is nested too deeply."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    if isinstance(error, IrregularFileError):
        return f"{str(error).removeprefix(str(file.path)).strip()}."
    if isinstance(error, (OSError, EOFError, zlib.error)):
        return f"it is damaged ({error})."
    return str(error).removeprefix(f"{file}: ")


def _is_of_export(file: SourceFile) -> bool:
    return file.path.name == PASSAGES and is_export(file.path.parent)
