"""What people read of incidents, in words: titles, names of kinds, times.  Every sink and command takes them from here.

A title says what is wrong where, with the number that is unusual and what is usual::

    neutron-server: GET /v2.0/networks takes 2.6 s (usually below 0.74 s). Also affected: nova-api. 09:07 UTC, 2 min
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from models.detectors.sentences import sentence
from models.findings import Finding, FindingKind
from models.rfc3339 import SECOND

KIND_NAMES: Final[Mapping[str, str]] = {
    "silence": "Silent service",
    "errors": "Errors",
    "values": "Slow or unusual values",
    "missing": "Missing follow-up step",
    "novelty": "New messages",
    "order": "Unusual order",
    "sequence": "Unusual sequence",
    "rate": "Unusual message rate",
    "odd": "Unusual behaviour",
    "synthetic": "Test alert",
    "change": "Change",
}
"""Kind of failure, as records carry it → its name for people."""

UNKNOWN_SERVICE: Final = "unknown service"
"""Name of a place that nothing tells."""

NAMED_SERVICES: Final = 3
"""Services that a title names; the others are counted.  A judgement: a line of a chat holds no more."""

CLAUSE: Final = 160
"""Characters of what is wrong, in a title; a judgement: two templates and two numbers."""

SURE: Final = 0.5
"""Confidence from which a diagnosis leads the title: a judgement, below it is rather wrong than right."""

SHORT_ID: Final = 6
"""Digits of an incident's id that people read and type: a judgement, a thousand incidents rarely share them."""

TEMPLATE: Final = 60
"""Characters of a template in a title; a judgement, and the beginning of a message tells most."""

_VAGUE: Final = frozenset({FindingKind.ABSENT, FindingKind.UNEXPECTED})
"""They only say that no normal window is quite like this one."""

_NAMES_SERVICE: Final = frozenset(
    {
        FindingKind.SILENT,
        FindingKind.HOST_SILENT,
        FindingKind.CRITICAL,
        FindingKind.FIRST_ERRORS,
        FindingKind.REFUSALS,
        FindingKind.RESTARTS,
    }
)
"""Findings whose sentence names the service, or the host."""

_COUNTING: Final = frozenset({FindingKind.RATE_HIGH, FindingKind.RATE_LOW})
"""They count a message, and say little where its text is unknown."""

_HTTP_CALL: Final = re.compile(r'\b(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) ([^\s"]+)')
_QUOTED: Final = re.compile(r"`([^`]*)`")
_VALUES: Final = re.compile(r"(?:<\*>)+")
# Seconds.
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400


def kind_name(kind: str) -> str:
    """Return the name for people of a kind of failure, or the kind itself where it has none."""
    return KIND_NAMES.get(kind, kind)


def title(  # noqa: PLR0913 - what a title is made of
    *,
    services: Sequence[str],
    kind: str,
    findings: Sequence[Finding],
    reasons: Sequence[str],
    span: tuple[int, int] | None,
    state: str = "",
    diagnosis: Mapping[str, Any] | None = None,
    backend: tuple[str, int] = ("", 0),
) -> str:
    """Return the title of an incident.

    Args:
        services: The affected ones, the one where it began first; at least one.
        kind: Kind of failure, named where there is neither a finding nor a reason.
        findings: The strongest first; the first that is not vague leads.
        reasons: Sentences of the detectors, for incidents without findings.
        span: Event times of its first and last window, in microseconds; None where they are shown elsewhere.
        state: What is to be known of its state, such as ``resolved``.
        diagnosis: What the incident is put down to; it leads where it is rather right than wrong.
        backend: What several services name, and how many do; it leads where no diagnosis does.
    """
    lead = min(findings, key=_is_vague, default=None)
    host = lead.host if lead is not None and lead.kind is FindingKind.HOST_SILENT else ""
    service = lead.service if lead is not None and lead.service else services[0] if services else UNKNOWN_SERVICE
    where = place_text(service, lead.host if lead is not None and lead.service else "")
    if known := diagnosed(diagnosis):
        what = known if any(name in known for name in (*services, host) if name) else f"{where}: {known}"
        service = next((name for name in services if name in known), service)
    elif lead is None:
        what = f"{where}: {reason_text(reasons[0]) if reasons else kind_name(kind).lower()}"
    elif lead.kind in _NAMES_SERVICE and (lead.service or host):
        # The sentence itself names the service or the host.
        what = finding_text(lead)
    else:
        what = f"{where}: {finding_text(lead)}"
    if backend[0] and not known:
        what = f"{backend[0]} is named by {backend[1]} services. {what}"
    others = [other for other in services if host or other != service]
    affected = f"{'Affected' if host else 'Also affected'}: {_named(others)}" if others else ""
    return _sentences((what, affected, _joined(period(*span) if span else "", state)))


