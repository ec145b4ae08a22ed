"""Write single records, for commands: what is written is known to be there."""

from confluent_kafka import Message

from models.errors import TransientError
from stream.kafka.clients import TIMEOUT_S, Broker


def write(broker: Broker, topic: str, value: bytes, key: bytes) -> None:
    """Write one record and wait until Kafka has it.  Raises TransientError where it does not take it."""
    producer = broker.producer()
    failed: list[str] = []

    def delivered(error: object, _: Message) -> None:
        if error is not None:
            failed.append(str(error))

    producer.produce(topic, value, key, on_delivery=delivered)
    if producer.flush(TIMEOUT_S) or failed:
        why = failed[0] if failed else f"no answer in {TIMEOUT_S:.0f} s"
        raise TransientError(
            f"{broker.bootstrap} did not take what was to be said ({why})", "see that it is up, try again"
        )
