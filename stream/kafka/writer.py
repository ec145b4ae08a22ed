"""Write single records, for commands, and wait until Kafka has stored them."""

from typing import Final

from confluent_kafka import Message

from models.errors import TransientError
from stream.kafka.clients import TIMEOUT_S, Broker

ANY: Final = -1
"""Number that librdkafka takes for the partition of the key."""


def write(broker: Broker, topic: str, value: bytes, key: bytes, partition: int = ANY) -> None:
    """Write one record and wait until Kafka has stored it, in the partition of its key where none is named.

    Raises:
        TransientError: it did not.
    """
    producer = broker.producer()
    errors: list[str] = []

    def delivered(error: object, _: Message) -> None:
        if error is not None:
            errors.append(str(error))

    producer.produce(topic, value, key, partition, on_delivery=delivered)
    if producer.flush(TIMEOUT_S) or errors:
        reason = errors[0] if errors else f"no answer in {TIMEOUT_S:.0f} s"
        raise TransientError(
            f"{broker.bootstrap} did not accept the record ({reason})", "check that it is up and try again"
        )
