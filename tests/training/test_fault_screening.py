"""What is left out of a training because it looks like a fault."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration.fusion import BLOCK_US
from models.pipeline import PipelineConfig
from tests.models.bundles import Window, windows
from tests.training.simulated import FIRST, MINUTE, START, fault
from training.datasets import survey
from training.fault_screening import SuspectBlocks, screen
from training.simulate import FaultKind, Scenario, write_jsonl

HOURS = 5
BROKEN = FIRST + 123 * MINUTE
CALM = Scenario(seed=4, start=START, duration_s=HOURS * 3600.0, rate=0.5)
BURST = fault(FaultKind.ERROR_BURST, "controller-1/nova-api", 123, 127)


def screened(path: Path, scenario: Scenario) -> SuspectBlocks:
    """What is found in the logs of a simulated cloud."""
    write_jsonl(scenario, path, None)
    found = survey([path], PipelineConfig(), None, lambda _: None)
    return screen([path], PipelineConfig(), found, lambda _: None)


@pytest.mark.slow
def test_a_fault_among_normal_logs_is_found(tmp_path: Path) -> None:
    """Its ten minutes, and hardly any of the others; nothing of the same logs without it."""
    clean = screened(tmp_path / "clean.jsonl", CALM)
    assert len(clean) <= 1
    found = screened(tmp_path / "fault.jsonl", replace(CALM, faults=(BURST,)))
    assert found.of == pytest.approx(HOURS * 6, abs=1)
    assert BROKEN // BLOCK_US in found.numbers["default"]
    assert len(found) <= 3
    assert "left out" in found.describe()
    assert "--keep-all" in found.describe()


def test_short_logs_are_taken_as_they_are(tmp_path: Path) -> None:
    """Of two hours nobody can say what is usual."""
    found = screened(tmp_path / "short.jsonl", replace(CALM, duration_s=7200.0, faults=(BURST,)))
    assert (len(found), found.of) == (0, 0)


def overlap(start: int, end: int, numbers: Iterable[int]) -> bool:
    """Whether a window has a part in one of the stretches."""
    return any(number in range(start // BLOCK_US, end // BLOCK_US + 1) for number in numbers)


def test_stretches_that_somebody_named_are_left_out_of_every_tenant() -> None:
    """With any window that reaches into them, and no other."""
    batch = windows([Window((1,), tenant="a"), Window((1,), tenant="b")])
    begin, end = int(batch.start[0]), int(batch.end[0])
    for named, outside in (((begin - 9, begin), False), ((end, end + 9), False), ((begin - 9, begin - 1), True)):
        suspects = SuspectBlocks(named=(named,))
        assert suspects.outside(batch).tolist() == [outside, outside]
        assert suspects.outside_named(batch).tolist() == [outside, outside]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.integers(0, 12)), max_size=20),
    st.dictionaries(st.sampled_from("abd"), st.sets(st.integers(0, 20), min_size=1)),
)
def test_windows_outside_have_no_part_in_any(
    places: list[tuple[str, int, int]], stretches: dict[str, set[int]]
) -> None:
    """Neither with their begin nor their end nor between, each for its own tenant."""
    made = windows([Window((1,), tenant=tenant) for tenant, _, _ in places])
    made.start[:] = [begin * BLOCK_US // 2 for _, begin, _ in places]
    made.end[:] = [(begin + length) * BLOCK_US // 2 for _, begin, length in places]
    found = SuspectBlocks({name: np.array(sorted(of), np.int64) for name, of in stretches.items()}, 99)
    wanted = [
        not overlap(int(start), int(end), stretches.get(tenant, ()))
        for tenant, start, end in zip(made.tenants, made.start, made.end, strict=True)
    ]
    assert found.outside(made).tolist() == wanted


def test_what_is_left_out_is_named() -> None:
    """The first few, and how many more."""
    numbers = {"a": np.arange(3, dtype=np.int64), "b": np.arange(4, dtype=np.int64)}
    text = SuspectBlocks(numbers, 300).describe()
    assert text.startswith("left out 7 of 300 stretches of ten minutes that look like faults: 1970-01-01T00:00:00")
    assert " of a, " in text
    assert " and 2 more; " in text
