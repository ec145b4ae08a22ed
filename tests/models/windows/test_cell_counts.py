"""How many rows a key may have in one cell of its grid, in whatever order they come."""

from collections import Counter

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from models.records import ALL_SOURCES, KEY_SCHEMA, KeyKind
from models.windows.key_state import KeyState

CAP = 3
SHARED = (("*", KeyKind.SOURCE), ("req-1", KeyKind.SESSION), ("req-2", KeyKind.SESSION))
ROWS = st.lists(st.tuples(st.integers(0, len(SHARED) - 1), st.integers(0, 5)), max_size=12)


def keys() -> tuple[KeyState, np.ndarray]:
    """Keys that several sources write to, and their slots."""
    table = [{"tenant": "t", "kind": int(kind), "key": key, "hash": 7} for key, kind in SHARED]
    state = KeyState(age=600, lateness=2, shared_lateness=5)
    assert SHARED[0][0] == ALL_SOURCES
    return state, state.slots(pl.DataFrame(table, schema=KEY_SCHEMA), np.arange(len(SHARED)))


@given(st.lists(ROWS, max_size=6))
@settings(max_examples=200, deadline=None)
def test_the_first_rows_of_each_cell_fit_and_no_others(batches: list[list[tuple[int, int]]]) -> None:
    """In the order of record, also where a batch holds many cells or goes back to one of long ago."""
    state, slots = keys()
    counts: Counter[tuple[int, int]] = Counter()
    for batch in batches:
        rows = sorted(batch, key=lambda row: slots[row[0]])
        expected = []
        for row in rows:
            counts[row] += 1
            expected.append(counts[row] <= CAP)
        numbers = np.array([slots[key] for key, _ in rows], np.int64)
        cells = np.array([cell for _, cell in rows], np.int64)
        assert state.within_cap(numbers, cells, CAP).tolist() == expected
