"""The facade: texts in, ranked passages out."""

from __future__ import annotations

import shutil
import weakref
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import overload

from .._support.progress import ProgressLike
from .._support.validation import check_ids, check_k, check_passages, check_query
from ..encoder import Encoder
from ..encoder.lazy import LazyEncoder, ModelLike
from ..errors import PassageNotFoundError
from ..filters import Filter
from ..index import exact_trace
from ..index.compressed import CompressedIndex
from ..storage.backup import restore_index
from ..storage.store import Snapshot, Store
from ..types import Hit, Metadata, Passage, TokenMatrix, TokenVectors, Where
from .ingest.ingestor import Adding
from .ingest.passage_encoder import PassageEncoder
from .maintenance.optimizer import REMEMBERED, Tuning
from .opening import (
    IndexOptions,
    PathLike,
    create_temporary,
    discard,
    open_index,
)
from .operations import Operations
from .search.explanation import Explanation
from .search.fusion import check_mode
from .search.fusion_tuning import Fusing
from .search.hits import Question, explain_row, reranked_hits
from .search.hybrid import Legs
from .search.plan import SearchPlan
from .search.relevance import Backgrounds
from .search.searcher import Searching, parse_condition

# A search that met passages which were forgotten meanwhile is repeated so often.
_TRIES = 3


