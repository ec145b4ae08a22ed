"""The topic ``models``: which version judges from when on.

Every promotion has a key of its own, so that compaction keeps all of them: a replay needs the old ones, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

from models.errors import InvalidError
from models.registry.manifest import Manifest
from models.rfc3339 import SECOND
from stream.kafka.clients import Broker
from stream.kafka.reader import Record, read_range
from stream.kafka.writer import write

SCHEMA: Final = "tocsin.promotion/1"

LEAST_LEAD_S: Final = 20.0
"""Least time between the moment at which Kafka stores a promotion and the first window that it is due for.  A
judgement: a worker asks for new promotions each second, and does not judge while it has not been able to for ten."""

PARTITION: Final = 0
"""Where promotions are, so that they have one order, however many partitions somebody gave the topic."""


class PromotionKind(StrEnum):
    """Whether a version goes forward or back."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Promotion:
    """A version is to judge every window that ends ``lead_s`` seconds after Kafka has stored this, or later.

    ``previous`` is the version that judged before, None where that was none of a store; ``report`` is the gate's, empty
    where none was asked.  ``id`` is no one else's.
    """

    id: str
    kind: PromotionKind
    manifest: Manifest
    previous: Manifest | None
    lead_s: float
    by: str
    reason: str = ""
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> bytes:
        """Key of the record."""
        return f"{self.manifest.name}/{self.id}".encode()

    def to_json(self) -> bytes:
        """Return the record of the topic."""
        return orjson.dumps(
            {
                "schema": SCHEMA,
                "id": self.id,
                "kind": self.kind,
                "name": self.manifest.name,
                "version": self.manifest.ref,
                "digest": self.manifest.digest,
                "lead_s": self.lead_s,
                "by": self.by,
                "reason": self.reason,
                "report": dict(self.report),
                "manifest": orjson.loads(self.manifest.to_json()),
                "previous": None if self.previous is None else orjson.loads(self.previous.to_json()),
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> "Promotion":
        """Read a record of the topic.

        Raises:
            InvalidError: it is none.
        """
        try:
            record = orjson.loads(data)
            if record["schema"] != SCHEMA:
                raise InvalidError(f"not a promotion, but {record['schema']!r}", "update tocsin")
            promotion = cls(
                id=str(record["id"]),
                kind=PromotionKind(record["kind"]),
                manifest=_manifest(record["manifest"]),
                previous=None if record["previous"] is None else _manifest(record["previous"]),
                lead_s=max(float(record["lead_s"]), LEAST_LEAD_S),
                by=str(record["by"]),
                reason=str(record["reason"]),
                report=dict(record["report"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"not a promotion ({type(error).__name__}: {error})", "write promotions with `tocsin models promote`"
            ) from error
        if record["digest"] != promotion.manifest.digest:
            raise InvalidError("not a promotion: its digest is not that of its manifest", "promote the version again")
        return promotion


@dataclass(frozen=True, slots=True)
class StoredPromotion:
    """A promotion on the topic; ``since`` is the end of the first windows that it is due for (microseconds)."""

    promotion: Promotion
    since: int


def promote(broker: Broker, topic: str, promotion: Promotion) -> StoredPromotion:
    """Write a promotion and return it as Kafka has stored it.

    Raises:
        TransientError: Kafka does not take it.
    """
    write(broker, topic, promotion.to_json(), promotion.key, PARTITION)
    stored = [entry for entry in read_promotions(broker, topic) if entry.promotion.id == promotion.id]
    return stored[-1]


def read_promotions(broker: Broker, topic: str) -> Iterator[StoredPromotion]:
    """Yield all promotions in the order of the topic; what others wrote there that is none is left out."""
    return stored_promotions(read_range(broker, topic, partitions=(PARTITION,)))


def stored_promotions(records: Iterable[Record]) -> Iterator[StoredPromotion]:
    """Yield the promotions among the records of the topic, in their order."""
    for record in records:
        if record.value is not None:
            try:
                promotion = Promotion.from_json(record.value)
            except InvalidError:
                continue
            yield StoredPromotion(promotion, record.timestamp * 1000 + round(promotion.lead_s * SECOND))


def _manifest(record: Any) -> Manifest:
    return Manifest.from_json(orjson.dumps(record), "the manifest of a promotion")
