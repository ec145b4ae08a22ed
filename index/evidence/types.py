"""Evidence: the log lines that an explanation may cite, and what else is known of an incident.

Pure records.  What gathers them stands in ``index.evidence.gather``; an explanation names a line by its id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Self

import orjson

from index.lines.log_lines import LogLines
from index.lines.source_times import SourceTimes
from index.search.documents import Similar
from models.findings import Finding
from models.records import Level
from models.rfc3339 import time_text

MAX_TEXT: Final = 2_000
"""Characters of a line that evidence keeps (a judgement)."""


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One line, standing for ``count`` lines that say the same (``index.lines.statements``).

    ``time`` is in microseconds; a higher ``score`` comes first.
    """

    id: str
    """What a citation names: ``L1``, ``L2`` … in the order of rank; unique in its evidence."""
    source: str
    """Topic or file that holds the line."""
    partition: int
    """0 for a file."""
    offset: int
    """Of a file: number of the line, from 0."""
    time: int
    service: str
    host: str
    level: Level
    text: str
    """As it was written, at most ``MAX_TEXT`` characters."""
    template: str
    """Its text with masks in place of what varies."""
    count: int
    score: float
    roles: tuple[str, ...] = ()
    """Why it is here, in words: ``weighs most``, ``first of a new template``, ``first bad hop`` …"""

    @classmethod
    def of(cls, lines: LogLines, row: Mapping[str, Any]) -> Self:
        """Return a line of ``lines`` that stands for itself, without rank; ``row`` has LOG_LINES_SCHEMA."""
        return cls(
            id="",
            source=lines.source_of(row["partition"]),
            partition=row["partition"],
            offset=row["offset"],
            time=row["time"],
            service=row["service"],
            host=row["host"],
            level=Level(row["level"]),
            text=row["text"][:MAX_TEXT],
            template=row["masked"],
            count=1,
            score=0.0,
        )

    @property
    def place(self) -> str:
        """Return where the line stands, for people and machines: ``topic[partition]@offset``."""
        return f"{self.source}[{self.partition}]@{self.offset}"

    def to_record(self) -> dict[str, Any]:
        """Return the line as JSON carries it."""
        return {
            "id": self.id,
            "line": self.offset,
            "partition": self.partition,
            "source": self.source,
            "time": time_text(self.time),
            "service": self.service,
            "host": self.host,
            "level": self.level.name.lower(),
            "text": self.text,
            "count": self.count,
            "score": self.score,
            "roles": list(self.roles),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """A deploy or configuration event, or a template first seen shortly before.  ``time`` in microseconds."""

    time: int
    service: str
    text: str


@dataclass(frozen=True, slots=True)
class FrequentFailure:
    """The message about a failure that comes most often.  Times in microseconds."""

    line: str
    """Id of a line of the evidence that has its template."""
    count: int
    """Records of this template."""
    first: int
    last: int
    peer: str
    """The address or name that most of them name as the other side; "" where they name none."""
    peer_count: int
    """Records that name it."""
    peers: int
    """Different peers in all."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one incident: bounded, and the same for the same input.  Times in microseconds."""

    tenant: str
    services: tuple[str, ...]
    start: int
    end: int
    reasons: tuple[str, ...]
    """What the detectors said, in words."""
    lines: tuple[EvidenceLine, ...]
    """The most telling first."""
    story: tuple[str, ...] = ()
    """Ids of the lines that share request, instance, port or volume ids, in order of time."""
    first_bad: str | None = None
    """Id of the line of the story at which things went wrong."""
    changes: tuple[Change, ...] = ()
    similar: tuple[Similar, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What the detectors reported, as records; ``reasons`` holds the same in words."""
    sources: tuple[SourceTimes, ...] = ()
    """When each source wrote nothing, or was started again."""
    frequent: FrequentFailure | None = None
    """Of whole files: what fails most often, whether or not a line says outright that something went wrong."""

    def by_id(self) -> Mapping[str, EvidenceLine]:
        """Return the lines by their ids."""
        return {line.id: line for line in self.lines}

    def digest(self) -> str:
        """Return 32 hexadecimal digits that name this evidence: equal evidence, equal digest."""
        content = orjson.dumps(
            [
                self.tenant,
                list(self.services),
                list(self.reasons),
                [[line.place, line.text, line.count] for line in self.lines],
                list(self.story),
                self.first_bad,
                [[change.time, change.service, change.text] for change in self.changes],
                [[past.id, past.text] for past in self.similar],
            ]
        )
        return blake2b(content, digest_size=16).hexdigest()
