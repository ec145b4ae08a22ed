"""Scoring what frames close: surprises come back to the store that the rows are from."""

from dataclasses import dataclass

import numpy as np

from models.records import F32, KeyKind, WindowBatch
from models.windows.config import WindowConfig
from models.windows.scoring import StoreInput, WindowScorer, step_together
from models.windows.store import WindowStore
from tests.models.windows.test_store import Row, frame

SOURCE = ("t", int(KeyKind.SOURCE), "nova@c1")


@dataclass(frozen=True)
class RowNumbers:
    """Scores every row with its own offset, or none at all."""

    windows: WindowBatch
    surprise: F32 | None


def offsets(windows: WindowBatch) -> RowNumbers:
    """Score rows by their offset."""
    return RowNumbers(windows, windows.offset.astype(np.float32))


def rows(first: int) -> list[Row]:
    """Three rows of one source, each 20 s after the other, with offsets from ``first`` on."""
    return [Row(SOURCE, 20.0 * n, offset=first + n) for n in range(3)]


def test_a_row_keeps_its_surprise_for_the_windows_after() -> None:
    """Those that hold it again show what was said when it was new."""
    scorer = WindowScorer(WindowStore(WindowConfig()), offsets)
    first = scorer.step(frame(rows(5))).windows
    assert np.isnan(first.surprise[-1])
    (again,) = [scored.windows for scored in scorer.flush()]
    assert again.offset.tolist() == [5, 6, 7]
    assert np.isnan(again.surprise).tolist() == [False, False, True]
    assert again.surprise[:2].tolist() == [5.0, 6.0]


def test_stores_that_are_scored_together_get_their_own_rows_back() -> None:
    """Rows of different stores have the same numbers; one that closes nothing stands between two that do."""
    stores = [WindowStore(WindowConfig()) for _ in range(3)]
    frames = [frame(rows(10)), frame(rows(20)[:1]), frame(rows(30))]
    inputs = [StoreInput(store, part) for store, part in zip(stores, frames, strict=True)]
    scored, closed = step_together(inputs, offsets)
    assert [len(windows) for windows in closed] == [2, 0, 2]
    assert len(scored.windows) == 4
    assert len(np.unique(scored.windows.row_ids)) == len(np.unique(scored.windows.offset)) == 4
    last = [windows for store in stores for windows in store.flush()]
    assert [np.nan_to_num(windows.surprise, nan=-1).tolist() for windows in last] == [
        [10.0, 11.0, -1.0],
        [-1.0],
        [30.0, 31.0, -1.0],
    ]


def test_a_scorer_without_surprises_leaves_rows_as_they_are() -> None:
    """And it is also asked where nothing closes."""
    scorer = WindowScorer(WindowStore(WindowConfig()), lambda windows: RowNumbers(windows, None))
    assert len(scorer.step(frame([])).windows) == 0
    scorer.step(frame(rows(0)))
    (scored,) = scorer.flush()
    assert np.isnan(scored.windows.surprise).all()
