"""What every role does with its consumer: check messages, ask for the end of a partition, commit.

The names of confluent-kafka that roles need for their types are exported here; only ``stream.kafka`` imports the
library itself.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from models.errors import FatalError
from stream.kafka.errors import translate

__all__ = [
    "Consumer",
    "Message",
    "Producer",
    "TopicPartition",
    "cached_end",
    "confirmed_end",
    "good_messages",
    "try_commit",
]

log = logging.getLogger(__name__)

END_TIMEOUT_S: Final = 1.0
"""How long ``confirmed_end`` waits for the broker.  A judgement: it is asked once a tick, which is a second."""


def good_messages(messages: Iterable[Message], action: str) -> list[Message]:
    """Return the messages that hold data; log what went wrong in place of the others.

    Raises:
        TocsinError: the consumer cannot be used any more.
    """
    good = []
    for message in messages:
        error = message.error()
        if error is None:
            good.append(message)
        elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public constant
            cause = translate(error, action)
            # A right that was taken away does not come back by waiting.
            if error.fatal() or isinstance(cause, FatalError):
                raise cause
            log.warning("message with an error", extra={"error": str(cause)})
    return good


def confirmed_end(consumer: Consumer, topic: str, partition: int) -> int | None:
    """Return the offset that the next message will get, as the broker says now; None when it does not answer."""
    try:
        watermarks = consumer.get_watermark_offsets(TopicPartition(topic, partition), END_TIMEOUT_S, cached=False)
    except KafkaException:
        return None
    return None if watermarks is None else watermarks[1]


def cached_end(consumer: Consumer, topic: str, partition: int) -> int | None:
    """Return the same as the broker's last answer said, without asking; None when it has not answered yet."""
    watermarks = consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
    return watermarks[1] if watermarks is not None and watermarks[1] >= 0 else None


def try_commit(consumer: Consumer, topic: str, offsets: Mapping[int, int], action: str, *, wait: bool) -> bool:
    """Commit ``offsets`` (partition → next offset to read); False, with a warning, when Kafka refuses.

    A commit that a rebalance or an outage refuses loses nothing: the messages are read again.
    """
    places = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
    try:
        # Two calls, because the library's types tell them apart by the literal.
        if wait:
            consumer.commit(offsets=places, asynchronous=False)
        else:
            consumer.commit(offsets=places, asynchronous=True)
    except KafkaException as error:
        log.warning("commit refused", extra={"topic": topic, "error": str(translate(error.args[0], action))})
        return False
    return True
