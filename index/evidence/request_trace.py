"""The story of a request: all records that share ids, across services and in order of time, and where it went wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from index.evidence.severity import NOTABLE, SEVERE
from index.lines.service_layers import depth
from models.records import Level

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID: Final = rf"(?i)(?:req-|(?:[a-z]{{1,24}}[^0-9a-z]{{1,4}})?(?:(?:id|uuid)[^0-9a-z]{{1,4}})?){_UUID}"
_BARE: Final = rf"(?i)((?:req-)?{_UUID})$"
_THING: Final = r"(?i)^[^0-9a-z]*(?:instance|server|volume|port|device|vif|snapshot|attachment|vm)s?[^0-9a-z]"

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


def shared_ids(heads: pl.DataFrame) -> pl.DataFrame:
    """Which records bear which ids: ``at``, ``id``; once each.

    Ids are those of requests and traces, and those of instances, volumes, ports and the like: a uuid that is called so
    somewhere.  Images, networks, projects and flavors bind nothing: half the cloud shares them.
    """
    columns = [
        heads.select("at", pl.col(name).str.to_lowercase().alias("id")).drop_nulls("id")
        for name in ("request", "global_request", "instance", "trace")
    ]
    said = (
        heads.lazy()
        .filter(pl.col("message").str.contains("-", literal=True))
        .select("at", pl.col("message").str.extract_all(_ID).alias("found"))
        .explode("found", empty_as_null=False)
        .drop_nulls("found")
        .collect()
    )
    named = said.select(pl.col("found").unique())
    named = named.with_columns(
        pl.col("found").str.extract(_BARE, 1).str.to_lowercase().alias("id"),
        pl.col("found").str.contains(_THING).alias("thing"),
    )
    things = named.filter(pl.col("thing") | pl.col("id").str.starts_with("req-"))["id"].unique()
    headers = pl.concat(columns)
    bound = pl.concat([things, heads["instance"].drop_nulls().str.to_lowercase()]).unique()
    named = named.filter(pl.col("id").is_in(bound.implode()))
    texts = said.join(named.select("found", "id"), on="found", how="inner").select("at", "id")
    return pl.concat([headers, texts]).filter(pl.col("id").str.contains(r"[1-9a-f]")).unique(maintain_order=True)


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
