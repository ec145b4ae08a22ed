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

import orjson

from alerts.messages.alert import Alert
from models.errors import InvalidError

RECEIPT_SCHEMA: Final = "tocsin.receipt/1"
ALGORITHM: Final = "HMAC-SHA256"
REMEMBERED: Final = 20_000
"""Windows whose facts a signer keeps."""


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
        """Read a record of ``anomalies``.  Raises InvalidError when it is none."""
        try:
            window = orjson.loads(record)
            return cls(
                window=window["id"],
                offset=offset,
                bundle=str(window.get("bundle", "")),
                importance=float(window["importance"]),
                parts={str(name): float(value) for name, value in (window.get("parts") or {}).items()},
                lines=_ranges((line["partition"], line["offset"]) for line in window.get("lines") or ()),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"not a record of anomalies ({type(error).__name__}: {error})", "see what writes to the topic"
            ) from error

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
        """Remember a window.  Raises InvalidError for what is none."""
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
        known = [self._facts[window] for window in alert.windows if window in self._facts]
        return replace(alert, receipt=receipt_of(alert, known, self.rules, self.key))


def receipt_of(alert: Alert, facts: Iterable[ReceiptFacts], rules: str, key: str) -> dict[str, Any]:
    """Return the signed receipt of an alert."""
    known = list(facts)
    receipt: dict[str, Any] = {
        "schema": RECEIPT_SCHEMA,
        "incident_id": alert.incident_id,
        "alert": alert_digest(alert),
        "windows": [each.to_record() for each in known],
        # Seen by a process that is no more; their records stand on `anomalies`.
        "windows_elsewhere": [window for window in alert.windows if window not in {each.window for each in known}],
        "rules": rules,
        "algorithm": ALGORITHM,
        "key_id": key_id(key),
    }
    return {**receipt, "signature": _signature(receipt, key)}


def resigned(told: Alert, original: Alert, key: str) -> Alert:
    """Return an alert that is told in other words than the original, or as worse or less bad, with a fitting receipt.

    What was decided stays in it.  The digest of the original must not leave: who knows all but one word could try words
    until it fits.  Without a key, or where the original's receipt is not in order, there is none.
    """
    receipt = original.receipt
    if receipt is None or not key or problems(original, key):
        return replace(told, receipt=None)
    unsigned = {name: value for name, value in receipt.items() if name != "signature"} | {"alert": alert_digest(told)}
    return replace(told, receipt={**unsigned, "signature": _signature(unsigned, key)})


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
    found = []
    if not hmac.compare_digest(_signature(unsigned, key).encode(), str(receipt.get("signature", "")).encode()):
        found.append("the signature does not fit the receipt: the receipt was changed")
    if receipt.get("incident_id") != alert.incident_id or receipt.get("alert") != alert_digest(alert):
        found.append("the receipt is of another alert: the alert was changed")
    return found


def alert_digest(alert: Alert) -> str:
    """Return the SHA-256 of the alert without its receipt."""
    return sha256(replace(alert, receipt=None).to_json()).hexdigest()


def key_id(key: str) -> str:
    """Return a name for a key that gives nothing of it away."""
    return sha256(b"tocsin receipt key\0" + key.encode()).hexdigest()[:16]


def _signature(receipt: Mapping[str, Any], key: str) -> str:
    return hmac.digest(key.encode(), orjson.dumps(receipt, option=orjson.OPT_SORT_KEYS), "sha256").hex()


def _ranges(places: Iterable[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for partition, offset in places:
        first, last = found.get(partition, (offset, offset))
        found[partition] = (min(first, offset), max(last, offset))
    return found
