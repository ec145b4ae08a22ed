"""Issues with the logs that hold their causes, and which lines these are, by rules that know nothing of any ranking.

*Simulated*: minutes of a simulated cloud with one fault.  Relevant are the records (lines with a context of their own)
from the fault on whose text, without its values, a fault-free hour of the same cloud never writes.

*Real*: failing runs of OpenStack under fault injection, where the published data is there.  Candidates are the records
from the activation of the fault on that are ERROR or CRITICAL, or of a template that normal runs never show (the list
that comes with the data says which), but no warnings that something is deprecated.  Relevant are those of the project
whose code was broken, and those that share a request or instance with one of these.  Taken are all runs of 500 to 2,000
lines with 3 to 12 relevant ones.
"""

import csv
import gzip
import json
import lzma
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

import polars as pl

from models.rfc3339 import SECOND
from models.templates.masks import Masks
from models.templates.matcher import mine, words_of
from training.simulate import Fault, FaultKind, Scenario, stream_records

RUNS: Final = Path(__file__).parents[3] / "shared" / "data" / "fi_openstack"
START: Final = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
_RECORD: Final = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) \d+ ([A-Z]+) (\S+) \[(?:req-|None|-)(.*)$")
_ID: Final = re.compile(r"req-[0-9a-f-]{36}|(?<=instance: )[0-9a-f-]{36}")
_ENOUGH: Final = range(3, 13)
_LINES: Final = range(500, 2001)

_SIMULATED: Final = (
    ("Instance fails to launch", FaultKind.HANG, "compute-1/nova-compute", 160, 27),
    ("Network port not ready", FaultKind.HANG, "compute-2/nova-compute", 160, 8),
    ("Instances stay in BUILD and then go to ERROR", FaultKind.HANG, "compute-1/nova-compute", 160, 9),
    ("Creating a server fails with an internal error", FaultKind.ERROR_BURST, "controller-1/nova-api", 15, 10),
    ("Instance fails to launch: no network for it", FaultKind.ERROR_BURST, "controller-1/neutron-server", 15, 11),
    ("nova-conductor does not answer", FaultKind.ERROR_BURST, "controller-1/nova-conductor", 30, 12),
    ("Volume attach hangs", FaultKind.RETRIES, "storage-1/cinder-volume", 15, 13),
    ("Network port not ready", FaultKind.RETRIES, "controller-1/neutron-server", 15, 14),
    ("Volumes cannot be created", FaultKind.RETRIES, "controller-1/cinder-api", 15, 15),
    ("Instance was shut down and nobody did it", FaultKind.NEW_MESSAGE, "compute-1/nova-compute", 50, 16),
    ("Volume creation fails", FaultKind.NEW_MESSAGE, "storage-1/cinder-volume", 50, 17),
    ("Instance gets no address by DHCP", FaultKind.NEW_MESSAGE, "network-1/neutron-dhcp-agent", 50, 18),
)  # fmt: skip

_WORDS: Final = {
    "openstack server create": "Instance fails to launch",
    "openstack server add volume": "Attaching a volume to an instance fails",
    "openstack server reboot": "Instance cannot be rebooted",
    "openstack volume create": "Creating a volume fails",
    "nova list": "Listing instances returns an error",
    "cinder list": "Listing volumes returns an error",
    "openstack volume list": "Listing volumes returns an error",
    "FAILURE_INSTANCE_ACTIVE": "Instance fails to launch",
    "FAILURE_VOLUME_CREATED": "Creating a volume fails",
    "FAILURE_VOLUME_ATTACHED": "Volume attach hangs",
    "FAILURE_SSH": "Instance cannot be reached over the network",
}
"""What a user says of a failed assertion or, without one, of a failed command."""


@dataclass(frozen=True, slots=True)
class Case:
    """``files`` maps names to lines, ``relevant`` are places: name of the file and number of the line from 0."""

    name: str
    issue: str
    files: dict[str, list[str]]
    relevant: frozenset[tuple[str, int]]
    kinds: dict[tuple[str, int], str] = field(default_factory=dict)
    """Of each record, what makes it another of the same: its file, level, logger and template."""

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return sum(map(len, self.files.values()))

    def write(self, folder: Path) -> Path:
        """Write the files below a folder of this case's own and return it."""
        for name, lines in self.files.items():
            path = folder / self.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{line}\n" for line in lines))
        return folder / self.name


def simulated() -> Iterator[Case]:
    """Cases out of the simulator."""
    for number, (issue, kind, service, seconds, seed) in enumerate(_SIMULATED):
        begin = int(START.timestamp() + 60) * SECOND
        fault = Fault(kind, service, begin, begin + seconds * SECOND, "")
        files: dict[str, list[str]] = {}
        for record in stream_records(Scenario(seed, START, 300, rate=0.6, faults=(fault,))):
            value = json.loads(record.value)
            name = f"{value['host']}{value['path']}"
            files.setdefault(name, []).extend(value["log"].split("\n"))
        masked = _masked(files)
        odd = [place for place, text in masked.items() if text.partition("\0")[2] not in _usual()]
        yield Case(f"sim-{number:02}-{kind}", issue, files, frozenset(odd), _kinds(masked))


@cache
def _usual() -> frozenset[str]:
    """Levels and texts of a fault-free hour."""
    files: dict[str, list[str]] = {}
    for record in stream_records(Scenario(5, START, 3600)):
        files.setdefault("all", []).extend(json.loads(record.value)["log"].split("\n"))
    return frozenset(kind.partition("\0")[2] for kind in _masked(files).values())


def real(folder: Path = RUNS) -> Iterator[Case]:
    """Cases out of the published runs; none where they are not there."""
    for track in ("nova_dev", "cinder_dev") if folder.is_dir() else ():
        with lzma.open(folder / f"{track}.log.xz", "rt", encoding="utf-8", errors="replace") as stream:
            lines = stream.read().split("\n")
        with gzip.open(folder / f"{track}.quiet_drop.txt.gz", "rt") as stream:
            odd = set(map(int, stream))
        with (folder / f"{track}.runs.csv").open(newline="") as table:
            for run in csv.DictReader(table):
                if run["label"] == "fail" and (case := _run_case(run, lines, odd)) is not None:
                    yield case


def _run_case(run: dict[str, str], lines: list[str], odd: set[int]) -> Case | None:
    rows = range(int(run["first_line"]), int(run["last_line"]) + 1)
    if len(rows) not in _LINES:
        return None
    files: dict[str, list[str]] = {}
    candidates: list[tuple[tuple[str, int], str]] = []
    for row in rows:
        source, _, line = lines[row].partition("\t")
        name = f"{source}.log"
        held = files.setdefault(name, [])
        if (
            row in odd
            and _RECORD.match(line)
            and "deprecated" not in line.lower()
            and line[:23] >= run["fault_trigger"]
        ):
            candidates.append(((name, len(held)), line))
        held.append(line)
    project = run["component"].split("/")[1]
    own = {place: line for place, line in candidates if place[0].startswith(project)}
    ids = {found for line in own.values() for found in _ID.findall(line)}
    relevant = frozenset(place for place, line in candidates if place in own or ids & set(_ID.findall(line)))
    if len(relevant) not in _ENOUGH:
        return None
    issue = _WORDS[run["assertion"] or run["api_error"]]
    return Case(f"{run['run_id']}", issue, files, relevant, _kinds(_masked(files)))


def _masked(files: dict[str, list[str]]) -> dict[tuple[str, int], str]:
    """File, level, logger and text without values of each record."""
    places, heads, texts = [], [], []
    for name, lines in files.items():
        for number, line in enumerate(lines):
            if found := _RECORD.match(line):
                places.append((name, number))
                heads.append(f"{name}\0{found[2]} {found[3]} ")
                # The context in brackets is none of the message.
                texts.append(found[4].partition("] ")[2])
    masked = Masks.default().text(pl.Series(texts, dtype=pl.String)).to_list()
    return {place: head + text for place, head, text in zip(places, heads, masked, strict=True)}


def _kinds(masked: dict[tuple[str, int], str]) -> dict[tuple[str, int], str]:
    """The same with templates in place of texts."""
    table = mine(Counter(masked.values()))
    found = {text: table.match(words_of(text)) for text in set(masked.values())}
    return {place: f"{place[0]}\0{found[text] or text}" for place, text in masked.items()}


def recall(case: Case, found: Iterable[tuple[str, int]]) -> tuple[float, float]:
    """Share of the relevant lines that are found: they or another of the same, and they themselves."""
    places = set(found)
    kinds = {case.kinds[place] for place in places if place in case.kinds}
    alike = sum(place in places or case.kinds[place] in kinds for place in case.relevant)
    return alike / len(case.relevant), len(places & case.relevant) / len(case.relevant)
