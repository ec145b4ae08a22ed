"""No line takes long: shapes on which a pattern may take more than linear time, over formats and masks."""

import time
from typing import Final

import numpy as np
import orjson
import polars as pl

from models.decode.decoder import DecodeConfig, Decoder
from models.records import RawBatch
from models.templates.masks import Masks
from tests.faults.slow_shapes import shapes

SHAPES: Final = 200
LIMIT_S: Final = 0.05
"""Seconds of processor a line of 64 kB may take."""


def seconds_of(line: str, decoder: Decoder, offset: int) -> float:
    """Processor seconds that decoding and masking one line take."""
    # Half of them as a shipper sends them.
    value = orjson.dumps({"log": line, "path": "/x.log"}) if offset % 2 else line.encode()
    raw = RawBatch([value], np.zeros(1, np.int32), np.array([offset]), np.full(1, -1))
    started = time.process_time()
    messages = decoder.decode(raw, {0: "/x.log"}).lines["message"]
    Masks.default().apply(pl.concat([messages, pl.Series([line])]))
    return time.process_time() - started


def test_no_line_takes_long() -> None:
    """The same seed gives the same shapes; a line that seems slow is tried again, as patterns are compiled once."""
    decoder, slow = Decoder(DecodeConfig(max_line=1 << 20)), []
    for number, line in enumerate(shapes(1, SHAPES)):
        tries = (seconds_of(line, decoder, 4 * number + attempt) for attempt in (0, 2, 1))
        if all(taken > LIMIT_S for taken in tries):
            slow.append(line[:80])
    assert slow == []
