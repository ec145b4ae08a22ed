"""The page of one incident: what is wrong where, why, which lines prove it, who was told, what people said."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any, Final
from urllib.parse import urlencode

from alerts.incidents.annotations import Annotations
from alerts.messages.alert import Alert
from alerts.messages.delivery_receipt import DeliveryReceipt, SendState
from alerts.messages.feedback import Feedback
from alerts.messages.wording import filled, kind_name, short_id
from models.detectors.sentences import sentence
from models.findings import findings_from_json
from models.rfc3339 import DAY, SECOND, parse_time, time_text
from stream.topics.changes import Announcement
from stream.ui.memory.incident_log import IncidentHead, Said, TimelineStep, place_of
from stream.ui.memory.memory import Memory
from stream.ui.pages.actions import alike
from stream.ui.pages.incident_list import lasts, sureness

SHORTEST: Final = 60 * SECOND
"""Microseconds that the axis of the signals shows at least: a judgement, the length of a window."""

BESIDE: Final = 15 * 60 * SECOND
"""Microseconds before an incident within which others, and changes, count as beside it: as ``tocsin review`` has it."""

MOST_BESIDE: Final = 12
"""Incidents, or changes, beside it that are shown: a judgement."""

MAKERS: Final[Mapping[str, str]] = {
    "deterministic": "By rules",
    "twin": "As verified of a past incident",
    "llm": "By the language model",
}
"""``mode`` of a diagnosis → who made it, in words."""

AXIS: Final = 1000.0
"""Units of the axis of the signals, from 0: what one pixel of a wide screen resolves."""


@dataclass(frozen=True, slots=True)
class SignalBar:
    """A signal on the axis of its incident; ``left`` and ``width`` in units of ``AXIS``."""

    place: str
    kind: str
    severity: str
    about: str
    why: str
    begin: int
    end: int
    ongoing: bool
    windows: int
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A sentence of the diagnosis; ``lines`` are ids of evidence that is there, ``absent`` of such that is not."""

    text: str
    verified: bool
    lines: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LineView:
    """A line of evidence."""

    id: str
    where: str
    time: int | None
    service: str
    host: str
    level: str
    text: str
    rest: str
    """What follows its first line, such as a traceback."""
    count: int
    roles: tuple[str, ...]
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class MomentView:
    """An entry of the diagnosis's own timeline."""

    time: int | None
    service: str
    text: str
    line: str


@dataclass(frozen=True, slots=True)
class DiagnosisView:
    """A diagnosis as the page shows it."""

    summary: str
    cause: str
    sure: str
    confidence: float
    service: str
    hits: tuple[str, ...]
    first_bad: str
    claims: tuple[ClaimView, ...]
    lines: tuple[LineView, ...]
    moments: tuple[MomentView, ...]
    actions: tuple[str, ...]
    similar: tuple[tuple[str, str, float], ...]
    """Id ("" where the page has none to show), title, score from 0 to 1."""
    made_by: str
    note: str


@dataclass(frozen=True, slots=True)
class FindingBar:
    """What a detector reports; ``ratio`` is how many times the usual value was seen, None where there is none."""

    text: str
    ratio: float | None
    width: float
    """Of the bar, 0 to 100: logarithmic, a hundred times the usual is full."""
    seen: str
    usual: str


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """All that the page of an incident shows."""

    head: IncidentHead
    short: str
    lasts: str
    sure: str
    silence: str
    bars: tuple[SignalBar, ...]
    axis: tuple[int, int]
    diagnosis: DiagnosisView | None
    findings: tuple[FindingBar, ...]
    reasons: tuple[str, ...]
    steps: tuple[TimelineStep, ...]
    receipts: tuple[DeliveryReceipt, ...]
    annotations: Annotations
    notes: tuple[Feedback, ...]
    orders: tuple[str, ...]
    beside: tuple[IncidentHead, ...]
    changes: tuple[Announcement, ...]
    windows: int
    pages: int
    comparison: str
    """Address that compares its time with the hour before."""
    question: str
    """Address that asks about its time."""
    alike: tuple[IncidentHead, ...]
    """Others of the last week that a vote *known* would have silenced."""


