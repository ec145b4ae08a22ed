"""The search index: documents that are found by meaning and by words, in one process.

Vectors and words rank the documents each in their own way; both scores are cosines, and a hit's score is their weighted
mean: on runbooks and on past incidents that found more than reciprocal ranks do (``tests/bench/bench_index.py``), and
unlike ranks it says how good a hit is.  All methods may be called from several threads.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

import numpy as np

from index.embedding.base import Embedder
from index.search.documents import Document, DocumentKind, Filter, Similar, latest
from index.search.filter_columns import FilterColumns
from index.search.tfidf import Counts, TfidfIndex
from index.search.vectors import VectorPlan, Vectors
from models.arrays import unique
from models.errors import InvalidError
from models.records import BOOL, F32, U8

BATCH: Final = 512
"""Documents embedded at a time, while others may still search (a judgement)."""

DEPTH: Final = 50
"""Candidates that each ranking gives, or more where more hits are asked for (a judgement)."""

_FEW: Final = 16_384
"""Rows up to which deleted documents leave every count at once, so that scores depend on what is there alone.

As many as ``VectorPlan.large``: rebuilding them takes some hundredths of a second."""

_COMPACT: Final = 0.5
"""Share of deleted rows from which on a larger index is compacted (a judgement)."""

LEAST: Final = 0.05
"""Score below which a document is no hit: it shares no word, and vectors of any two texts have some cosine
(a judgement)."""

_DIGITS: Final = 6
"""Decimals of a score, so that the order does not hang on how sums are rounded."""


class Ranking(Enum):
    """What documents are ranked by."""

    BOTH = "both"
    VECTORS = "vectors"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Hit:
    """A document found; ``score`` is what hits are ordered by, ``cosine`` that of the vectors, ``words`` of TF-IDF."""

    document: Document
    score: float
    cosine: float
    words: float

    @property
    def similar(self) -> Similar:
        """Return it as evidence holds it."""
        document = self.document
        return Similar(document.id, document.kind.value, document.title, document.text, self.score, document.source)


@dataclass(frozen=True, slots=True)
class Stats:
    """What a search index holds; ``vector_bytes`` without the inverted file."""

    documents: int
    kinds: dict[str, int]
    tenants: int
    embedder: str
    vector_bytes: int


@dataclass(frozen=True, slots=True)
class Contents:
    """All parts of a search index, as a file holds them: row ``i`` of each belongs to document ``i``."""

    documents: list[Document]
    vectors: F32
    lists: U8
    """Bytes of the inverted file over the vectors; none while they are few."""
    words: Counts


class SearchIndex:
    """Documents by id, with their vectors and words."""

    def __init__(self, embedder: Embedder, plan: VectorPlan | None = None) -> None:
        """Begin empty."""
        self.embedder = embedder
        self._plan = plan
        self._lock = threading.RLock()
        self._rows: dict[str, int] = {}
        self._documents: list[Document | None] = []
        self._columns = FilterColumns()
        self._vectors = Vectors(embedder.size, plan)
        self._lexical = TfidfIndex()

    @classmethod
    def of(cls, embedder: Embedder, contents: Contents, plan: VectorPlan | None = None) -> Self:
        """Rebuild from ``contents``.

        Raises:
            InvalidError: the parts do not belong together.
        """
        index = cls(embedder, plan)
        index._vectors = Vectors.restore(contents.vectors, contents.lists, plan)
        index._lexical = TfidfIndex.restore(contents.words)
        index._name_rows(contents.documents)
        lengths = {len(index), len(index._documents), len(index._vectors), len(index._lexical)}
        if len(lengths) != 1 or index._vectors.size != embedder.size:
            raise InvalidError("documents, vectors and words do not fit together")
        return index

    def contents(self) -> Contents:
        """Return all parts without what was deleted; they do not change with the search index."""
        with self._lock:
            if len(self._rows) < len(self._documents):
                self._compact()
            documents = [document for document in self._documents if document is not None]
            vectors = self._vectors.matrix.copy()
            return Contents(documents, vectors, self._vectors.lists_bytes(), self._lexical.counts())

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def documents(self) -> Iterator[Document]:
        """Go through all documents, the oldest addition first."""
        with self._lock:
            documents = [document for document in self._documents if document is not None]
        yield from documents

    def get(self, name: str) -> Document | None:
        """Return the document of that id."""
        with self._lock:
            row = self._rows.get(name)
            return None if row is None else self._documents[row]

    def add(self, documents: Iterable[Document]) -> int:
        """Add documents, or replace those of the same ids; return how many were new or changed."""
        fresh = [document for document in latest(documents).values() if self.get(document.id) != document]
        for start in range(0, len(fresh), BATCH):
            part = fresh[start : start + BATCH]
            vectors = self.embedder.embed([document.content for document in part])
            self.put(part, vectors)
        return len(fresh)

    def put(self, documents: Sequence[Document], vectors: F32) -> None:
        """Add documents whose vectors are known; those of the same ids are replaced."""
        with self._lock:
            self.delete(document.id for document in documents)
            for document in documents:
                self._rows[document.id] = len(self._documents)
                self._documents.append(document)
                self._columns.add(document)
            self._vectors.add(vectors)
            self._lexical.add([document.content for document in documents])

    def delete(self, names: Iterable[str]) -> int:
        """Delete the documents of these ids; return how many there were."""
        with self._lock:
            rows = [row for name in names if (row := self._rows.pop(name, None)) is not None]
            for row in rows:
                self._documents[row] = None
                self._columns.remove(row)
            return len(rows)

    def search(
        self, text: str, count: int = 10, where: Filter | None = None, ranking: Ranking = Ranking.BOTH
    ) -> list[Hit]:
        """Return up to ``count`` documents that pass the filter and have to do with ``text``, the best first."""
        if not text.strip() or count < 1:
            return []
        query = self.embedder.embed([text])[0]
        with self._lock:
            self._tidy()
            allowed = self._allowed(where)
            asked = self._lexical.query(text)
            depth = max(DEPTH, count)
            candidates = [np.empty(0, np.int64)]
            if ranking is not Ranking.WORDS:
                candidates.append(self._vectors.search(query, depth, allowed)[0])
            if ranking is not Ranking.VECTORS:
                candidates.append(self._lexical.best(asked, depth, allowed))
            rows = unique(np.concatenate(candidates))
            cosine = self._vectors.matrix[rows] @ query
            words = self._lexical.cosines(asked, rows)
            share = {Ranking.BOTH: self.embedder.share, Ranking.VECTORS: 1.0, Ranking.WORDS: 0.0}[ranking]
            score = np.round(share * cosine + (1 - share) * words, _DIGITS)
            hits = [
                Hit(document, *numbers)
                for row, *numbers in zip(*(column.tolist() for column in (rows, score, cosine, words)), strict=True)
                if (document := self._documents[row]) is not None and numbers[0] >= LEAST
            ]
        # Equal scores stand in the order of ids: what is found must not depend on what came when.
        return sorted(hits, key=lambda hit: (-hit.score, hit.document.id))[:count]

    def stats(self) -> Stats:
        """Count what is there."""
        kinds = {kind.value: 0 for kind in DocumentKind}
        tenants = set()
        for document in self.documents():
            kinds[document.kind.value] += 1
            tenants.add(document.tenant)
        with self._lock:
            return Stats(len(self), kinds, len(tenants), self.embedder.name, self._vectors.matrix.nbytes)

    def _allowed(self, where: Filter | None) -> BOOL | None:
        if where is None or where == Filter():
            return None if self._columns.alive.all() else self._columns.alive
        return self._columns.passing(where)

    def _tidy(self) -> None:
        """Drop deleted rows where there are enough of them to matter."""
        rows, left = len(self._documents), len(self._rows)
        if left < (rows if rows <= _FEW else (1 - _COMPACT) * rows):
            self._compact()

    def _compact(self) -> None:
        rows = np.flatnonzero(self._columns.alive)
        self._vectors.keep(rows)
        self._lexical.keep(rows)
        self._name_rows([document for document in self._documents if document is not None])

    def _name_rows(self, documents: list[Document]) -> None:
        self._documents = list(documents)
        self._rows = {document.id: row for row, document in enumerate(documents)}
        self._columns = FilterColumns()
        for document in documents:
            self._columns.add(document)
