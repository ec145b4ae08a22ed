"""The form of an incident's record on ``incidents``: its versions, and how they differ from the fields."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from alerts.messages.alert import Severity, Status
from models.findings import findings_from_json

INCIDENT_SCHEMA: Final = "tocsin.incident/2"
LABEL_SCHEMA: Final = "tocsin.label/1"
"""The same fields, of an incident that people voted on, as it was then."""
OLD_SCHEMA: Final = "tocsin.incident/1"


class IncidentState(StrEnum):
    """Where an incident stands."""

    PENDING = "pending"
    """Weak signals that have told nobody anything; most of them come to nothing."""
    OPEN = "open"
    RESOLVED = "resolved"
    MERGED = "merged"
    """Goes on as part of another."""


def packed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Write each place of the windows once (``places``), and for each window its number (``homes``)."""
    fields: dict[str, Any] = {}
    for name, value in record.items():
        if name == "window_places":
            numbers = {place: number for number, place in enumerate(dict.fromkeys(value))}
            fields |= {"places": list(numbers), "homes": [numbers[place] for place in value]}
        else:
            fields[name] = value
    return fields


def unpacked(record: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record of this version."""
    return record | {
        "window_places": [record["places"][number] for number in record["homes"]],
        # Read as a whole: findings of a kind that is not known here are left out.
        "findings": findings_from_json(record.get("findings")),
    }


def from_old(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record of the first version, which knew one service, no kind, and published every step."""
    severity = int(Severity[record["severity"].upper()])
    return record | {
        "service": record["services"][0],
        "kind": "",
        "placed": True,
        "window_places": record["services"][:1] * len(record["windows"]),
        "told": Status.FIRING if record["state"] == IncidentState.OPEN else Status.RESOLVED,
        "shown": severity,
        "paged": severity,
        "pages": [record["opened"]],
        "since": record["opened"],
    }
