"""Silence of one host of a service that training saw without hosts."""

import random

import numpy as np
import pytest

from models.features.host_gaps import HostSilence, host_silences
from models.records import source_id
from models.rfc3339 import SECOND

END = 1_000 * SECOND
STEP = 15.0
FIRES = 5.0
"""Nats from which on a window fires by silence alone: once a day."""

Lines = dict[str, list[float]]


def judged(lines: Lines) -> list[HostSilence]:
    """What is strange; ``lines`` are by source, in seconds before the end, within the three minutes that are known."""
    known = [(source_id(source), END - round(ago * SECOND)) for source, times in lines.items() for ago in times]
    origin, time = (np.array(column, kind) for column, kind in zip(zip(*known, strict=True), ("u4", "i8"), strict=True))
    return list(host_silences(origin, time, END, STEP))


def clockwork(period: float, since: float = 0.0, phase: float = 1.0) -> list[float]:
    """Times of a source that writes every ``period`` seconds and stopped ``since`` seconds ago."""
    return [ago for ago in np.arange(phase, 180.0, period).tolist() if ago >= since]


def test_one_host_that_stopped_while_others_write_on_is_strange() -> None:
    """The longer the stranger; one that wrote every 20 s is told of within two minutes, not within one."""
    surprises = []
    for since in (40.0, 70.0, 90.0):
        lines = {f"agent@c{i}": clockwork(20.0, phase=1.0 + 6 * i) for i in range(3)}
        (silent,) = judged({**lines, "agent@c1": clockwork(20.0, since)})
        assert (silent.hosts, silent.usual) == (3, 20.0)
        assert since <= silent.seconds < since + 20
        surprises.append(silent.surprise)
    assert surprises == sorted(surprises)
    assert surprises[0] < FIRES < surprises[-1]


def test_the_more_hosts_write_on_the_surer_it_is() -> None:
    """Their gaps tell what is usual."""
    few, many = (
        judged({**{f"agent@c{i}": clockwork(20.0) for i in range(n)}, "agent@x": clockwork(20.0, 90.0)})[0]
        for n in (1, 6)
    )
    assert few.surprise < many.surprise
    assert (few.hosts, many.hosts) == (2, 7)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param({"agent@a": clockwork(20.0, 120.0)}, id="no other host"),
        pytest.param({"agent@a": clockwork(20.0, 120.0), "api@b": clockwork(20.0)}, id="another service writes"),
        pytest.param({"agent@a": clockwork(20.0, 120.0), "agent@b": clockwork(20.0, 110.0)}, id="all are silent"),
        pytest.param({"agent@a": [120.0, 170.0], "agent@b": clockwork(5.0)}, id="wrote twice"),
        pytest.param({"agent@a": [70.0, 120.0, 175.0], "agent@b": clockwork(5.0)}, id="writes once a minute"),
    ],
)
def test_nothing_is_strange_where_little_is_known(lines: Lines) -> None:
    """Of a host whose own gaps are long, of one that wrote less than three times, or where no other writes on."""
    assert judged(lines) == []


def test_hosts_that_write_at_random_seldom_fire() -> None:
    """At most in one of a thousand windows, whatever their number and rates: three of four are of one silence."""
    rng = random.Random(4)
    fired = 0
    for _ in range(2000):
        lines: Lines = {}
        for host in range(rng.randrange(2, 7)):
            mean, ago = rng.choice([3.0, 10.0, 25.0]), rng.random()
            times: dict[int, float] = {}
            while ago < 180.0:
                times.setdefault(int(ago // STEP), ago)
                ago += rng.expovariate(1 / mean)
            lines[f"agent@c{host}"] = list(times.values())
        fired += any(silent.surprise >= FIRES for silent in judged(lines))
    assert fired <= 2
