"""What Tocsin needs of a broker, tried on the embedded one and on Apache Kafka alike.

What the embedded broker cannot do is a strict xfail with the reason, so that a librdkafka that learns it is noticed.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin._config import ConfigResource

from models.errors import InvalidError, TransientError
from stream.kafka import clients
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.errors import kafka_errors
from stream.kafka.reader import Record, committed, follow, read_range
from stream.kafka.topic_specs import Topics, TopicSpec
from tests.kafka_server import KafkaServer

DEADLINE_S = 120.0
PARTITIONS = 4
FAST_SESSION = {"session_timeout_ms": 4000, "heartbeat_interval_ms": 500}
"""A member that left is forgotten soon: the embedded broker waits for its session to end."""


@pytest.fixture
def topic(broker: Broker, unique: str) -> str:
    """Give a new topic with four partitions."""
    name = unique + "topic"
    broker.ensure_topics([TopicSpec(name, PARTITIONS, "delete", "a test")])
    return name


def produce(broker: Broker, topic: str, count: int, first: int = 0) -> None:
    """Send numbered messages, round robin over the partitions, and wait until the broker has them."""
    producer = broker.producer()
    for number in range(first, first + count):
        producer.produce(topic, value=b"%d" % number, partition=number % PARTITIONS)
    assert producer.flush(DEADLINE_S) == 0


def until(condition: Callable[[], bool], step: Callable[[], object]) -> None:
    """Repeat a step until a condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        step()


def values(records: Iterator[Record]) -> list[int]:
    """Return the numbers of messages sent by ``produce``."""
    return [int(record.value or b"") for record in records]


@contextmanager
def member(broker: Broker, group: str, topic: str) -> Iterator[Consumer]:
    """Give a subscribed member of a group, which leaves the group in the end."""
    consumer = broker.consumer(group, **FAST_SESSION)
    consumer.subscribe([topic])
    try:
        yield consumer
    finally:
        consumer.close()


def test_messages_keep_their_order_key_and_headers_in_the_partition_they_were_sent_to(
    broker: Broker, topic: str
) -> None:
    """A producer chooses the partition, and a reader sees exactly what was sent, in order."""
    producer = broker.producer()
    for number in range(1000):
        producer.produce(topic, value=b"%d" % number, key=b"k%d" % number, partition=2, headers=[("n", b"%d" % number)])
    assert producer.flush(DEADLINE_S) == 0
    records = list(read_range(broker, topic))
    assert [record.partition for record in records] == [2] * 1000
    assert [record.offset for record in records] == list(range(1000))
    assert [record.value for record in records] == [b"%d" % number for number in range(1000)]
    assert records[7].key == b"k7"
    assert records[7].headers == (("n", b"7"),)


def test_flushed_messages_are_counted_in_the_watermarks(broker: Broker, topic: str) -> None:
    """After a flush every message is in the topic, once."""
    assert broker.watermarks(topic) == dict.fromkeys(range(PARTITIONS), (0, 0))
    produce(broker, topic, 40)
    assert broker.watermarks(topic) == dict.fromkeys(range(PARTITIONS), (0, 10))


def test_a_message_of_900_kilobytes_arrives_whole(broker: Broker, unique: str) -> None:
    """Frames may be large; our topics allow 4 MB."""
    topics = Topics(unique)
    broker.ensure_topics(topics.specs())
    frame = bytes(range(256)) * 3600
    producer = broker.producer()
    producer.produce(topics.logs_events, value=frame, partition=1)
    producer.produce(topics.logs_events, value=b"next", partition=1)
    assert producer.flush(DEADLINE_S) == 0
    assert [record.value for record in read_range(broker, topics.logs_events)] == [frame, b"next"]


def test_a_message_past_the_limit_is_invalid(broker: Broker, topic: str) -> None:
    """Too large a message is refused at once as something to reject, not to retry."""
    producer = broker.producer()
    with pytest.raises(InvalidError, match="smaller message"), kafka_errors("send"):
        producer.produce(topic, value=bytes(5_000_000))


def test_a_group_resumes_at_its_commit_and_finds_its_metadata(broker: Broker, topic: str, unique: str) -> None:
    """State carried in the commit's metadata comes back, and reading goes on at the committed offset."""
    group = unique + "group"
    produce(broker, topic, 40)
    first = broker.consumer(group)
    first.commit(offsets=[TopicPartition(topic, 1, 4, "state é")], asynchronous=False)
    first.close()
    assert committed(broker, group, topic) == {1: (4, "state é")}
    got: list[tuple[int, int]] = []
    with member(broker, group, topic) as second:

        def step() -> None:
            for message in second.consume(100, timeout=0.2):
                assert message.error() is None
                got.append((message.partition() or 0, message.offset() or 0))

        until(lambda: len(got) >= 36, step)
    assert sorted(got) == [
        (p, o) for p in range(PARTITIONS) for o in range(10) if (p, o) not in {(1, n) for n in range(4)}
    ]


