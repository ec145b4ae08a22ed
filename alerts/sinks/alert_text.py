"""An alert as sinks show it: cut to size, and without the power to ping, to link or to hide."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from alerts.messages.alert import Alert, Status
from alerts.messages.wording import command, filled, kind_name, moment, place_text
from index.text.sanitize import escape_control

# What chat services read as a call to people, and what they turn into a link, in log text as anywhere.
_PING: Final = re.compile(r"@(?=\w)|<(?=[!@#])")
_SCHEME: Final = re.compile(r"(?<=\w)://")
_BREAK: Final = "\N{ZERO WIDTH SPACE}"
ELLIPSIS: Final = "…"

PLACES: Final = 4
"""Places that a text lists before it counts the others: a judgement, a line of a chat holds no more."""

FIRST_REASONS: Final = 2
"""Reasons of the detectors that stand for a cause where there is none yet: a judgement."""

SHOWN_LINES: Final = 3
"""Lines of evidence that a message shows: a judgement, the first weigh most and the command shows all."""


def strip_control(text: str) -> str:
    """Return text in which each control, direction or hidden character is one replacement character; lines stay."""
    return escape_control(text, keep_lines=True)


def defang(text: str) -> str:
    """Return text that pings nobody and links nowhere, whatever service shows it."""
    return _SCHEME.sub(f":{_BREAK}//", _PING.sub(rf"\g<0>{_BREAK}", strip_control(text)))


def clip(text: str, limit: int) -> str:
    """Cut text to ``limit`` characters, and show that it was cut."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + ELLIPSIS


def clip_bytes(text: str, limit: int) -> str:
    """Cut text to ``limit`` bytes of UTF-8, and show that it was cut."""
    if len(text.encode()) <= limit:
        return text
    return text.encode()[: max(limit - 3, 0)].decode(errors="ignore") + ELLIPSIS


def headline(alert: Alert) -> str:
    """Return one line: severity, or that it is resolved, tenant, and what is wrong where."""
    state = "RESOLVED" if alert.status is Status.RESOLVED else alert.severity.label.upper()
    return strip_control(f"{state} {alert.tenant}: {alert.summary}")


def summary_fields(alert: Alert) -> dict[str, str]:
    """Return what people look for first, name → value."""
    fields = {
        "Severity": alert.severity.label,
        "Kind": kind_name(alert.kind),
        "Services": ", ".join(alert.services),
        "Now": now_text(alert),
        "Tenant": alert.tenant,
        "Since": moment(alert.started),
        "Ended": "" if alert.ended is None else moment(alert.ended),
        "Acknowledged by": alert.acknowledged,
        "Note": alert.note,
        "Incident": alert.incident_id,
        "Look further": command(alert.incident_id),
    }
    return {name: strip_control(value) for name, value in fields.items() if value}


def now_text(alert: Alert) -> str:
    """Return in words what goes on, and what is over: each place with its kinds of trouble; "" without signals."""
    going_on, over = ("; ".join(_places(alert, ongoing=ongoing)) for ongoing in (True, False))
    if not going_on:
        return f"back to normal: {over}" if over else ""
    return f"{going_on}. Back to normal: {over}" if over else going_on


def _places(alert: Alert, *, ongoing: bool) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for signal in alert.signals:
        if bool(signal.get("ongoing")) is ongoing:
            place = place_text(str(signal.get("service", "")), str(signal.get("host", "")))
            kinds.setdefault(place, []).append(kind_name(str(signal.get("kind", ""))).lower())
    named = [f"{place} ({', '.join(dict.fromkeys(names))})" for place, names in kinds.items()]
    hidden = len(named) - PLACES
    return [*named[:PLACES], *([f"{hidden} more"] if hidden > 0 else [])]


def cause_text(alert: Alert) -> str:
    """Return why, with how sure that is; without a diagnosis the first reasons of the detectors."""
    if not alert.diagnosis:
        return strip_control("; ".join(alert.reasons[:FIRST_REASONS]))
    cause = filled(str(alert.diagnosis.get("cause") or alert.diagnosis.get("summary") or ""), alert.diagnosis)
    return strip_control(f"{cause}{_sure(alert.diagnosis.get('confidence'))}") if cause else ""


def diagnosis_lines(diagnosis: Mapping[str, Any] | None) -> list[str]:
    """Return the diagnosis as lines of text: what, why, on what grounds, what to do; nothing without one.

    What it cites are lines that are not shown here, so the first of them follow in full; that no language model could
    be asked is not news.
    """
    if not diagnosis:
        return []
    lines = [str(diagnosis.get("summary") or "")]
    if cause := diagnosis.get("cause"):
        lines.append(f"Cause: {cause}{_sure(diagnosis.get('confidence'))}")
    lines += [_claim(claim) for claim in _maps(diagnosis.get("claims"))]
    lines += [f"> {line['text']}" for line in list(_maps(diagnosis.get("evidence")))[:SHOWN_LINES] if line.get("text")]
    lines += [f"{n}. {action}" for n, action in enumerate(_texts(diagnosis.get("actions")), 1)]
    if model := str(diagnosis.get("model") or ""):
        lines.append(f"Diagnosed by {model}")
    return [strip_control(filled(line, diagnosis)) for line in lines if line]


def _claim(claim: Mapping[str, Any]) -> str:
    return f"• {claim.get('text', '')}" + ("" if claim.get("verified") else " (not verified)")


def _sure(confidence: Any) -> str:
    return f" ({confidence:.0%} sure)" if isinstance(confidence, int | float) else ""


def _maps(value: Any) -> Iterable[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
