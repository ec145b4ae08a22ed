"""What numbers are, by how they behave; ``tests/models/detectors/test_value_limits.py`` tries many kinds of them."""

import numpy as np
import pytest

from models.features.number_behaviour import NumberKind, kind_of
from models.records import F64, I64
from tests.models.bundles import START

N = 400
RNG = np.random.default_rng(7)
SOURCE = RNG.integers(0, 3, N)
INDEX = np.arange(N, dtype=np.float64)
TIME = START + np.arange(N) * 1_000_000


@pytest.mark.parametrize(
    ("value", "groupings", "expected"),
    [
        (np.zeros(0), [], NumberKind.CONSTANT),
        (np.full(N, 5.0), [], NumberKind.CONSTANT),
        (TIME / 1e6, [], NumberKind.CLOCK),
        (TIME / 1e3, [], NumberKind.CLOCK),
        (INDEX, [], NumberKind.COUNTER),
        # Each source has a counter of its own.
        (SOURCE * 1e4 + INDEX, [SOURCE], NumberKind.COUNTER),
        (INDEX % 150, [], NumberKind.COUNTER),
        (INDEX + RNG.normal(0, 120, N), [], NumberKind.DRIFT),
        (RNG.integers(0, 2**32, N).astype(np.float64), [], NumberKind.IDENTIFIER),
        (RNG.choice([5671.0, 5672.0, 11211.0], N), [], NumberKind.IDENTIFIER),
        (RNG.choice([200.0, 404.0], N), [], NumberKind.MEASURE),
        (RNG.poisson(4, N).astype(np.float64), [SOURCE], NumberKind.MEASURE),
        (RNG.lognormal(0, 1, N), [SOURCE], NumberKind.MEASURE),
        # It only falls: no limit from above is ever passed.
        (1e6 - 37 * INDEX + RNG.random(N), [], NumberKind.MEASURE),
        (np.where(INDEX % 7 == 0, np.inf, INDEX % 5), [], NumberKind.MEASURE),
    ],
)
def test_numbers_are_what_they_behave_like(value: F64, groupings: list[I64], expected: NumberKind) -> None:
    """Constant, clock, counter, drift, identifier; all else measures something."""
    assert kind_of(value, TIME[: len(value)], groupings) is expected
