"""Analyse an issue by logs: read the files, find what tells, gather it as evidence, and diagnose it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final, TypeAlias

import numpy as np

from index.diagnosis.known_failures import Failures
from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis
from index.evidence.detector_scores import Judged
from index.evidence.fired_windows import Fired
from index.evidence.gather import Limits, gather
from index.evidence.issue import Issue
from index.evidence.relevance import Embed, Found, rank
from index.evidence.selection import CALLED, FRAME, FRAME_LATER, LAST, ODD, RAISED, RAISED_LATER
from index.evidence.types import Evidence, EvidenceLine, Similar
from index.lines.log_lines import Material
from index.lines.log_records import Records
from index.lines.parsed_file import FORM, ReadFile, span
from index.storage.file_cache import Cache, content_key, key_of
from models.decode.decoder import DecodeConfig, Decoder
from models.decode.log_files import LogFile, list_files
from models.errors import InvalidError
from models.templates.masks import Masks
from models.templates.matcher import TemplateTable

LINES: Final = "lines"
"""Kind of the cache's entries that hold read files."""

SHOWN: Final = 40
"""Records that are ranked into the evidence."""

_UNRELATED: Final = 0.5
"""A failure below this share of the best record's score may be another incident's …"""

_BEFORE: Final = 60_000_000
"""… if none of the best records follows it within so many microseconds."""

_POINTED: Final = 0.6
"""A record from this share of the best one's score on is pointed at as detectors do."""

_SHARES: Final[Mapping[str, float]] = {RAISED: 0.8, RAISED_LATER: 0.5, FRAME: 0.4, FRAME_LATER: 0.3, CALLED: 0.2}
"""What a line of a traceback has of its record's score, by its role."""

_BEHAVIOUR: Final = 0.5
"""What a line that shows what detectors found (slow, silent, missing) has of the best score."""

_BEHAVES: Final = frozenset((LAST, *ODD.values()))

Explain: TypeAlias = Callable[[Evidence, Diagnosis], Diagnosis]
"""Evidence and what rules make of it → the diagnosis that is given out."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How files are read, and where what was read is kept."""

    decode: DecodeConfig
    masks: Masks
    cache: Cache
    version: str
    """Of the program: another one may read lines otherwise."""
    tell: Callable[[str], None]
    """Is told what is not as it should be, without harm to the result."""


@dataclass(frozen=True, slots=True)
class Logs:
    """Read files; ``key`` names all that they hold and how it was read."""

    names: tuple[str, ...]
    files: tuple[ReadFile, ...]
    key: str
    kept: int
    """How many files were found in the cache."""

    @property
    def received(self) -> int:
        """Number of lines."""
        return sum(file.received for file in self.files)

    @property
    def refused(self) -> int:
        """Number of lines that cannot be understood."""
        return sum(file.refused for file in self.files)

    @property
    def tenants(self) -> list[str]:
        """Whose lines these are."""
        return sorted({name for file in self.files for name in file.lines["tenant"].unique().to_list()})


