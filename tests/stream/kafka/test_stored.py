"""Topics in memory are read as those of a broker."""

import numpy as np

from stream.kafka.reader import offsets_at, read_spans
from stream.kafka.stored import StoredBroker, StoredPartition

PARTS = {
    2: StoredPartition([b"a", b"b", b"c"], np.array([1000, 2000, 2000])),
    0: StoredPartition([b"x"], np.array([5000])),
}
BROKER = StoredBroker("", stored={"raw": PARTS})


def test_spans_are_read_by_partition_and_offset() -> None:
    """What a span names beyond the end, or of a partition that is not there, is left out."""
    records = read_spans(BROKER, "raw", {2: (1, 9), 0: (0, 1), 7: (0, 1)})
    assert [(record.partition, record.offset, record.timestamp, record.value) for record in records] == [
        (0, 0, 5000, b"x"),
        (2, 1, 2000, b"b"),
        (2, 2, 2000, b"c"),
    ]


def test_offsets_are_looked_up_by_time() -> None:
    """The first message that is not older, or the end."""
    assert offsets_at(BROKER, "raw", 2000) == {2: 1, 0: 0}
    assert offsets_at(BROKER, "raw", 2001) == {2: 3, 0: 0}


def test_a_topic_that_is_not_there_is_empty() -> None:
    """As the changes beside files are."""
    assert BROKER.watermarks("changes") == {}
    assert BROKER.watermarks("raw") == {2: (0, 3), 0: (0, 1)}
    assert read_spans(BROKER, "changes", {}) == []
