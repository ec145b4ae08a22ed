"""The alarm for the alarm: an alert that says nothing but that alerts arrive."""

from typing import Final

from alerts.incidents.incident import incident_id
from alerts.messages.alert import Alert, Severity, Status
from alerts.sinks.base import SYNTHETIC
from models.rfc3339 import SECOND, time_text

TENANT: Final = "tocsin"
SERVICE: Final = "synthetic"
BEGIN: Final = 0
"""Microseconds; a begin that never changes keeps the id of the incident."""

SYNTHETIC_ID: Final = incident_id(TENANT, SERVICE, BEGIN)
"""One incident for ever: a chat shows one message that is brought up to date, and Alertmanager an alert that always
fires, whose end is the alarm."""


def synthetic(now: float, every_s: float) -> Alert:
    """Return the alert of the slot of time that ``now`` (seconds) is in: equal for all who make it."""
    slot = int(now // every_s * every_s) * SECOND
    return Alert(
        incident_id=SYNTHETIC_ID,
        episode=time_text(BEGIN),
        status=Status.FIRING,
        severity=Severity.WARNING,
        tenant=TENANT,
        services=(SERVICE,),
        summary=f"Test alert of {time_text(slot)}: deliveries work, nothing is wrong",
        started=slot,
        updated=slot,
        windows=(f"{SYNTHETIC}-{slot // SECOND}",),
        kind=SYNTHETIC,
    )