def read_logs(
    paths: Sequence[str],
    reader: Reader,
    stdin: IO[bytes] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Logs:
    """Read files and folders; what did not change since it was last read is taken from the cache.

    Raises:
        InvalidError: a path is not there, or cannot be read.
    """
    names: list[str] = []
    files: list[ReadFile] = []
    keys: list[str] = []
    kept = 0
    for name, file in _named(paths):
        key = key_of(
            _content(file, stdin), str(file.path), repr(reader.decode), reader.masks.version, reader.version, str(FORM)
        )
        found = _kept(reader.cache, key)
        kept += found is not None
        if found is None:
            found = ReadFile.of(replace(file, number=len(files)), Decoder(reader.decode), reader.masks, stdin)
            try:
                reader.cache.put(LINES, key, found.to_bytes())
            except InvalidError as error:
                reader.tell(f"{error}; meanwhile files are read anew each time")
        names.append(name)
        files.append(found)
        keys.append(key)
        progress(found.received)
    return Logs(tuple(names), tuple(files), key_of(*keys), kept)


def _named(paths: Sequence[str]) -> list[tuple[str, LogFile]]:
    """Files with the names to call them by; sources are absolute, as services are told from folders too."""
    list_files(paths)
    out: list[tuple[str, LogFile]] = []
    for path in paths:
        if path == "-":
            out.append(("stdin", LogFile(0, "-")))
            continue
        top = Path(path).absolute()
        for file in list_files([top]):
            below = Path(file.path).relative_to(top)
            out.append((path if below == Path() else str(Path(path) / below), file))
    return out


def _content(file: LogFile, stdin: IO[bytes] | None) -> str:
    if file.path != "-":
        return content_key(Path(file.path))
    if stdin is None:
        raise InvalidError("standard input cannot be read twice; name a file")
    stdin.seek(0)
    return key_of(stdin.read())


def _kept(cache: Cache, key: str) -> ReadFile | None:
    data = cache.get(LINES, key)
    if data is None:
        return None
    try:
        return ReadFile.from_bytes(data)
    except InvalidError:
        cache.drop(LINES, key)
        return None


@dataclass(frozen=True, slots=True)
class Means:
    """What helps to find and to explain; all of it may be missing."""

    embed: Embed | None = None
    judged: Judged | None = None
    known: TemplateTable | None = None
    """Templates of normal operation."""
    recall: Callable[[str], Sequence[Similar]] | None = None
    """Text → past incidents and runbooks that are like it."""
    failures: Failures | None = None
    """Known ones; None: those that are shipped."""
    explain: Explain = lambda _, diagnosis: diagnosis


def analyze(material: Material, issue: Issue, means: Means) -> tuple[Evidence, Diagnosis]:
    """Find what tells of an issue, and say what it was."""
    evidence = evidence_of(material, issue, means)
    return evidence, means.explain(evidence, diagnose(evidence, means.failures))


def evidence_of(material: Material, issue: Issue, means: Means) -> Evidence:
    """The lines that tell of an issue, the most telling first, with their story and what is like it."""
    records = Records.of(material)
    strange = None if means.judged is None else means.judged.strange(*records.places())
    known = None if means.known is None else np.array(list(means.known), np.uint64)
    found = rank(records, issue, embed=means.embed, strange=strange, known=known, limit=SHOWN)
    partition, offset = records.places()
    places = [(int(partition[each.row]), int(offset[each.row])) for each in found]
    start, end = span(material)
    best = found[0].score if found else 0.0
    tenant = str(records.lines["tenant"][0]) if len(records) else ""
    fired = Fired(
        tenant=tenant,
        key="*",
        kind="source",
        start=start,
        end=end,
        reasons=() if means.judged is None else means.judged.reasons,
        pointers=tuple(place for place, each in zip(places, found, strict=True) if each.score >= _POINTED * best),
    )
    texts = [issue.text, *(str(records.lines["message"][each.row]) for each in found[:3])]
    similar = () if means.recall is None else means.recall("\n".join(texts))
    gathered = gather(
        _related(material, records, found),
        [fired],
        known=None if means.known is None else frozenset(means.known),
        similar=similar,
        limits=Limits(lines=60),
    )
    return _ordered(gathered, found, places, records, material)


def _related(material: Material, records: Records, found: Sequence[Found]) -> Material:
    """The material without the failures of another incident."""
    best = found[0].score if found else 0.0
    near = [each.row for each in found if each.score >= _UNRELATED * best]
    return records.related(material, near, _BEFORE)


def _ordered(
    gathered: Evidence,
    found: Sequence[Found],
    places: Sequence[tuple[int, int]],
    records: Records,
    material: Material,
) -> Evidence:
    """Evidence in the order of the ranking; what was raised, and where, behind the record that it belongs to."""
    rank_of = dict(zip(places, found, strict=True))
    lines: dict[tuple[int, int], EvidenceLine] = {}
    heads: dict[tuple[int, str, str], float] = {}
    best = found[0].score if found else 0.0
    for each, place in zip(found, places, strict=True):
        row = records.lines.row(each.row, named=True)
        line = material.line(row, "", each.count, each.score, each.roles)
        lines[place] = line
        key = (line.time, line.service, line.host)
        heads[key] = max(heads.get(key, 0.0), each.score)
    for line in gathered.lines:
        place = (line.partition, line.offset)
        if place in rank_of:
            roles = (*rank_of[place].roles, *(role for role in line.roles if role not in rank_of[place].roles))
            lines[place] = replace(lines[place], roles=roles)
            continue
        head = heads.get((line.time, line.service, line.host), 0.0)
        share = next((share for role, share in _SHARES.items() if role in line.roles), 0.0)
        # What only belongs to the story comes last, in the order in which it was gathered.
        score = share * head if share else _BEHAVIOUR * best if _BEHAVES & set(line.roles) else line.score / 1000
        lines[place] = replace(line, score=round(score, 6))
    ordered = sorted(lines.values(), key=lambda line: (-line.score, line.time, line.partition, line.offset))
    names = {(line.partition, line.offset): f"L{number}" for number, line in enumerate(ordered, 1)}
    old = {line.id: names[line.partition, line.offset] for line in gathered.lines}
    return replace(
        gathered,
        lines=tuple(replace(line, id=names[line.partition, line.offset]) for line in ordered),
        story=tuple(old[each] for each in gathered.story),
        first_bad=None if gathered.first_bad is None else old[gathered.first_bad],
    )
