"""Dead letters: their records, and the limit at which ingest stops."""

import base64
from dataclasses import dataclass
from typing import Final

import orjson

from models.errors import FatalError
from models.records import Reject

SCHEMA: Final = "tocsin.dead/1"
MAX_PAYLOAD_BYTES: Final = 64 * 1024
"""A longer payload is cut; ``logs.raw`` still holds all of it.  A judgement."""

_LONGEST_CHARACTER: Final = 4
"""Bytes of the longest character in UTF-8."""

_CONTINUATION_MASK: Final = 0xC0
"""The two bits by which UTF-8 marks a byte that continues a character."""
_CONTINUATION: Final = 0x80
"""The two highest bits of every byte of a character in UTF-8 but the first."""


@dataclass(frozen=True, slots=True)
class DeadLimit:
    """The role stops above ``share`` of the last ``window`` lines, but not below ``least`` dead letters."""

    share: float = 0.5
    least: int = 2000
    window: int = 20_000


class DeadWatch:
    """Counts lines and dead letters over the last ``limit.window`` lines."""

    def __init__(self, limit: DeadLimit) -> None:
        self._limit = limit
        self._batches: list[tuple[int, int]] = []

    def count(self, lines: int, rejects: int) -> None:
        """Add a batch.

        Raises:
            FatalError: the limit is exceeded, so that a broken shipper or decoder stops the role instead of turning
                the whole topic into dead letters.
        """
        self._batches.append((lines, rejects))
        while len(self._batches) > 1 and sum(lines for lines, _ in self._batches[1:]) >= self._limit.window:
            self._batches.pop(0)
        total = sum(lines for lines, _ in self._batches)
        dead = sum(rejects for _, rejects in self._batches)
        if dead >= self._limit.least and dead > self._limit.share * total:
            raise FatalError(
                f"{dead} of the last {total} lines could not be decoded",
                "look at the reasons with `tocsin topics cat logs.dead`, and correct the shipper or "
                "raise TOCSIN_DEAD_LIMIT_SHARE",
            )


def dead_letter(reject: Reject, payload: bytes, topic: str, partition: int, offset: int) -> bytes:
    """Return the record for ``logs.dead``: reason, origin and payload (as text, or base64 if it is not UTF-8)."""
    cut = payload[: _cut_length(payload)]
    record: dict[str, object] = {
        "schema": SCHEMA,
        "reason": reject.reason,
        "detail": reject.detail,
        "origin": {"topic": topic, "partition": partition, "offset": offset},
        "size": len(payload),
    }
    try:
        record["payload"] = cut.decode()
    except UnicodeDecodeError:
        record["payload_base64"] = base64.b64encode(cut).decode()
    return orjson.dumps(record)


def _cut_length(payload: bytes) -> int:
    """Return how many bytes to keep: no cut inside a character, so that text stays text."""
    end = min(len(payload), MAX_PAYLOAD_BYTES)
    for last in range(end, max(end - _LONGEST_CHARACTER, 0), -1):
        if last == len(payload) or payload[last] & _CONTINUATION_MASK != _CONTINUATION:
            return last
    return end
