"""Ids that records share: requests, traces, instances, volumes, ports."""

from typing import Final

import polars as pl

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID: Final = rf"(?i)(?:req-|(?:[a-z]{{1,24}}[^0-9a-z]{{1,4}})?(?:(?:id|uuid)[^0-9a-z]{{1,4}})?){_UUID}"
_BARE: Final = rf"(?i)((?:req-)?{_UUID})$"
_THING: Final = r"(?i)^[^0-9a-z]*(?:instance|server|volume|port|device|vif|snapshot|attachment|vm)s?[^0-9a-z]"


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
