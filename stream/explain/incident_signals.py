"""What an explanation takes from an incident: where and when to look for its lines, and what goes on by now.

All of it follows from the incident and its windows, so a replay explains it from the same lines.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from alerts.incidents.incident import Incident
from alerts.incidents.signal import Signal
from alerts.messages.alert import Severity
from index.diagnosis.renewal import SignalNow
from index.evidence.fired_windows import FiredWindow
from index.incident import IncidentSignals
from models.records import Level
from models.rfc3339 import SECOND

WINDOW_US: Final = 60 * SECOND
"""Length of a window (microseconds), as configured by default, where the window itself is not kept any more."""

_LEVELS: Final = {Severity.ERROR: Level.ERROR, Severity.CRITICAL: Level.CRITICAL}


def evidence_scope(incident: Incident, fired: Sequence[FiredWindow], since: int = 0) -> IncidentSignals:
    """Return where and when the lines of an incident are.

    It ends with its last window, whether it goes on or not: the clock of a replay says nothing of event time.

    Args:
        incident: The incident.
        fired: Its windows.
        since: When what it was put down to before was over, microseconds; 0 looks from its begin on.
    """
    signals = [signal for signal in incident.signals_since(since) if signal.service]
    # An incident is known by the ends of its windows, and what is wrong began before the first of these ended.
    begin = min((one.start for one in fired if one.end <= incident.first), default=incident.first)
    if not signals:
        # Nobody knows where it is: its time alone says what is its own.
        return IncidentSignals(max(begin, since), incident.last, ids=_ids(incident))
    return IncidentSignals(
        begin=max(begin, since),
        end=incident.last,
        services=frozenset(signal.service for signal in signals),
        # A place without a host may be any host.
        hosts=frozenset(signal.host for signal in signals) if all(signal.host for signal in signals) else frozenset(),
        ids=_ids(incident),
        templates=frozenset(signal.about for signal in signals if signal.about and signal.severity > Severity.WARNING),
        joined=_joined(signals, fired),
    )


def resumed(fired: Iterable[FiredWindow], quiet: int) -> int:
    """Return when an incident came back that had been over: the begin of its windows since (microseconds), 0 if never.

    It is over after ``quiet`` microseconds without a window.

    What it was put down to before, and what happened meanwhile, is not what brings it back.
    """
    windows = sorted(fired, key=lambda one: one.end)
    back = (after.start for before, after in pairwise(windows) if after.end - before.end > quiet)
    return max(back, default=0)


def _joined(signals: Sequence[Signal], fired: Sequence[FiredWindow]) -> dict[str, int]:
    """Return when the window began that first told of each service (microseconds)."""
    first: dict[str, int] = {}
    for signal in signals:
        first[signal.service] = min(signal.first, first.get(signal.service, signal.first))
    return {
        service: min(
            (one.start for one in fired if service in one.services and one.end <= end), default=end - WINDOW_US
        )
        for service, end in first.items()
    }


def own_findings(fired: Iterable[FiredWindow], services: frozenset[str]) -> list[FiredWindow]:
    """Return the windows without what they say of other services: one over everything tells of several incidents."""
    if not services:
        return list(fired)
    return [
        # Old records have reasons alone, which say of no service that they are not about it.
        replace(one.about(services), services=tuple(s for s in one.services if s in services)) if one.findings else one
        for one in fired
    ]


def signals_now(incident: Incident) -> list[SignalNow]:
    """Return the signals of an incident as they are now."""
    return [_signal_now(signal, incident) for signal in incident.signals if signal.service]


def _signal_now(signal: Signal, incident: Incident) -> SignalNow:
    return SignalNow(
        service=signal.service,
        template=signal.about,
        level=_LEVELS.get(signal.severity, Level.UNKNOWN),
        first=signal.first,
        # Which message it is about is unknown: that it goes on does not make it another one.
        last=signal.last if signal.about else signal.first,
        goes_on=signal.last >= incident.going_on_since,
    )


def _ids(incident: Incident) -> frozenset[str]:
    """Return the ids as lines have them: an incident knows a port as ``port:UUID``."""
    return frozenset(name.rpartition(":")[2].lower() for name in incident.ids)
