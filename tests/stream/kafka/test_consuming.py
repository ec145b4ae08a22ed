"""What every role does with its consumer, on a real (embedded) broker."""

import logging

import pytest
from confluent_kafka import KafkaError, Message

from models.errors import FatalError
from stream.kafka.clients import Broker
from stream.kafka.consuming import TopicPartition, cached_end, confirmed_end, good_messages, try_commit
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import committed

TOPIC = "t"
GROUP = "g"
PATIENCE_S = 20.0


@pytest.fixture
def filled(embedded: EmbeddedBroker) -> Broker:
    """Give a broker with three messages in the first of two partitions."""
    embedded.create_topic(TOPIC, 2)
    broker = Broker(embedded.bootstrap)
    producer = broker.producer()
    for number in range(3):
        producer.produce(TOPIC, str(number), partition=0)
    assert producer.flush(PATIENCE_S) == 0
    return broker


def test_messages_with_errors_are_logged_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """The mark of a partition's end is no error; what was tried is part of the fact."""
    good = Message(TOPIC, value=b"v")
    end = Message(TOPIC, error=KafkaError(KafkaError._PARTITION_EOF))
    away = Message(TOPIC, error=KafkaError(KafkaError._TRANSPORT))
    assert good_messages([away, good, end], "read t") == [good]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.__dict__["error"].startswith("cannot read t: ")


def test_a_consumer_that_is_unusable_raises() -> None:
    """Polling on would read nothing for ever."""
    broken = Message(TOPIC, error=KafkaError(KafkaError.FENCED_INSTANCE_ID, "gone", fatal=True))
    with pytest.raises(FatalError, match="cannot read t"):
        good_messages([broken], "read t")


def test_the_end_is_asked_for_or_remembered(filled: Broker, embedded: EmbeddedBroker) -> None:
    """Nothing is remembered before a fetch, and nothing is confirmed while the broker is away."""
    consumer = filled.consumer(GROUP)
    assert cached_end(consumer, TOPIC, 0) is None
    assert (confirmed_end(consumer, TOPIC, 0), confirmed_end(consumer, TOPIC, 1)) == (3, 0)
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    assert len(consumer.consume(3, PATIENCE_S)) == 3
    assert cached_end(consumer, TOPIC, 0) == 3
    embedded.set_down()
    assert confirmed_end(consumer, TOPIC, 0) is None
    embedded.set_up()
    consumer.close()


@pytest.mark.parametrize("wait", [True, False])
def test_offsets_are_committed(filled: Broker, *, wait: bool) -> None:
    """At once, or by the time that the consumer is closed."""
    consumer = filled.consumer(GROUP)
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    assert try_commit(consumer, TOPIC, {0: 2}, "commit", wait=wait)
    consumer.close()
    assert committed(filled, GROUP, TOPIC) == {0: (2, "")}


def test_a_refused_commit_is_a_warning(filled: Broker, caplog: pytest.LogCaptureFixture) -> None:
    """The messages are read again; a partition that the topic does not have is refused."""
    consumer = filled.consumer(GROUP)
    assert not try_commit(consumer, TOPIC, {7: 2}, "commit what a test has read", wait=True)
    consumer.close()
    (record,) = [record for record in caplog.records if record.message == "commit refused"]
    assert record.__dict__["error"].startswith("cannot commit what a test has read: ")
