"""A draft of the post-mortem of an incident: what is known, in order; people add what only they know."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from alerts.messages.delivery_receipt import SendState
from alerts.messages.feedback import Action, Feedback
from alerts.messages.wording import duration, moment
from index.text.sanitize import escape_control
from models.rfc3339 import SECOND, time_text
from stream.ui.pages.incident_page import IncidentPage, LineView
from stream.ui.pages.text import cut

PINNED: Final = 6
"""Lines of evidence that a draft holds where nobody chose any: a judgement, as many as a review's report has."""

LINE: Final = 300
"""Characters of a line: a judgement, its header and the beginning of its text."""

MISSING: Final = "(to be written)"
"""Stands where only people know what to write."""

_MARKUP: Final = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>#|~"})
"""What acts in Markdown."""


@dataclass(frozen=True, slots=True)
class DraftEvent:
    """An entry of the draft's timeline; ``time`` in microseconds."""

    time: int
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A post-mortem as far as it is known."""

    title: str
    id: str
    facts: tuple[tuple[str, str], ...]
    summary: str
    cause: str
    claims: tuple[tuple[str, bool], ...]
    """Sentences of the diagnosis, and whether each is proven."""
    impact: tuple[str, ...]
    timeline: tuple[DraftEvent, ...]
    detection: tuple[str, ...]
    lines: tuple[LineView, ...]
    actions: tuple[str, ...]
    people: tuple[str, ...]

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON carries it."""
        return {
            "schema": "tocsin.draft/1",
            "incident_id": self.id,
            "title": self.title,
            "facts": dict(self.facts),
            "summary": self.summary,
            "cause": self.cause,
            "claims": [{"text": text, "proven": proven} for text, proven in self.claims],
            "impact": list(self.impact),
            "timeline": [{"time": time_text(event.time), "text": event.text} for event in self.timeline],
            "detection": list(self.detection),
            "evidence": [{"id": line.id, "where": line.where, "text": line.text} for line in self.lines],
            "actions": list(self.actions),
            "people": list(self.people),
        }

    def to_markdown(self) -> str:
        """Return it as Markdown, in which no text of others acts."""
        return "\n".join(self._markdown()) + "\n"

    def _markdown(self) -> Iterator[str]:
        yield f"# Post-mortem: {_plain(self.title)}"
        yield ""
        yield from (f"- **{name}:** {_plain(text)}" for name, text in self.facts)
        yield from ("", "## Summary", "", _plain(self.summary), "", "## Impact", "")
        yield from (f"- {_plain(text)}" for text in self.impact)
        yield from ("", "## Timeline", "", "All times are UTC.", "")
        yield from (f"- `{time_text(event.time)[11:19]}` {_plain(event.text)}" for event in self.timeline)
        yield from ("", "## Detection", "")
        yield from (f"- {_plain(text)}" for text in self.detection)
        yield from ("", "## Cause", "", _plain(self.cause), "")
        yield from (f"- {'' if proven else 'Hypothesis: '}{_plain(text)}" for text, proven in self.claims)
        if self.lines:
            yield from ("", "## Evidence", "")
            for line in self.lines:
                yield f"- {line.id}, {_plain(line.where)}, {_plain(line.service)}"
                yield ""
                yield f"      {escape_control(cut(line.text, LINE))}"
                yield ""
        yield from ("", "## What was done, and by whom", "")
        yield from (f"- {_plain(text)}" for text in self.people or (MISSING,))
        yield from ("", "## Actions", "")
        yield from (f"- [ ] {_plain(text)}" for text in (*self.actions, MISSING))


