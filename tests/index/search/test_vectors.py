"""Nearest vectors: exact while few, near enough when many."""

import numpy as np
import pytest

from index.search.vectors import VectorPlan, Vectors
from models.errors import InvalidError
from models.records import BOOL, F32, I64

SIZE = 32
PLAN = VectorPlan(large=1_000, exact=100, probes=12)
"""Few rows are many here, so that a test takes no time."""


def cloud(rows: int, seed: int = 0) -> F32:
    """Unit vectors around 40 centres, as texts lie around topics."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((40, SIZE))
    points = centres[random.integers(0, 40, rows)] + 0.4 * random.standard_normal((rows, SIZE))
    unit: F32 = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return unit


def nearest(vectors: F32, query: F32, count: int, allowed: BOOL) -> I64:
    """What a search should find."""
    rows = np.flatnonzero(allowed)
    return rows[np.argsort(-(vectors[rows] @ query), kind="stable")[:count]]


def filled(vectors: F32, plan: VectorPlan = PLAN) -> Vectors:
    """An index of these rows."""
    index = Vectors(SIZE, plan)
    index.add(vectors)
    return index


@pytest.mark.parametrize("share", [1.0, 0.5, 0.02])
def test_few_are_searched_exactly(share: float) -> None:
    """Whatever a filter leaves."""
    vectors = cloud(900)
    allowed = np.random.default_rng(1).random(900) < share
    index = filled(vectors)
    for query in cloud(20, seed=2):
        rows, scores = index.search(query, 10, None if share == 1.0 else allowed)
        assert set(rows) == set(nearest(vectors, query, 10, allowed | (share == 1.0)))
        assert np.allclose(scores, vectors[rows] @ query, atol=1e-6)
        assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.01])
def test_many_are_searched_well(share: float) -> None:
    """At least 95 of 100 of the true ten nearest are found, and scores are true inner products."""
    vectors = cloud(6_000)
    allowed = np.random.default_rng(1).random(6_000) < share
    index = filled(vectors)
    assert index.lists_bytes().size
    found = 0
    queries = cloud(50, seed=2)
    for query in queries:
        rows, scores = index.search(query, 10, None if share == 1.0 else allowed)
        assert len(rows) == 10
        assert share == 1.0 or allowed[rows].all()
        assert np.allclose(scores, vectors[rows] @ query, atol=1e-6)
        found += len(set(rows) & set(nearest(vectors, query, 10, allowed | (share == 1.0))))
    assert found >= 0.95 * 10 * len(queries)


def test_rows_added_later_are_found() -> None:
    """Before and after the step from few to many, and when the inverted file is made anew."""
    vectors = cloud(6_000)
    index = Vectors(SIZE, PLAN)
    for start in range(0, 6_000, 300):
        index.add(vectors[start : start + 300])
        newest = start + 299
        assert index.search(vectors[newest], 1)[0].tolist() == [newest]
    assert np.array_equal(index.matrix, vectors)
    assert index.search(vectors[0], 1)[0].tolist() == [0]


def test_no_more_is_found_than_there_is() -> None:
    """Nothing in an empty one, all of a small one, nothing behind a filter that leaves none."""
    index = Vectors(SIZE, PLAN)
    query = cloud(1)[0]
    assert [len(part) for part in index.search(query, 5)] == [0, 0]
    index.add(cloud(3))
    assert len(index.search(query, 5)[0]) == 3
    assert len(index.search(query, 5, np.zeros(3, np.bool_))[0]) == 0


def test_kept_rows_move_up() -> None:
    """Row numbers are those of the rows that were kept."""
    vectors = cloud(3_000)
    index = filled(vectors)
    index.keep(np.arange(0, 3_000, 3))
    assert len(index) == 1_000
    assert index.search(vectors[300], 1)[0].tolist() == [100]


@pytest.mark.parametrize("rows", [0, 500, 3_000])
def test_what_is_kept_brings_everything_back(rows: int) -> None:
    """The same rows are found, and others can be added."""
    vectors = cloud(rows)
    index = filled(vectors)
    again = Vectors.restore(index.matrix.copy(), index.lists_bytes(), PLAN)
    assert np.array_equal(again.lists_bytes(), index.lists_bytes())
    for query in cloud(10, seed=3):
        assert np.array_equal(again.search(query, 10)[0], index.search(query, 10)[0])
    more = cloud(1, seed=4)
    again.add(more)
    assert again.search(more[0], 1)[0].tolist() == [rows]


def test_an_inverted_file_over_other_vectors_is_refused() -> None:
    """It would name rows that do not exist."""
    index = filled(cloud(3_000))
    with pytest.raises(InvalidError, match="not one over these vectors"):
        Vectors.restore(cloud(2_000), index.lists_bytes(), PLAN)
    with pytest.raises(InvalidError, match="cannot be read"):
        Vectors.restore(cloud(3_000), index.lists_bytes()[:200], PLAN)
