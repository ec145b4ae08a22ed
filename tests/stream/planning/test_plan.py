"""How an installation grows with its lines."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidError
from models.windows.store import RestartMark
from stream.cli import tocsin
from stream.detect.partition_state import PartitionCheckpoint
from stream.kafka.faust_transport import MAX_METADATA_BYTES
from stream.planning.plan import RAW_PARTITIONS_LIMIT, Demand, make_plan
from stream.planning.slopes import Slopes

SLOPES = Slopes(
    measured_by="by hand",
    ingest_cpu_s=10e-6,
    detect_cpu_s=20e-6,
    broker_cpu_s=5e-6,
    topic_bytes={"logs.raw": 100.0, "logs.events": 50.0},
    memory_mb={"ingest": 500.0, "detect": 400.0},
)


def test_a_plan_is_the_arithmetic_of_its_slopes() -> None:
    """10,000 lines a second, three times that at the peak, of no sources worth the name."""
    plan = make_plan(Demand(10_000, 1, 3.0), SLOPES)
    ingest, detect, *_ = plan.roles
    assert ingest.cores == pytest.approx(0.3)
    assert detect.cores == pytest.approx(0.6, abs=1e-3)
    assert plan.storage_gb == pytest.approx(10_000 * 150 * 3 * 86_400 * 3 / 1e9)
    assert plan.network_mb_s == pytest.approx(30_000 * 150 * 3 / 1e6)
    assert (plan.raw_partitions, plan.events_partitions) == (8, 8)


def test_more_partitions_than_a_commit_can_name_are_divided() -> None:
    """The plan says what becomes too small, and what to do."""
    plan = make_plan(Demand(10_000_000, 1000, 1.0), SLOPES)
    assert plan.raw_partitions > RAW_PARTITIONS_LIMIT
    assert "installations" in plan.bottleneck


def test_the_limit_of_raw_partitions_is_what_fits_a_commit() -> None:
    """With offsets of years, and times in microseconds."""

    def size(partitions: int) -> int:
        positions = dict.fromkeys(range(partitions), (10**11, 1800000000000000))
        mark = RestartMark(10**9, 1_800_000_000_000_000, positions)
        return len(PartitionCheckpoint(mark, 10**9, {"0" * 64: 1_800_000_000_000_000}).metadata())

    assert size(RAW_PARTITIONS_LIMIT) <= MAX_METADATA_BYTES < size(RAW_PARTITIONS_LIMIT + 16)


@given(st.floats(1, 1e7), st.floats(1, 10), st.integers(1, 100_000))
def test_more_lines_never_need_less(rate: float, factor: float, hosts: int) -> None:
    """Neither workers nor partitions nor storage; and no worker is without a partition."""
    small, large = (make_plan(Demand(rate * times, hosts, 3.0), SLOPES) for times in (1.0, factor))
    for before, after in zip(small.roles, large.roles, strict=True):
        assert before.workers <= after.workers
    assert small.storage_gb <= large.storage_gb
    assert small.raw_partitions <= large.raw_partitions
    assert large.roles[0].workers <= large.raw_partitions
    assert large.roles[1].workers <= large.events_partitions


def test_the_command_says_the_same_in_words_and_as_json() -> None:
    """From the slopes that ship."""
    arguments = ["plan", "--lines-per-second", "1000000", "--hosts", "20000"]
    words = CliRunner().invoke(tocsin, arguments)
    assert words.exit_code == 0, words.output
    result = CliRunner().invoke(tocsin, [*arguments, "--json"])
    plan = orjson.loads(result.stdout)
    assert f"raw_partitions {plan['raw_partitions']:,}" in words.output
    assert plan["bottleneck"] in words.output
    assert "python -m" in plan["measured_by"]


def test_slopes_that_lack_something_are_refused(tmp_path: Path) -> None:
    """With the command that makes them."""
    path = tmp_path / "capacity.json"
    path.write_text('{"measured_by": "x", "per_line": {}}')
    with pytest.raises(InvalidError, match="bench_capacity"):
        Slopes.load(path)


def test_shipped_slopes_can_be_read() -> None:
    """And each is a cost."""
    shipped = Slopes.load()
    assert min(shipped.ingest_cpu_s, shipped.detect_cpu_s, shipped.broker_cpu_s, *shipped.topic_bytes.values()) > 0
    assert replace(shipped, measured_by="") != shipped