def incident_page(memory: Memory, incident_id: str, now: int) -> IncidentPage | None:
    """Return the page of an incident at the time ``now`` (microseconds), None where there is none of that id."""
    log = memory.log(incident_id)
    if log is None:
        return None
    alert, said, heads = log.newest(), memory.said(incident_id), memory.heads()
    bars, axis = signal_bars(alert)
    known = {head.id for head in heads}
    return IncidentPage(
        head=log.head,
        short=short_id(incident_id),
        lasts=lasts(log.head, now),
        sure=sureness(log.head.confidence),
        silence=said.annotations.silence(now),
        bars=bars,
        axis=axis,
        diagnosis=diagnosis_view(alert.diagnosis, known) if alert.diagnosis else None,
        findings=finding_bars(log.findings()),
        reasons=alert.reasons,
        steps=tuple(log.steps),
        receipts=_sends(said),
        annotations=said.annotations,
        notes=said.annotations.notes,
        orders=said.orders,
        beside=_beside(log.head, heads),
        changes=_changes(log.head, memory.changes()),
        windows=sum(bar.windows for bar in bars),
        pages=sum(step.page for step in log.steps),
        comparison=_comparison(bars, axis),
        question=_question(bars, axis),
        alike=alike(log.head, heads, max(log.head.end, now - DAY)),
    )


def signal_bars(alert: Alert) -> tuple[tuple[SignalBar, ...], tuple[int, int]]:
    """Return the signals on an axis, and its begin and end in microseconds."""
    spans = [(parse_time(str(signal["begin"])), parse_time(str(signal["end"]))) for signal in alert.signals]
    begin = min((first for first, _ in spans), default=alert.started)
    end = max((last for _, last in spans), default=alert.updated)
    length = max(end - begin, SHORTEST)
    scale = AXIS / length
    bars = tuple(
        SignalBar(
            place=place_of(signal),
            kind=kind_name(str(signal["kind"])),
            severity=str(signal.get("severity", "warning")),
            about=str(signal.get("about", "")),
            why=str(signal.get("why", "")),
            begin=first,
            end=last,
            ongoing=bool(signal.get("ongoing")),
            windows=int(signal.get("windows", 1)),
            left=round((first - begin) * scale, 1),
            # A signal of one window still shows, and what goes on has no end yet.
            width=round(max(((begin + length if signal.get("ongoing") else last) - first) * scale, 6.0), 1),
        )
        for signal, (first, last) in zip(alert.signals, spans, strict=True)
    )
    return bars, (begin, begin + length)


def diagnosis_view(diagnosis: Mapping[str, Any], known: Iterable[str]) -> DiagnosisView:
    """Return a diagnosis as the page shows it; ``known`` are the ids of incidents that have a page."""
    lines = tuple(_line(record) for record in diagnosis.get("evidence") or ())
    ids = {line.id for line in lines}
    pages = set(known)
    similar = diagnosis.get("similar") or ()
    confidence = float(diagnosis.get("confidence") or 0.0)
    model = str(diagnosis.get("model") or "")
    made_by = MAKERS.get(str(diagnosis.get("mode")), "By rules") + (f" {model}" if model else "")
    cost = float(diagnosis.get("cost_usd") or 0.0)
    return DiagnosisView(
        summary=_filled(diagnosis, "summary"),
        cause=_filled(diagnosis, "cause"),
        sure=sureness(confidence),
        confidence=confidence,
        service=str(diagnosis.get("service") or ""),
        hits=tuple(map(str, diagnosis.get("services") or ())),
        first_bad=str(diagnosis.get("first_bad") or "") if diagnosis.get("first_bad") in ids else "",
        claims=tuple(_claim(claim, diagnosis, ids) for claim in diagnosis.get("claims") or ()),
        lines=lines,
        moments=tuple(_moment(entry, ids) for entry in diagnosis.get("timeline") or ()),
        actions=tuple(filled(str(action), diagnosis) for action in diagnosis.get("actions") or ()),
        similar=tuple((str(s["id"]) if s["id"] in pages else "", str(s["title"]), float(s["score"])) for s in similar),
        made_by=made_by + (f", {cost:.4f} USD" if cost else ""),
        note=_sentence(str(diagnosis.get("note") or "")),
    )


