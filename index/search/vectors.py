"""Nearest unit vectors by inner product: exact while they are few, an inverted file in FAISS when they are many.

The inverted file holds one byte a number and finds candidates; these are then compared exactly, so a score is always
the true cosine.  Only this file imports FAISS.
"""

from dataclasses import dataclass
from typing import Any, Final

import faiss
import numpy as np

from models.errors import InvalidError
from models.records import BOOL, F32, I64, U8

_SEED: Final = 1
"""Of k-means; any number gives the same lists each time."""

_SPREAD: Final = 0.25
"""How the lists to read grow with the share of rows that a filter leaves out: recall stays above .97 down to 1 %."""

_ROUNDS: Final = 8
"""Of k-means: more moved recall by less than a hundredth."""


@dataclass(frozen=True, slots=True)
class VectorPlan:
    """When and how vectors are searched other than one by one."""

    large: int = 16_384
    """Rows up to which all are compared: some milliseconds."""
    probes: int = 48
    """Lists of the inverted file that a search reads."""
    candidates: int = 8
    """Rows compared exactly, per row asked for."""
    exact: int = 2_048
    """Rows up to which those that a filter leaves are all compared."""
    sample: int = 40
    """Rows per list that k-means sees."""
    growth: int = 4
    """The inverted file is made anew when the rows have grown by this factor."""

    def lists(self, rows: int) -> int:
        """Return the number of lists for so many rows: a power of two near 4 times the root."""
        return int(2 ** round(np.log2(4 * rows**0.5)))


class Vectors:
    """Rows 0, 1, 2 … of unit vectors, shape (rows, size) float32; rows are only added."""

    def __init__(self, size: int, plan: VectorPlan | None = None) -> None:
        """Begin without rows."""
        self.size = size
        self._plan = plan or VectorPlan()
        self._flat = faiss.IndexFlatIP(size)
        self._lists: Any = None
        self._made_for = 0

    def __len__(self) -> int:
        return int(self._flat.ntotal)

    @property
    def matrix(self) -> F32:
        """Return all rows, without copying; no longer valid after ``add``."""
        rows = len(self)
        if not rows:
            return np.empty((0, self.size), np.float32)
        view: F32 = faiss.rev_swig_ptr(self._flat.get_xb(), rows * self.size).reshape(rows, self.size)
        return view

    def add(self, vectors: F32) -> None:
        """Append rows."""
        first = len(self)
        if not len(vectors):
            return
        self._flat.add(np.ascontiguousarray(vectors, np.float32))
        if len(self) <= self._plan.large:
            return
        if self._lists is None or len(self) > self._plan.growth * self._made_for:
            self._make_lists()
        else:
            self._lists.add_with_ids(self.matrix[first:], np.arange(first, len(self)))

    def keep(self, rows: I64) -> None:
        """Keep only these rows, in this order."""
        kept = self.matrix[rows]
        self._flat = faiss.IndexFlatIP(self.size)
        self._lists, self._made_for = None, 0
        self.add(kept)

    def search(self, query: F32, count: int, allowed: BOOL | None = None) -> tuple[I64, F32]:
        """Return up to ``count`` rows and their inner products with ``query`` (size,), the nearest first.

        ``allowed`` (rows,) says which rows count; default all.
        """
        left = len(self) if allowed is None else int(np.count_nonzero(allowed))
        count = min(count, left)
        if not count:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if allowed is not None and left <= self._plan.exact:
            return self._best(query, count, np.flatnonzero(allowed))
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)
        if self._lists is None:
            parameters = faiss.SearchParameters(sel=selector) if selector else None
            scores, rows = self._flat.search(query[None], count, params=parameters)
            return rows[0], scores[0]
        # Of few rows left the nearest lie further apart: in more lists, of which only the rows left are compared.
        probes = min(self._lists.nlist, round(self._plan.probes * (len(self) / left) ** _SPREAD))
        parameters = faiss.SearchParametersIVF(sel=selector, nprobe=probes)
        _, rows = self._lists.search(query[None], count * self._plan.candidates, params=parameters)
        return self._best(query, count, rows[0][rows[0] >= 0])

    def _best(self, query: F32, count: int, rows: I64) -> tuple[I64, F32]:
        scores = self.matrix[rows] @ query
        order = np.argsort(-scores, kind="stable")[:count]
        return rows[order].astype(np.int64), scores[order]

    def _make_lists(self) -> None:
        rows, plan = len(self), self._plan
        lists = plan.lists(rows)
        sample = np.random.default_rng(_SEED).permutation(rows)[: lists * plan.sample]
        seen = self.matrix[np.sort(sample)]
        means = faiss.Kmeans(self.size, lists, niter=_ROUNDS, spherical=True, seed=_SEED, min_points_per_centroid=1)
        means.train(seen)
        coarse = faiss.IndexFlatIP(self.size)
        coarse.add(means.centroids)
        kind = faiss.ScalarQuantizer.QT_8bit
        self._lists = faiss.IndexIVFScalarQuantizer(coarse, self.size, lists, kind, faiss.METRIC_INNER_PRODUCT)
        self._lists.by_residual = False
        self._lists.train(seen)
        self._lists.add_with_ids(self.matrix, np.arange(rows))
        self._made_for = rows

    def lists_bytes(self) -> U8:
        """Return the inverted file as bytes; none where there is no such file."""
        if self._lists is None:
            return np.empty(0, np.uint8)
        data: U8 = faiss.serialize_index(self._lists)
        return data

    @classmethod
    def restore(cls, vectors: F32, lists: U8, plan: VectorPlan | None = None) -> "Vectors":
        """Rebuild from ``matrix`` and ``lists_bytes``.

        Raises:
            InvalidError: the inverted file is not one over these vectors.
        """
        made = cls(vectors.shape[1], plan)
        if not len(lists):
            made.add(vectors)
            return made
        made._flat.add(np.ascontiguousarray(vectors, np.float32))
        try:
            lists_index = faiss.deserialize_index(lists)
        except RuntimeError as error:
            raise InvalidError(f"the inverted file cannot be read ({error})") from error
        if lists_index.ntotal != len(vectors) or lists_index.d != made.size:
            raise InvalidError("the inverted file is not one over these vectors")
        made._lists, made._made_for = lists_index, len(vectors)
        return made
