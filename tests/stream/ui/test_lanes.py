"""Services over time: what colours a lane, which lanes are shown, which range, and when nobody could see."""

from contextlib import closing

import pytest

from alerts.messages.alert import Severity, Status
from models.rfc3339 import DAY, SECOND, time_text
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import read_newest
from stream.kafka.topic_specs import Topics
from stream.topics.changes import Announcement
from stream.ui.memory.blind_times import BlindTime, BlindTimes, Stretch, counted, joined
from stream.ui.memory.memory import Memory
from stream.ui.memory.window_columns import WindowColumns
from stream.ui.pages.lanes import MOST_LANES, SHORTEST, TimeRange, lanes, range_of
from stream.ui.pages.query import ListQuery
from tests.stream.ui.samples import BEGIN, alert, signal
from tests.waiting import until

HOUR = TimeRange(BEGIN, BEGIN + 3600 * SECOND)


def test_the_worst_window_of_a_stretch_colours_it() -> None:
    """Importance becomes 1 to 9, by powers of ten that are left to 1; what is outside the range is left out."""
    windows = WindowColumns(100)
    for second, importance in ((0, 0.5), (1, 1.0), (1800, 0.6), (2700, 0.99), (3600, 1.0), (-1, 1.0)):
        windows.add(BEGIN + second * SECOND, "nova", importance)
    drawn = lanes(HOUR, windows, (), (), (), buckets=4)
    assert drawn["lanes"] == [{"name": "nova", "cells": "9.15"}]


def test_signals_colour_where_no_windows_are_at_hand() -> None:
    """A review has no topic of windows; incidents are bars on the lane of each of their services."""
    memory = Memory()
    signals = (signal("nova-api", "errors", 0, 1800), signal("glance", "values", 2700, 3000, importance=0.5))
    memory.take_alert(alert(signals=signals, severity=Severity.CRITICAL))
    drawn = lanes(HOUR, memory.windows(), memory.heads(), (), (), buckets=4)
    assert drawn["lanes"] == [{"name": "nova-api", "cells": "333."}, {"name": "glance", "cells": "...1"}]
    (bar,) = drawn["incidents"]
    begin = BEGIN // 1000
    assert bar["bars"] == [[0, begin, begin + 1_800_000], [1, begin + 2_700_000, begin + 3_000_000]]
    assert (bar["severity"], bar["open"]) == ("critical", True)


def test_the_worst_services_have_lanes_and_the_others_are_counted() -> None:
    """They stand in the order in which their trouble began."""
    windows = WindowColumns(1000)
    for number in range(MOST_LANES + 5):
        windows.add(BEGIN + (3000 - 20 * number) * SECOND, f"s{number:02}", 0.9 if number < MOST_LANES else 0.3)
    drawn = lanes(HOUR, windows, (), (), ())
    assert drawn["hidden"] == 5
    assert [lane["name"] for lane in drawn["lanes"]] == [f"s{number:02}" for number in reversed(range(MOST_LANES))]


def test_changes_and_blind_times_are_told() -> None:
    """Changes of the range only."""
    changes = [Announcement(BEGIN + 60 * SECOND, "nova", "deployed"), Announcement(0, "nova", "long ago")]
    drawn = lanes(HOUR, WindowColumns(1), (), changes, [BlindTime(BEGIN, BEGIN + SECOND, "no line came")])
    assert drawn["changes"] == [{"time": time_text(BEGIN + 60 * SECOND), "text": "nova: deployed"}]
    assert drawn["blind"] == [
        {"from": time_text(BEGIN), "to": time_text(BEGIN + SECOND), "why": "no line came"},
    ]


@pytest.mark.parametrize(
    ("now", "live", "end"),
    [
        (BEGIN + 7200 * SECOND, True, BEGIN + 7200 * SECOND),
        (BEGIN + 100 * DAY, True, BEGIN + 60 * SECOND + SHORTEST // 10),
        (BEGIN + 7200 * SECOND, False, BEGIN + 60 * SECOND + SHORTEST // 10),
    ],
    ids=["live", "recorded-clock", "files"],
)
def test_without_an_address_the_last_day_is_shown(now: int, live: bool, end: int) -> None:
    """Up to now, but where the clock is that of a recording up to what came last."""
    memory = Memory()
    memory.take_alert(alert(status=Status.RESOLVED))
    shown = range_of(ListQuery(), memory.heads(), memory.windows().columns()[0], now, live=live)
    assert shown.end == end
    assert shown.end - shown.begin >= SHORTEST


def test_an_address_names_the_range() -> None:
    """Both ends, or one."""
    query = ListQuery(since="2026-03-03T09:00:00Z", until="2026-03-03T09:01:00Z")
    shown = range_of(query, (), WindowColumns(1).columns()[0], BEGIN, live=True)
    assert (time_text(shown.begin), time_text(shown.end)) == ("2026-03-03T09:00:00.000Z", "2026-03-03T09:01:00.000Z")


@pytest.mark.parametrize(
    ("lines", "dead", "why"),
    [
        (0, 0, "no line came"),
        (100, 60, "60 of 100 lines could not be read"),
        (100, 5, ""),
        (-1, 0, "the topics could not be read"),
    ],
    ids=["silent", "unreadable", "fine", "unknown"],
)
def test_a_stretch_is_blind_where_nobody_could_see(lines: int, dead: int, why: str) -> None:
    """Nothing came, or most of it could not be read."""
    assert Stretch(0, 1, lines, dead).blindness == why


def test_blind_stretches_that_follow_each_other_are_one_time() -> None:
    """Of the range that is asked for only; another reason is another time."""
    counts = [(5, 0), (0, 0), (0, 0), (4, 3), (9, 0), (0, 0)]
    stretches = [Stretch(n, n + 1, lines, dead) for n, (lines, dead) in enumerate(counts)]
    assert joined(stretches, 0, 5) == [
        BlindTime(1, 3, "no line came"),
        BlindTime(3, 4, "3 of 4 lines could not be read"),
    ]


@pytest.mark.kafka
def test_lines_are_counted_by_the_brokers_clock(kafka: Broker, unique: str) -> None:
    """Of all partitions, from offsets alone; an hour before nothing came."""
    topics = Topics(unique)
    kafka.ensure_topics(topics.specs(2))
    producer = kafka.producer()
    for n in range(10):
        producer.produce(topics.logs_raw, b"x", partition=n % 2)
    producer.produce(topics.logs_dead, b"x")
    assert producer.flush(20) == 0
    now = max(record.timestamp for record in read_newest(kafka, topics.logs_raw, 1)) // 1000
    came, before = counted(kafka, topics, now - 60, now + 60), counted(kafka, topics, now - 120, now - 60)
    assert (came.lines, came.dead, came.blindness) == (10, 1, "")
    assert before.blindness == "no line came"


def test_of_an_embedded_broker_no_blind_times_are_told(embedded: EmbeddedBroker) -> None:
    """Its clock is not that of the lines, and it does not find offsets by time."""
    with closing(BlindTimes(Broker(embedded.bootstrap), Topics("x."))) as blind:
        until(lambda: not blind.is_counting)
        assert blind.between(0, DAY) == []
