"""Time that goes back within a file: what follows goes on where the source stood, and nothing else is moved."""

import numpy as np
import polars as pl
import pytest

from models.rfc3339 import SECOND
from models.windows.set_back import SetBack

BEGIN = 1_700_000_000
HOUR = 3600


def settled(set_back: SetBack, seconds: list[float], service: str = "nova") -> list[float]:
    """Seconds after BEGIN as put right."""
    lines = pl.DataFrame({"tenant": ["t"] * len(seconds), "service": [service] * len(seconds), "host": "c1"})
    time = np.array([round((BEGIN + second) * SECOND) for second in seconds])
    return [float(right / SECOND - BEGIN) for right in set_back.settle(lines, time).tolist()]


@pytest.mark.parametrize("cut", [1, 50, 100, 199])
def test_the_hour_that_comes_twice_is_put_behind_itself(cut: int) -> None:
    """Until the zone's time has come as far again; wherever batches are cut."""
    truth = [60.0 * n for n in range(200)]
    told = [second - HOUR if 2 * HOUR <= second < 3 * HOUR else second for second in truth]
    set_back = SetBack()
    assert settled(set_back, told[:cut]) + settled(set_back, told[cut:]) == truth
    assert set_back.times == {("c1", "nova"): 1}


def test_a_clock_that_was_set_back_goes_on_from_where_it_stood() -> None:
    """By some minutes: its lines stay in order."""
    right = settled(SetBack(), [0, 10, 20, 20 - 300, 30 - 300, 40 - 300])
    assert right == [0, 10, 20, 20, 30, 40]


@pytest.mark.parametrize("back", [30.0, 5401.0, 90_000.0])
def test_threads_in_disorder_and_older_files_are_left_alone(back: float) -> None:
    """Neither is a clock that was set."""
    seconds = [0, 10, 20, 20 - back, 30, 40]
    set_back = SetBack()
    assert settled(set_back, seconds) == seconds
    assert set_back.times == {}


def test_a_stray_line_moves_no_other() -> None:
    """The next one has caught up."""
    assert settled(SetBack(), [0, 100, 200, 110, 210, 220]) == [0, 100, 200, 200, 210, 220]


def test_sources_are_told_apart() -> None:
    """What another one writes is no going back."""
    set_back = SetBack()
    assert settled(set_back, [1000, 1001]) == [1000, 1001]
    assert settled(set_back, [10, 11], "glance") == [10, 11]