def draft_of(page: IncidentPage, pins: Collection[str]) -> Draft:
    """Return the draft of an incident with the lines of evidence whose ids are pinned, the first ones if none is."""
    head, diagnosis = page.head, page.diagnosis
    evidence = diagnosis.lines if diagnosis else ()
    chosen = tuple(line for line in evidence if line.id in pins) or evidence[:PINNED]
    places = list(dict.fromkeys(bar.place for bar in page.bars))
    return Draft(
        title=head.title,
        id=head.id,
        facts=(
            ("Incident", head.id),
            ("Severity", head.severity.label),
            ("Began", moment(head.started)),
            ("Ended", moment(head.end) if not head.is_open else "goes on"),
            ("Lasted", page.lasts),
            ("Tenant", head.tenant),
        ),
        summary=diagnosis.summary if diagnosis else head.title,
        cause=diagnosis.cause if diagnosis else "Unknown: there is no diagnosis.",
        claims=tuple((claim.text, claim.verified) for claim in diagnosis.claims) if diagnosis else (),
        impact=(
            f"Services: {', '.join(head.services) or 'unknown'}.",
            f"Places: {', '.join(places) or 'unknown'}.",
            f"Users and requests that were hit: {MISSING}",
        ),
        timeline=tuple(sorted(_events(page), key=lambda event: event.time)),
        detection=tuple(_detection(page)),
        lines=chosen,
        actions=diagnosis.actions if diagnosis else (),
        people=tuple(_people(page)),
    )


def _events(page: IncidentPage) -> Iterator[DraftEvent]:
    for change in page.changes:
        yield DraftEvent(change.time, f"Change of {change.service or 'everything'}: {change.text}")
    if page.diagnosis:
        first = next((line for line in page.diagnosis.lines if line.id == page.diagnosis.first_bad), None)
        if first is not None and first.time is not None:
            yield DraftEvent(first.time, f"First bad line ({first.id}), {first.service}: {cut(first.text, LINE)}")
    for bar in page.bars:
        yield DraftEvent(bar.begin, f"{bar.kind} in {bar.place}{f': {bar.about}' if bar.about else ''}")
    for step in page.steps:
        yield DraftEvent(step.time, f"Tocsin: {'; '.join(step.news)}{' (page)' if step.page else ''}")
    for receipt in page.receipts:
        if receipt.sent is SendState.DELIVERED:
            yield DraftEvent(int(receipt.time * SECOND), f"{receipt.sink} was told: {receipt.status}")
    for said in _said(page):
        yield DraftEvent(said.time, _sentence(said))


def _detection(page: IncidentPage) -> Iterator[str]:
    """Yield how long each step of the way from the first bad line to people took."""
    bad = None
    if page.diagnosis:
        bad = next((line.time for line in page.diagnosis.lines if line.id == page.diagnosis.first_bad), None)
    begin = bad if bad is not None else page.head.started
    since = "the first bad line" if bad is not None else "its begin"
    yield f"First alert {_after(begin, page.steps[0].time if page.steps else None)} {since}."
    yield f"First page {_after(begin, next((step.time for step in page.steps if step.page), None))} {since}."
    diagnosed = next((step.time for step in page.steps if any("diagnosis" in news for news in step.news)), None)
    yield f"Diagnosis {_after(begin, diagnosed)} {since}; {page.sure}."
    ack = page.annotations.ack
    yield f"Taken by {ack.by} at {moment(ack.time)}." if ack else "Nobody said that they took it."
    yield f"What could have shown it sooner: {MISSING}"


def _after(begin: int, time: int | None) -> str:
    return "never came, counted from" if time is None else f"{duration(max(0, (time - begin) // SECOND))} after"


def _said(page: IncidentPage) -> list[Feedback]:
    annotations = page.annotations
    orders = [one for one in (annotations.ack, annotations.mute) if one is not None]
    return sorted([*annotations.votes.values(), *annotations.notes, *orders], key=lambda said: said.time)


def _people(page: IncidentPage) -> Iterator[str]:
    yield from (f"{moment(said.time)} {_sentence(said)}" for said in _said(page))
    yield from page.orders


def _sentence(said: Feedback) -> str:
    cause = {True: ", cause right", False: ", cause wrong", None: ""}[said.cause]
    words = {
        Action.VOTE: f"{said.by} voted {said.opinion}{cause}",
        Action.ACK: f"{said.by} took it",
        Action.MUTE: f"{said.by} muted it",
    }
    text = f": {said.text}" if said.text else ""
    return words.get(said.action, said.by) + text


def _plain(text: str) -> str:
    """Return text as one line of Markdown in which nothing acts."""
    return escape_control(text).translate(_MARKUP)
