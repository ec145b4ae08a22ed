"""When the state of an incident is news, and whether it may page."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from alerts.incidents.annotations import Annotations
from alerts.incidents.incident import Incident, IncidentState
from alerts.incidents.kept import PAGES, TOLD
from alerts.incidents.policy import IncidentPolicy
from alerts.messages.alert import Alert, Status
from models.rfc3339 import SECOND

_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")


def published(  # noqa: PLR0913 - what decides, each of its own kind
    incident: Incident,
    annotations: Annotations,
    now: int,
    policy: IncidentPolicy,
    pages: Iterable[int],
    *,
    again: bool = False,
) -> tuple[Incident, Alert | None]:
    """Return the incident once its state is published, and the alert that does so, if there is anything to say.

    Args:
        incident: What it has become.
        annotations: What people said of it.
        now: The wall clock, in microseconds.
        policy: What is news, and the budget of pages.
        pages: When any incident paged, in microseconds of event time.
        again: Publish one that is open though it has nothing new.
    """
    if incident.state is IncidentState.PENDING:
        return incident, None
    silence = annotations.silence(now)
    if incident.state is IncidentState.OPEN and not silence:
        return _firing(incident, annotations, policy, pages, again=again)
    rises = incident.last_status is not None and incident.severity > incident.last_severity and not silence
    if incident.last_status is not Status.FIRING and not rises:
        return incident, None
    after = replace(
        incident,
        last_status=Status.RESOLVED,
        published=incident.last,
        last_severity=int(incident.severity),
        # What was silenced pages again once it may.
        paged=0 if silence else incident.paged,
    )
    # What is silenced while it is open ends at the sinks.
    ended = after if after.resolved else replace(after, state=IncidentState.RESOLVED)
    return after, ended.alert(note=silence, acknowledged=annotations.acknowledged)


def _firing(
    incident: Incident, annotations: Annotations, policy: IncidentPolicy, pages: Iterable[int], *, again: bool
) -> tuple[Incident, Alert | None]:
    """Publish what is open when there is news: it is new or worse, another place or kind, or somebody takes it.

    What is not urgent waits until ``update_s`` after what was published before, so that it comes together.
    """
    update = policy.update_s * SECOND
    # Steps that follow one another at once are one page: the message shows the last of them.
    follows_page = incident.paged and incident.pages and incident.last - incident.pages[-1] < update
    is_worse = incident.severity > incident.paged and not follows_page
    has_news = bool(set(incident.news) - set(incident.published_news)) and incident.last - incident.published >= update
    is_due = has_news or incident.severity > incident.last_severity
    if incident.last_status is Status.FIRING and not (is_worse or is_due or again):
        return incident, None
    note = _why_no_page(incident, policy, pages) if is_worse else ""
    page = is_worse and not note
    after = replace(
        incident,
        last_status=Status.FIRING,
        published_news=tuple(dict.fromkeys((*incident.published_news, *incident.news)))[-TOLD:],
        published=incident.last,
        last_severity=int(incident.severity),
        paged=int(incident.severity) if is_worse else incident.paged,
        pages=(*incident.pages, incident.last)[-PAGES:] if page else incident.pages,
    )
    return after, after.alert(page=page, note=note, acknowledged=annotations.acknowledged)


def _why_no_page(incident: Incident, policy: IncidentPolicy, pages: Iterable[int]) -> str:
    """Return why what is new or worse is a ticket, "" where it is a page."""
    budget = policy.budget
    if budget is None:
        return ""
    if incident.importance < budget.threshold:
        return f"a ticket: importance is below {budget.threshold:g}, where pages begin"
    since = incident.last - int(budget.per_s * SECOND)
    spent = sum(since < page <= incident.last for page in pages)
    return f"a ticket: the budget of {budget.text} is spent" if spent >= budget.pages else ""


def told_of(diagnosis: Mapping[str, Any]) -> tuple[str, ...]:
    """Return that of a diagnosis which is news when it changes: the cause without numbers, where, who says so."""
    return tuple(_NUMBER.sub("", str(diagnosis.get(name) or "")) for name in ("cause", "service", "mode"))
