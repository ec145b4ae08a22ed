"""Dead letters: what they hold, and when there are too many of them."""

import base64
from dataclasses import dataclass
from typing import Final

import orjson

from models.errors import FatalError
from models.records import Reject

SCHEMA: Final = "tocsin.dead/1"
PAYLOAD_BYTES: Final = 64 * 1024
"""A longer payload is cut; ``logs.raw`` still holds it whole."""

_LONGEST_CHARACTER: Final = 4


@dataclass(frozen=True, slots=True)
class DeadLimit:
    """More than ``share`` of the last ``window`` lines, and at least ``least`` of them, is too much."""

    share: float = 0.5
    least: int = 2000
    window: int = 20_000


class DeadWatch:
    """Counts lines and rejects over the last window."""

    def __init__(self, limit: DeadLimit) -> None:
        self._limit = limit
        self._batches: list[tuple[int, int]] = []

    def count(self, lines: int, rejects: int) -> None:
        """Add a batch.

        Raises:
            FatalError: past the limit, so that a broken shipper or decoder stops the role instead of emptying the
                topic into dead letters.
        """
        self._batches.append((lines, rejects))
        while len(self._batches) > 1 and sum(n for n, _ in self._batches[1:]) >= self._limit.window:
            self._batches.pop(0)
        total = sum(n for n, _ in self._batches)
        dead = sum(n for _, n in self._batches)
        if dead >= self._limit.least and dead > self._limit.share * total:
            raise FatalError(
                f"{dead} of the last {total} lines could not be understood",
                "look at their reasons with `tocsin topics cat logs.dead`, mend the shipper, or "
                "raise TOCSIN_DEAD_LIMIT_SHARE",
            )


def dead_letter(reject: Reject, payload: bytes, topic: str, partition: int, offset: int) -> bytes:
    """The record for ``logs.dead``: reason, origin and payload (text, or base64 where it is no UTF-8)."""
    cut = payload[: _end(payload)]
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


def _end(payload: bytes) -> int:
    """Where to cut: not inside a character, so that text stays text."""
    end = min(len(payload), PAYLOAD_BYTES)
    for last in range(end, max(end - _LONGEST_CHARACTER, 0), -1):
        if last == len(payload) or payload[last] & 0xC0 != 0x80:  # noqa: PLR2004 - the mark of a character's later bytes
            return last
    return end
