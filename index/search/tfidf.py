"""TF-IDF over rows of texts, with the words of ``index.text.words``.

Counts of words are kept per row by hash, so a text is split once.  Weights are fitted anew after every addition while
the rows are few, so that scores follow from the rows alone; when they are many, only when they have grown by a share.
Rows since then are weighed by the fit before: a search right after an addition finds them at once.

The weights are those of scikit-learn's ``TfidfTransformer(sublinear_tf=True)``, which a test compares; importing it
would take two seconds of every command.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
from scipy import sparse

from index.text import words as tokens
from models.errors import InvalidError
from models.records import BOOL, F32, I32, I64

BUCKETS: Final = 2**20
"""Words are told apart by hash; some ten thousand different ones rarely meet."""

_GROWTH: Final = 0.25
"""Share of new rows from which on the weights of words are fitted again (a judgement: they change little)."""

POSTINGS: Final = 200_000
"""Rows that the words of a query choose from: about a millisecond; what is rarer than that is searched exactly."""

_FEW: Final = 16_384
"""Rows up to which every fit is new: some hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of words as compressed sparse rows: row ``i`` has those from ``pointers[i]`` to ``pointers[i + 1]``."""

    data: F32
    columns: I32
    pointers: I64


@dataclass(frozen=True, slots=True)
class Query:
    """Words of a text by their columns, with weights of length 1; the rarest first."""

    columns: I64
    weights: F32


class TfidfIndex:
    """Rows 0, 1, 2 … of texts; rows are only added, who uses it says which count."""

    def __init__(self) -> None:
        """Begin without rows."""
        self._counts = _empty()
        self._pending: list[sparse.csr_matrix] = []
        self._length = 0
        self._idf: F32 | None = None
        self._fitted = _empty().tocsc()
        self._tail = _empty().tocsc()
        self._common = np.zeros(BUCKETS, np.int64)
        """In how many rows each word is."""
        self._sums = np.zeros(0, np.float32)
        """Scratch of ``best``, all zeros between calls."""

    def __len__(self) -> int:
        return self._length

    def add(self, texts: Sequence[str]) -> None:
        """Append one row a text."""
        if texts:
            self._append(_count(texts))

    def query(self, text: str) -> Query:
        """Weigh the words of a text as those of the rows are weighed."""
        self._refresh()
        counts = _buckets(text)
        columns = np.fromiter(counts.keys(), np.int64, len(counts))
        weights = 1 + np.log(np.fromiter(counts.values(), np.float64, len(counts)))
        if self._idf is not None:
            weights *= self._idf[columns]
        length = float(np.sqrt(weights @ weights)) or 1.0
        # The rarest first: they tell most, and are in the fewest rows.
        order = np.lexsort((columns, self._common[columns]))
        return Query(columns[order], (weights[order] / length).astype(np.float32))

    def best(self, query: Query, count: int, allowed: BOOL | None = None) -> I64:
        """Return up to ``count`` rows that share the most with a query, in no order; ``allowed`` (rows,) default all.

        Words that are in very many rows choose none; a row that others chose counts them too, see ``cosines``.
        """
        if len(self._sums) < self._length:
            self._sums = np.zeros(self._length, np.float32)
        touched, seen = [], 0
        for column, weight in zip(query.columns.tolist(), query.weights.tolist(), strict=True):
            if seen and seen + self._common[column] > POSTINGS:
                break
            seen += int(self._common[column])
            for part, first in ((self._fitted, 0), (self._tail, self._fitted.shape[0])):
                posts = slice(part.indptr[column], part.indptr[column + 1])
                rows = part.indices[posts] + first
                # A row stands once among the postings of a word.
                self._sums[rows] += weight * part.data[posts]
                touched.append(rows)
        rows = np.concatenate(touched) if touched else np.empty(0, np.int64)
        sums = self._sums[rows]
        self._sums[rows] = 0
        if allowed is not None:
            left = allowed[rows]
            rows, sums = rows[left], sums[left]
        # A row was touched by each of its words, at most so often.
        most = count * max(len(touched), 1)
        if len(rows) > most:
            rows, sums = _top(rows, sums, most)
        rows, first = np.unique(rows, return_index=True)
        return _top(rows, sums[first], count)[0].astype(np.int64)

    def cosines(self, query: Query, rows: I64) -> F32:
        """Return the cosine of these rows with a query, by all its words."""
        if self._idf is None or not len(rows):
            return np.zeros(len(rows), np.float32)
        part = _weigh(self._counts[rows], self._idf)
        order = np.argsort(query.columns)
        columns, weights = query.columns[order], query.weights[order]
        word = np.minimum(np.searchsorted(columns, part.indices), max(len(columns) - 1, 0))
        shared = np.flatnonzero(columns[word] == part.indices) if len(columns) else np.empty(0, np.int64)
        row = np.repeat(np.arange(len(rows)), np.diff(part.indptr))[shared]
        products = part.data[shared] * weights[word[shared]]
        cosines: F32 = np.bincount(row, products, minlength=len(rows)).astype(np.float32)
        return cosines

    def keep(self, rows: I64) -> None:
        """Keep only these rows, in this order."""
        self._merge()
        self._counts = self._counts[rows]
        self._length = len(rows)
        self._idf = None

    def counts(self) -> Counts:
        """Return how often each row has each word."""
        self._merge()
        counts = self._counts
        return Counts(counts.data, counts.indices.astype(np.int32), counts.indptr.astype(np.int64))

    @classmethod
    def restore(cls, counts: Counts) -> "TfidfIndex":
        """Rebuild from ``counts``.  Raises InvalidError where they do not fit each other."""
        lexical = cls()
        try:
            shape = (len(counts.pointers) - 1, BUCKETS)
            matrix = sparse.csr_matrix((counts.data, counts.columns, counts.pointers), shape=shape)
            matrix.check_format(full_check=True)
        except (ValueError, IndexError) as error:
            raise InvalidError(f"the counts of words do not fit together ({error})") from error
        lexical._append(matrix)
        return lexical

    def _append(self, counts: sparse.csr_matrix) -> None:
        self._pending.append(counts)
        self._length += counts.shape[0]

    def _merge(self) -> None:
        if self._pending:
            self._counts = sparse.vstack([self._counts, *self._pending], format="csr", dtype=np.float32)
            self._pending = []

    def _refresh(self) -> None:
        """Weigh the rows that were added; fit first where they are many."""
        if self._idf is not None and not self._pending:
            return
        self._merge()
        fitted = self._fitted.shape[0]
        self._common = np.bincount(self._counts.indices, minlength=BUCKETS)
        if self._idf is None or self._length <= _FEW or self._length > (1 + _GROWTH) * fitted:
            self._idf = (np.log((1 + self._length) / (1 + self._common)) + 1).astype(np.float32)
            self._fitted, self._tail = _weigh(self._counts, self._idf).tocsc(), _empty().tocsc()
        else:
            self._tail = _weigh(self._counts[fitted:], self._idf).tocsc()


def _top(rows: I64, scores: F32, count: int) -> tuple[I64, F32]:
    if len(rows) <= count:
        return rows, scores
    best = np.argpartition(-scores, count)[:count]
    return rows[best], scores[best]


def _buckets(text: str) -> Counter[int]:
    return Counter(crc32(word.encode(errors="replace")) % BUCKETS for word in tokens.words(text))


def _empty() -> sparse.csr_matrix:
    return sparse.csr_matrix((0, BUCKETS), dtype=np.float32)


def _count(texts: Sequence[str]) -> sparse.csr_matrix:
    """How often each text has each word, shape (texts, BUCKETS)."""
    columns: list[int] = []
    counts: list[int] = []
    pointers = [0]
    for text in texts:
        buckets = _buckets(text)
        columns += buckets.keys()
        counts += buckets.values()
        pointers.append(len(columns))
    parts = (np.array(counts, np.float32), np.array(columns, np.int32), np.array(pointers, np.int64))
    return sparse.csr_matrix(parts, shape=(len(texts), BUCKETS))


def _weigh(counts: sparse.csr_matrix, idf: F32) -> sparse.csr_matrix:
    """Rows of length 1, or 0 where a text has no words."""
    weights = counts.astype(np.float64)
    weights.data = (1 + np.log(weights.data)) * idf[weights.indices]
    row = np.repeat(np.arange(counts.shape[0]), np.diff(weights.indptr))
    weights.data /= np.sqrt(np.bincount(row, weights.data**2))[row]
    return weights.astype(np.float32)
