"""The report of a review: incidents in the order in which they began, each with what, where, when, why and proof."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from alerts.incidents.incident import Incident, IncidentState
from alerts.incidents.signal import Signal
from alerts.messages.alert import Alert
from alerts.messages.wording import duration, filled, kind_name, moment, place_text, short_id
from index.text.sanitize import escape_control
from models.rfc3339 import SECOND, time_text

PROOF: Final = 6
"""Lines of evidence of an incident that the report shows: a judgement, a glance; ``alerts.jsonl`` has more."""

TEXT: Final = 300
"""Characters of a line that are shown: a judgement, a log line's header and the beginning of its text."""

BESIDE_US: Final = 15 * 60 * SECOND
"""Microseconds before an incident within which another one counts as beside it: a judgement."""


@dataclass(frozen=True, slots=True)
class Review:
    """What came of a review; times in microseconds."""

    incidents: Sequence[Incident]
    """In their last state."""
    alerts: Sequence[Alert]
    """As they would have been published, in that order."""
    fired: int
    """Windows that fired."""
    bundle: str
    lines: int = 0
    """0 where events were read instead of lines."""
    windows: int = 0
    span: tuple[int, int] = (0, 0)
    files: Mapping[int, str] = field(default_factory=dict)
    """Paths of the files by number; empty for topics."""
    unknown: float | None = None
    """Share of the lines whose text the training of the bundle has not seen; None for topics."""
    templates: int | None = None
    """How many templates the lines have; None for topics."""

    def about(self, lines: int, windows: int, span: tuple[int, int], files: Mapping[int, str]) -> "Review":
        """Return it with what was read."""
        return replace(self, lines=lines, windows=windows, span=span, files=files)

    @property
    def told(self) -> list[Incident]:
        """Return the incidents by their begin, those left out that go on as part of another."""
        whole = [incident for incident in self.incidents if incident.state is not IncidentState.MERGED]
        return sorted(whole, key=lambda incident: (incident.first, incident.id))

    def counts(self) -> str:
        """Return how much came of it, in words."""
        amounts = {"window": self.windows, "incident": len(self.told), "alert": len(self.alerts)}
        windows, *others = (_counted(amount, what) for what, amount in amounts.items())
        return ", ".join((windows, f"{self.fired:,} fired", *others))

    def alerts_jsonl(self) -> bytes:
        """Return the alerts, a line each, as they would stand on the topic."""
        return b"".join(alert.to_json() + b"\n" for alert in self.alerts)

    def to_record(self) -> dict[str, Any]:
        """Return the review as JSON carries it."""
        return {
            "from": time_text(self.span[0]),
            "to": time_text(self.span[1]),
            "bundle": self.bundle,
            "files": list(self.files.values()),
            "lines": self.lines,
            "windows": self.windows,
            "unknown": self.unknown,
            "templates": self.templates,
            "fired": self.fired,
            "incidents": [orjson.loads(incident.to_json()) for incident in self.told],
            "alerts": [orjson.loads(alert.to_json()) for alert in self.alerts],
        }

    def to_markdown(self) -> str:
        """Return the report for people."""
        return "\n".join(_page(self)) + "\n"


def _page(review: Review) -> Iterator[str]:
    incidents = review.told
    yield f"# Review of {moment(review.span[0])} to {moment(review.span[1])}"
    yield ""
    read = f"{review.lines:,} lines of {_counted(len(review.files), 'file')}" if review.files else "The topics"
    pages = sum(alert.page for alert in review.alerts)
    yield f"{read}: {review.counts()}, of which {_counted(pages, 'page')}."
    if not incidents:
        yield ""
        yield _nothing(review)
    else:
        yield from ("", "## Timeline", "")
        for incident in incidents:
            yield f"- {_clock(incident.first)} `{short_id(incident.id)}` {_title(incident)} ({_length(incident)})"
    for incident in incidents:
        yield from _incident(incident, review)
    yield from ("", "## How to look further", "")
    yield from _further(review)


def _nothing(review: Review) -> str:
    if not review.fired:
        return "No window fired: nothing here is unusual for the bundle."
    return "Some windows fired, and none was strong enough, or lasted long enough, to become an incident."


