"""The receipt of an alert: what it was decided from, signed, so that a review can trust it months later.

It names the windows with the parts of their scores, the bundle that scored them, the raw lines that weighed most and
the version of the rules, and the digest of the alert itself.  The signature is HMAC-SHA256 over all of that.
"""

import hmac
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

import msgspec
import orjson

from alerts.messages.alert import Alert
from models.errors import InvalidError

RECEIPT_SCHEMA: Final = "tocsin.receipt/1"
ALGORITHM: Final = "HMAC-SHA256"
REMEMBERED: Final = 20_000
"""Windows whose facts a signer keeps; a judgement: far more than an incident's windows, at about 1 kB each."""


class _RawLine(msgspec.Struct):
    partition: int
    offset: int


class _Window(msgspec.Struct):
    """What a receipt needs of a record of ``anomalies``."""

    id: str
    importance: float
    bundle: str = ""
    parts: dict[str, float] | None = None
    lines: list[_RawLine] | None = None


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """What is known of one window: its record on ``anomalies``, and the raw lines that it points to."""

    window: str
    offset: int
    """Of its record on ``anomalies``."""
    bundle: str
    importance: float
    parts: Mapping[str, float]
    lines: Mapping[int, tuple[int, int]]
    """Partition of ``logs.raw`` → first and last offset."""

    @classmethod
    def of(cls, record: bytes, offset: int) -> "ReceiptFacts":
        """Read a record of ``anomalies``.

        Raises:
            InvalidError: it is none.
        """
        try:
            window = msgspec.json.decode(record, type=_Window)
        except ValueError as error:
            raise InvalidError(
                f"not a record of anomalies ({type(error).__name__}: {error})", "see what writes to the topic"
            ) from error
        return cls(
            window=window.id,
            offset=offset,
            bundle=window.bundle,
            importance=window.importance,
            parts=window.parts or {},
            lines=_ranges((line.partition, line.offset) for line in window.lines or ()),
        )

    def to_record(self) -> dict[str, Any]:
        """Return the facts as a receipt carries them."""
        lines = [{"partition": p, "first": first, "last": last} for p, (first, last) in sorted(self.lines.items())]
        return {
            "id": self.window,
            "anomalies_offset": self.offset,
            "bundle": self.bundle,
            "importance": self.importance,
            "parts": dict(self.parts),
            "lines": lines,
        }


@dataclass(slots=True)
class Signer:
    """Puts receipts on alerts, from the windows that it has seen; without a key it puts none."""

    key: str = field(repr=False)
    rules: str = ""
    """Version of the rules."""
    _facts: OrderedDict[str, ReceiptFacts] = field(default_factory=OrderedDict)

    def saw(self, record: bytes, offset: int) -> None:
        """Remember a window.

        Raises:
            InvalidError: the record is no window.
        """
        if not self.key:
            return
        facts = ReceiptFacts.of(record, offset)
        self._facts[facts.window] = facts
        while len(self._facts) > REMEMBERED:
            self._facts.popitem(last=False)

    def sign(self, alert: Alert) -> Alert:
        """Return the alert with its receipt."""
        if not self.key:
            return alert
        facts = [self._facts[window] for window in alert.windows if window in self._facts]
        return replace(alert, receipt=receipt_of(alert, facts, self.rules, self.key))


def receipt_of(alert: Alert, facts: Iterable[ReceiptFacts], rules: str, key: str) -> dict[str, Any]:
    """Return the signed receipt of an alert.

    It stays a plain dict: ``problems`` has to check a signature over whatever fields another version wrote.
    """
    windows = list(facts)
    known_ids = {window.window for window in windows}
    receipt: dict[str, Any] = {
        "schema": RECEIPT_SCHEMA,
        "incident_id": alert.incident_id,
        "alert": alert_digest(alert),
        "windows": [window.to_record() for window in windows],
        # Seen by a process that is no more; their records stand on `anomalies`.
        "windows_elsewhere": [window for window in alert.windows if window not in known_ids],
        "rules": rules,
        "algorithm": ALGORITHM,
        "key_id": key_id(key),
    }
    return {**receipt, "signature": _signature(receipt, key)}


def resigned(changed: Alert, original: Alert, key: str) -> Alert:
    """Return an alert whose words or severity differ from the original's, with a receipt that fits it.

    What was decided stays in the receipt.  The digest of the original must not leave: who knows all but one word could
    try words until it fits.  Without a key, or where the original's receipt is not in order, the alert gets none.
    """
    receipt = original.receipt
    if receipt is None or not key or problems(original, key):
        return replace(changed, receipt=None)
    unsigned = {name: value for name, value in receipt.items() if name != "signature"} | {
        "alert": alert_digest(changed)
    }
    return replace(changed, receipt={**unsigned, "signature": _signature(unsigned, key)})


def problems(alert: Alert, key: str) -> list[str]:
    """Return what is wrong with the receipt of an alert; nothing for one that is in order."""
    receipt = alert.receipt
    if receipt is None:
        return ["it carries no receipt: no receipt_key was set when it was published"]
    if receipt.get("schema") != RECEIPT_SCHEMA or receipt.get("algorithm") != ALGORITHM:
        return [f"its receipt is not of the form {RECEIPT_SCHEMA} with {ALGORITHM}"]
    if receipt.get("key_id") != key_id(key):
        return [f"it was signed with another key ({receipt.get('key_id')}, not {key_id(key)})"]
    unsigned = {name: value for name, value in receipt.items() if name != "signature"}
    wrong = []
    if not hmac.compare_digest(_signature(unsigned, key).encode(), str(receipt.get("signature", "")).encode()):
        wrong.append("the signature does not fit the receipt: the receipt was changed")
    if receipt.get("incident_id") != alert.incident_id or receipt.get("alert") != alert_digest(alert):
        wrong.append("the receipt is of another alert: the alert was changed")
    return wrong


def alert_digest(alert: Alert) -> str:
    """Return the SHA-256 of the alert without its receipt."""
    return sha256(replace(alert, receipt=None).to_json()).hexdigest()


def key_id(key: str) -> str:
    """Return a name for a key that gives nothing of it away."""
    return sha256(b"tocsin receipt key\0" + key.encode()).hexdigest()[:16]


def _signature(receipt: Mapping[str, Any], key: str) -> str:
    return hmac.digest(key.encode(), orjson.dumps(receipt, option=orjson.OPT_SORT_KEYS), "sha256").hex()


def _ranges(positions: Iterable[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Return the first and last offset of each partition."""
    ranges: dict[int, tuple[int, int]] = {}
    for partition, offset in positions:
        first, last = ranges.get(partition, (offset, offset))
        ranges[partition] = (min(first, offset), max(last, offset))
    return ranges
