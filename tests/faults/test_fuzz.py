"""The short form of the fuzz run; ``python -m tests.faults.fuzz`` is the long one."""

import pytest

from tests.faults.fuzz import fuzz


@pytest.mark.parametrize("seed", [1, 5])
def test_every_hostile_record_comes_to_one_end(seed: int) -> None:
    """No crash, books that add up, and the same result for other batch cuts and for a worker that is killed."""
    books = fuzz(3000, seed, huge=1)
    # Each kind of end was tried.
    assert books.events > 500
    assert books.continuations > 100
    assert set(books.drops) == {"duplicate", "empty"}
    assert {"future", "timeless"} <= set(books.notes)
    assert {reason for _, _, reason, _ in books.dead} == {"invalid_json", "no_line", "wrong_type"}
    # What is not clean is read as far as it goes.
    assert {"overlong", "nul_byte", "broken_encoding", "wrong_type"} <= set(books.notes)