def test_nothing_is_committed_unless_asked(broker: Broker, topic: str, unique: str) -> None:
    """Reading and leaving the group moves no offset."""
    produce(broker, topic, 4)
    group = unique + "group"
    got: list[object] = []
    with member(broker, group, topic) as consumer:
        until(lambda: len(got) >= 4, lambda: got.extend(consumer.consume(100, timeout=0.2)))
    assert committed(broker, group, topic) == {}


def test_members_share_partitions_and_inherit_those_of_one_that_leaves(broker: Broker, topic: str, unique: str) -> None:
    """Two members have two partitions each; the one that stays gets all four."""
    group = unique + "group"
    with member(broker, group, topic) as stays:
        with member(broker, group, topic) as leaves:

            def poll_both() -> None:
                stays.poll(0.1)
                leaves.poll(0.1)

            until(lambda: len(stays.assignment()) == 2 and len(leaves.assignment()) == 2, poll_both)
            together = {part.partition for part in (*stays.assignment(), *leaves.assignment())}
            assert together == set(range(PARTITIONS))
        until(lambda: len(stays.assignment()) == PARTITIONS, lambda: stays.poll(0.1))


def test_a_range_is_cut_by_offsets(broker: Broker, topic: str) -> None:
    """The begin belongs to the range, the end does not; a partition left out has no bound."""
    produce(broker, topic, 40)
    assert values(read_range(broker, topic, {0: 8, 1: 10, 2: 10, 3: 10})) == [32, 36]
    assert values(read_range(broker, topic, {0: 2}, {0: 4}, partitions=[0])) == [8, 12]
    assert values(read_range(broker, topic, {3: 9}, {0: 1, 1: 0, 2: 0})) == [0, 39]


def test_a_range_is_cut_by_times(broker: Broker, topic: str) -> None:
    """Messages from the first time on and before the second, on a broker that can look times up and one that cannot."""
    producer = broker.producer()
    for number in range(40):
        producer.produce(topic, value=b"%d" % number, partition=number % PARTITIONS, timestamp=1_000_000 + number)
    assert producer.flush(DEADLINE_S) == 0
    cut = sorted(values(read_range(broker, topic, 1_000_010, 1_000_020)))
    assert cut == list(range(10, 20))
    assert sorted(values(read_range(broker, topic, 1_000_030))) == list(range(30, 40))
    assert values(read_range(broker, topic, 1_000_040)) == []


def test_partitions_are_merged_by_time(broker: Broker, topic: str) -> None:
    """Merged by time stamp the numbers come as they were sent; otherwise partition after partition."""
    producer = broker.producer()
    for number in range(4000):
        producer.produce(topic, value=b"%d" % number, partition=number % PARTITIONS, timestamp=1_000_000 + number)
    assert producer.flush(DEADLINE_S) == 0
    assert values(read_range(broker, topic, merge_by_time=True)) == list(range(4000))
    assert values(read_range(broker, topic)) == sorted(range(4000), key=lambda number: (number % PARTITIONS, number))


def test_a_range_ends_where_the_topic_ended_when_it_was_opened(broker: Broker, topic: str) -> None:
    """What arrives while a range is read does not lengthen it."""
    produce(broker, topic, 8)
    reading = read_range(broker, topic)
    head = next(reading)
    produce(broker, topic, 8, first=8)
    assert sorted([int(head.value or b""), *values(reading)]) == list(range(8))


def test_following_goes_on_with_what_arrives(broker: Broker, topic: str) -> None:
    """A follower first gets what is there and then what comes; None while nothing does."""
    produce(broker, topic, 4)
    following = follow(broker, topic)
    arrived = (record for record in following if record is not None)
    assert sorted(values(islice(arrived, 4))) == [0, 1, 2, 3]
    assert next(following) is None
    produce(broker, topic, 4, first=4)
    assert sorted(values(islice(arrived, 4))) == [4, 5, 6, 7]
    following.close()


def test_what_does_not_exist_is_invalid(broker: Broker, topic: str, unique: str) -> None:
    """A wrong topic or partition is a usage error, and asking does not create the topic."""
    missing = unique + "missing"
    with pytest.raises(InvalidError, match="no topic"):
        broker.partitions(missing)
    with pytest.raises(InvalidError, match="no topic"):
        next(read_range(broker, missing))
    assert missing not in broker.topics()
    with pytest.raises(InvalidError, match="no partition 9"):
        next(read_range(broker, topic, partitions=[9]))


