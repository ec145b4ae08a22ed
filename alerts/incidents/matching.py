"""Which incident a window's share belongs to, and why; and whether what is pending is enough to alert somebody.

Things are joined by evidence that they have one cause: the same request, the same place, a backend or project that both
name, the same odd messages, one project.  That they come at the same time joins only what says nothing of where it is.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from alerts.incidents.incident import OVER, Incident, IncidentState
from alerts.incidents.policy import IncidentPolicy
from alerts.incidents.signal import FAILING, NAMED_FOR, Signal, signals_of
from alerts.messages.anomaly import BESIDE, ODD, Anomaly
from alerts.messages.backends import INFRASTRUCTURE, project_of
from models.findings import FindingKind
from models.records import ALL_SOURCES
from models.rfc3339 import SECOND


class MatchStrength(IntEnum):
    """What ties a window to an incident, the weakest first."""

    NONE = 0
    TIME = 1
    PROJECT = 2
    RETURN = 3
    NAME = 4
    TEMPLATE = 5
    SERVICE = 6
    ID = 7


@dataclass(frozen=True, slots=True)
class Match:
    """How strongly a window's share belongs to an incident, and why, in words."""

    strength: MatchStrength
    why: str = ""


NO_MATCH: Final = Match(MatchStrength.NONE)

CAUSE_WITHIN: Final = 45 * SECOND
"""Microseconds from the first message that names a project to a sign of trouble there, at most, for the one to be the
other's cause: a judgement, three steps of windows."""

PAUSE: Final = 60 * SECOND
"""Microseconds without a window that tells of a place after which its trouble is taken for over: the length of a
window, as windows that follow one another overlap."""

RECENT: Final = 120 * SECOND
"""Microseconds for which a project that is only unusual explains messages that name it: a judgement.  One that has been
slow for a quarter of an hour does not explain what begins now."""

_NO_TROUBLE: Final = frozenset({FindingKind.LARGE_VALUE, FindingKind.ABSENT, FindingKind.UNEXPECTED})
"""Findings that are no trouble by themselves: a number that is neither a duration nor a count of refusals, such as the
length of an answer that grows with the cloud, and that no normal window is quite like this one.  A judgement."""

TELLING: Final = 3
"""The first templates of a window, of its most telling lines, by which windows are compared: a judgement."""


def best_match(share: Anomaly, incidents: Iterable[Incident], policy: IncidentPolicy) -> tuple[Incident | None, str]:
    """Return the incident that the share belongs to, and why.

    The strongest match decides, then whether the incident began there, then whether it is open, then the nearest.
    """
    best: tuple[tuple[int, bool, bool, int, int, str], Incident, str] | None = None
    for incident in incidents:
        match = match_of(share, incident, policy)
        if match.strength is MatchStrength.NONE:
            continue
        is_open = incident.state is IncidentState.OPEN
        began_here = incident.service == share.services[0]
        rank = (int(match.strength), began_here, is_open, -gap(share, incident), incident.last, incident.id)
        if best is None or rank > best[0]:
            best = (rank, incident, match.why)
    return (best[1], best[2]) if best else (None, "")


def same_cause(
    share: Anomaly, own: Incident, incidents: Iterable[Incident], policy: IncidentPolicy
) -> tuple[Incident | None, str]:
    """Return another incident that turns out to have the cause of the share's ``own``, and why.

    People have heard of both, which began at about the same time, and the share's messages name a backend that messages
    of the other name, too.
    """
    for other in incidents:
        began_together = abs(other.first - own.first) <= policy.onset_s * SECOND
        if other.id == own.id or not began_together or IncidentState.PENDING in {own.state, other.state}:
            continue
        ongoing = other.signals_since(share.end - policy.quiet)
        if _differ(_backends(own.signals, share.end - NAMED_FOR), _backends(ongoing, share.end - NAMED_FOR)):
            continue
        for signal in ongoing:
            if why := _both_name(share, signal):
                return other, why
    return None, ""


