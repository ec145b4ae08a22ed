"""Topics that lie in memory, such as the lines of files: what explains incidents reads them as it reads Kafka's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.records import I64
from stream.kafka.clients import Broker


@dataclass(frozen=True, slots=True)
class StoredPartition:
    """Messages (n) of one partition: the offset of each is its place.

    ``times`` (n,) are milliseconds since 1970 and never fall, as the time stamps of a broker.
    """

    values: Sequence[bytes]
    times: I64


@dataclass(frozen=True, slots=True)
class StoredBroker(Broker):
    """A broker of topics in memory; a topic that it does not hold is empty.  There is no server behind it."""

    stored: Mapping[str, Mapping[int, StoredPartition]] = field(default_factory=dict, repr=False)

    def is_embedded(self) -> bool:
        """Return False: offsets are looked up by time."""
        return False

    def watermarks(self, topic: str) -> dict[int, tuple[int, int]]:
        """Return per partition the first offset, 0, and the number of messages."""
        return {number: (0, len(part.values)) for number, part in self.stored.get(topic, {}).items()}

    def offsets_at(self, topic: str, time: int) -> dict[int, int]:
        """Return per partition the first offset whose message is not older than ``time`` (ms)."""
        parts = self.stored.get(topic, {})
        return {number: int(np.searchsorted(part.times, time)) for number, part in parts.items()}

    def messages(self, topic: str, spans: Mapping[int, tuple[int, int]]) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield partition, offset, time (ms) and value at offsets ``first`` to before ``stop`` of each partition."""
        parts = self.stored.get(topic, {})
        for number in sorted(spans.keys() & parts.keys()):
            part = parts[number]
            first, stop = spans[number]
            for offset in range(max(first, 0), min(stop, len(part.values))):
                yield number, offset, int(part.times[offset]), part.values[offset]