def _incident(incident: Incident, review: Review) -> Iterator[str]:
    diagnosis = incident.diagnosis or {}
    yield from ("", f"## `{short_id(incident.id)}` {_title(incident)}", "")
    yield f"**When.** {moment(incident.first)}, {_length(incident)}; severity {incident.severity.label}."
    yield ""
    yield f"**Where it began.** {escape_control(place_text(incident.service, incident.host))}{_others(incident)}"
    if diagnosis:
        yield ""
        yield f"**What.** {_filled(diagnosis, 'summary')}"
        yield ""
        yield f"**Why.** {_filled(diagnosis, 'cause')} (confidence {float(diagnosis.get('confidence') or 0):.0%})"
    yield from ("", "| trouble | where | from | to | why it belongs here |", "|---|---|---|---|---|")
    yield from map(_signal, incident.signals)
    if evidence := diagnosis.get("evidence"):
        yield from ("", "Evidence:", "")
        for line in evidence[:PROOF]:
            yield f"- {_line_place(line, review.files)}{_times(line)}"
            yield f"  {_code(str(line['text']))}"
    if actions := diagnosis.get("actions"):
        yield from ("", "Next steps:", "")
        for number, action in enumerate(actions, 1):
            yield f"{number}. {escape_control(filled(str(action), diagnosis))}"
    yield from ("", "Told:", "")
    for alert in review.alerts:
        if alert.incident_id == incident.id:
            page = ", a page" if alert.page else ""
            yield f"- {_clock(alert.updated)} {alert.status.value}, {alert.severity.label}{page}"
    if beside := [other for other in review.told if other is not incident and _is_beside(other, incident)]:
        yield from ("", "Beside it:", "")
        yield from (f"- {_clock(other.first)} `{short_id(other.id)}` {_title(other)}" for other in beside)


def _further(review: Review) -> Iterator[str]:
    if review.files:
        paths = " ".join(dict.fromkeys(review.files.values()))
        yield f'- Ask about one of them: `tocsin analyze --issue "WHAT IS WRONG" --logs {escape_control(paths)}`'
        yield f"- See every window with its findings: `tocsin score {escape_control(paths)} --out windows.jsonl`"
        return
    since, until = map(time_text, review.span)
    yield "- What was published of an incident: `tocsin incidents list --all`, `tocsin explain show ID`"
    yield f"- See every window with its findings: `tocsin replay --from {since} --to {until} --out windows.jsonl`"
    yield f"- Read the lines: `tocsin topics cat logs.raw --from {since} --to {until}`"


def _title(incident: Incident) -> str:
    return escape_control(incident.summary(dated=False))


def _length(incident: Incident) -> str:
    seconds = (incident.last - incident.first) // SECOND
    windows = _counted(incident.count, "window")
    return f"{duration(seconds)}, {windows}" if seconds else windows


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _others(incident: Incident) -> str:
    others = [escape_control(name) for name in incident.services if name != incident.service]
    return f"; it hit {', '.join(others)}." if others else "."


def _signal(signal: Signal) -> str:
    about = f": {_code(signal.about)}" if signal.about else ""
    place = _cell(place_text(signal.service, signal.host))
    why = _cell(signal.why) or "it began with this"
    return f"| {kind_name(signal.kind)}{about} | {place} | {_clock(signal.first)} | {_clock(signal.last)} | {why} |"


def _cell(text: str) -> str:
    return escape_control(text).replace("|", "\\|")


def _filled(diagnosis: Mapping[str, Any], name: str) -> str:
    return escape_control(filled(str(diagnosis.get(name) or "unknown"), diagnosis))


def _line_place(line: Mapping[str, Any], files: Mapping[int, str]) -> str:
    """Return where a line stands: in a file by its number there from 1, on a topic as its offset."""
    partition, number = int(line["partition"]), int(line["line"])
    if partition in files:
        return f"{escape_control(files[partition])}:{number + 1}"
    return f"{escape_control(str(line['source']))}[{partition}]@{number}"


def _times(line: Mapping[str, Any]) -> str:
    count = int(line.get("count") or 1)
    return f", {count} times" if count > 1 else ""


def _code(text: str) -> str:
    """Return text that others wrote as Markdown's code: on one line, and without what could end it."""
    shown = escape_control(" ".join(text.split())).replace("`", "'").replace("|", "\\|")
    return f"`{shown if len(shown) <= TEXT else shown[:TEXT] + ' …'}`"


def _clock(time: int) -> str:
    return time_text(time)[11:19]


def _is_beside(other: Incident, incident: Incident) -> bool:
    """Whether another incident goes on while this one does, or did shortly before."""
    return other.first <= incident.last and other.last >= incident.first - BESIDE_US
