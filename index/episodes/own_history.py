"""What the logs' own history shows without any training: calls that take far longer than before, sources that stop.

It stands in for a bundle's detectors where no bundle knows these logs, and is coarse on purpose: what it reports is
several times beyond all that came before in the same files.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from index.evidence.fired_windows import FiredWindow
from index.lines.log_records import LogRecords
from models.detectors.sentences import sentence
from models.findings import Finding, FindingKind
from models.records import BOOL, F64, I64
from models.rfc3339 import SECOND

_DURATION: Final = (
    r"(?i)(?:\btime[:=] ?|\btook |\belapsed[:=]? ?|\bin )([0-9]+(?:\.[0-9]+)?)"
    r" ?(msecs?|ms|milliseconds|secs?|seconds|s)?\b"
)
"""A duration and its unit, as request logs write them; without a unit it is in seconds."""

_QUICK: Final = r"msecs|time: |took |elapsed| ms\b"
"""A quick look at a template before the slower one at its messages."""

_TIMES: Final = 3.0
"""Times all durations before that a call must take (a judgement: on the recorded cloud nothing normal does) …"""

_LEAST_S: Final = 5.0
"""… and seconds (a judgement)."""

_HISTORY: Final = 20
"""Durations or lines before that must be known (a judgement, as in ``index.evidence.stopped_sources``)."""

_TOGETHER_US: Final = 120 * SECOND
"""Microseconds in which several slow calls are one stretch (a judgement)."""

_SLOW_CALLS: Final = 3
"""Slow calls that make a stretch (a judgement: one alone may have waited for its client)."""

_LEAST_GAP_US: Final = 90 * SECOND
"""Microseconds of silence that are the least to report, as in ``index.evidence.stopped_sources`` …"""

_TIMES_GAP: Final = 8
"""… and times the longest gap before …"""

_LEAST_HISTORY_US: Final = 900 * SECOND
"""… of so many microseconds (a judgement: what serves requests rests for minutes now and then)."""

_OTHERS_WRITE: Final = 0.5
"""Share of the other sources that must write meanwhile (a judgement): else it is the shipper, or a break."""

_IMPORTANCE: Final = 0.5
"""Importance of such a window: that of one that just fires."""


def own_findings(records: LogRecords) -> list[FiredWindow]:
    """Return a window for each stretch in which calls are slow or a source is silent."""
    return [*_slow(records), *_silent(records)]


def _slow(records: LogRecords) -> Iterator[FiredWindow]:
    lines = records.lines.filter(pl.col("masked").str.contains(_QUICK))
    parts = lines.select(
        "service", "host", "time", "masked", pl.col("message").str.extract_groups(_DURATION).alias("d")
    )
    parts = parts.with_columns(
        pl.col("d").struct.field("1").cast(pl.Float64, strict=False).alias("number"),
        pl.col("d").struct.field("2").fill_null("s").str.to_lowercase().alias("unit"),
    ).drop_nulls("number")
    for (service, host), calls in parts.group_by("service", "host", maintain_order=True):
        milli = calls["unit"].str.starts_with("m").to_numpy()
        seconds = calls["number"].to_numpy() * np.where(milli, 1e-3, 1.0)
        time = calls["time"].to_numpy()
        slow, usual = _beyond(seconds, time)
        for first, last in _stretches(time[slow]):
            rows = np.flatnonzero(slow)[first:last]
            worst = int(rows[seconds[rows].argmax()])
            unit = "ms" if milli[worst] else "s"
            scale = 1e3 if milli[worst] else 1.0
            finding = Finding(
                FindingKind.SLOW,
                template=str(calls["masked"][worst]),
                value=float(seconds[worst] * scale),
                usual=float(usual[rows[0]] * scale),
                unit=unit,
                service=str(service),
                host=str(host),
                count=len(rows),
            )
            yield _window(records, finding, int(time[rows[0]]), int(time[rows[-1]]))


def _beyond(seconds: F64, time: I64) -> tuple[BOOL, F64]:
    """Return which durations are far above all before, and the longest of these, both (calls,).

    What was slow alone, without others in the time around, is part of what is usual from then on.
    """
    slow = np.zeros(len(seconds), np.bool_)
    usual = np.zeros(len(seconds))
    longest = 0.0
    pending: list[int] = []
    for row, value in enumerate(seconds.tolist()):
        if pending and time[row] - time[pending[-1]] > _TOGETHER_US:
            if len(pending) < _SLOW_CALLS:
                longest = max(longest, *seconds[pending].tolist())
                slow[pending] = False
            pending = []
        usual[row] = longest
        slow[row] = row >= _HISTORY and value > max(_LEAST_S, _TIMES * longest)
        if slow[row]:
            pending.append(row)
        else:
            longest = max(longest, value)
    return slow, usual


def _stretches(times: I64) -> Iterator[tuple[int, int]]:
    """Return begin and end (exclusive) of the runs of several calls that follow one another closely."""
    breaks = np.flatnonzero(np.diff(times) > _TOGETHER_US) + 1
    bounds = [0, *breaks.tolist(), len(times)]
    for first, last in pairwise(bounds):
        if last - first >= _SLOW_CALLS:
            yield first, last


def _silent(records: LogRecords) -> Iterator[FiredWindow]:
    sources = {
        (str(service), str(host)): times["time"].to_numpy()
        for (service, host), times in records.lines.select("service", "host", "time").group_by(
            "service", "host", maintain_order=True
        )
    }
    end = int(records.time.max()) if len(records) else 0
    for (service, host), times in sources.items():
        gaps = np.diff(np.append(times, end))
        longest = np.maximum.accumulate(np.append(0, gaps))[:-1]
        far = (gaps > np.maximum(_LEAST_GAP_US, _TIMES_GAP * longest)) & (times - times[0] >= _LEAST_HISTORY_US)
        far &= np.arange(len(gaps)) >= _HISTORY
        for row in np.flatnonzero(far)[:1].tolist():
            begin, until = int(times[row]), int(times[row] + gaps[row])
            writing = [
                bool(np.searchsorted(series, begin, "right") < np.searchsorted(series, until, "left"))
                for key, series in sources.items()
                if key != (service, host)
            ]
            if writing and sum(writing) >= _OTHERS_WRITE * len(writing):
                finding = Finding(
                    FindingKind.SILENT,
                    value=gaps[row] / SECOND,
                    usual=longest[row] / SECOND,
                    unit="s",
                    service=service,
                    host=host,
                    moment=begin,
                )
                yield _window(records, finding, begin, until)


def _window(records: LogRecords, finding: Finding, start: int, end: int) -> FiredWindow:
    return FiredWindow(
        tenant=str(records.lines["tenant"][0]),
        key=f"{finding.service}@{finding.host}" if finding.host else finding.service,
        kind="source",
        start=start,
        end=end,
        services=(finding.service,),
        reasons=(sentence(finding),),
        importance=_IMPORTANCE,
        findings=(finding,),
    )