def diagnosed(diagnosis: Mapping[str, Any] | None) -> str:
    """Return what a diagnosis says, as a title says it; "" where there is none that is sure enough."""
    if not diagnosis or float(diagnosis.get("confidence") or 0.0) < SURE:
        return ""
    return _clipped(filled(str(diagnosis.get("summary") or ""), diagnosis)).rstrip(".")


def filled(text: str, diagnosis: Mapping[str, Any]) -> str:
    """Return a text of a diagnosis with the names of its service where it only has their place."""
    return text.replace("{service}", str(diagnosis.get("service") or UNKNOWN_SERVICE))


def short_id(incident_id: str) -> str:
    """Return the beginning of an incident's id, as people read and type it."""
    return incident_id[:SHORT_ID]


def command(incident_id: str) -> str:
    """Return the command that shows more of an incident."""
    return f"tocsin explain show {short_id(incident_id)}"


def place_text(service: str, host: str = "") -> str:
    """Return a place in words."""
    return f"{service} on {host}" if service and host else service or UNKNOWN_SERVICE


def finding_text(finding: Finding) -> str:
    """Return a finding as a title says it: the detector's sentence with its templates cut short."""
    short = replace(finding, template=_short(finding.template), follows=_short(finding.follows))
    return _clipped(_without_quotes(sentence(short)))


def reason_text(reason: str) -> str:
    """Return a reason as a title says it: with its templates cut short."""
    return _clipped(_without_quotes(_QUOTED.sub(lambda quoted: f"`{_short(quoted[1])}`", reason)))


def period(begin: int, end: int) -> str:
    """Return two times (microseconds) as ``09:07 UTC, 2 min``: the first, and how long until the second."""
    seconds = (end - begin) // SECOND
    return _joined(f"{datetime.fromtimestamp(begin // SECOND, UTC):%H:%M} UTC", duration(seconds) if seconds else "")


def moment(time: int) -> str:
    """Return a time (microseconds) as ``2026-03-02 09:07 UTC``."""
    return f"{datetime.fromtimestamp(time // SECOND, UTC):%Y-%m-%d %H:%M} UTC"


def day(time: int) -> str:
    """Return the day of a time (microseconds) in UTC as ``2026-03-02``."""
    return f"{datetime.fromtimestamp(time // SECOND, UTC):%Y-%m-%d}"


def duration(seconds: int) -> str:
    """Return a duration in its two largest units: ``45 s``, ``2 min``, ``3 h 10 min``, ``2 d 4 h``."""
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return _two(seconds // _HOUR, "h", seconds % _HOUR // _MINUTE, "min")
    return _two(seconds // _DAY, "d", seconds % _DAY // _HOUR, "h")


def _is_vague(finding: Finding) -> bool:
    return finding.kind in _VAGUE or (finding.kind in _COUNTING and not finding.template)


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")


def _named(others: Sequence[str]) -> str:
    named = others[: NAMED_SERVICES - 1]
    hidden = len(others) - len(named)
    return ", ".join(named) + (f" and {hidden} more" if hidden else "")


def _short(template: str) -> str:
    """Return the request of an access log's template, and of another its beginning; values are shown as ``…``."""
    call = _HTTP_CALL.search(template)
    text = f"{call[1]} {call[2]}" if call else template
    text = _VALUES.sub("…", text)
    return text if len(text) <= TEMPLATE else text[: TEMPLATE - 1].rstrip() + "…"


def _without_quotes(text: str) -> str:
    """Return text with requests unquoted: they are read as words, whereas a message needs to show where it ends."""
    return _QUOTED.sub(lambda quoted: quoted[1] if _HTTP_CALL.match(quoted[1]) else quoted[0], text)


def _clipped(text: str) -> str:
    """Return text of at most ``CLAUSE`` characters: cut behind a word, and with a quote that it leaves open closed."""
    if len(text) <= CLAUSE:
        return text
    cut = text[: CLAUSE - 2].rsplit(" ", 1)[0].rstrip(" ,;:(")
    return cut + ("…”" if cut.count("“") > cut.count("”") else "…")


def _sentences(parts: Iterable[str]) -> str:
    """Return parts one after the other, without a full stop behind one that was cut short."""
    text = ""
    for part in filter(None, parts):
        text += (" " if text.endswith(("…", "…”")) else ". ") * bool(text) + part
    return text


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
