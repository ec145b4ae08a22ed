"""What of an alert may leave: words without secrets and without terminal codes; ids, times and places stay.

Only what leaves is changed: the topics keep what was written, so that a review finds the lines as they were.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from alerts.messages.alert import Alert
from alerts.messages.signed_receipt import resigned
from index.redaction.redactor import Redactor
from index.text.sanitize import escape_control

WITHHELD: Final = "(withheld: it may hold a secret)"
"""What takes the place of a text in which a last search still finds a secret."""

KEPT: Final = 256
"""Redacted alerts that are kept: the sinks get the same ones, at about the same time.  A judgement: more than wait."""

_STAY: Final = frozenset(
    {
        "host",
        "id",
        "kind",
        "level",
        "line",
        "lines",
        "mode",
        "model",
        "roles",
        "service",
        "services",
        "source",
        "time",
        "first_bad",
        "twin",
    },
)
"""Fields of a diagnosis that are no free text.  What is not named here is searched, also what a later version adds."""

_DIGEST: Final = "evidence_digest"

_SIGNAL_TEXTS: Final = ("about", "why")
"""Fields of a signal that are free text."""


def redacted(alert: Alert, redactor: Redactor) -> Alert:
    """Return an alert as it may leave; ``redactor`` is one of its own.

    All texts are searched at once, so that what one of them shows to be secret is taken out of all.  Those of the
    diagnosis come first: its pseudonyms stay the same while the words around it grow.
    """
    texts: list[str] = []

    def collected(text: str) -> str:
        texts.append(escape_control(text, keep_lines=True))
        return text

    _map_texts(alert, collected)
    safe = iter(_safe(redactor, texts))
    out = _map_texts(alert, lambda _: next(safe))
    if out.diagnosis is not None and _DIGEST in out.diagnosis and out.diagnosis != alert.diagnosis:
        # Who knows all but the secret could try it until the digest fits.
        out = replace(out, diagnosis={**out.diagnosis, _DIGEST: ""})
    return out


class AlertRedactor:
    """Makes alerts fit to leave, for all sinks: equal ones come out equal, and each is searched once.

    ``key`` signs the receipt of the redacted alert, where the alert carries one.
    """

    def __init__(self, redactor: Callable[[], Redactor] = Redactor, key: str = "") -> None:
        """Begin with nothing kept."""
        self._redactor = redactor
        self._key = key
        self._kept: OrderedDict[tuple[bytes, bytes], Alert] = OrderedDict()
        # Searching holds the interpreter anyway: who waits here finds the answer ready.
        self._lock = threading.Lock()

    def __call__(self, alert: Alert, original: Alert | None = None) -> Alert:
        """Return the alert as it may leave; ``original`` is what its receipt is of, where that is another one."""
        source = alert if original is None else original
        content = (alert.to_json(), source.to_json())
        with self._lock:
            if (kept := self._kept.get(content)) is not None:
                return kept
            safe = redacted(alert, self._redactor())
            if safe.to_json() != content[1]:
                safe = resigned(safe, source, self._key)
            self._kept[content] = safe
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return safe


def _map_texts(alert: Alert, change: Callable[[str], str]) -> Alert:
    """Return the alert with every free text changed, in a fixed order."""
    return replace(
        alert,
        diagnosis=_map_value(alert.diagnosis, change),
        summary=change(alert.summary),
        reasons=tuple(map(change, alert.reasons)),
        note=change(alert.note),
        acknowledged=change(alert.acknowledged),
        signals=tuple(
            {**signal, **{name: change(str(signal[name])) for name in _SIGNAL_TEXTS if name in signal}}
            for signal in alert.signals
        ),
    )


def _map_value(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: inner if name in _STAY else _map_value(inner, change) for name, inner in value.items()}
    return [_map_value(inner, change) for inner in value] if isinstance(value, list | tuple) else value


def _safe(redactor: Redactor, texts: list[str]) -> list[str]:
    out = redactor.redact(texts)
    if not redactor.leaks("\n".join(out)):
        return list(out)
    # An alert is sent, whatever one of its texts holds.
    return [WITHHELD if redactor.leaks(text) else text for text in out]