def finding_bars(records: Sequence[Mapping[str, Any]]) -> tuple[FindingBar, ...]:
    """Return what detectors report as bars, against what is usual."""
    bars = []
    for finding in findings_from_json(list(records)):
        ratio = None
        if finding.value is not None and finding.usual and finding.value > 0 and finding.usual > 0:
            ratio = finding.value / finding.usual
        unit = f" {finding.unit}" if finding.unit else ""
        bars.append(
            FindingBar(
                text=sentence(finding),
                ratio=ratio,
                width=_log_width(ratio) if ratio is not None else 0.0,
                seen="" if finding.value is None else f"{finding.value:,.4g}{unit}",
                usual="" if finding.usual is None else f"{finding.usual:,.4g}{unit}",
            )
        )
    return tuple(bars)


def _log_width(ratio: float) -> float:
    """Return the width of a bar: 0 for the usual, 100 for a hundred times as much or as little."""
    return round(min(100.0, 50.0 * abs(log10(ratio))), 1)


def _line(record: Mapping[str, Any]) -> LineView:
    first, _, rest = str(record.get("text", "")).partition("\n")
    partition, offset = int(record.get("partition", 0)), int(record.get("line", 0))
    return LineView(
        id=str(record["id"]),
        where=f"{record.get('source', '')} [{partition}] @ {offset}",
        time=_time(record.get("time")),
        service=str(record.get("service") or ""),
        host=str(record.get("host") or ""),
        level=str(record.get("level") or ""),
        text=first,
        rest=rest,
        count=int(record.get("count") or 1),
        roles=tuple(map(str, record.get("roles") or ())),
        partition=partition,
        offset=offset,
    )


def _claim(claim: Mapping[str, Any], diagnosis: Mapping[str, Any], ids: set[str]) -> ClaimView:
    cited = tuple(map(str, claim.get("lines") or ()))
    return ClaimView(
        text=filled(str(claim.get("text", "")), diagnosis),
        verified=bool(claim.get("verified")) and bool(ids.intersection(cited)),
        lines=tuple(name for name in cited if name in ids),
        absent=tuple(name for name in cited if name not in ids),
    )


def _moment(entry: Mapping[str, Any], ids: set[str]) -> MomentView:
    line = str(entry.get("line") or "")
    return MomentView(
        _time(entry.get("time")),
        str(entry.get("service") or ""),
        str(entry.get("text", "")),
        line if line in ids else "",
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _time(text: Any) -> int | None:
    try:
        return parse_time(str(text))
    except ValueError:
        return None


def _filled(diagnosis: Mapping[str, Any], name: str) -> str:
    return filled(str(diagnosis.get(name) or "unknown"), diagnosis)


def _sends(said: Said) -> tuple[DeliveryReceipt, ...]:
    """Return what became of each send: of one that was announced, only what came after."""
    return tuple(r for r in said.receipts if r.sent not in {SendState.SENDING, SendState.STEP})


def _comparison(bars: Sequence[SignalBar], axis: tuple[int, int]) -> str:
    """Return the address of a comparison, from a window's length before the first signal to the end of the last."""
    begin = axis[0] - SHORTEST
    end = max((bar.end for bar in bars), default=axis[1]) + SECOND
    times = {"since": begin, "until": end, "base_since": begin - 60 * SHORTEST, "base_until": begin}
    return "/compare?" + urlencode({name: time_text(time) for name, time in times.items()})


def _question(bars: Sequence[SignalBar], axis: tuple[int, int]) -> str:
    """Return the address of a question, from a quarter of an hour before the first signal to the end of the last."""
    end = max((bar.end for bar in bars), default=axis[1]) + SHORTEST
    return "/ask?" + urlencode({"since": time_text(axis[0] - BESIDE), "until": time_text(end)})


def _beside(head: IncidentHead, heads: Sequence[IncidentHead]) -> tuple[IncidentHead, ...]:
    """Return the other incidents of the tenant that went on meanwhile or shortly before."""
    near = [
        other
        for other in heads
        if other.id != head.id
        and other.tenant == head.tenant
        and other.started <= head.end
        and other.end >= head.started - BESIDE
    ]
    return tuple(sorted(near, key=lambda other: (abs(other.started - head.started), other.id))[:MOST_BESIDE])


def _changes(head: IncidentHead, changes: Sequence[Announcement]) -> tuple[Announcement, ...]:
    near = [
        change
        for change in changes
        if head.started - 4 * BESIDE <= change.time <= head.end and change.tenant in {None, head.tenant}
    ]
    return tuple(sorted(near, key=lambda change: -change.time)[:MOST_BESIDE])
