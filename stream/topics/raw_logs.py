"""Batches of ``logs.raw`` records, as the decoder takes them."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from models.records import NO_TIME, RawBatch
from stream.kafka.consuming import Message
from stream.kafka.reader import Record

_MICROS_PER_MILLI: Final = 1000
"""Kafka's time stamps are milliseconds, ours microseconds."""


def raw_batch(records: Iterable[Record]) -> RawBatch:
    """Return records as a batch, in their order; a record without a value is an empty line."""
    rows = list(records)
    return _batch(
        [record.value or b"" for record in rows],
        [record.partition for record in rows],
        [record.offset for record in rows],
        [record.timestamp for record in rows],
    )


def raw_batch_of_messages(messages: Sequence[Message]) -> RawBatch:
    """Return messages of a consumer as a batch, as ``raw_batch`` does."""
    return _batch(
        [message.value() or b"" for message in messages],
        [message.partition() for message in messages],
        [message.offset() for message in messages],
        [message.timestamp()[1] for message in messages],
    )


def _batch(
    values: list[bytes], partitions: Sequence[int | None], offsets: Sequence[int | None], timestamps: Sequence[int]
) -> RawBatch:
    arrived = np.array(timestamps, np.int64)
    return RawBatch(
        values,
        np.array(partitions, np.int32),
        np.array(offsets, np.int64),
        np.where(arrived < 0, NO_TIME, arrived * _MICROS_PER_MILLI),
    )
