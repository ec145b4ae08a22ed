"""What is particular to the embedded broker; what it shares with Apache Kafka is in the contract tests."""

import pytest

from models.errors import InvalidError
from stream.kafka.clients import Broker
from stream.kafka.consumer_lag import ConsumerLag
from stream.kafka.embedded import DEFAULT_PARTITIONS, MAX_PARTITION_BYTES, EmbeddedBroker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics, TopicSpec

DEADLINE_S = 120.0


def test_topics_are_created_with_the_partitions_asked_for() -> None:
    """Its owner chooses the number of partitions; first use by others means four."""
    topics = Topics()
    with EmbeddedBroker(topics.specs(partitions=6)) as embedded:
        broker = Broker(embedded.bootstrap)
        assert broker.topics() == {spec.name: spec.partitions for spec in topics.specs(partitions=6)}
        broker.ensure_topics([TopicSpec("other", 9, "delete", "a test")])
        assert broker.partitions("other") == DEFAULT_PARTITIONS


def test_a_topic_that_exists_stays_as_it_is(embedded: EmbeddedBroker) -> None:
    """Creating a topic twice does no harm; a wrong number of partitions is refused."""
    embedded.create_topic("t", 3)
    embedded.create_topic("t", 5)
    assert Broker(embedded.bootstrap).partitions("t") == 3
    with pytest.raises(InvalidError, match="at least 1"):
        embedded.create_topic("u", 0)


def test_it_is_known_by_its_cluster_id(embedded: EmbeddedBroker) -> None:
    """Clients in other processes can tell that times and compaction are missing."""
    assert Broker(embedded.bootstrap).is_embedded()


def test_old_messages_are_dropped_past_its_limit(embedded: EmbeddedBroker) -> None:
    """A producer that runs ahead loses its oldest messages, and reading goes on with what is left."""
    embedded.create_topic("t", 1)
    broker = Broker(embedded.bootstrap)
    producer = broker.producer(linger_ms=0, compression_type="none", batch_num_messages=1)
    count, size = 12, MAX_PARTITION_BYTES // 8
    for _ in range(count):
        producer.produce("t", value=bytes(size))
    assert producer.flush(DEADLINE_S) == 0
    ((low, high),) = broker.watermarks("t").values()
    assert high == count
    assert 0 < low < count
    assert [record.offset for record in read_range(broker, "t", {0: 0})] == list(range(low, count))


def test_a_stopped_broker_refuses_and_stops_twice() -> None:
    """Stopping again does nothing; asking more of it is a mistake."""
    embedded = EmbeddedBroker()
    embedded.stop()
    embedded.stop()
    with pytest.raises(InvalidError, match="stopped"):
        embedded.create_topic("t", 1)


def test_a_producer_can_wait_for_its_consumers(embedded: EmbeddedBroker) -> None:
    """The backlog counts what is not committed; waiting ends when it is small enough, or patience runs out."""
    embedded.create_topic("t", 2)
    broker = Broker(embedded.bootstrap)
    producer = broker.producer()
    for number in range(30):
        producer.produce("t", value=b"", partition=number % 3 // 2)
    assert producer.flush(DEADLINE_S) == 0
    consumer = broker.consumer("g", auto_offset_reset="earliest")
    slept: list[float] = []

    def commit_while_waiting(seconds: float) -> None:
        slept.append(seconds)
        message = consumer.poll(DEADLINE_S)
        assert message is not None
        consumer.commit(message=message, asynchronous=False)

    with ConsumerLag(broker, "g", "t") as backlog:
        assert backlog.per_partition() == {0: 20, 1: 10}
        assert backlog.wait_until_below(21, 1.0, slept.append)
        assert not backlog.wait_until_below(20, 1.0, slept.append)
        assert sum(slept) == pytest.approx(1.0)
        consumer.subscribe(["t"])
        assert backlog.wait_until_below(20, DEADLINE_S, commit_while_waiting)
    consumer.close()
