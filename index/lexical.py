"""TF-IDF over rows of texts, with the words of ``index.tokens``.

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

from index import tokens
from models.errors import InvalidError
from models.records import F32, I32, I64

BUCKETS: Final = 2**20
"""Words are told apart by hash; some ten thousand different ones rarely meet."""

_GROWTH: Final = 0.25
_FEW: Final = 16_384
"""Rows up to which every fit is new: some hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of words as compressed sparse rows: row ``i`` has those from ``pointers[i]`` to ``pointers[i + 1]``."""

    data: F32
    columns: I32
    pointers: I64


class Lexical:
    """Rows 0, 1, 2 … of texts; rows are only added, who uses it says which count."""

    def __init__(self) -> None:
        """Begin without rows."""
        self._counts = _empty()
        self._pending: list[sparse.csr_matrix] = []
        self._length = 0
        self._idf: F32 | None = None
        self._fitted = _empty().tocsc()
        self._tail = _empty().tocsc()

    def __len__(self) -> int:
        return self._length

    def add(self, texts: Sequence[str]) -> None:
        """Append one row a text."""
        if texts:
            self._append(_count(texts))

    def scores(self, text: str) -> F32:
        """Cosine of every row with ``text``, shape (rows,): 0 where no word is shared."""
        self._refresh()
        if self._idf is None:
            return np.zeros(self._length, np.float32)
        query = _weigh(_count([text]), self._idf)
        found = np.zeros(self._length, np.float32)
        head = self._fitted.shape[0]
        for column, weight in zip(query.indices.tolist(), query.data.tolist(), strict=True):
            # Only the postings of the query's own words are touched; a row stands once in each.
            for part, out in ((self._fitted, found[:head]), (self._tail, found[head:])):
                first, end = part.indptr[column], part.indptr[column + 1]
                out[part.indices[first:end]] += weight * part.data[first:end]
        return found

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
    def restore(cls, counts: Counts) -> "Lexical":
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
        if self._idf is None or self._length <= _FEW or self._length > (1 + _GROWTH) * fitted:
            known = np.bincount(self._counts.indices, minlength=BUCKETS)
            self._idf = (np.log((1 + self._length) / (1 + known)) + 1).astype(np.float32)
            self._fitted, self._tail = _weigh(self._counts, self._idf).tocsc(), _empty().tocsc()
        else:
            self._tail = _weigh(self._counts[fitted:], self._idf).tocsc()


def _empty() -> sparse.csr_matrix:
    return sparse.csr_matrix((0, BUCKETS), dtype=np.float32)


def _count(texts: Sequence[str]) -> sparse.csr_matrix:
    """How often each text has each word, shape (texts, BUCKETS)."""
    columns: list[int] = []
    counts: list[int] = []
    pointers = [0]
    for text in texts:
        buckets = Counter(crc32(word.encode(errors="replace")) % BUCKETS for word in tokens.words(text))
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
