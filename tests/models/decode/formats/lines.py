"""What formats make of a line."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from models.decode.decoder import DecodeConfig, Decoder
from models.records import NO_TIME, RawBatch

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Read:
    """Facts of one line; ``time`` is None where nothing is known of it."""

    time: datetime | None
    level: int
    logger: str
    message: str
    row: dict[str, Any]


def read(*lines: str, config: DecodeConfig | None = None, arrived: int = NO_TIME) -> list[Read]:
    """Decode plain lines of one file; empty ones and rejects are left out."""
    values = [line.encode() for line in lines]
    size = len(values)
    batch = RawBatch(values, np.zeros(size, np.int32), np.arange(size), np.full(size, arrived))
    found = Decoder(config or DecodeConfig()).decode(batch, {0: "/var/log/app.log"}).lines
    return [
        Read(
            EPOCH + timedelta(microseconds=row["time"]) if row["time"] > 0 else None,
            row["level"],
            row["logger"],
            row["message"],
            row,
        )
        for row in found.to_dicts()
    ]


def utc(*parts: int) -> datetime:
    """Return a moment of year, month, day, hour, minute, second, microsecond."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]
