"""What the writing process does: passages added and deleted, indexes made, kept and removed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ...errors import InputError, LFM2ColBERTError
from ..bodies import AddBody, DeleteBody, NewIndexBody, NewPassage
from ..problems import Problem, decoding_problem, problem_of
from .errands import Errand

if TYPE_CHECKING:
    from ...retriever.facade import Retriever
    from ..indexes import Shelf
    from ..part import Part

Progress = Callable[[int], None]


class Cancelled(Exception):  # noqa: N818 - no error: it was asked for
    """A job is no longer wanted."""


class Work:
    """Does errands; those of one kind one after another.

    Args:
        shelf: the indexes, opened to be written.
        model: of indexes that are made.
        backups: where backups and exports go; None makes none.
    """

    def __init__(self, shelf: Shelf, model: str, backups: Path | None) -> None:
        self._shelf = shelf
        self._model = model
        self._backups = backups
        self._add = msgspec.json.Decoder(AddBody)
        self._line = msgspec.json.Decoder(NewPassage)
        self._delete = msgspec.json.Decoder(DeleteBody)
        self._new = msgspec.json.Decoder(NewIndexBody)
        self._unwanted: set[int] = set()
        self._changing = threading.Lock()

    def do(self, errand: Errand, progress: Progress) -> dict[str, Any]:
        """Do an errand.

        Raises:
            Problem: what the client is told instead.
        """
        try:
            deed: Callable[[Errand, Progress], dict[str, Any]] = getattr(self, errand.what)
            return deed(errand, progress)
        except LFM2ColBERTError as error:
            raise problem_of(error) from error

    def add(self, errand: Errand, progress: Progress) -> dict[str, Any]:
        """Add the passages of a body in one commit."""
        body = self._decoded(self._add, errand.body)
        new = body.passages
        with self._shelf.lend(errand.index, _part(errand)) as view:
            added = view.add(
                [one.text for one in new],
                ids=[one.id for one in new],
                metadata=[one.metadata for one in new],
                strict=body.strict,
                progress=progress,
            )
        return {"ids": list(added), "left_out": list(added.left_out)}

    def add_lines(self, errand: Errand, progress: Progress) -> dict[str, Any]:
        """Add the passages of some lines in one commit; of a bad line, those before it."""
        problem: Problem | None = None
        new: list[NewPassage] = []
        for number, line in enumerate(errand.lines, errand.first):
            if not line.strip():
                continue
            try:
                new.append(self._line.decode(line))
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                said = decoding_problem(error)
                told = "; ".join(f"{path}: {what}" for path, what in said.errors) or said.told
                problem = Problem(said.code, said.detail, ((f"line {number}", told),))
                break
        try:
            added = self._add_new(errand, new, progress) if new else 0
        except InputError as error:
            lines = f"lines {errand.first} to {errand.first + len(errand.lines) - 1}"
            raise problem_of(error, ((lines, error.public),)) from error
        if problem is not None:
            raise problem
        return {"added": added}

    def _add_new(self, errand: Errand, new: list[NewPassage], progress: Progress) -> int:
        with self._shelf.lend(errand.index, _part(errand)) as view:
            added = view.add(
                [one.text for one in new],
                ids=[one.id for one in new],
                metadata=[one.metadata for one in new],
                progress=progress,
            )
        return len(added) - len(added.left_out)

    def delete(self, errand: Errand, progress: Progress) -> dict[str, Any]:
        """Delete what a body names, in one commit."""
        body = self._decoded(self._delete, errand.body)
        given = [body.ids is not None, body.where is not None, body.all]
        if sum(given) != 1:
            raise Problem("invalid", errors=(("$", "Expected one of `ids`, `where` and `all`"),))
        with self._shelf.lend(errand.index, _part(errand)) as view:
            return {"deleted": view.delete(body.ids, where=body.where, all=body.all)}

    def create(self, errand: Errand, progress: Progress) -> dict[str, Any]:
        """Make an empty index."""
        body = self._decoded(self._new, errand.body)
        if self._shelf.is_one:
            raise Problem("forbidden", "This server serves one index, and makes no other.")
        chosen = {
            name: value
            for name in ("storage", "nbits", "lexical", "window_overlap", "pool_factor")
            if (value := getattr(body, name)) is not None
        }
        self._shelf.make(body.name, self._model, chosen)
        return {"name": body.name}

    def drop(self, errand: Errand, progress: Progress) -> dict[str, Any]:
        """Remove an index with all that it holds."""
        if self._shelf.is_one:
            raise Problem("forbidden", "This server serves one index, and does not remove it.")
        with self._shelf.lend_index(errand.index):  # there is one
            place = self._shelf.place(errand.index)
        self._shelf.close(errand.index)
        aside = place.with_name(f".{place.name}.removed")  # at once, whatever is left to do
        shutil.rmtree(aside, ignore_errors=True)
        place.rename(aside)
        shutil.rmtree(aside)
        return {}

    def cancel(self, errand: Errand, progress: Progress) -> dict[str, Any]:
        """Let a job stop when it next tells how far it is."""
        with self._changing:
            self._unwanted.add(errand.job)
        return {}

    def job(self, errand: Errand, progress: Progress) -> dict[str, Any]:
        """Do long work on an index."""

        def tell(finished: int) -> None:
            with self._changing:
                if errand.number in self._unwanted:
                    raise Cancelled
            progress(finished)

        tell(0)
        with self._shelf.lend_index(errand.index) as retriever:
            return self._long(errand, retriever, tell)

    def _long(self, errand: Errand, retriever: Retriever, tell: Progress) -> dict[str, Any]:
        if errand.kind == "optimize":
            retriever.optimize(progress=tell)
            return {}
        if errand.kind == "verify":
            found = retriever.verify(progress=tell)
            return {"sound": not found, "broken": len(found)}
        if errand.kind == "purge":
            with self._shelf.lend(errand.index, _part(errand)) as view:
                return view.purge(progress=tell).to_dict()
        if self._backups is None:
            raise Problem("no-backups")
        self._backups.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{errand.index}-{datetime.now(UTC):%Y%m%dT%H%M%S}.{errand.kind}"
        if errand.kind == "backup":
            retriever.backup(self._backups / name, progress=tell)
        else:
            retriever.export(self._backups / name, progress=tell)
        return {"name": name}

    def _decoded(self, decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise decoding_problem(error) from error


def _part(errand: Errand) -> Part:
    if errand.part is None:
        raise Problem("internal")
    return errand.part
