"""What says in logs that something is wrong: records, and what detectors found, each with its bonds to others."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from index.episodes.found import SEVERE, Found
from index.episodes.types import Bond, EpisodeSign
from index.evidence.relevance import Assessment
from index.lines.callees import backend, callee
from index.lines.log_records import LogRecords
from models.arrays import unique
from models.records import BOOL, I64, Level
from models.rfc3339 import SECOND

MOST: Final = 20_000
"""Records that are taken as signs, strong ones first: a bound on the work."""

APART_US: Final = 5 * SECOND
"""Microseconds in which records of one group count once (a judgement): a burst is one sign."""

_HUB: Final = 400
"""An id in more records than this joins nothing, as in ``index.evidence.request_trace.Bounds``."""

_KEPT_US: Final = 60 * SECOND
"""Microseconds from which on a request that one source alone names is that of a periodic task (a judgement)."""

_ANSWERED: Final = re.compile(r"RemoteError|_Remote\b|Remote error")
_BEGIN: Final = 300
"""Characters of a message in which its exception stands (a judgement)."""

_SERVER_ERROR: Final = 5
"""Class of HTTP statuses, as ``LogRecords.http`` has it."""

_SLICES: Final = 10
"""Slices of the logs in which a group is looked for (a judgement)."""

_EVERYWHERE: Final = 6
"""Slices that hold a warning which is there all the time (a judgement) …"""

_EVERYWHERE_ERROR: Final = 9
"""… and an error."""

_LONG_US: Final = 3_600 * SECOND
"""Microseconds of logs from which on an error may be there all the time (a judgement: an hour)."""


def signs_of(records: LogRecords, what: Assessment, detected: Sequence[Found]) -> list[EpisodeSign]:
    """Return the signs in some records, and what detectors found.

    Args:
        records: all records.
        what: what they, and the texts of ``detected``, say about the issue.
        detected: what detectors found.
    """
    further = [one.sign(relevance) for one, relevance in zip(detected, what.further.tolist(), strict=True)]
    return [*_of_records(records, what), *further]


def grades(records: LogRecords, what: Assessment) -> tuple[BOOL, BOOL, BOOL]:
    """Return which groups are strong, weak, and warnings that are there all the time; each of shape (groups,).

    An error that is there all the time is a weak sign: it may be what is asked for, but explains nothing else.
    """
    groups = what.groups
    level, http = records.level[groups.first], records.http[groups.first]
    spread = _spread(records, groups.of, len(groups))
    error = (level >= Level.ERROR) | (http == _SERVER_ERROR)
    long = len(records) > 0 and int(records.time.max() - records.time.min()) > _LONG_US
    always = np.where(error, (spread >= _EVERYWHERE_ERROR) & long, spread >= _EVERYWHERE)
    strong = error & ~always
    weak = ~strong & ~groups.harmless & (error | (~always & ((level == Level.WARNING) | groups.failing)))
    return (
        strong,
        weak,
        np.asarray(always & ~error & ((level == Level.WARNING) | groups.failing | (http > 0)), np.bool_),
    )


def _spread(records: LogRecords, of: I64, groups: int) -> I64:
    """Return in how many slices of the logs each group occurs, shape (groups,)."""
    begin = int(records.time.min()) if len(records) else 0
    length = max(1, int(records.time.max()) - begin + 1) if len(records) else 1
    slices = (records.time - begin) * _SLICES // length
    pairs = unique(of * _SLICES + slices)
    return np.bincount(pairs // _SLICES, minlength=groups).astype(np.int64)


def _of_records(records: LogRecords, what: Assessment) -> list[EpisodeSign]:
    strong, weak, _ = grades(records, what)
    of = what.groups.of
    rows = np.flatnonzero((strong | weak)[of])
    buckets = np.stack([of[rows], records.time[rows] // APART_US])
    _, first = np.unique(buckets, axis=1, return_index=True)
    rows = rows[np.sort(first)]
    rows = np.sort(rows[np.argsort(~strong[of[rows]], kind="stable")][:MOST])
    ids = records.mentions.by_row()
    tying = _tying(records)
    heads = records.lines[rows].select("service", "host", "message").rows()
    signs = []
    for row, (service, host, message) in zip(rows.tolist(), heads, strict=True):
        group = int(of[row])
        names = [records.mentions.ids[number] for number in ids.get(row, ()) if tying[number]]
        said = f"{message} {records.error[row]}"
        raised = records.error[row].partition(":")[0]
        # Who got an error as an answer does not wait for it.
        waits = "" if _ANSWERED.search(raised or said[:_BEGIN]) else records.asked.get(row, "")
        peers = {waits, callee(said, service), backend(said) if strong[group] else ""} - {""}
        signs.append(
            EpisodeSign(
                start=int(records.time[row]),
                end=int(records.time[row]),
                service=service,
                host=host,
                text=what.groups.texts[group],
                strong=bool(strong[group]),
                score=float(SEVERE * what.severity[group] + (1 - SEVERE) * what.relevance[group]),
                bonds=_bonds(f"{group} {raised}", service, host, names, peers, strong=bool(strong[group])),
                row=row,
            )
        )
    return signs


def _tying(records: LogRecords) -> BOOL:
    """Return which ids tie records together, shape (ids,).

    Those of very many records do not, nor do requests that one source alone keeps for long: periodic tasks have one
    request for all that they do.
    """
    mentions = records.mentions
    size = np.bincount(mentions.number, minlength=len(mentions.ids))
    sources = records.lines.select(pl.struct("service", "host").hash(0)).to_series().to_numpy()
    frame = pl.DataFrame(
        {"number": mentions.number, "source": sources[mentions.row], "time": records.time[mentions.row]}
    )
    spans = frame.group_by("number").agg(
        pl.col("source").n_unique().alias("sources"), (pl.col("time").max() - pl.col("time").min()).alias("span")
    )
    periodic = spans.filter((pl.col("sources") == 1) & (pl.col("span") > _KEPT_US))["number"].to_numpy()
    requests = np.array([name.startswith("req-") for name in mentions.ids], np.bool_)
    out = size <= _HUB
    out[periodic] &= ~requests[periodic]
    return np.asarray(out, np.bool_)


def _bonds(  # noqa: PLR0913 - what signs have in common
    kind: str, service: str, host: str, names: Sequence[str], peers: set[str], *, strong: bool
) -> tuple[Bond, ...]:
    bonds: list[Bond] = [("kind", kind), *(("id", name) for name in names), *(("peer", name) for name in peers)]
    if strong:
        # Who waits for a service, and what that service says of itself, meet in its name.
        bonds += [("source", service, host), ("own", service)]
    return tuple(bonds)
