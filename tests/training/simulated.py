"""Helpers of the simulator's tests: records taken apart."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from training.simulate import Fault, FaultKind, Scenario, SimRecord, stream_records

START: Final = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
FIRST: Final = int(START.timestamp()) * 1_000_000
MINUTE: Final = 60_000_000

OSLO: Final = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) (?P<pid>\d+) (?P<level>DEBUG|INFO|WARNING|ERROR)"
    r" (?P<logger>[\w.]+) "
    r"(?:\[(?:(?P<none>-)|(?P<parent>None|req-[0-9a-f-]{36}) (?P<request>req-[0-9a-f-]{36}) (?P<user>\S+)"
    r" (?P<project>\S+) \S+ \S+ \S+ \S+)\] "
    r"(?:\[instance: (?P<instance>[0-9a-f-]{36})\] )?(?P<message>.*)|(?P<trace>.*))"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A record and its line, as far as the line is oslo's."""

    time: int
    host: str
    path: str
    text: str
    found: re.Match[str] | None

    @property
    def service(self) -> str:
        """The stem of the file."""
        return self.path.rsplit("/", 1)[1].removesuffix(".log")

    @property
    def source(self) -> str:
        """Host and service."""
        return f"{self.host}/{self.service}"

    def part(self, name: str) -> str:
        """A group of the pattern, "" where there is none."""
        return (self.found[name] or "") if self.found else ""


def value(record: SimRecord) -> dict[str, Any]:
    """The JSON of a record."""
    loaded: dict[str, Any] = json.loads(record.value)
    return loaded


def lines(scenario: Scenario) -> list[Line]:
    """All lines of a scenario."""
    return parse(stream_records(scenario))


def parse(records: Iterable[SimRecord]) -> list[Line]:
    """The lines of records."""
    out = []
    for record in records:
        fields = value(record)
        text = fields["log"]
        out.append(Line(record.time, fields["host"], fields["path"], text, OSLO.fullmatch(text)))
    return out


def fault(kind: FaultKind, service: str, begin: float = 5, end: float = 10) -> Fault:
    """A fault between two minutes of the simulation."""
    return Fault(kind, service, FIRST + round(begin * MINUTE), FIRST + round(end * MINUTE), "")
