"""Which incident a window belongs to, and whether what is pending is enough to tell somebody.

Signs that two things have one cause, weakest first: they begin at the same time; their services work together; the
same odd templates; the same service; the same request, instance, port or volume.  The weaker the sign, the closer in
time it must be.
"""

from collections.abc import Iterable
from enum import IntEnum

from alerts.incidents.incident import Incident, IncidentState
from alerts.incidents.policy import IncidentPolicy
from alerts.incidents.topology import Topology
from alerts.messages.anomaly import Anomaly
from models.rfc3339 import SECOND


class MatchStrength(IntEnum):
    """What ties a window to an incident."""

    NONE = 0
    TIME = 1
    LINK = 2
    TEMPLATE = 3
    SERVICE = 4
    ID = 5


TELLING = 3
"""The first templates of a window, its most telling lines: what it shares must be among them."""


def best_match(
    window: Anomaly, incidents: Iterable[Incident], topology: Topology, policy: IncidentPolicy
) -> Incident | None:
    """Return the incident that the window belongs to: by the strongest bond, then the one that is open, then near."""
    best: tuple[tuple[int, bool, int, int, str], Incident] | None = None
    for incident in incidents:
        tie = match_strength(window, incident, topology, policy)
        if tie is MatchStrength.NONE:
            continue
        rank = (int(tie), incident.state is IncidentState.OPEN, -gap(window, incident), incident.last, incident.id)
        if best is None or rank > best[0]:
            best = (rank, incident)
    return best[1] if best else None


def gap(window: Anomaly, incident: Incident) -> int:
    """Return how far the window's end is from the incident's windows, in microseconds."""
    return max(0, window.end - incident.last, incident.first - window.end)


def match_strength(window: Anomaly, incident: Incident, topology: Topology, policy: IncidentPolicy) -> MatchStrength:
    """Return what ties the window to the incident, as far as it is near enough."""
    away = gap(window, incident)
    if away > _reach(window, incident, policy) or window.end - incident.first > policy.max_age_s * SECOND:
        return MatchStrength.NONE
    home = window.services[0]
    if home in incident.split_off:
        return MatchStrength.NONE
    if window.session and window.key in incident.ids:
        return MatchStrength.ID
    if window.located and home in incident.services:
        return MatchStrength.SERVICE
    if window.located and _shares_templates(window, incident):
        return MatchStrength.TEMPLATE
    if not window.located and home in incident.services and (away <= policy.quiet or window.kind == incident.kind):
        return MatchStrength.TIME
    if away > policy.quiet:
        return MatchStrength.NONE
    if window.located and topology.linked(window.tenant, home, incident.services):
        return MatchStrength.LINK
    if not window.located or not incident.located:
        return MatchStrength.TIME if away <= policy.near_s * SECOND else MatchStrength.NONE
    return MatchStrength.TIME if abs(window.end - incident.first) <= policy.onset_s * SECOND else MatchStrength.NONE


def _reach(window: Anomaly, incident: Incident, policy: IncidentPolicy) -> int:
    if incident.state is IncidentState.PENDING:
        return int(policy.near_s * SECOND)
    # What comes late may have come before all that is known; grace is for what goes on.
    return policy.quiet if window.end < incident.first else policy.reach


def _shares_templates(window: Anomaly, incident: Incident) -> bool:
    first = window.templates[:TELLING]
    return bool(first) and 2 * sum(template in incident.templates for template in first) > len(first)


def repeats(window: Anomaly, incident: Incident) -> bool:
    """Say whether the window shows the pattern of the incident: its service, kind of failure and templates."""
    if window.services[0] not in incident.services:
        return False
    first = window.templates[:TELLING]
    if not first or not incident.templates:
        return window.kind == incident.kind
    return 2 * sum(template in incident.templates for template in first) >= len(first)


def is_enough(incident: Incident, policy: IncidentPolicy) -> bool:
    """Say whether what is pending is to be told: one strong signal, one with several witnesses, or one that lasts."""
    strong = incident.importance >= policy.strong_from or incident.witnesses >= policy.voices_from
    return strong or (incident.count > 1 and incident.last - incident.first >= policy.sustain_s * SECOND)
