"""A producer that knows which batches are delivered, so that an offset is committed only after all its messages."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, Message, Producer

from models.errors import FatalError, TocsinError
from stream.kafka.errors import translate


@dataclass(slots=True)
class _Batch:
    offsets: Mapping[int, int]
    pending: int = 0
    closed: bool = False


@dataclass(slots=True)
class Outbox:
    """A producer and its undelivered batches, of which there are at most ``limit`` at once."""

    producer: Producer
    limit: int = 8
    _batches: deque[_Batch] = field(default_factory=deque)
    _ready: dict[int, int] = field(default_factory=dict)
    _error: TocsinError | None = None

    def begin(self, offsets: Mapping[int, int]) -> None:
        """Open a batch; ``offsets`` may be committed when every message of it has been delivered."""
        while len(self._batches) >= self.limit:
            self._poll(0.1)
            self._collect()
        self._batches.append(_Batch(offsets))

    def send(self, topic: str, value: bytes | None, key: bytes | None = None, partition: int = -1) -> None:
        """Send as part of the open batch; no value is a tombstone."""
        batch = self._batches[-1]

        def delivered(error: KafkaError | None, message: Message) -> None:
            batch.pending -= 1
            if error is not None and self._error is None:
                cause = translate(error, f"write to {message.topic()}")
                self._error = FatalError(f"{cause}", "restart the role: it continues from its last commit")

        batch.pending += 1
        while True:
            try:
                self.producer.produce(topic, value, key, partition, on_delivery=delivered)
            except BufferError:
                self._poll(0.1)
            else:
                return

    def end(self) -> None:
        """Close the open batch."""
        self._batches[-1].closed = True

    def delivered(self) -> dict[int, int]:
        """Return the offsets that may be committed now, each once: those of the first batches, as far as delivered."""
        self._poll(0)
        self._collect()
        offsets, self._ready = self._ready, {}
        return offsets

    def drain(self, timeout_s: float) -> dict[int, int]:
        """Wait until everything is delivered.

        Raises:
            FatalError: some messages were not delivered in time.
        """
        if self.producer.flush(timeout_s):
            raise FatalError(
                f"Kafka did not accept all messages within {timeout_s:.0f} s", "check that its brokers are up"
            )
        return self.delivered()

    def _collect(self) -> None:
        while self._batches and self._batches[0].closed and self._batches[0].pending == 0:
            self._ready.update(self._batches.popleft().offsets)

    def _poll(self, timeout_s: float) -> None:
        self.producer.poll(timeout_s)
        if self._error is not None:
            raise self._error
