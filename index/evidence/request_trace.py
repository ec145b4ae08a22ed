"""The story of a request: all records that share ids, across services and in order of time, and where it went wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from index.evidence.severity import NOTABLE, SEVERE
from index.lines.service_layers import depth
from models.records import Level

_TIE: Final = 2_000_000
"""Microseconds within which two services' failures may be one: the deeper of the two came first."""


_CHAIN: Final = 30_000_000
"""Microseconds within which an error or its traceback may be written behind the first sign of it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far ids are followed."""

    rounds: int = 4
    ids: int = 64
    records: int = 2_000
    hub: int = 400
    """An id in more records than this is shared by too much to tell one story."""


@dataclass(frozen=True, slots=True)
class Story:
    """Numbers of the records (``at``) in order of time, and the ids that bind them."""

    records: tuple[int, ...]
    ids: tuple[str, ...]


def follow(ids: pl.DataFrame, seeds: Iterable[int], bounds: Bounds = Bounds()) -> Story:
    """Records that share ids with ``seeds``, directly or through others; near and rare ids first, within bounds."""
    size = ids.group_by("id").agg(pl.len().alias("size"))
    edges = ids.join(size.filter(pl.col("size") <= bounds.hub), on="id", how="inner")
    records = set(seeds)
    names: dict[str, None] = {}
    fresh = records
    for _ in range(bounds.rounds):
        near = edges.filter(pl.col("at").is_in(pl.Series(sorted(fresh), dtype=pl.UInt32).implode()))
        met = near.select("id", "size").unique().sort("size", "id")["id"].to_list()
        added = [name for name in met if name not in names][: bounds.ids - len(names)]
        if not added:
            break
        names.update(dict.fromkeys(added))
        found = set(edges.filter(pl.col("id").is_in(added))["at"].to_list())
        fresh = found - records
        if len(records) + len(fresh) > bounds.records:
            fresh = set(sorted(fresh)[: bounds.records - len(records)])
        records |= fresh
        if not fresh or len(records) >= bounds.records:
            break
    return Story(tuple(sorted(records)), tuple(names))


def first_bad(heads: pl.DataFrame, start: int) -> int | None:
    """The record (``at``) at which things went wrong first; None where nothing says so.

    The earliest of the failures that are about as bad as the worst.  Where several services fail within two seconds,
    clocks and buffers may have changed their order: then it is the one that the others call, and none that only tells
    of another one's answer.
    """
    for least in (SEVERE, NOTABLE):
        bad = heads.filter((pl.col("told") >= least) & (pl.col("time") >= start))
        if not bad.is_empty():
            break
    else:
        return None
    worst = float(bad["told"].max())  # type: ignore[arg-type]
    bad = bad.filter(pl.col("told") >= 0.6 * worst).sort("time", "at")
    errors = bad.filter(~pl.col("served") | (pl.col("level") >= int(Level.WARNING)))
    if not errors.is_empty() and int(errors["time"][0]) <= int(bad["time"][0]) + _CHAIN:
        # What a service answers its callers is a symptom; why, its error says, which may be written a little later.
        bad = errors
    near = bad.filter(pl.col("time") <= int(bad["time"].to_numpy()[0]) + _TIE)
    own = near.filter(~pl.col("relayed"))
    rows = (near if own.is_empty() else own).select("at", "service").rows()
    deepest = max(depth(service) for _, service in rows)
    return int(next(at for at, service in rows if depth(service) == deepest))


def traced_by(heads: pl.DataFrame, first: int) -> int | None:
    """The record with the traceback of ``first``: its own, or the next one of the same service and request.

    Services often tell in a line of their own that something failed, and the layer above logs the traceback.
    """
    mine = heads.row(by_predicate=pl.col("at") == first, named=True)
    if mine["raised"]:
        return first
    if mine["request"] is None:
        return None
    later = heads.filter(
        pl.col("raised")
        & (pl.col("request") == mine["request"])
        & (pl.col("service") == mine["service"])
        & (pl.col("host") == mine["host"])
        & (pl.col("time") >= mine["time"])
        & (pl.col("time") <= mine["time"] + _CHAIN)
    )
    return None if later.is_empty() else int(later["at"][0])
