"""Entries: records of a log, each a head line with the lines that continue it (a traceback)."""

from typing import Final

import polars as pl

from models.records import RowFlag

_RECORD: Final = ("tenant", "partition", "source", "host", "time", "logger", "level", "request", "instance")
"""What a continuation line has in common with its head; decoding copied it from there."""

TRACEBACK: Final = "Traceback (most recent call last)"


def follows() -> pl.Expr:
    """Return whether a line continues the record before it."""
    return (pl.col("flags") & int(RowFlag.CONTINUATION)) != 0


def with_entries(lines: pl.DataFrame) -> pl.DataFrame:
    """Return lines in order of time (ties by partition and offset) with ``line_number``, ``follows`` and ``entry``.

    ``line_number`` counts from 0 in this order, ``follows`` says whether a line continues a record, ``entry`` is the
    line number of the record's head; where the head is missing, that of the first line of the record.
    """
    ordered = lines.sort("time", "partition", "offset").with_row_index("line_number")
    ordered = ordered.with_columns(follows().alias("follows"))
    if not ordered["follows"].any():
        return ordered.with_columns(pl.col("line_number").alias("entry"))
    # Records without continuation need no grouping, and most have none.
    times = ordered.filter("follows").select("time").unique()
    several = ordered.join(times, on="time", how="semi", maintain_order="left").with_columns(
        pl.struct(_RECORD).hash(0).alias("record")
    )
    entries = several.select(
        "line_number",
        pl.coalesce(
            pl.when(~pl.col("follows")).then(pl.col("line_number")).forward_fill().over("record"),
            pl.col("line_number").first().over("record"),
        ).alias("entry"),
    )
    return ordered.join(entries, on="line_number", how="left", maintain_order="left").with_columns(
        pl.coalesce("entry", "line_number").alias("entry")
    )


def heads_of(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the head lines of ``with_entries``, one a record."""
    return lines.filter(pl.col("line_number") == pl.col("entry"))


def tracebacks(lines: pl.DataFrame) -> pl.DataFrame:
    """Return one row per entry with a traceback: ``entry``, its continuation's ``line_numbers`` and their ``texts``."""
    return (
        lines.filter("follows")
        .group_by("entry", maintain_order=True)
        .agg(
            pl.col("line_number").alias("line_numbers"),
            pl.col("message").alias("texts"),
            pl.col("message").str.contains(TRACEBACK, literal=True).any().alias("has_traceback"),
        )
        .filter("has_traceback")
        .drop("has_traceback")
    )
