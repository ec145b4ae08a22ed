"""An alert as sinks show it: cut to size, and without the power to ping, to link or to hide."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from alerts.messages.alert import Alert, Status
from alerts.messages.wording import kind_name, moment
from index.text.sanitize import escape_control

# What chat services read as a call to people, and what they turn into a link, in log text as anywhere.
_PING: Final = re.compile(r"@(?=\w)|<(?=[!@#])")
_SCHEME: Final = re.compile(r"(?<=\w)://")
_BREAK: Final = "\N{ZERO WIDTH SPACE}"
ELLIPSIS: Final = "…"


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
        "Tenant": alert.tenant,
        "Since": moment(alert.started),
        "Ended": "" if alert.ended is None else moment(alert.ended),
        "Acknowledged by": alert.acknowledged,
        "Note": alert.note,
        "Incident": alert.incident_id,
    }
    return {name: strip_control(value) for name, value in fields.items() if value}


def diagnosis_lines(diagnosis: Mapping[str, Any] | None) -> list[str]:
    """Return the diagnosis as lines of text: what, why, on what grounds, what to do; nothing without one."""
    if not diagnosis:
        return []
    lines = [str(diagnosis.get("summary") or "")]
    if cause := diagnosis.get("cause"):
        lines.append(f"Cause: {cause}{_sure(diagnosis.get('confidence'))}")
    lines += [_claim(claim) for claim in _maps(diagnosis.get("claims"))]
    lines += [f"{n}. {action}" for n, action in enumerate(_texts(diagnosis.get("actions")), 1)]
    by = str(diagnosis.get("model") or diagnosis.get("mode") or "")
    note = str(diagnosis.get("note") or "")
    lines.append("; ".join(part for part in (f"Diagnosed by {by}" if by else "", note) if part))
    return [strip_control(line) for line in lines if line]


def _claim(claim: Mapping[str, Any]) -> str:
    lines = ", ".join(_texts(claim.get("lines")))
    guess = "" if claim.get("verified") else " (hypothesis)"
    return f"• {claim.get('text', '')}{guess}" + (f" [{lines}]" if lines else "")


def _sure(confidence: Any) -> str:
    return f" (confidence {confidence:.2f})" if isinstance(confidence, int | float) else ""


def _maps(value: Any) -> Iterable[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
