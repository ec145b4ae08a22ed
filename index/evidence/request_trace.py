"""The story of a request: all records that share ids, across services and in order of time, and where it went wrong.

Records are named by the line number of their head (``index.lines.entries``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from index.evidence.severity import NOTABLE, SEVERE
from index.lines.service_layers import depth
from models.records import Level

CLOCK_SKEW_US: Final = 2_000_000
"""Microseconds within which clocks and buffers may change the order of two services' failures (a judgement)."""

_DELAY_US: Final = 30_000_000
"""Microseconds within which an error or its traceback may be written after the first sign of it (a judgement)."""

_DEATHS: Final = 3
"""CRITICAL errors of one service on one host up to which each may be the death of a process (a judgement)."""

_DEATH_US: Final = 120_000_000
"""Microseconds after the first failure in which such a death explains it (a judgement): others notice it first."""

_NEAR_WORST: Final = 0.6
"""Share of the worst severity from which on a failure may be the one where things went wrong (a judgement)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far ids are followed: judgements that keep the work small."""

    rounds: int = 4
    """Steps from records to the records that share an id with them."""
    ids: int = 64
    records: int = 2_000
    hub: int = 400
    """An id in more records than this is shared by too many to tell one story."""


@dataclass(frozen=True, slots=True)
class Story:
    """Line numbers of the records in order of time, and the ids that bind them."""

    records: tuple[int, ...]
    ids: tuple[str, ...]


def follow(ids: pl.DataFrame, seeds: Iterable[int], bounds: Bounds = Bounds()) -> Story:
    """Return the records that share ids with ``seeds``, directly or through others; near and rare ids come first.

    ``ids`` is what ``shared_ids`` returns.
    """
    size = ids.group_by("id").agg(pl.len().alias("size"))
    edges = ids.join(size.filter(pl.col("size") <= bounds.hub), on="id", how="inner")
    records = set(seeds)
    names: dict[str, None] = {}
    fresh = records
    for _ in range(bounds.rounds):
        near = edges.filter(pl.col("line_number").is_in(pl.Series(sorted(fresh), dtype=pl.UInt32).implode()))
        candidates = near.select("id", "size").unique().sort("size", "id")["id"].to_list()
        added = [name for name in candidates if name not in names][: bounds.ids - len(names)]
        if not added:
            break
        names.update(dict.fromkeys(added))
        fresh = set(edges.filter(pl.col("id").is_in(added))["line_number"].to_list()) - records
        if len(records) + len(fresh) > bounds.records:
            fresh = set(sorted(fresh)[: bounds.records - len(records)])
        records |= fresh
        if not fresh or len(records) >= bounds.records:
            break
    return Story(tuple(sorted(records)), tuple(names))


def first_failure(heads: pl.DataFrame, start: int) -> int | None:
    """Return the record at which things went wrong first, None where nothing says so; ``start`` in microseconds.

    It is the death of a process, where one is seen; else the earliest of the failures about as bad as the worst.  Where
    several services fail within two seconds it is the service that the others call, and none that only reports another
    one's error.
    """
    failures = _failures(heads, start)
    if failures is None:
        return None
    first_time = int(failures["time"].to_numpy()[0])
    errors = failures.filter(~pl.col("server_error") | (pl.col("level") >= int(Level.WARNING)))
    if not errors.is_empty() and int(errors["time"][0]) <= first_time + _DELAY_US:
        # An HTTP status is a symptom; the service's own error says why, and may be written a little later.
        failures = errors
    died = _died(failures)
    if died is not None:
        return died
    near = failures.filter(pl.col("time") <= int(failures["time"].to_numpy()[0]) + CLOCK_SKEW_US)
    own = near.filter(~pl.col("relayed"))
    rows = (near if own.is_empty() else own).select("line_number", "service").rows()
    deepest = max(depth(service) for _, service in rows)
    return int(next(record for record, service in rows if depth(service) == deepest))


def _died(failures: pl.DataFrame) -> int | None:
    """Return the record with which a process died soon after the first failure, None where none did.

    A process dies of a CRITICAL error, once or at each new start; one that goes on to write such errors lives.
    """
    begin = int(failures["time"].to_numpy()[0])
    critical = failures.filter(pl.col("level") >= int(Level.CRITICAL))
    if critical.is_empty():
        return None
    counts = critical.group_by("service", "host").agg(pl.len().alias("times"))
    deaths = critical.join(counts, on=["service", "host"], how="left", maintain_order="left")
    deaths = deaths.filter((pl.col("times") <= _DEATHS) & (pl.col("time") <= begin + _DEATH_US))
    return None if deaths.is_empty() else int(deaths["line_number"][0])


def _failures(heads: pl.DataFrame, start: int) -> pl.DataFrame | None:
    """Return the failures about as bad as the worst, by time; where there are none, what is notable."""
    within = heads.filter(pl.col("time") >= start)
    for least in (SEVERE, NOTABLE):
        failures = within.filter(pl.col("severity") >= least)
        if not failures.is_empty():
            worst = float(failures["severity"].max())  # type: ignore[arg-type]
            return failures.filter(pl.col("severity") >= _NEAR_WORST * worst).sort("time", "line_number")
    return None


def traceback_of(heads: pl.DataFrame, record: int) -> int | None:
    """Return the record with the traceback of a failure: its own, or the next one of the same service and request.

    Services often say in a line of their own that something failed, and the layer above logs the traceback.
    """
    failure = heads.row(by_predicate=pl.col("line_number") == record, named=True)
    if failure["has_traceback"]:
        return record
    if failure["request"] is None:
        return None
    later = heads.filter(
        pl.col("has_traceback")
        & (pl.col("request") == failure["request"])
        & (pl.col("service") == failure["service"])
        & (pl.col("host") == failure["host"])
        & (pl.col("time") >= failure["time"])
        & (pl.col("time") <= failure["time"] + _DELAY_US)
    )
    return None if later.is_empty() else int(later["line_number"][0])
