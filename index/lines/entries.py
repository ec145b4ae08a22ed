"""Entries: records of a log, each a head line with the lines that continue it (a traceback)."""

from typing import Final

import polars as pl

from models.records import RowFlag

_RECORD: Final = ("tenant", "partition", "source", "host", "time", "logger", "level", "request", "instance")
"""What a continuation line has in common with its head; decoding copied it from there."""

TRACEBACK: Final = "Traceback (most recent call last)"


def with_entries(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines in order of time (ties by partition and offset), with ``at`` (their number) and ``entry``.

    ``entry`` is the number of the head line; of a continuation whose head is not there, that of the first line of its
    record.
    """
    ordered = lines.sort("time", "partition", "offset").with_row_index("at")
    follows = (pl.col("flags") & int(RowFlag.CONTINUATION)) != 0
    ordered = ordered.with_columns(follows.alias("follows"))
    if not ordered["follows"].any():
        return ordered.with_columns(pl.col("at").alias("entry"))
    # Records without continuation need no grouping, and most have none.
    marks = ordered.filter("follows").select("time").unique()
    several = ordered.join(marks, on="time", how="semi", maintain_order="left").with_columns(
        pl.struct(_RECORD).hash(0).alias("record")
    )
    found = several.select(
        "at",
        pl.coalesce(
            pl.when(~pl.col("follows")).then(pl.col("at")).forward_fill().over("record"),
            pl.col("at").first().over("record"),
        ).alias("entry"),
    )
    return ordered.join(found, on="at", how="left", maintain_order="left").with_columns(
        pl.coalesce("entry", "at").alias("entry")
    )


def tracebacks(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per entry with a traceback: ``entry``, ``parts`` (numbers of its continuation lines), their ``texts``."""
    inside = lines.filter("follows")
    return (
        inside.group_by("entry", maintain_order=True)
        .agg(
            pl.col("at").alias("parts"),
            pl.col("message").alias("texts"),
            pl.col("message").str.contains(TRACEBACK, literal=True).any().alias("raised"),
        )
        .filter("raised")
        .drop("raised")
    )