def gap(share: Anomaly, incident: Incident) -> int:
    """Return how far the share's end is from the incident's windows, in microseconds."""
    return max(0, share.end - incident.last, incident.first - share.end)


def match_of(share: Anomaly, incident: Incident, policy: IncidentPolicy) -> Match:
    """Return the strongest evidence that the share and the incident have one cause.

    In this order, the first that holds:

    1. None where the share is out of reach, the incident too old, or the share's service was split off.
    2. ``ID``: the session is one that the incident is about.
    3. Where more than ``quiet_s`` lies between them the incident is over: only what ``repeats`` it brings it back.
    4. ``TIME``: it is near, and either of them says nothing of where it is.
    5. None where both name backends, such as RabbitMQ or the database, and none of them is the same; or where the share
       names one and the incident, which is older than ``PAUSE``, never did.
    6. ``SERVICE``: a signal of the incident goes on at that service on that host: of this kind, or until just now; if
       both write unusual messages, one of them is the same; if it has named a backend and then paused, the share names
       that, too; and it does not begin to fail where it was only unusual for longer than ``onset_s``.
    7. ``TEMPLATE``: most of its first templates are among those of what goes on, or the same service has the same
       trouble with the same message, or is silent, on another host, within ``near_s``.
    8. ``NAME``: both name the same backend or project, or one names the other's, within ``near_s``.
    9. ``RETURN``: it repeats what is over at that place.
    10. ``PROJECT``: both are parts of one project, and it begins soon after the incident, while that goes on, and names
       no backend that the incident does not.
    """
    distance, home = gap(share, incident), share.services[0]
    too_old = share.end - incident.first > policy.max_age_s * SECOND
    if distance > _reach(share, incident, policy) or too_old or home in incident.split_off:
        return NO_MATCH
    if share.session and share.key in incident.ids:
        return Match(MatchStrength.ID, f"about the same {_sort(share.key)}")
    if distance > policy.quiet:
        return Match(MatchStrength.RETURN, "it has come back") if _comes_back(share, incident) else NO_MATCH
    if not share.located or not incident.located:
        return _at_the_time(share, incident, distance, policy)
    ongoing = incident.signals_since(share.end - OVER)
    if _names_another_backend(share, incident, ongoing):
        return NO_MATCH
    ongoing = tuple(signal for signal in ongoing if not _is_of_another(share, signal))
    if _goes_on(share, ongoing, policy):
        return Match(MatchStrength.SERVICE, "at the same place")
    recent = incident.signals_since(share.end - int(policy.near_s * SECOND))
    if alike := _alike(share, ongoing, recent):
        return Match(MatchStrength.TEMPLATE, alike)
    if named := _common_name(share, recent):
        return Match(MatchStrength.NAME, named)
    if _comes_back(share, incident):
        return Match(MatchStrength.RETURN, "it has come back")
    return _same_project(share, incident, policy)


def _at_the_time(share: Anomaly, incident: Incident, distance: int, policy: IncidentPolicy) -> Match:
    """Match what only guesses where it is: at its guess as long as the incident goes on, elsewhere only if it is near.

    An incident without a place takes what comes with a place only while that is near, too.
    """
    same = bool(share.services[0]) and share.services[0] in incident.services
    is_near = distance <= policy.near_s * SECOND
    return Match(MatchStrength.TIME, "at the same time, and of unknown origin") if same or is_near else NO_MATCH


def _is_among(share: Anomaly, signals: Iterable[Signal]) -> bool:
    """Return whether one of the signals is at the share's service, on its host where both are known.

    A request counts for every service in which it fails.
    """
    places = share.hosts or ((share.services[0], ""),)
    return any(
        signal.service == service and (signal.host == host or not (signal.host and host))
        for signal in signals
        for service, host in places
    )


def _names_another_backend(share: Anomaly, incident: Incident, ongoing: Iterable[Signal]) -> bool:
    """Return whether its messages name another backend than those of what goes on: another fault, wherever it is.

    So do those that name one first when the incident is older: an outage's own messages come before what follows.
    """
    here = INFRASTRUCTURE & share.names
    if known := _backends(ongoing, share.end - NAMED_FOR):
        return _differ(here, known)
    is_older = share.end - incident.first > PAUSE
    return bool(here) and is_older and here.isdisjoint(_backends(incident.signals))


