"""The doctor's look at the newest lines: what of them was read, and the services of which too little was."""

import orjson

from models.decode.decoder import DecodeConfig
from stream.doctor.reading_check import check_reading
from stream.doctor.result import CheckOutcome
from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from tests.waiting import PATIENCE_S

GOOD = "2026-11-30 09:14:14.123 7 INFO nova.api [-] done"


def sent(broker: Broker, unique: str, lines: list[tuple[str, str]]) -> str:
    """Send (service, line) to a topic of its own and return its name."""
    topics = Topics(unique)
    broker.ensure_topics(topics.specs(1))
    producer = broker.producer()
    for service, line in lines:
        producer.produce(topics.logs_raw, orjson.dumps({"log": line, "source": service, "host": "c1"}))
    assert producer.flush(PATIENCE_S) == 0
    return topics.logs_raw


def test_lines_that_are_read_are_fine_with_their_shares(broker: Broker, unique: str) -> None:
    """A few lines of a rare service are no reason to warn, nor are lines without a level."""
    lines = [("nova-api", GOOD)] * 60 + [("kernel", "Nov 30 09:14:14 c1 kernel: [1.2] usb")] * 30 + [("own", "hm")] * 10
    check = check_reading(broker, sent(broker, unique, lines), DecodeConfig())
    assert check.outcome is CheckOutcome.OK
    shares = "10% without time, 40% without level, 10% without format"
    assert check.seen == f"of the newest 100 messages 100 are events of 3 services: {shares}"


def test_a_service_that_is_not_read_is_named(broker: Broker, unique: str) -> None:
    """With what it lacks, and how to see why."""
    lines = [("nova-api", GOOD)] * 60 + [("own", "it happened")] * 20 + [("own", GOOD)] * 20
    check = check_reading(broker, sent(broker, unique, lines), DecodeConfig())
    assert check.outcome is CheckOutcome.WARN
    assert "own (50% without time), own (50% without format)" in check.seen
    assert "tocsin formats" in check.advice


def test_refused_messages_are_counted_by_reason(broker: Broker, unique: str) -> None:
    """Where many are, with a warning."""
    topic = sent(broker, unique, [("nova-api", GOOD)] * 10)
    producer = broker.producer()
    for _ in range(10):
        producer.produce(topic, b'{"a": 1}')
    assert producer.flush(PATIENCE_S) == 0
    check = check_reading(broker, topic, DecodeConfig())
    assert check.outcome is CheckOutcome.WARN
    assert "10 refused (no_line 10)" in check.seen


def test_a_topic_without_lines_is_no_fault(broker: Broker, unique: str) -> None:
    """Before the first line comes."""
    assert check_reading(broker, sent(broker, unique, []), DecodeConfig()).outcome is CheckOutcome.OK
