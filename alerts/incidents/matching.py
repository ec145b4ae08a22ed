"""Which incident a window belongs to, and whether what is pending is enough to alert somebody.

Signs that two things have one cause, weakest first: they begin at the same time; their services work together; the
same odd templates; the same service; the same request, instance, port or volume.  The weaker the sign, the closer in
time it must be.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from alerts.incidents.incident import Incident, IncidentState
from alerts.incidents.policy import IncidentPolicy
from alerts.incidents.topology import Topology
from alerts.messages.anomaly import Anomaly
from models.rfc3339 import SECOND


class MatchStrength(IntEnum):
    """What ties a window to an incident, the weakest first."""

    NONE = 0
    TIME = 1
    LINK = 2
    TEMPLATE = 3
    SERVICE = 4
    ID = 5


TELLING: Final = 3
"""The first templates of a window, of its most telling lines, by which windows are compared: a judgement."""


def best_match(
    window: Anomaly, incidents: Iterable[Incident], topology: Topology, policy: IncidentPolicy
) -> Incident | None:
    """Return the incident that the window belongs to: by the strongest match, then an open one, then the nearest."""
    best: tuple[tuple[int, bool, int, int, str], Incident] | None = None
    for incident in incidents:
        strength = match_strength(window, incident, topology, policy)
        if strength is MatchStrength.NONE:
            continue
        is_open = incident.state is IncidentState.OPEN
        rank = (int(strength), is_open, -gap(window, incident), incident.last, incident.id)
        if best is None or rank > best[0]:
            best = (rank, incident)
    return best[1] if best else None


def gap(window: Anomaly, incident: Incident) -> int:
    """Return how far the window's end is from the incident's windows, in microseconds."""
    return max(0, window.end - incident.last, incident.first - window.end)


def match_strength(window: Anomaly, incident: Incident, topology: Topology, policy: IncidentPolicy) -> MatchStrength:
    """Return the strongest sign that ties the window to the incident.

    In this order, the first that holds:

    1. None where the window is out of reach, the incident too old, or the window's service was split off.
    2. ``ID``: the session is one that the incident is about.
    3. A window that only guesses where it is: ``TIME``, if it is close enough.
    4. ``SERVICE``: the window is at one of the incident's services.
    5. ``TEMPLATE``: most of its first templates are among the incident's.
    6. None where more than ``quiet_s`` lies between them: what follows holds only while the incident goes on.
    7. ``LINK``: its service works together with one of the incident's.
    8. ``TIME``: it is close enough to an incident that only guesses where it is, or comes soon after its begin.
    """
    distance, home = gap(window, incident), window.services[0]
    too_old = window.end - incident.first > policy.max_age_s * SECOND
    if distance > _reach(window, incident, policy) or too_old or home in incident.split_off:
        return MatchStrength.NONE
    if window.session and window.key in incident.ids:
        return MatchStrength.ID
    if not window.located:
        return MatchStrength.TIME if _guess_fits(window, incident, policy) else MatchStrength.NONE
    if home in incident.services:
        return MatchStrength.SERVICE
    if _shares_templates(window, incident):
        return MatchStrength.TEMPLATE
    if distance > policy.quiet:
        return MatchStrength.NONE
    if topology.linked(window.tenant, home, incident.services):
        return MatchStrength.LINK
    if incident.located:
        is_close = abs(window.end - incident.first) <= policy.onset_s * SECOND
    else:
        is_close = distance <= policy.near_s * SECOND
    return MatchStrength.TIME if is_close else MatchStrength.NONE


def _guess_fits(window: Anomaly, incident: Incident, policy: IncidentPolicy) -> bool:
    """Whether a window that only guesses where it is comes at the time of the incident.

    At the same service it may come as late as the incident goes on, or as far as it reaches if it is the same kind of
    failure; elsewhere it has to be near.
    """
    distance = gap(window, incident)
    goes_on = distance <= policy.quiet
    if window.services[0] in incident.services and (goes_on or window.kind == incident.kind):
        return True
    return goes_on and distance <= policy.near_s * SECOND


def _reach(window: Anomaly, incident: Incident, policy: IncidentPolicy) -> int:
    if incident.state is IncidentState.PENDING:
        return int(policy.near_s * SECOND)
    # What comes late may have come before all that is known; grace is for what goes on.
    return policy.quiet if window.end < incident.first else policy.reach


def _shares_templates(window: Anomaly, incident: Incident) -> bool:
    first = window.templates[:TELLING]
    return bool(first) and 2 * sum(template in incident.templates for template in first) > len(first)


def repeats(window: Anomaly, incident: Incident) -> bool:
    """Return whether the window shows the pattern of the incident: its service, kind of failure and templates."""
    if window.services[0] not in incident.services:
        return False
    first = window.templates[:TELLING]
    if not first or not incident.templates:
        return window.kind == incident.kind
    return 2 * sum(template in incident.templates for template in first) >= len(first)


def is_enough(incident: Incident, policy: IncidentPolicy) -> bool:
    """Return whether what is pending opens an incident: one strong signal, several witnesses, or one that lasts."""
    strong = incident.importance >= policy.strong_from or incident.witnesses >= policy.voices_from
    return strong or (incident.count > 1 and incident.last - incident.first >= policy.sustain_s * SECOND)
