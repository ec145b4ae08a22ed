"""Logs of a small cloud for the tests of episodes."""

from collections.abc import Sequence

from index.analyze import Analysis, Resources, analyze
from index.episodes.cut import cut
from index.episodes.found import found_in
from index.episodes.signs import signs_of
from index.episodes.types import LogEpisode
from index.evidence.issue import read_issue
from index.evidence.relevance import assess
from index.lines.log_records import LogRecords
from tests.index.cloud import line, material

HOUR = 3_600.0

BEATS = [
    line(at, service, f"Beat {n} of the day", host=host)
    for n, at in enumerate(range(0, 4 * 3_600, 20))
    for service, host in (("nova-compute", "compute-1"), ("nova-compute", "compute-2"), ("glance-api", "ctl"))
]
"""Four quiet hours."""


def cloud(values: Sequence[bytes]) -> list[bytes]:
    """Some lines among those of four quiet hours, in order of time."""
    return sorted([*BEATS, *values], key=lambda value: value[8:31])


def asked(values: Sequence[bytes], issue: str) -> Analysis:
    """What the lines tell of an issue."""
    return analyze(material(cloud(values)), read_issue(issue), Resources())


def episodes(values: Sequence[bytes]) -> list[LogEpisode]:
    """The episodes of some lines, those of errors."""
    records = LogRecords.of(material(cloud(values)))
    detected = found_in((), records)
    what = assess(records, read_issue("anything"))
    return [episode for episode in cut(signs_of(records, what, detected)) if episode.strong]
