"""TF-IDF over rows of texts, with the words of ``index.tokens``.

Counts of words are kept per row by hash, so a text is split once; weights are fitted anew when the rows have grown by
a share.  Rows since then are weighed by the fit before: a search right after an addition finds them at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

from index import tokens
from models.errors import InvalidError
from models.records import F32, I32, I64

BUCKETS: Final = 2**20
"""Words are told apart by hash; some ten thousand different ones rarely meet."""

_GROWTH: Final = 0.25
_TAIL: Final = 256
"""Rows that may be weighed by an old fit, however few there are."""


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
        self._vectorizer = HashingVectorizer(
            analyzer=tokens.words, n_features=BUCKETS, alternate_sign=False, norm=None, dtype=np.float32
        )
        self._counts = sparse.csr_matrix((0, BUCKETS), dtype=np.float32)
        self._pending: list[sparse.csr_matrix] = []
        self._length = 0
        self._transformer: TfidfTransformer | None = None
        self._fitted = sparse.csc_matrix((0, BUCKETS), dtype=np.float32)
        self._tail = sparse.csr_matrix((0, BUCKETS), dtype=np.float32)

    def __len__(self) -> int:
        return self._length

    def add(self, texts: Sequence[str]) -> None:
        """Append one row a text."""
        if texts:
            self._append(self._vectorizer.transform(texts))

    def scores(self, text: str) -> F32:
        """Cosine of every row with ``text``, shape (rows,): 0 where no word is shared."""
        self._refresh()
        if self._transformer is None:
            return np.zeros(self._length, np.float32)
        query = self._transformer.transform(self._vectorizer.transform([text]))
        # By columns: only the postings of the query's own words are touched.
        head = self._fitted[:, query.indices] @ query.data
        tail = (self._tail @ query.T).toarray().ravel()
        found: F32 = np.concatenate([head, tail]).astype(np.float32, copy=False)
        return found

    def keep(self, rows: I64) -> None:
        """Keep only these rows, in this order."""
        self._merge()
        self._counts = self._counts[rows]
        self._length = len(rows)
        self._transformer = None

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
        fitted = self._fitted.shape[0]
        if self._transformer is not None and not self._pending:
            return
        self._merge()
        if not self._length:
            return
        if self._transformer is None or self._length - fitted > max(_TAIL, _GROWTH * fitted):
            self._transformer = TfidfTransformer(sublinear_tf=True)
            self._fitted = self._transformer.fit_transform(self._counts).tocsc()
            self._tail = sparse.csr_matrix((0, BUCKETS), dtype=np.float32)
        else:
            self._tail = self._transformer.transform(self._counts[fitted:])
