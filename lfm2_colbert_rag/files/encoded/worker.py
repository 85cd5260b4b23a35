"""One source file to one output: read, encoded, written aside and renamed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..._support.regular import open_regular
from ..._support.token_vectors import check_window, no_vectors
from ...retriever.ingest.passage_encoder import TEXTS
from ...storage.atomic import refusals
from ...storage.exchange.export_files import ExportFiles
from ...storage.scratch import publish, scratch_folder
from ..corpus import Corpus
from ..kinds import readers
from ..records import Odd, SourceFile
from .record import Record, read_record

if TYPE_CHECKING:
    from ...retriever.ingest.passage_encoder import PassageEncoder
    from ...types import Passage
    from .job import Job

__all__ = ["Outcome", "Worker"]

_CHUNK = 1 << 20
_T = TypeVar("_T")


@dataclass(frozen=True)
class Outcome:
    """What became of one source file.

    Attributes:
        source: the name that it is known by.
        made: whether something was encoded; what is there already is kept.
        record: what the output says of itself; None where there is none, for nothing of the file
            could be read.
        odd: what could not be used of it.
    """

    source: str
    made: bool = False
    record: Record | None = None
    odd: tuple[Odd, ...] = ()


class Worker:
    """Encodes files one after the other; its model is loaded for the first that needs it.

    Args:
        job: how.

    Example:
        >>> from .job import Job
        >>> Worker(Job("hash", Path("/data/encoded")))  # doctest: +SKIP
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._recipe = job.recipe()
        self._readers = readers(job.options)
        self._encoder: PassageEncoder | None = None

    def encode(self, source: SourceFile) -> Outcome:
        """Make the output of a source file, unless it is there already.

        It appears whole or not at all, so that whoever was killed over it may begin it again, and
        two who do so at a time make the same.

        Args:
            source: the file.

        Returns:
            What became of it. A file that cannot be read is no error: others can.

        Raises:
            ModelNotFoundError: the model is not on this machine.
            StorageFullError: the disk is full; the output is not there.
            AccessDeniedError: this user may not write there.
        """
        target = self._job.output(source)
        try:
            wanted = Record(source.name, _sha256(source.path), self._recipe)
        except OSError as error:
            return Outcome(source.name, odd=(Odd(str(source), f"{error.strerror or error}."),))
        known = read_record(target)
        if known is not None and known.of_same(wanted):
            return Outcome(source.name, record=known, odd=tuple(known.not_used()))
        with Corpus(
            self._readers, prefix=self._job.prefix, encoding=self._job.text_encoding()
        ) as corpus:
            corpus.read([source])
            if not corpus.files and corpus.odd:
                return Outcome(source.name, odd=tuple(corpus.odd))
            record = self._publish(corpus, target, wanted)
        return Outcome(source.name, True, record, tuple(record.not_used()))

    def _publish(self, corpus: Corpus, target: Path, wanted: Record) -> Record:
        """Write the output aside, and let it take the place of what was there."""
        with refusals(target), scratch_folder(target.parent) as folder:
            record = self._write(corpus, folder, wanted)
            if target.is_dir():  # made of other bytes, or in another way
                target.rename(folder.with_name("former"))
            publish(folder, target)
        return record

    def _write(self, corpus: Corpus, folder: Path, wanted: Record) -> Record:
        if self._encoder is None:
            self._encoder = self._job.passage_encoder()
        encoder = self._encoder
        odd = [(one.place, one.reason) for one in corpus.odd]
        dim = encoder.encoder.dim
        with ExportFiles(folder, dim, "float16") as files:
            for block in _blocks(corpus, TEXTS):
                odd += self._write_block(files, block, encoder)
            described = {
                "model": encoder.encoder.name,
                "pool_factor": self._job.pool_factor,
                "pool_fit": None,
                "query_adapter": None,
            }
            numbers = files.finish(described)
        record = replace(
            wanted,
            passages=numbers["passages"],
            vectors=numbers["vectors"],
            odd=tuple(odd),
            remark=corpus.remark,
        )
        record.write(folder)
        return record

    @staticmethod
    def _write_block(
        files: ExportFiles, passages: list[Passage], encoder: PassageEncoder
    ) -> Iterator[tuple[str, str]]:
        """Write some passages; yields those of which the model makes no vector."""
        windows = encoder.encode([one.text for one in passages])
        for place, found in groupby(windows, key=itemgetter(0)):
            passage = passages[place]
            whole = [window for _, window in found]
            if not sum(len(one.encoded) for one in whole):
                yield passage.id, str(no_vectors(passage))
                continue
            for window in whole:
                check_window(window, encoder.encoder.dim, passage)
            files.add(passage, whole)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open_regular(path.resolve()) as file:  # a FIFO would be waited for
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _blocks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    remaining = iter(items)
    while block := list(islice(remaining, size)):
        yield block
