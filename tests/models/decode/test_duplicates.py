"""Lines that the shipper sends again are known by where they stand."""

import numpy as np
import orjson
import pytest

from models.decode.decoder import DecodeConfig, Decoder
from models.records import LogBatch, RawBatch

LINE = {"host": "controller-1", "path": "/var/log/nova.log", "offset": 7, "log": "Traceback (most recent call last):"}


def decoded(*changes: dict[str, object]) -> LogBatch:
    """Decode one record per change to LINE, in one partition."""
    values = [orjson.dumps(LINE | change) for change in changes]
    n = len(values)
    batch = RawBatch(values, np.zeros(n, np.int32), np.arange(n, dtype=np.int64), np.full(n, -1, np.int64))
    return Decoder(DecodeConfig()).decode(batch)


def test_the_same_place_and_text_is_a_duplicate() -> None:
    """The second copy is dropped and counted."""
    batch = decoded({}, {})
    assert len(batch.lines) == 1
    assert batch.drops == {"duplicate": 1}


@pytest.mark.parametrize(
    "change", [{"tenant": "other"}, {"host": "controller-2"}, {"path": "/x"}, {"offset": 8}, {"log": "Traceback"}]
)
def test_another_deployment_host_file_place_or_text_is_another_line(change: dict[str, object]) -> None:
    """Two clouds may well have hosts and files of the same name, and lines of the same text at the same place."""
    batch = decoded({}, change)
    assert len(batch.lines) == 2
    assert batch.drops == {}
