"""What people order: merge two incidents, split one.  Pure, and obeyed once however often it is read."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from alerts.incidents.incident import Incident, IncidentState
from alerts.incidents.kept import IDS, PARTS, REASONS, SERVICES, TEMPLATES, first_names, strongest
from alerts.incidents.signal import with_signals
from alerts.messages.anomaly import service_of_place
from alerts.messages.feedback import Feedback

_STRONGEST_STATE: Final = (IncidentState.OPEN, IncidentState.RESOLVED, IncidentState.PENDING)
"""State of two incidents that became one: the first of these that either has."""


def root(incident: Incident, by_id: Mapping[str, Incident]) -> Incident:
    """Return the incident that this one is part of by now, in the end."""
    seen = {incident.id}
    while incident.into in by_id and incident.into not in seen:
        incident = by_id[incident.into]
        seen.add(incident.id)
    return incident


def merge(said: Feedback, by_id: Mapping[str, Incident], limit: int) -> list[Incident]:
    """Return what changes when one incident becomes part of another: nothing where it is, or cannot be.

    At most ``limit`` windows are remembered.
    """
    here, there = by_id.get(said.incident_id), by_id.get(said.into)
    if here is None or there is None or here.state is IncidentState.MERGED or here.tenant != there.tenant:
        return []
    there = root(there, by_id)
    if there.id == here.id or there.state is IncidentState.MERGED:
        return []
    joined = absorbed(there, here, limit, f"{said.by} merged them")
    return [joined, replace(here, state=IncidentState.MERGED, into=there.id)]


def united(one: Incident, other: Incident, limit: int, why: str) -> tuple[Incident, Incident]:
    """Return two incidents that turn out to have one cause: the first with all of both, and the later as part of it."""
    there, here = sorted((one, other), key=lambda incident: (incident.opened, incident.id))
    return absorbed(there, here, limit, why), replace(here, state=IncidentState.MERGED, into=there.id)


def absorbed(there: Incident, here: Incident, limit: int, why: str) -> Incident:
    """Return ``there`` with all that is known of ``here``; ``why`` they belong together, in words."""
    states = {here.state, there.state}
    state = next(state for state in _STRONGEST_STATE if state in states)
    there_has = set(zip(there.windows, there.window_places, strict=True))
    added = [pair for pair in zip(here.windows, here.window_places, strict=True) if pair not in there_has]
    windows = (*(window for window, _ in added), *there.windows)[-limit:]
    window_places = (*(place for _, place in added), *there.window_places)[-limit:]
    weaker, stronger = sorted((here, there), key=lambda incident: incident.importance)
    return replace(
        there,
        state=state,
        first=min(here.first, there.first),
        last=max(here.last, there.last),
        severity=max(here.severity, there.severity),
        importance=max(here.importance, there.importance),
        windows=windows,
        window_places=window_places,
        count=here.count + there.count,
        seen=max(here.seen, there.seen),
        services=first_names((*there.services, *here.services), SERVICES),
        located=here.located or there.located,
        witnesses=max(here.witnesses, there.witnesses),
        ids=first_names((*there.ids, *here.ids), IDS),
        templates=first_names((*there.templates, *here.templates), TEMPLATES),
        top_templates=first_names((*there.top_templates, *here.top_templates), TEMPLATES),
        reasons=first_names((*there.reasons, *here.reasons), REASONS),
        findings=strongest((*stronger.findings, *weaker.findings)),
        signals=with_signals(there.signals, (replace(signal, why=signal.why or why) for signal in here.signals)),
        parts=(*there.parts, here.id)[-PARTS:],
        paged=max(here.paged, there.paged),
        since=max(here.since, there.since),
        split_off=tuple(service for service in there.split_off if service not in here.services),
    )


def merges_finished(incidents: Iterable[Incident]) -> Iterator[Incident]:
    """Yield the incidents, those as merged that became part of another: a crash may have kept only the record of that.

    One that nobody has heard of is left out.
    """
    known = list(incidents)
    whole_of = {part: whole.id for whole in known for part in whole.parts}
    for incident in known:
        if incident.id not in whole_of or incident.state is IncidentState.MERGED:
            yield incident
        elif incident.state is not IncidentState.PENDING:
            yield replace(incident, state=IncidentState.MERGED, into=whole_of[incident.id])


def split(said: Feedback, by_id: Mapping[str, Incident], now: int) -> list[Incident]:
    """Return what changes when services of an incident become one of their own; where it began stays."""
    here = by_id.get(said.incident_id)
    if here is None or here.state is IncidentState.MERGED:
        return []
    splittable = [service for service in here.services[1:] if service not in here.split_off]
    leaving = tuple(service for service in said.services if service in splittable)
    if not leaving:
        return []
    staying = tuple(service for service in here.services if service not in leaving)
    gone = sum(service_of_place(place) in leaving for place in here.window_places)
    leaver = replace(
        _part(here, frozenset(leaving)),
        service=leaving[0],
        host=next((signal.host for signal in here.signals if signal.service == leaving[0]), ""),
        services=leaving,
        count=max(1, gone),
        ids=(),
        last_status=None,
        pages=(),
        suppressed=0,
        seen=now,
        split_off=staying,
    )
    if leaver.id in by_id:
        return []
    seen = {*map(service_of_place, here.window_places), *(finding.service for finding in here.findings)}
    others = frozenset(seen | {signal.service for signal in here.signals}) - frozenset(leaving)
    rest = replace(
        _part(here, others),
        services=staying,
        count=max(1, here.count - gone),
        split_off=(*here.split_off, *leaving),
    )
    return [rest, leaver]


def _part(incident: Incident, services: frozenset[str]) -> Incident:
    """Return the incident with the windows and findings of these services.

    The older windows are not known one by one any more: a part without any gets the newest.
    """
    pairs = list(zip(incident.windows, incident.window_places, strict=True))
    chosen = [pair for pair in pairs if service_of_place(pair[1]) in services] or pairs[-1:]
    return replace(
        incident,
        windows=tuple(window for window, _ in chosen),
        window_places=tuple(place for _, place in chosen),
        findings=tuple(finding for finding in incident.findings if finding.service in services),
        signals=tuple(signal for signal in incident.signals if signal.service in services),
    )
