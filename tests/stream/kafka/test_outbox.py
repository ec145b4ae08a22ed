"""Messages on their way: an offset is told only behind delivered ones, on a real (embedded) broker."""

import pytest

from models.errors import FatalError
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.outbox import Outbox
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import TopicSpec

TOPIC = "t"
DEADLINE_S = 120.0


@pytest.fixture
def there(embedded: EmbeddedBroker) -> Broker:
    """Give a broker with the topic, of two partitions."""
    embedded.create_topic(TOPIC, 2)
    return Broker(embedded.bootstrap)


def put(outbox: Outbox, offsets: dict[int, int], *values: bytes) -> None:
    """Send one batch."""
    outbox.begin(offsets)
    for value in values:
        outbox.send(TOPIC, value, partition=0)
    outbox.end()


def test_what_is_sent_arrives_with_key_and_partition(there: Broker) -> None:
    """Value, key and partition as given; no value is a tombstone."""
    outbox = Outbox(there.producer())
    outbox.begin({})
    outbox.send(TOPIC, b"v", b"k", 1)
    outbox.send(TOPIC, None, b"gone", 1)
    outbox.end()
    outbox.drain(DEADLINE_S)
    got = [(r.partition, r.key, r.value) for r in read_range(there, TOPIC)]
    assert got == [(1, b"k", b"v"), (1, b"gone", None)]


def test_draining_tells_the_newest_offsets_of_all_batches_once(there: Broker) -> None:
    """Later batches overrule earlier ones of the same partition; what was told is not told again."""
    outbox = Outbox(there.producer())
    put(outbox, {0: 5, 1: 7}, b"a")
    put(outbox, {0: 9}, b"b", b"c")
    assert outbox.drain(DEADLINE_S) == {0: 9, 1: 7}
    assert outbox.delivered() == {}
    assert len(list(read_range(there, TOPIC))) == 3


def test_a_batch_without_messages_is_delivered_at_once(there: Broker) -> None:
    """Lines that cause nothing may be committed too."""
    outbox = Outbox(there.producer())
    put(outbox, {0: 5})
    assert outbox.delivered() == {0: 5}


def test_an_open_batch_holds_its_offsets_back(there: Broker) -> None:
    """Not all of it has been sent, whatever has been delivered of it."""
    outbox = Outbox(there.producer())
    outbox.begin({0: 5})
    outbox.send(TOPIC, b"a")
    assert outbox.drain(DEADLINE_S) == {}
    outbox.end()
    assert outbox.delivered() == {0: 5}


def test_a_batch_on_its_way_holds_back_those_behind_it(there: Broker, embedded: EmbeddedBroker) -> None:
    """Offsets are committed in order, even where a later batch has nothing to wait for."""
    outbox = Outbox(there.producer())
    put(outbox, {0: 1}, b"first")
    assert outbox.drain(DEADLINE_S) == {0: 1}
    embedded.set_down()
    put(outbox, {0: 5}, b"a")
    put(outbox, {0: 9})
    assert outbox.delivered() == {}
    embedded.set_up()
    assert outbox.drain(DEADLINE_S) == {0: 9}


def test_at_the_limit_it_waits_for_the_oldest_batch(there: Broker) -> None:
    """No more than a few batches are on their way, and none is lost for it."""
    outbox = Outbox(there.producer(), limit=1)
    for number in range(20):
        put(outbox, {0: number}, b"%d" % number)
    assert outbox.drain(DEADLINE_S) == {0: 19}
    assert [r.value for r in read_range(there, TOPIC)] == [b"%d" % number for number in range(20)]


def test_a_full_queue_is_waited_for(there: Broker) -> None:
    """The producer takes two messages at once here, and gets fifty."""
    outbox = Outbox(there.producer(queue_buffering_max_messages=2, linger_ms=0))
    put(outbox, {0: 50}, *(b"%d" % number for number in range(50)))
    assert outbox.drain(DEADLINE_S) == {0: 50}
    assert len(list(read_range(there, TOPIC))) == 50


def test_draining_fails_where_the_broker_is_away(there: Broker, embedded: EmbeddedBroker) -> None:
    """It says so instead of telling offsets that are not delivered."""
    outbox = Outbox(there.producer())
    put(outbox, {0: 1}, b"first")
    outbox.drain(DEADLINE_S)
    embedded.set_down()
    put(outbox, {0: 5}, b"a")
    with pytest.raises(FatalError, match="did not accept all messages"):
        outbox.drain(0.1)


def test_a_message_that_cannot_be_delivered_ends_the_role(there: Broker) -> None:
    """Nothing behind it is told as delivered, and the error says what happens next."""
    there.ensure_topics([TopicSpec(TOPIC, 2, "delete", "a test")])
    outbox = Outbox(there.producer())
    outbox.begin({0: 5})
    outbox.send(TOPIC, b"into a partition that is not there", partition=99)
    outbox.end()
    with pytest.raises(FatalError, match="continues from its last commit"):
        outbox.drain(DEADLINE_S)
    with pytest.raises(FatalError):
        outbox.delivered()