def _is_of_another(share: Anomaly, signal: Signal) -> bool:
    """Return whether a signal has paused whose messages named a backend, which those of the share do not.

    What only follows from an outage may follow from another fault.
    """
    backends = _backends((signal,))
    return bool(backends) and backends.isdisjoint(share.names) and signal.last < share.end - PAUSE


def _differ(one: frozenset[str], other: frozenset[str]) -> bool:
    """Return whether backends are known on both sides, and none of them is the same."""
    return bool(one and other) and one.isdisjoint(other)


def _backends(signals: Iterable[Signal], since: int = 0) -> frozenset[str]:
    """Return which backends messages of the signals have named since then."""
    return INFRASTRUCTURE.intersection(name for signal in signals for name in signal.names_since(since))


def _both_name(share: Anomaly, signal: Signal) -> str:
    """Return in words which backend or project messages of both name; "" where none is."""
    common = sorted(share.names.intersection(signal.names_since(share.end - NAMED_FOR)))
    return f"its messages name {common[0]}, as those of {signal.service} do" if common else ""


def _goes_on(share: Anomaly, signals: Sequence[Signal], policy: IncidentPolicy) -> bool:
    """Return whether the share's place is among the signals: of the same kind, or so recent that a new kind is news.

    Where both write unusual messages, one of them is the same: windows overlap, so what goes on repeats itself.
    """
    kind = signals_of(share)[0].kind
    recent = share.end - int(policy.near_s * SECOND)
    here = [signal for signal in signals if _is_among(share, (signal,))]
    known = {template for signal in here for template in signal.templates}
    if known and share.own_templates and known.isdisjoint(share.own_templates):
        return False
    if share.importance <= BESIDE:
        # What it says there beside the kind known is unknown; often it does not even say the kind.
        return any(kind in {signal.kind, ODD} and signal.last >= recent for signal in here)
    if _begins_to_fail(share, here):
        # What has only been unusual for long does not explain it.
        return share.end - min(signal.first for signal in here) <= policy.onset_s * SECOND
    return any(signal.kind == kind or signal.last >= recent for signal in here)


def _begins_to_fail(share: Anomaly, here: Collection[Signal]) -> bool:
    """Return whether the share tells of a failure at a place where signals only tell what is unusual."""
    fails = signals_of(share)[0].kind in FAILING
    return fails and bool(here) and not any(signal.kind in FAILING for signal in here)


def _alike(share: Anomaly, ongoing: Iterable[Signal], recent: Iterable[Signal]) -> str:
    """Return in words what the share has in common with what goes on, or with what did just now; "" if nothing."""
    if _shares_templates(share, {template for signal in ongoing for template in signal.templates}):
        return "writes the same unusual messages"
    host = _same_on(share, recent)
    return f"the same trouble as on {host}" if host else ""


def _same_on(share: Anomaly, signals: Iterable[Signal]) -> str:
    """Return another host on which the same service has the same trouble, "" where there is none.

    Such as one slow step on many hosts, which all wait for the same, or hosts of a rack that fall silent together.
    """
    # What is wrong besides may be the same by chance.
    own = signals_of(share)[0]
    if not own.host or not (own.about or own.kind == "silence"):
        return ""
    for signal in signals:
        is_same = (signal.service, signal.kind, signal.about) == (own.service, own.kind, own.about)
        if is_same and signal.host and signal.host != own.host:
            return signal.host
    return ""


def _common_name(share: Anomaly, signals: Iterable[Signal]) -> str:
    """Return in words which backend or project both name, or how one names the other's; "" where none is."""
    here = project_of(share.services[0])
    for signal in signals:
        there = project_of(signal.service)
        if both := _both_name(share, signal):
            return both
        if here == there:
            continue
        # What it names is its cause only if that fails, or begins, by then.
        is_cause = signal.kind in FAILING or share.end - signal.first <= RECENT
        if there in share.names and is_cause:
            return f"its messages name {there}"
        if here in signal.names_since(share.end - NAMED_FOR) and share.end - signal.first <= CAUSE_WITHIN:
            return f"messages of {signal.service} name {here}"
    return ""


