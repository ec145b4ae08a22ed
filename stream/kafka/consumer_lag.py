"""How far consumers are behind, and producers that wait for them.

The embedded broker drops what is older than its newest 5 MB per partition: a producer that runs ahead of a consumer
there makes it lose messages.  On Apache Kafka nothing is lost; the same figures are the lag.
"""

from collections.abc import Callable
from typing import Final, Self

from confluent_kafka import TopicPartition

from stream.kafka.clients import TIMEOUT_S, Broker, watermarks_of
from stream.kafka.errors import kafka_errors

POLL_S: Final = 0.05


class ConsumerLag:
    """Messages of one topic that one group has not committed yet.  Close it when done: it holds a connection."""

    def __init__(self, broker: Broker, group: str, topic: str) -> None:
        """Prepare to ask; raises InvalidError when there is no such topic."""
        self._topic = topic
        self._partitions = broker.partitions(topic)
        # It never subscribes, so it is no member of the group and takes no partition from anyone.
        self._consumer = broker.consumer(group)

    def per_partition(self) -> dict[int, int]:
        """Return the messages still to be committed, by partition; all that are kept where nothing is committed."""
        with kafka_errors(f"read how far {self._topic} is consumed"):
            entries = self._consumer.committed(
                [TopicPartition(self._topic, partition) for partition in range(self._partitions)],
                timeout=TIMEOUT_S,
            )
            return {entry.partition: self._behind(entry) for entry in entries}

    def wait_until_below(self, limit: int, patience_s: float, sleep: Callable[[float], None]) -> bool:
        """Wait until every partition is less than ``limit`` messages behind; False when patience ran out.

        A consumer that commits only past closed windows needs more messages to go on, so a producer must not wait for
        ever.
        """
        waited = 0.0
        while max(self.per_partition().values()) >= limit:
            if waited >= patience_s:
                return False
            sleep(POLL_S)
            waited += POLL_S
        return True

    def close(self) -> None:
        """Give the connection back."""
        self._consumer.close()

    def __enter__(self) -> Self:
        """Return the open backlog."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _behind(self, committed: TopicPartition) -> int:
        low, high = watermarks_of(self._consumer, self._topic, committed.partition)
        return high - max(low, committed.offset)
