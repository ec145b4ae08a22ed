"""Records of ``logs.raw`` as the decoder takes them."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from models.records import NO_TIME, RawBatch
from stream.kafka.reader import Record

_MILLI: Final = 1000


def raw_batch(records: Iterable[Record]) -> RawBatch:
    """Put records into a batch, in their order."""
    kept = list(records)
    n = len(kept)
    arrived = np.fromiter((record.timestamp for record in kept), np.int64, n)
    return RawBatch(
        [record.value or b"" for record in kept],
        np.fromiter((record.partition for record in kept), np.int32, n),
        np.fromiter((record.offset for record in kept), np.int64, n),
        np.where(arrived < 0, NO_TIME, arrived * _MILLI),
    )
