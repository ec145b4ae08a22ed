"""Which records say the same: the counts that sentences state.

A template is too coarse for that: `GET /servers` answered 200 and answered 500 are lines of one template, and so are
two errors of which one was refused and the other timed out.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from index.lines.patterns import HTTP_CALL, HTTP_STATUS, OUTCOME_CODE, PATH_ID
from models.templates.masks import Masks

_COARSE: Final = ("service", "template", "level")
"""What records that say the same have in common; quick to compare."""

PATH_ID_MARK: Final = "<id>"
"""Stands for an id or a number in the path of a call."""


def count_statements(heads: pl.DataFrame, line_numbers: Iterable[int], since: int | None = None) -> dict[int, int]:
    """Return how many records say the same as each of some records, by line number.

    The same means: written by the same service at the same level, with the same words, HTTP status, verb and path, and
    error or exit codes; only ids, addresses and other numbers may differ.

    Args:
        heads: records with ``line_number``, ``service``, ``template``, ``level``, ``time`` and ``message``.
        line_numbers: the records that are asked about; others than heads are left out of the answer.
        since: earliest time (microseconds) of the records that count; None counts all.
    """
    wanted = pl.Series(sorted(set(line_numbers)), dtype=pl.UInt32)
    asked = heads.filter(pl.col("line_number").is_in(wanted.implode()))
    if since is not None:
        heads = heads.filter((pl.col("time") >= since) | pl.col("line_number").is_in(wanted.implode()))
    candidates = heads.join(asked.select(_COARSE).unique(), on=_COARSE, how="semi").with_columns(*_outcome())
    # What answered otherwise needs no masking, which is the slow part.
    same_outcome = [*_COARSE, "status", "call", "code"]
    outcomes = candidates.filter(pl.col("line_number").is_in(wanted.implode())).select(same_outcome).unique()
    candidates = candidates.join(outcomes, on=same_outcome, how="semi", nulls_equal=True)
    statements = candidates.select(
        "line_number", *same_outcome, Masks.default().text(candidates["message"]).alias("statement")
    ).with_columns(pl.len().over([*same_outcome, "statement"]).alias("count"))
    rows = statements.filter(pl.col("line_number").is_in(wanted.implode())).select("line_number", "count").rows()
    return {int(line_number): int(count) for line_number, count in rows}


def count_places(heads: pl.DataFrame, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return the same by partition and offset, of those places that are heads of records."""
    place = {name: heads.schema[name] for name in ("partition", "offset")}
    wanted = pl.DataFrame(places, schema=place, orient="row")
    rows = heads.join(wanted, on=list(place), how="semi").select("line_number", *place).rows()
    counts = count_statements(heads, [line_number for line_number, _, _ in rows])
    return {(partition, offset): counts[line_number] for line_number, partition, offset in rows}


def _outcome() -> list[pl.Expr]:
    message = pl.col("message")
    call = message.str.extract_groups(HTTP_CALL)
    path = call.struct.field("2").str.replace_all(PATH_ID, f"/{PATH_ID_MARK}")
    return [
        message.str.extract(HTTP_STATUS).alias("status"),
        pl.concat_str([call.struct.field("1"), path], separator=" ").alias("call"),
        message.str.extract_all(OUTCOME_CODE).list.join(" ").alias("code"),
    ]
