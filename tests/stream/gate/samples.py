"""Incidents and reviews for tests of the gate."""

from alerts.messages.feedback import Opinion
from models.rfc3339 import SECOND
from stream.gate.labels import LabelledIncident
from stream.gate.told_incidents import ReviewedLogs, ToldIncident, TroubleSpan

START = 1_772_000_000 * SECOND
MINUTE = 60 * SECOND


def episode(minute: int, *services: str, tenant: str = "default") -> TroubleSpan:
    """An episode of a minute."""
    return TroubleSpan(tenant, services, START + minute * MINUTE, START + (minute + 1) * MINUTE)


def told(minute: int, *services: str, pages: int = 1, after_s: int = 0) -> ToldIncident:
    """An incident that was told at its begin, or some seconds later."""
    first = START + minute * MINUTE
    name = f"{minute:04x}{services[0].encode().hex():0<28.28}"
    return ToldIncident(name, episode(minute, *services), first + after_s * SECOND, pages, f"{services[0]} fails")


def logs(*incidents: ToldIncident, days: float = 1.0, unknown: float = 0.0) -> ReviewedLogs:
    """What came of some logs."""
    return ReviewedLogs(incidents, 1000, days, unknown)


def label(minute: int, service: str, opinion: Opinion) -> LabelledIncident:
    """What somebody said of an incident."""
    of = told(minute, service)
    return LabelledIncident(of.id, opinion, "anna", "", of.episode, of.summary, START)
