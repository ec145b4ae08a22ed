"""What a lesson learns from."""

import json
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from models.decode.decoder import DecodeConfig, Decoder
from models.decode.log_files import read_paths
from models.records import NO_TIME
from models.rfc3339 import SECOND, parse_time, time_text
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics
from stream.learning.material import fired_windows, first_line, write_lines

FIRST = parse_time("2026-11-30T15:20:00Z")
LINE = "2026-11-30 15:20:01.000 7 INFO nova.compute.manager [-] Took 2 seconds to build instance."


@pytest.fixture
def embedded() -> Iterator[Broker]:
    """Give a broker that keeps the times of the sender."""
    with EmbeddedBroker() as cluster:
        yield Broker(cluster.bootstrap)


def send(broker: Broker, topic: str, values: dict[int, list[bytes]]) -> None:
    """Send values, by second since FIRST, in turn to both partitions."""
    producer = broker.producer()
    number = 0
    for second, lines in values.items():
        for value in lines:
            timestamp = (FIRST + second * SECOND) // 1000
            producer.produce(topic, value, b"key", partition=number % 2, timestamp=timestamp)
            number += 1
    assert producer.flush(30) == 0


def test_lines_of_a_stretch_are_decoded_as_from_the_topic(embedded: Broker, unique: str, tmp_path: Path) -> None:
    """Records, plain lines, lines with line breaks and what is not UTF-8: each stays one message, with its time."""
    topics = Topics(unique)
    embedded.ensure_topics(topics.specs(2))
    record = orjson.dumps({"log": LINE, "path": "/var/log/nova/nova-compute.log", "host": "cmp1"})
    send(
        embedded,
        topics.logs_raw,
        {0: [b"too early"], 5: [record, b"plain\nwith a break"], 6: [b"\xff\xfe!"], 9: [b"late"]},
    )
    span, path = (FIRST + 5 * SECOND, FIRST + 9 * SECOND), tmp_path / "lines.jsonl"
    assert write_lines(embedded, topics.logs_raw, span, path) == 3
    (batch,) = read_paths([path])
    lines = Decoder(DecodeConfig()).decode(batch.raw, batch.sources, batch.written).lines
    plain, first = lines.row(0, named=True), lines.row(1, named=True)
    assert (first["service"], first["host"]) == ("nova-compute", "cmp1")
    assert first["time"] == parse_time("2026-11-30T15:20:01Z")
    assert "with a break" in plain["message"]
    assert plain["time"] == FIRST + 5 * SECOND


def test_of_too_many_lines_the_newest_are_taken(embedded: Broker, unique: str, tmp_path: Path) -> None:
    """Of each partition as large a share."""
    topics = Topics(unique)
    embedded.ensure_topics(topics.specs(2))
    send(embedded, topics.logs_raw, {second: [f"line {second}".encode()] for second in range(40)})
    path = tmp_path / "lines.jsonl"
    assert write_lines(embedded, topics.logs_raw, (FIRST, FIRST + 60 * SECOND), path, most=10) == 10
    assert [json.loads(line)["value"] for line in path.read_text().splitlines()] == [
        f"line {second}" for second in range(30, 40)
    ]


def test_the_first_line_is_the_oldest_of_all_partitions(embedded: Broker, unique: str) -> None:
    """No line, no time; and a shipper's clock that is years behind does not count."""
    topics = Topics(unique)
    embedded.ensure_topics(topics.specs(2))
    assert first_line(embedded, topics.logs_raw, 0) == NO_TIME
    send(embedded, topics.logs_raw, {7: [b"one"], 3: [b"other"]})
    assert first_line(embedded, topics.logs_raw, 0) == FIRST + 3 * SECOND
    assert first_line(embedded, topics.logs_raw, FIRST + 5 * SECOND) == FIRST + 5 * SECOND


def test_only_windows_that_fired_are_left_out(embedded: Broker, unique: str) -> None:
    """A worker may publish all."""
    topics = Topics(unique)
    embedded.ensure_topics(topics.specs(2))
    windows = [{"start": time_text(FIRST), "end": time_text(FIRST + SECOND), "fired": fired} for fired in (True, False)]
    send(embedded, topics.anomalies, {1: [orjson.dumps(window) for window in windows]})
    assert fired_windows(embedded, topics.anomalies, (FIRST, FIRST + 60 * SECOND)) == [(FIRST, FIRST + SECOND)]
