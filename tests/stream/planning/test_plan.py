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
from stream.planning.plan import (
    RAW_PARTITIONS_LIMIT,
    CapacityPlan,
    Demand,
    Prices,
    RolePlan,
    make_plan,
    monthly_cost,
)
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


def test_a_plan_costs_what_it_is_given_prices_for() -> None:
    """Cores that are there all month, memory, all copies on disk, and those that cross zones at the average rate."""
    roles = (RolePlan("ingest", 2, 3.0, 500.0), RolePlan("detect", 4, 4.0, 250.0))
    planned = CapacityPlan(8, 8, roles, 1.0, 90.0, 1000.0, "")
    cost = monthly_cost(Demand(1000.0, 10, 3.0, peak=3.0, replicas=3), planned, Prices(0.1, 0.01, 0.05, 0.02))
    hours = 730.0
    assert cost.cores == pytest.approx((2 * 2 + 4 * 1 + 1) * 0.1 * hours)
    assert cost.memory == pytest.approx(2 * 0.01 * hours)
    assert cost.storage == pytest.approx(50.0)
    assert cost.network == pytest.approx(90.0 / 3 * 2 / 3 / 1000 * 3600 * hours * 0.02)
    assert cost.total == pytest.approx(cost.cores + cost.memory + cost.storage + cost.network)
    assert monthly_cost(Demand(1000.0, 10, 3.0), planned, Prices()).total == 0.0


def test_the_command_tells_the_cost_where_there_is_a_price() -> None:
    """A month, and a billion lines."""
    arguments = ["plan", "--lines-per-second", "10000", "--price-storage", "0.08"]
    assert "cost: 107 a month, 4.06 a billion lines (storage 107)" in CliRunner().invoke(tocsin, arguments).output
    record = orjson.loads(CliRunner().invoke(tocsin, [*arguments, "--json"]).stdout)
    assert record["cost_per_month"]["total"] == record["cost_per_month"]["storage"]
    assert "a month" not in CliRunner().invoke(tocsin, arguments[:3]).output


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
