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

from index.text import words as tokens
from models.arrays import ranges, splits
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
    """Numbers of words as compressed sparse rows: row ``i`` has those from ``pointers[i]`` to ``pointers[i + 1]``.

    SciPy has this too, and importing it takes a fifth of a second of every command.
    """

    data: F32
    columns: I32
    pointers: I64

    def __len__(self) -> int:
        return len(self.pointers) - 1

    def take(self, rows: I64) -> "Counts":
        """Return these rows, in this order."""
        start, stop = self.pointers[rows], self.pointers[rows + 1]
        entries = ranges(start, stop)
        return Counts(self.data[entries], self.columns[entries], splits(stop - start))

    @property
    def row(self) -> I64:
        """Row of each number."""
        return np.repeat(np.arange(len(self)), np.diff(self.pointers))

    def check(self) -> None:
        """Raises InvalidError where the parts do not fit each other."""
        lengths = np.diff(self.pointers)
        if (
            not len(self.pointers)
            or self.pointers[0] != 0
            or (lengths < 0).any()
            or not self.pointers[-1] == len(self.data) == len(self.columns)
        ):
            raise InvalidError("the counts of words do not fit together (rows and numbers are not equally many)")
        if len(self.columns) and not 0 <= int(self.columns.min()) <= int(self.columns.max()) < BUCKETS:
            raise InvalidError(f"the counts of words do not fit together (words beyond the {BUCKETS:,} that there are)")


@dataclass(frozen=True, slots=True)
class _Postings:
    """Weights by word: word ``i`` is in ``rows`` from ``pointers[i]`` to ``pointers[i + 1]``, of ``length`` in all."""

    data: F32
    rows: I64
    pointers: I64
    length: int

    @classmethod
    def of(cls, weights: Counts) -> "_Postings":
        """Turn rows of words into words' rows."""
        order = np.argsort(weights.columns, kind="stable")
        pointers = splits(np.bincount(weights.columns, minlength=BUCKETS))
        return cls(weights.data[order], weights.row[order], pointers, len(weights))


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
        self._pending: list[Counts] = []
        self._length = 0
        self._idf: F32 | None = None
        self._fitted = _Postings.of(_empty())
        self._tail = self._fitted
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
            for part, first in ((self._fitted, 0), (self._tail, self._fitted.length)):
                posts = slice(*part.pointers[column : column + 2].tolist())
                rows = part.rows[posts] + first
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
        rows, places = np.unique(rows, return_index=True)
        return _top(rows, sums[places], count)[0].astype(np.int64)

    def cosines(self, query: Query, rows: I64) -> F32:
        """Return the cosine of these rows with a query, by all its words."""
        if self._idf is None or not len(rows):
            return np.zeros(len(rows), np.float32)
        part = _weigh(self._counts.take(rows.astype(np.int64)), self._idf)
        order = np.argsort(query.columns)
        columns, weights = query.columns[order], query.weights[order]
        word = np.minimum(np.searchsorted(columns, part.columns), max(len(columns) - 1, 0))
        shared = np.flatnonzero(columns[word] == part.columns) if len(columns) else np.empty(0, np.int64)
        row = part.row[shared]
        products = part.data[shared] * weights[word[shared]]
        cosines: F32 = np.bincount(row, products, minlength=len(rows)).astype(np.float32)
        return cosines

    def keep(self, rows: I64) -> None:
        """Keep only these rows, in this order."""
        self._merge()
        self._counts = self._counts.take(rows.astype(np.int64))
        self._length = len(rows)
        self._idf = None

    def counts(self) -> Counts:
        """Return how often each row has each word."""
        self._merge()
        return self._counts

    @classmethod
    def restore(cls, counts: Counts) -> "TfidfIndex":
        """Rebuild from ``counts``.  Raises InvalidError where they do not fit each other."""
        counts.check()
        lexical = cls()
        lexical._append(counts)
        return lexical

    def _append(self, counts: Counts) -> None:
        self._pending.append(counts)
        self._length += len(counts)

    def _merge(self) -> None:
        if self._pending:
            parts = [self._counts, *self._pending]
            self._counts = Counts(
                np.concatenate([part.data for part in parts]),
                np.concatenate([part.columns for part in parts]),
                splits(np.concatenate([np.diff(part.pointers) for part in parts])),
            )
            self._pending = []

    def _refresh(self) -> None:
        """Weigh the rows that were added; fit first where they are many."""
        if self._idf is not None and not self._pending:
            return
        self._merge()
        fitted = self._fitted.length
        self._common = np.bincount(self._counts.columns, minlength=BUCKETS)
        if self._idf is None or self._length <= _FEW or self._length > (1 + _GROWTH) * fitted:
            self._idf = (np.log((1 + self._length) / (1 + self._common)) + 1).astype(np.float32)
            self._fitted, self._tail = _Postings.of(_weigh(self._counts, self._idf)), _Postings.of(_empty())
        else:
            added = self._counts.take(np.arange(fitted, self._length))
            self._tail = _Postings.of(_weigh(added, self._idf))


def _top(rows: I64, scores: F32, count: int) -> tuple[I64, F32]:
    if len(rows) <= count:
        return rows, scores
    best = np.argpartition(-scores, count)[:count]
    return rows[best], scores[best]


def _buckets(text: str) -> Counter[int]:
    return Counter(crc32(word.encode(errors="replace")) % BUCKETS for word in tokens.words(text))


def _empty() -> Counts:
    return Counts(np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(1, np.int64))


def _count(texts: Sequence[str]) -> Counts:
    """How often each text has each word."""
    columns: list[int] = []
    counts: list[int] = []
    pointers = [0]
    for text in texts:
        buckets = _buckets(text)
        columns += buckets.keys()
        counts += buckets.values()
        pointers.append(len(columns))
    return Counts(np.array(counts, np.float32), np.array(columns, np.int32), np.array(pointers, np.int64))


def _weigh(counts: Counts, idf: F32) -> Counts:
    """Rows of length 1, or 0 where a text has no words."""
    weights = (1 + np.log(counts.data.astype(np.float64))) * idf[counts.columns]
    row = counts.row
    weights /= np.sqrt(np.bincount(row, weights**2))[row]
    return Counts(weights.astype(np.float32), counts.columns, counts.pointers)