def test_missing_topics_are_created_and_others_left_alone(
    broker: Broker, topic: str, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Creating twice is harmless; a topic with another number of partitions is named in a warning and kept."""
    produce(broker, topic, 4)
    wanted = [TopicSpec(topic, 7, "delete", "differs"), TopicSpec(unique + "new", PARTITIONS, "delete", "new")]
    for _ in range(2):
        with caplog.at_level(logging.WARNING):
            broker.ensure_topics(wanted)
    assert broker.partitions(unique + "new") == PARTITIONS
    assert broker.watermarks(topic) == dict.fromkeys(range(PARTITIONS), (0, 1))
    ours = [record for record in caplog.records if record.name == clients.__name__]
    assert [record.getMessage() for record in ours] == ["topic left as it is, with another number of partitions"] * 2
    facts = [(record.__dict__["topic"], record.__dict__["partitions"], record.__dict__["wanted"]) for record in ours]
    assert facts == [(topic, PARTITIONS, 7)] * 2


def test_topics_that_were_just_created_can_be_used(broker: Broker, unique: str) -> None:
    """A cluster that has said yes may not show a topic yet, and a broker not know that it leads it."""
    for number in range(20):
        name = f"{unique}new-{number}"
        broker.ensure_topics([TopicSpec(name, PARTITIONS, "delete", "a test")])
        assert broker.watermarks(name) == dict.fromkeys(range(PARTITIONS), (0, 0))


@pytest.mark.kafka
def test_a_topic_that_does_not_come_is_told(kafka: Broker, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As something to try again: a role does not go on without it."""
    monkeypatch.setattr(clients, "TIMEOUT_S", 2.0)
    monkeypatch.setattr(clients, "_create", lambda *_: None)
    with pytest.raises(TransientError, match=f"{unique}late .*try again"):
        kafka.ensure_topics([TopicSpec(f"{unique}late", 1, "delete", "a test")])


def test_an_offset_is_found_by_time(broker: Broker, topic: str, request: pytest.FixtureRequest) -> None:
    """The broker answers from which offset on messages are not older than a time."""
    if broker.is_embedded():
        request.applymarker(pytest.mark.xfail(strict=True, reason="the embedded broker answers -1 to every time"))
    producer = broker.producer()
    for number in range(10):
        producer.produce(topic, value=b"", partition=0, timestamp=1_000_000 + number)
    assert producer.flush(DEADLINE_S) == 0
    consumer = broker.consumer("any")
    offsets = consumer.offsets_for_times([TopicPartition(topic, 0, 1_000_004)], timeout=DEADLINE_S)
    consumer.close()
    assert offsets[0].offset == 4


def test_compacted_topics_refuse_messages_without_a_key(
    broker: Broker, unique: str, request: pytest.FixtureRequest
) -> None:
    """A compacted topic keeps the newest message of a key, so one without a key cannot be kept."""
    if broker.is_embedded():
        request.applymarker(pytest.mark.xfail(strict=True, reason="the embedded broker compacts nothing"))
    topics = Topics(unique)
    broker.ensure_topics(topics.specs())
    refusals: list[object] = []
    producer = broker.producer()
    producer.produce(topics.incidents, value=b"no key", on_delivery=lambda error, _: refusals.append(error))
    producer.flush(DEADLINE_S)
    assert [str(error) for error in refusals if error is not None] != []
    admin = broker.admin()
    config = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topics.incidents)])
    (settings,) = [done.result() for done in config.values()]
    assert settings["cleanup.policy"].value == "compact"


def test_log_append_time_replaces_the_time_of_the_sender(
    broker: Broker, unique: str, request: pytest.FixtureRequest
) -> None:
    """On the topics of raw lines the broker's clock counts, whatever the shipper says."""
    if broker.is_embedded():
        request.applymarker(pytest.mark.xfail(strict=True, reason="the embedded broker keeps the sender's times"))
    topics = Topics(unique)
    broker.ensure_topics(topics.specs())
    producer = broker.producer()
    producer.produce(topics.logs_raw, value=b"old", timestamp=1_000)
    assert producer.flush(DEADLINE_S) == 0
    (record,) = read_range(broker, topics.logs_raw)
    assert record.timestamp > 1_000


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def outage(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Broker, Callable[[], None], Callable[[], None]]]:
    """Give a broker of its own with two functions: take it down hard, bring it back."""
    if request.param == "embedded":
        with EmbeddedBroker() as embedded:
            yield Broker(embedded.bootstrap), embedded.set_down, embedded.set_up
        return
    request.getfixturevalue("kafka_server")  # skips where there is no Kafka
    server = KafkaServer(tmp_path / "kafka")
    server.start()
    yield Broker(server.bootstrap), server.kill, server.start
    server.stop()


def test_data_and_commits_outlive_an_outage(outage: tuple[Broker, Callable[[], None], Callable[[], None]]) -> None:
    """Messages sent while the broker is away arrive when it is back, once and in order; commits are kept."""
    broker, down, up = outage
    broker.ensure_topics([TopicSpec("t", PARTITIONS, "delete", "a test")])
    producer = broker.producer()
    producer.produce("t", value=b"0", partition=0)
    assert producer.flush(DEADLINE_S) == 0
    consumer = broker.consumer("g")
    consumer.commit(offsets=[TopicPartition("t", 0, 1, "kept")], asynchronous=False)
    consumer.close()
    down()
    for number in range(1, 100):
        producer.produce("t", value=b"%d" % number, partition=0)
    assert producer.flush(0.5) == 99
    up()
    assert producer.flush(DEADLINE_S) == 0
    assert values(read_range(broker, "t")) == list(range(100))
    assert committed(broker, "g", "t") == {0: (1, "kept")}