def _same_project(share: Anomaly, incident: Incident, policy: IncidentPolicy) -> Match:
    """Match the services of one project with each other; one service on two hosts does not depend on itself."""
    home, first = share.services[0], incident.service
    is_soon = abs(share.end - incident.first) <= policy.onset_s * SECOND and gap(share, incident) <= PAUSE
    if home == first or home in incident.services or project_of(home) != project_of(first) or not is_soon:
        return NO_MATCH
    if (INFRASTRUCTURE & share.names) - _backends(incident.signals):
        # What names a backend says more of its cause than the project does.
        return NO_MATCH
    return Match(MatchStrength.PROJECT, f"part of {project_of(home)} as {first} is, and began soon after it")


def _sort(key: str) -> str:
    """Return what a session's key is about: ``instance``, ``port`` …; a request where it does not say."""
    sort, separator, _ = key.partition(":")
    return sort if separator else "request"


def _reach(share: Anomaly, incident: Incident, policy: IncidentPolicy) -> int:
    if incident.state is IncidentState.PENDING:
        return int(policy.near_s * SECOND)
    # What comes late may have come before all that is known; grace is for what goes on, and for failures: what is
    # merely unusual at the same place a quarter of an hour later mostly has another reason.
    fails = any(signal.kind in FAILING for signal in incident.signals)
    return policy.reach if fails and share.end >= incident.first else policy.quiet


def _shares_templates(share: Anomaly, known: Collection[str]) -> bool:
    """Return whether most of the share's first templates are known."""
    first = share.own_templates[:TELLING]
    return bool(first) and 2 * sum(template in known for template in first) > len(first)


def _comes_back(share: Anomaly, incident: Incident) -> bool:
    """Return whether what is over is there again: its pattern, and of a backend's outage what names the backend.

    What only follows from an outage may follow from another fault.
    """
    backends = _backends(incident.signals)
    if (backends and backends.isdisjoint(share.names)) or not repeats(share, incident):
        return False
    return not _begins_to_fail(share, [signal for signal in incident.signals if _is_among(share, (signal,))])


def repeats(share: Anomaly, incident: Incident) -> bool:
    """Return whether the share shows the pattern of the incident: its place, kind of failure and templates."""
    if share.located != incident.located or not _is_among(share, incident.signals):
        return False
    if (share.names & INFRASTRUCTURE) - _backends(incident.signals):
        # A backend that was never named before is another cause, however alike the messages are.
        return False
    first = share.own_templates[:TELLING]
    if not first or not incident.templates:
        # Errors that say something else are others, also where only one of them says anything odd.
        is_comparable = share.kind != "errors" or bool(first) == bool(incident.templates)
        # A window over everything may not know its messages: its kind counts only where the incident began with it.
        is_there = share.key != ALL_SOURCES or _is_among(share, incident.signals[:1])
        return share.kind == incident.kind and is_comparable and is_there
    return 2 * sum(template in incident.templates for template in first) >= len(first)


def is_enough(incident: Incident, policy: IncidentPolicy) -> bool:
    """Return whether what is pending opens an incident: one strong signal, several witnesses, or one that lasts.

    What is only known from windows whose loudest part is elsewhere is never enough: by itself it would not have fired.
    Nor is a large number alone, however long it lasts: it supports what else is wrong.
    """
    kinds = {finding.kind for finding in incident.findings}
    if FindingKind.LARGE_VALUE in kinds and kinds <= _NO_TROUBLE:
        return False
    strong = incident.importance >= policy.strong_from or incident.witnesses >= policy.voices_from
    lasts = incident.count > 1 and incident.last - incident.first >= policy.sustain_s * SECOND
    return strong or (lasts and incident.importance > BESIDE)
