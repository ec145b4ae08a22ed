"""Which raw lines are read around an incident: the cut of offsets, and reading from both brokers."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.records import Pointer
from stream.explain.surrounding_lines import Reach, raw_around, span
from stream.kafka.clients import Broker
from stream.kafka.topic_specs import TopicSpec

PARTITIONS = 3
LINES = 90


@given(
    first=st.integers(0, 1000),
    length=st.integers(0, 1000),
    low=st.integers(0, 999),
    width=st.integers(0, 50),
    most=st.integers(1, 400),
)
def test_a_cut_stays_inside_and_small_and_keeps_what_is_pointed_to(
    first: int, length: int, low: int, width: int, most: int
) -> None:
    """A cut never leaves its stretch, never exceeds its size, and holds the lines pointed to where they fit."""
    stop = first + length
    low, high = first + low, first + low + width
    pointed = (low, high) if high < stop else None
    begin, end = span(first, stop, pointed, most)
    assert first <= begin <= end <= stop
    assert end - begin <= most
    if pointed and width < most:
        assert begin <= low
        assert high < end


@pytest.fixture
def lines(broker: Broker, unique: str) -> str:
    """Give a topic with numbered lines, sent a second apart as far as their time stamps go."""
    name = unique + "raw"
    broker.ensure_topics([TopicSpec(name, PARTITIONS, "delete", "a test")])
    producer = broker.producer()
    now = int(time.time() * 1000)
    for number in range(LINES):
        stamp = now - (LINES - number) * 1000
        producer.produce(name, value=b"%d" % number, partition=number % PARTITIONS, timestamp=stamp)
    assert producer.flush(30.0) == 0
    return name


def test_lines_of_all_partitions_around_a_pointer_are_read(broker: Broker, lines: str) -> None:
    """A pointer into one partition brings what every partition holds shortly before and after it."""
    pointed = Pointer(60 % PARTITIONS, 60 // PARTITIONS)
    batch = raw_around(broker, lines, [pointed], Reach(before_ms=10_000, after_ms=3_000))
    assert sorted(int(value) for value in batch.values) == list(range(50, 63))
    assert set(batch.partitions.tolist()) == set(range(PARTITIONS))


def test_what_is_read_is_bounded(broker: Broker, lines: str) -> None:
    """However far the reach, no more than the limit is read, and what is pointed to is among it."""
    pointed = Pointer(60 % PARTITIONS, 60 // PARTITIONS)
    batch = raw_around(broker, lines, [pointed], Reach(before_ms=80_000, after_ms=3_000, limit=12))
    assert len(batch) <= 12
    assert b"60" in batch.values


def test_pointers_to_what_is_gone_bring_nothing(broker: Broker, lines: str) -> None:
    """Pointers behind the end, into partitions that are not there, or none at all: an empty batch."""
    assert len(raw_around(broker, lines, [], Reach())) == 0
    assert len(raw_around(broker, lines, [Pointer(0, 10_000), Pointer(17, 0)], Reach())) == 0