class Retriever(Searching, Fusing, Adding, Operations, Tuning):
    """An index of passages that can be asked in any language of its model.

    Make one with :meth:`open` (a folder on the disk) or :meth:`from_texts` (in memory). It is
    safe to use from several threads, and any number of processes may read the folder while one
    writes. Every ``add`` and ``delete`` is one commit: whole or not at all, also when the
    process is killed.

    Example:
        >>> retriever = Retriever.from_texts(
        ...     ["Der Zug fährt um acht.", "The shop closes at six."],
        ...     ids=["zug", "shop"],
        ...     model="hash",  # a stand-in that needs no weights; "nano" is the smallest real one
        ... )
        >>> [hit.id for hit in retriever.search("When does the shop open?", k=1)]
        ['shop']
    """

    def __init__(
        self, store: Store, encoder: LazyEncoder, *, in_memory: bool = False, mode: str = "late"
    ) -> None:
        """Join the parts; callers use :meth:`open` or :meth:`from_texts`."""
        self._store = store
        self._encoder = encoder
        self._in_memory = in_memory
        self._mode = mode
        self._asked: deque[TokenMatrix] = deque(maxlen=REMEMBERED)
        self._backgrounds = Backgrounds()
        self._legs = Legs(store, self._backgrounds)
        if in_memory:
            weakref.finalize(self, discard, store)

    @classmethod
    def open(
        cls,
        path: PathLike,
        *,
        model: ModelLike | None = None,
        create: bool = True,
        lock_timeout: float = 10.0,
        window_overlap: int | None = None,
        pool_factor: int | None = None,
        index: str | None = None,
        nbits: int | None = None,
        target_recall: float | None = None,
        lexical: bool | None = None,
        mode: str = "late",
    ) -> Retriever:
        """Open the index in a folder, or make an empty one there.

        Args:
            path: the folder.
            model: ``"nano"``, a local folder, a hub id, or an encoder. For an index that exists
                it may be left out: the index knows its model. For a new one the default is
                ``"LiquidAI/LFM2-ColBERT-350M"``.
            create: make the index if there is none.
            lock_timeout: seconds that writes wait for another writer.
            window_overlap: a text beyond the model's document length is searched in overlapping
                windows; this is how many tokens two of them share at most. Chosen when the index
                is made, an eighth of the length by default.
            pool_factor: keep about one vector for so many tokens, the mean of those of a text
                that are alike: a smaller index, a little less quality. How much alike, the first
                ``add`` that is large enough settles for all texts; before that, each text keeps
                the same share. Chosen when the index is made, 1 (all of them) by default; more
                needs the ``pooling`` extra.
            index: how vectors are kept. ``"exact"``: as they are, every one compared with every
                query. ``"compressed"``: in a few bits, so that millions of passages are searched
                in milliseconds. ``"auto"``, the default: exact until compression pays, at about
                250,000 vectors. It may be changed later, but not back to exact once compressed.
            nbits: bits a dimension of compressed vectors: 4 (about 72 bytes a vector of 128
                dimensions, the default) or 2 (about 40). Chosen when the index is made.
            target_recall: search a compressed index just as thoroughly as this recall@10 against
                exact search needs, by measurements on the index itself; the first time that takes
                as long as some tens of exact searches.
            lexical: keep the words of passages as well, for ``mode="lexical"`` and
                ``"hybrid"``. True by default for a new index; it may be changed later: True has
                them filled in when they are first asked for, False drops them.
            mode: how this retriever searches unless told otherwise, see :meth:`search`.

        Raises:
            IndexNotFoundError: there is no index and ``create`` is False.
            IndexExistsError: the folder holds other files.
            IndexMismatchError: the index was made with another model or other options.
            ConfigError: an option is invalid.
            IndexFormatError: the index is in another version of the format.
            IndexCorruptError: a file of the index is missing or truncated.
            ModelNotFoundError: the model cannot be found.

        Example:
            >>> retriever = Retriever.open("support.index", model="nano")  # doctest: +SKIP
        """
        options = IndexOptions(window_overlap, pool_factor, index, nbits, lexical)
        mode = check_mode(mode)
        parts = open_index(Path(path), model, options, create=create, lock_timeout=lock_timeout)
        retriever = cls(*parts, mode=mode)
        if target_recall is not None:
            try:
                retriever.aim_for(target_recall)
            except BaseException:
                retriever.close()
                raise
        return retriever

    @classmethod
    def from_texts(
        cls,
        texts: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Metadata | None] | None = None,
        model: ModelLike | None = None,
        progress: ProgressLike = None,
        window_overlap: int | None = None,
        pool_factor: int | None = None,
        index: str | None = None,
        nbits: int | None = None,
        lexical: bool | None = None,
        mode: str = "late",
    ) -> Retriever:
        """Index texts for the life of this object; :meth:`save` keeps them.

        The vectors lie in a temporary folder, so that they are mapped rather than held in memory.

        Args:
            texts: the passages.
            ids: see :meth:`add`.
            metadata: see :meth:`add`.
            model: see :meth:`open`.
            progress: see :meth:`add`.
            window_overlap: see :meth:`open`.
            pool_factor: see :meth:`open`.
            index: see :meth:`open`.
            nbits: see :meth:`open`.
            lexical: see :meth:`open`.
            mode: see :meth:`open`.

        Raises:
            InputError: see :meth:`add`.
            ConfigError: an option is invalid.
            ModelNotFoundError: the model cannot be found.
        """
        check_passages(texts, ids, metadata)  # before a model is loaded for nothing
        options = IndexOptions(window_overlap, pool_factor, index, nbits, lexical)
        mode = check_mode(mode)
        retriever = cls(*create_temporary(model, options), in_memory=True, mode=mode)
        retriever.add(texts, ids=ids, metadata=metadata, progress=progress)
        return retriever

    @classmethod
    def restore(
        cls,
        backup: PathLike,
        path: PathLike,
        *,
        model: ModelLike | None = None,
        lock_timeout: float = 10.0,
        progress: ProgressLike = None,
    ) -> Retriever:
        """Bring back what :meth:`backup` wrote, in a new folder, once every file was verified.

        Args:
            backup: the copy; it is only read.
            path: the new folder.
            model: see :meth:`open`.
            lock_timeout: see :meth:`open`.
            progress: see :meth:`add`; it counts megabytes, then passages.

        Returns:
            The restored index, opened.

        Raises:
            IndexNotFoundError: the backup holds no index.
            IndexCorruptError: the backup is broken; the message names what is.
            IndexExistsError: the new folder is not empty.
            IndexFormatError: the backup is in another version of the format.
            IndexMismatchError: the backup was made with another model.
            StorageFullError: the disk is full; nothing was left behind.

        Example:
            >>> retriever = Retriever.restore("support.backup", "support.index")  # doctest: +SKIP
        """
        restore_index(Path(backup), Path(path), progress=progress)
        try:
            return cls.open(path, model=model, create=False, lock_timeout=lock_timeout)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)  # made just now, and of no use like this
            raise

    @property
    def path(self) -> Path | None:
        """The index folder; None for an index in memory."""
        return None if self._in_memory else self._store.folder

    @property
    def model(self) -> str:
        """How to ask for the index's model again."""
        return str(self._store.settings["model"])

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded when first needed.

        Raises:
            ModelNotFoundError: the index's model is no longer where it was.
            IndexMismatchError: what is there now is another model.
        """
        return self._encoder.get()

    def __len__(self) -> int:
        """Return the number of live passages."""
        return len(self._store.snapshot().index)

    def __repr__(self) -> str:
        """Say where the index is and how large."""
        where = "in memory" if self._in_memory else repr(str(self._store.folder))
        return f"<Retriever {where}, {len(self)} passages, model {self.model!r}>"

    def __enter__(self) -> Retriever:
        """Use the retriever in a ``with`` block, which closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the retriever."""
        self.close()

    def close(self) -> None:
        """Let go of the index's files; an index in memory is gone then."""
        self._store.close()
        if self._in_memory:
            discard(self._store)

    def rerank(
        self, query: str, candidates: Sequence[str | Passage], k: int | None = None
    ) -> list[Hit]:
        """Order somebody else's texts by how well they answer a question.

        The index is not searched. It only tells what the question scores by chance, so that
        relevance is the same as :meth:`search` would give the text.

        Args:
            query: the question.
            candidates: texts, or passages; a bare text gets its place in the list as id.
            k: how many to keep; all when None.

        Raises:
            InputError: a blank query or text, or a k below 1.
        """
        text = check_query(query)
        limit = len(candidates) if k is None else check_k(k)
        passages = [
            one if isinstance(one, Passage) else Passage(str(place), one)
            for place, one in enumerate(candidates)
        ]
        checked = check_passages([one.text for one in passages])
        if not checked:
            return []
        encoder = self.encoder
        encoded = list(encoder.encode_query([text]))
        question = self._questions([text], encoded, self._store.snapshot())[0]
        windows = PassageEncoder(encoder, overlap=self._store.settings["window_overlap"]).encode(
            [one.text for one in checked]
        )
        return reranked_hits(question, passages, list(windows), limit)

    @overload
    def explain(self, query: str, id: str) -> Explanation: ...

    @overload
    def explain(
        self,
        query: str,
        id: None = None,
        *,
        k: int = 10,
        where: Where | None = None,
        mode: str | None = None,
    ) -> SearchPlan: ...

    def explain(
        self,
        query: str,
        id: str | None = None,
        *,
        k: int = 10,
        where: Where | None = None,
        mode: str | None = None,
    ) -> Explanation | SearchPlan:
        """Show which words of a passage answered a question, or how the search goes about it.

        Args:
            query: the question.
            id: a passage's id; without it, the search itself is explained.
            k: see :meth:`search`; for the search itself.
            where: see :meth:`search`; for the search itself.
            mode: ``"hybrid"``: show what each leg brought, too. Else, and for one passage, the
                late leg is explained. None: as the retriever was opened.

        Returns:
            An explanation that draws itself in a terminal (``rich.print``) and in a notebook; or
            the plan of the search: which way was chosen, and how much it looked at.

        Raises:
            PassageNotFoundError: no live passage has this id.
            ConfigError: an unknown mode, or one that asks for words that the index does not keep.
        """
        text, mode = check_query(query), check_mode(mode, self._mode)
        snapshot = self._store.snapshot()
        question = self._questions([text], self._encode([text]), snapshot)[0]
        if id is None:
            condition = None if where is None else parse_condition(where)
            return self._plan(snapshot, question, check_k(k), condition, mode)
        rows = self._store.catalog.rows_by_id(check_ids([id]), snapshot.generation)
        if id not in rows:
            raise PassageNotFoundError(f"no passage has the id {id!r}.")
        passage = self._store.catalog.passages([rows[id]])[rows[id]]
        return explain_row(question, rows[id], passage, snapshot.index)

    def _encode(self, queries: list[str]) -> list[TokenVectors]:
        return list(self.encoder.encode_query(queries))

    def _shown_path(self) -> str | None:
        return None if self.path is None else str(self.path)

    def _plan(
        self, snapshot: Snapshot, question: Question, k: int, where: Filter | None, mode: str
    ) -> SearchPlan:
        rows, index = self._allowed(snapshot, where), snapshot.index
        vectors = question.encoded.vectors
        if isinstance(index, CompressedIndex):
            trace = index.search_with_traces([vectors], k, rows=rows)[0][1]
        else:
            trace = exact_trace(snapshot.segments, rows)
        if mode != "hybrid":
            return SearchPlan.of(trace)
        self._legs.prepare()
        (found,) = self._legs.candidates(snapshot, [(question.text, vectors)], k, rows)
        return SearchPlan.of(trace, found.plan(self._legs.fusion()))
