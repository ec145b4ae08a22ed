"""Ids that records share: requests, traces, instances, volumes, ports."""

from typing import Final

import polars as pl

from index.lines.patterns import UUID

_ID: Final = rf"(?i)(?:req-|(?:[a-z]{{1,24}}[^0-9a-z]{{1,4}})?(?:(?:id|uuid)[^0-9a-z]{{1,4}})?){UUID}"
"""An id with the word before it, which says what it is of."""

_BARE: Final = rf"(?i)((?:req-)?{UUID})$"
_RESOURCE: Final = r"(?i)^[^0-9a-z]*(?:instance|server|volume|port|device|vif|snapshot|attachment|vm)s?[^0-9a-z]"
_ANY_DIGIT: Final = r"[1-9a-f]"
"""An id of zeros alone is a placeholder."""


def shared_ids(heads: pl.DataFrame) -> pl.DataFrame:
    """Return which records mention which ids, once each: ``line_number`` of the head, ``id``.

    Ids are those of requests and traces, and those of instances, volumes, ports and the like: a uuid that some line
    calls so.  Images, networks, projects and flavors are left out: half the cloud shares them.
    """
    in_headers = [
        heads.select("line_number", pl.col(name).str.to_lowercase().alias("id")).drop_nulls("id")
        for name in ("request", "global_request", "instance", "trace")
    ]
    mentions = (
        heads.lazy()
        .filter(pl.col("message").str.contains("-", literal=True))
        .select("line_number", pl.col("message").str.extract_all(_ID).alias("mention"))
        .explode("mention", empty_as_null=False)
        .drop_nulls("mention")
        .collect()
    )
    # The same mention stands in many lines: each is read once.
    distinct = mentions.select(pl.col("mention").unique()).with_columns(
        pl.col("mention").str.extract(_BARE, 1).str.to_lowercase().alias("id"),
        pl.col("mention").str.contains(_RESOURCE).alias("of_resource"),
    )
    named = distinct.filter(pl.col("of_resource") | pl.col("id").str.starts_with("req-"))["id"].unique()
    wanted = pl.concat([named, heads["instance"].drop_nulls().str.to_lowercase()]).unique()
    distinct = distinct.filter(pl.col("id").is_in(wanted.implode()))
    in_messages = mentions.join(distinct.select("mention", "id"), on="mention", how="inner").select("line_number", "id")
    return (
        pl.concat([*in_headers, in_messages]).filter(pl.col("id").str.contains(_ANY_DIGIT)).unique(maintain_order=True)
    )
