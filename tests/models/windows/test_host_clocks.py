"""Clocks that are wrong: found by arrival or by order, put right, told of, and nothing else is touched."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pytest

from models.records import I64, NO_TIME
from models.rfc3339 import SECOND
from models.windows.host_clocks import HostClocks, described

BEGIN = 1_700_000_000 * SECOND
Line = tuple[float, str, str, float]
"""Second after BEGIN at which it is written, service, host, and second at which it arrives."""


def frame(lines: Sequence[Line], off: Mapping[str, float]) -> tuple[pl.DataFrame, I64]:
    """The columns of lines that count, and their arrivals; ``off``: seconds by which the clocks of hosts are ahead."""
    times = [round(second * SECOND) + BEGIN + round(off.get(host, 0) * SECOND) for second, _, host, _ in lines]
    table = pl.DataFrame(
        {
            "time": times,
            "tenant": ["t"] * len(lines),
            "service": [service for _, service, _, _ in lines],
            "host": [host for _, _, host, _ in lines],
        }
    )
    return table, np.array([BEGIN + round(arrival * SECOND) for *_, arrival in lines])


def live(seconds: int, flush: float = 1.0) -> list[Line]:
    """Three hosts write in turn, a line a second each, which arrive after up to ``flush`` seconds."""
    return [
        (second + n / 3, f"nova-{n}", f"c{n}", second + n / 3 + flush * ((second * 7 + n) % 10) / 10)
        for second in range(seconds)
        for n in range(3)
    ]


@pytest.mark.parametrize("seconds", [31.0, -31.0, 3600.0, -3600.0, 4.0, -15.0, 86_000.0])
def test_a_wrong_clock_is_put_right_by_the_arrivals(seconds: float) -> None:
    """Within a minute, to some seconds, and only that of the host that is off."""
    clocks = HostClocks()
    lines = live(120)
    table, arrived = frame(lines, {"c1": seconds})
    right = clocks.settle(table, arrived)["time"].to_numpy()
    error = (right - [BEGIN + round(second * SECOND) for second, *_ in lines]) / SECOND
    is_wrong = np.array([host == "c1" for _, _, host, _ in lines])
    assert np.abs(error[~is_wrong]).max() == 0
    late = error[is_wrong][60:]
    assert np.abs(late).max() <= 2.0
    assert clocks.off() == {("c1", ""): pytest.approx(seconds, abs=2.0)}


@pytest.mark.parametrize("seconds", [0.0, 1.0, -5.0])
def test_small_differences_are_left_alone(seconds: float) -> None:
    """They are within what shippers wait."""
    clocks = HostClocks()
    table, arrived = frame(live(120), {"c1": seconds})
    assert clocks.settle(table, arrived) is table
    assert clocks.off() == {}


def test_a_backlog_is_no_wrong_clock() -> None:
    """Its lag shrinks, whatever the pace at which a shipper works it off."""
    clocks = HostClocks()
    for pace in (100.0, 2.0):
        lines: list[Line] = [(n, "nova", "c0", 7200 + n / pace) for n in range(7000)]
        table, arrived = frame(lines, {})
        assert clocks.settle(table, arrived) is table


def test_an_old_log_that_is_sent_again_keeps_its_times() -> None:
    """No clock is months behind."""
    clocks = HostClocks()
    table, arrived = frame([(n, "nova", "c0", 90 * 86_400 + n) for n in range(120)], {})
    assert clocks.settle(table, arrived) is table


def test_a_clock_that_is_set_right_is_believed_again() -> None:
    """From its first line on: what is put right is put nowhere beyond its arrival, nor long before it."""
    for seconds in (31.0, -31.0):
        clocks = HostClocks()
        clocks.settle(*frame(live(120), {"c1": seconds}))
        lines = [(s + 120, service, host, at + 120) for s, service, host, at in live(100)]
        table, arrived = frame(lines, {})
        right = clocks.settle(table, arrived)["time"].to_numpy()
        assert np.abs(right - table["time"].to_numpy()).max() <= 6 * SECOND
        assert (right == table["time"].to_numpy())[-60:].all()
        assert clocks.off() == {}


def test_one_service_with_a_wrong_zone_is_told_by_its_name() -> None:
    """The others on its host are right."""
    clocks = HostClocks()
    lines = [(n, service, "c0", n + 1) for n in range(120) for service in ("nova", "mysqld", "glance")]
    table, arrived = frame(lines, {})
    off = pl.when(pl.col("service") == "mysqld").then(7200 * SECOND).otherwise(0)
    clocks.settle(table.with_columns(pl.col("time") + off), arrived)
    assert clocks.off() == {("c0", "mysqld"): pytest.approx(7200, abs=2)}


def test_a_name_may_hold_what_separates_names() -> None:
    """A record can say anything; that must not end a worker."""
    clocks = HostClocks()
    table, arrived = frame([(second, "a\x1fb", "c\x1fd", second) for second in range(120)], {})
    clocks.settle(table, arrived)
    assert clocks.off() == {}


def test_cuts_change_nothing() -> None:
    """A line is put right by the stretches before its own, whatever batch it comes in."""
    table, arrived = frame(live(200), {"c1": 31.0, "c2": -100.0})
    whole = HostClocks().settle(table, arrived)["time"]
    clocks = HostClocks()
    parts = [clocks.settle(table[n : n + 37], arrived[n : n + 37])["time"] for n in range(0, len(table), 37)]
    assert pl.concat(parts).equals(whole)


@pytest.mark.parametrize("seconds", [31.0, -31.0, 300.0, -3600.0, 3600.0])
@pytest.mark.parametrize("hosts", [("c1",), ("c0",), ("c1", "c2")])
def test_without_arrivals_the_order_of_lines_tells(seconds: float, hosts: tuple[str, ...]) -> None:
    """The median of the hosts is right; all lines agree afterwards."""
    clocks = HostClocks()
    lines = live(60, flush=0.0)
    table, _ = frame(lines, dict.fromkeys(hosts, seconds))
    right = clocks.settle(table)["time"].to_numpy()
    error = right - [BEGIN + round(second * SECOND) for second, *_ in lines]
    assert np.ptp(error) <= SECOND
    wrong = {host: value for (host, _), value in clocks.off().items()}
    assert set(wrong) == ({*hosts} if len(hosts) == 1 else {"c0"})


def test_of_two_hosts_the_one_that_writes_more_is_believed() -> None:
    """There is no majority."""
    lines = [(n, "nova", "c1" if n % 4 == 0 else "c0", NO_TIME) for n in range(80)]
    clocks = HostClocks()
    clocks.settle(frame(lines, {"c1": -60.0})[0])
    assert clocks.off() == {("c1", ""): pytest.approx(-60, abs=1)}


def test_files_one_behind_the_other_are_not_compared() -> None:
    """Nothing follows on anything there."""
    lines = [(float(n), "nova", f"c{host}", NO_TIME) for host in range(3) for n in range(300)]
    clocks = HostClocks()
    table, _ = frame(lines, {})
    assert clocks.settle(table) is table
    assert clocks.off() == {}


@pytest.mark.parametrize(
    ("place", "seconds", "sentence"),
    [
        (("compute-1", ""), 31.2, "the clock of compute-1 is 31 s ahead"),
        (("compute-1", "mysqld"), -7200.0, "the clock of mysqld on compute-1 is 7200 s behind"),
        (("", "mysqld"), 5.0, "the clock of mysqld is 5 s ahead"),
    ],
)
def test_sentences(place: tuple[str, str], seconds: float, sentence: str) -> None:
    """For log and command line."""
    assert described(*place, seconds) == sentence
