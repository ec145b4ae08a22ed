"""Incidents that people voted on, with the raw lines around them, in the store of models: they outlive the topics.

Under the address of the store::

    NAME_labels/ID/label.json        who said what of which incident
    NAME_labels/ID/lines.jsonl.gz    raw records, as ``tocsin topics cat`` prints them
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from alerts.incidents.incident import Incident
from alerts.messages.feedback import Feedback, Opinion
from models.errors import InvalidError
from models.registry.objects import Objects
from models.rfc3339 import SECOND, parse_time, time_text
from stream.gate.told_incidents import TroubleSpan

SCHEMA: Final = "tocsin.label/1"

BEFORE: Final = 600 * SECOND
"""Microseconds before an incident of which the lines are kept: windows and what they look back on.  A judgement."""

AFTER: Final = 240 * SECOND
"""Microseconds behind it: windows close, and an incident that is told late is told by then.  A judgement."""

LONGEST: Final = 1800 * SECOND
"""Microseconds of an incident of which the lines are kept: who was not told by then was not told.  A judgement."""

_LABEL: Final = "label.json"
_LINES: Final = "lines.jsonl.gz"


@dataclass(frozen=True, slots=True)
class LabelledIncident:
    """What somebody said of an incident; times in microseconds."""

    id: str
    opinion: Opinion
    by: str
    why: str
    episode: TroubleSpan
    summary: str
    time: int

    @classmethod
    def of(cls, incident: Incident, vote: Feedback) -> "LabelledIncident":
        """Return what a vote says of an incident."""
        if vote.opinion is None:
            raise InvalidError(f"{vote.action} of {incident.id} says nothing of it", "give a vote")
        summary = incident.summary(dated=False)
        return cls(incident.id, vote.opinion, vote.by, vote.text, TroubleSpan.of(incident), summary, vote.time)

    def to_json(self) -> bytes:
        """Return the record of the store."""
        record = {
            "schema": SCHEMA,
            "incident_id": self.id,
            "opinion": self.opinion,
            "by": self.by,
            "why": self.why,
            "tenant": self.episode.tenant,
            "services": self.episode.services,
            "first": time_text(self.episode.first),
            "last": time_text(self.episode.last),
            "summary": self.summary,
            "at": time_text(self.time),
        }
        return orjson.dumps(record, option=orjson.OPT_INDENT_2)

    @classmethod
    def from_json(cls, data: bytes, place: str) -> "LabelledIncident":
        """Read a record of the store; ``place`` is where it stands, for errors.

        Raises:
            InvalidError: it is none.
        """
        try:
            record: dict[str, Any] = orjson.loads(data)
            if record["schema"] != SCHEMA:
                raise InvalidError(f"{place} is of the form {record['schema']!r}", "update tocsin")
            first, last = parse_time(record["first"]), parse_time(record["last"])
            services = tuple(map(str, record["services"]))
            return cls(
                str(record["incident_id"]),
                Opinion(record["opinion"]),
                str(record["by"]),
                str(record["why"]),
                TroubleSpan(str(record["tenant"]), services, first, last),
                str(record["summary"]),
                parse_time(record["at"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(
                f"{place} is no label ({type(error).__name__}: {error})",
                "delete it; `tocsin models labels NAME --collect` keeps the vote again",
            ) from error


def stretch_of(incident: Incident) -> tuple[int, int]:
    """Return from when to when, by the broker's time, the lines around an incident arrived (microseconds)."""
    begin = incident.since or incident.first
    return begin - BEFORE, begin + min(incident.last - incident.first, LONGEST) + AFTER


class LabelStore:
    """The labels of one name of models."""

    def __init__(self, objects: Objects, name: str) -> None:
        self._objects = objects
        self._prefix = f"{name}_labels/"

    def labels(self) -> list[LabelledIncident]:
        """Return all labels whose lines are there, the oldest incident first."""
        keys = {entry.key for entry in self._objects.list(self._prefix)}
        read = (self._label(key) for key in sorted(keys) if key.endswith(f"/{_LABEL}"))
        whole = (label for label in read if label is not None and self._key(label.id, _LINES) in keys)
        return sorted(whole, key=lambda label: (label.episode.first, label.id))

    def lines(self, label: LabelledIncident) -> bytes:
        """Return the lines of a label, packed by gzip.

        Raises:
            InvalidError: they are gone.
        """
        stored = self._objects.read(self._key(label.id, _LINES))
        if stored is None:
            raise InvalidError(f"the lines of {label.id} are gone", "delete its label")
        return stored.data

    def has_lines(self, incident: str) -> bool:
        """Return whether the lines of an incident (id) are there."""
        return self._objects.etag(self._key(incident, _LINES)) is not None

    def put(self, label: LabelledIncident, lines: bytes | None) -> bool:
        """Keep a label, and its lines where they are given; return whether it is new, or says something else now."""
        if lines is not None:
            self._objects.put_if(self._key(label.id, _LINES), lines, None)
        key = self._key(label.id, _LABEL)
        stored = self._objects.read(key)
        if stored is not None and LabelledIncident.from_json(stored.data, key).time >= label.time:
            return False
        return self._objects.put_if(key, label.to_json(), None if stored is None else stored.etag) is not None

    def _label(self, key: str) -> LabelledIncident | None:
        stored = self._objects.read(key)
        return None if stored is None else LabelledIncident.from_json(stored.data, key)

    def _key(self, incident: str, file: str) -> str:
        return f"{self._prefix}{incident}/{file}"


def votes_on(voted: Iterable[tuple[Incident, Feedback | None]]) -> Iterator[tuple[Incident, LabelledIncident]]:
    """Yield what people said was real or noise; what is *known* says nothing of whether it should be told."""
    for incident, vote in voted:
        if vote is not None and vote.opinion in {Opinion.REAL, Opinion.NOISE}:
            yield incident, LabelledIncident.of(incident, vote)
