"""The topic ``feedback``: written by commands and buttons, read by the role that groups windows."""

import logging
from collections.abc import Iterator
from typing import Final

from alerts.messages.feedback import Feedback
from models.errors import InvalidError
from stream.kafka.clients import Broker
from stream.kafka.consuming import Consumer, TopicPartition
from stream.kafka.errors import kafka_errors, translate
from stream.kafka.reader import READER_GROUP, is_of_group, read_range
from stream.kafka.writer import write

log = logging.getLogger(__name__)

BATCH: Final = 100
"""Records taken at once, at most: a judgement, people write a few a minute."""


def send(broker: Broker, topic: str, said: Feedback) -> None:
    """Write one record and wait until Kafka has it.

    Raises:
        TransientError: Kafka does not take it.
    """
    write(broker, topic, said.to_json(), said.key.encode())


def read_feedback(broker: Broker, topic: str) -> Iterator[Feedback]:
    """Yield all records that there are, in order; one that cannot be read is logged and left out."""
    for record in read_range(broker, topic):
        yield from _read(record.value, f"{topic} [{record.partition}] offset {record.offset}")


class FeedbackReader:
    """Reads what people say: ``backlog`` first, then ``fresh`` as often as one likes; it never waits."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._broker = broker
        self._topic = topic
        self._consumer: Consumer | None = None

    def backlog(self) -> list[Feedback]:
        """Return all that there is, and stand behind it."""
        self.close()
        ends = {partition: high for partition, (_, high) in self._broker.watermarks(self._topic).items()}
        feedback = []
        for record in read_range(self._broker, self._topic, end=ends):
            feedback += _read(record.value, f"{self._topic} [{record.partition}] offset {record.offset}")
        self._consumer = self._broker.consumer(READER_GROUP)
        self._consumer.assign([TopicPartition(self._topic, partition, end) for partition, end in ends.items()])
        return feedback

    def fresh(self) -> list[Feedback]:
        """Return what has come since the last call."""
        if self._consumer is None:
            return []
        doing = f"read {self._topic}"
        with kafka_errors(doing):
            messages = [message for message in self._consumer.consume(BATCH, 0) if not is_of_group(message)]
        feedback = []
        for message in messages:
            error = message.error()
            if error is not None:
                log.warning("%s", translate(error, doing))
                continue
            feedback += _read(message.value(), f"{self._topic} [{message.partition()}] offset {message.offset()}")
        return feedback

    def close(self) -> None:
        """Stop reading."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def _read(value: bytes | None, position: str) -> list[Feedback]:
    if value is None:
        return []
    try:
        return [Feedback.from_json(value)]
    except InvalidError as error:
        log.error("%s: %s", position, error)  # noqa: TRY400 - the message says it all
        return []
