"""How many messages a consumer group has still to read; lets a producer wait for its consumers.

The embedded broker keeps only the newest 5 MB of a partition: a producer that runs ahead of a consumer there makes it
lose messages.  Apache Kafka loses nothing.
"""

from collections.abc import Callable
from typing import Final, Self

from confluent_kafka import TopicPartition

from stream.kafka.clients import TIMEOUT_S, Broker, watermarks_of
from stream.kafka.errors import kafka_errors

POLL_INTERVAL_S: Final = 0.05
"""Between two looks at the lag while a producer waits.  A judgement."""


class ConsumerLag:
    """Messages of one topic that one group has not committed yet.  Close it when done: it holds a connection."""

    def __init__(self, broker: Broker, group: str, topic: str) -> None:
        """Connect.

        Raises:
            InvalidError: there is no such topic.
        """
        self._topic = topic
        self._partitions = broker.partitions(topic)
        # It never subscribes, so it is no member of the group and takes no partition from anyone.
        self._consumer = broker.consumer(group)

    def per_partition(self) -> dict[int, int]:
        """Return the number of messages after the committed offset, by partition; all where nothing is committed."""
        with kafka_errors(f"read how far {self._topic} is consumed"):
            entries = self._consumer.committed(
                [TopicPartition(self._topic, partition) for partition in range(self._partitions)],
                timeout=TIMEOUT_S,
            )
            return {entry.partition: self._lag(entry) for entry in entries}

    def wait_until_below(self, limit: int, patience_s: float, sleep: Callable[[float], None]) -> bool:
        """Wait until every partition has fewer than ``limit`` messages left; False after ``patience_s`` seconds.

        A consumer that commits only past closed windows needs more messages to go on, so a producer must not wait for
        ever.
        """
        waited = 0.0
        while max(self.per_partition().values()) >= limit:
            if waited >= patience_s:
                return False
            sleep(POLL_INTERVAL_S)
            waited += POLL_INTERVAL_S
        return True

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _lag(self, committed: TopicPartition) -> int:
        low, high = watermarks_of(self._consumer, self._topic, committed.partition)
        return high - max(low, committed.offset)
