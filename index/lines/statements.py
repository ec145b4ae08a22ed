"""Which records say the same: the counts that sentences state.

A template is too coarse for that: `GET /servers` answered 200 and answered 500 are lines of one template, and so are
two errors of which one was refused and the other timed out, or failed logins of two users.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from index.lines.patterns import EXCEPTION_LINE, HTTP_CALL, HTTP_STATUS, OUTCOME_CODE, PATH_ID, UUID

_MARK: Final = "<*>"

_VALUES: Final = (
    rf"(?i){UUID}|\b[0-9a-f]{{8,}}\b|(?:[0-9a-f]{{2}}:){{5}}[0-9a-f]{{2}}|[0-9a-f]{{0,4}}(?::[0-9a-f]{{0,4}}){{3,7}}|"
    r"[0-9a-z_]*[0-9][0-9a-z_]*(?:\.[0-9]+)*"
)
"""Ids, addresses and numbers, with the letters that belong to them: all that may differ in what says the same."""

_PARAMETERS: Final = r"\?[^\s\"]*"
"""Parameters of a call."""

_SAME: Final = ("service", "level", "status", "call", "code", "group", "raised")
"""What records that say the same have in common beside their words."""


def count_statements(heads: pl.DataFrame, line_numbers: Iterable[int], since: int | None = None) -> dict[int, int]:
    """Return how many records say the same as each of some records, by line number.

    The same means: written by the same service at the same level, with the same words, exception and error or exit
    codes; only ids, addresses and other numbers may differ.  Of answers to HTTP requests, only status,
    verb and path count.

    Args:
        heads: records with ``line_number``, ``service``, ``template``, ``level``, ``time``, ``message`` and ``raised``
            (see ``add_raised``).
        line_numbers: the records that are asked about; others than heads are left out of the answer.
        since: earliest time (microseconds) of the records that count; None counts all.
    """
    wanted = pl.col("line_number").is_in(pl.Series(sorted(set(line_numbers)), dtype=pl.UInt32).implode())
    if since is not None:
        heads = heads.filter((pl.col("time") >= since) | wanted)
    asked = _outcomes(heads.filter(wanted))
    calls = asked["group"].eq(0).any()
    of_template = pl.col("template").is_in(asked["template"].unique().implode())
    # What answers a request may be of any template, as its length differs; the rest is of the same one.
    candidates = heads.filter(of_template | pl.col("message").str.contains(HTTP_CALL) if calls else of_template)
    candidates = _outcomes(candidates).join(asked.select(_SAME).unique(), on=_SAME, how="semi", nulls_equal=True)
    words = pl.when(pl.col("group") != 0).then(pl.col("message").str.replace_all(_VALUES, _MARK))
    counted = candidates.select("line_number", *_SAME, words.alias("words")).with_columns(
        pl.len().over([*_SAME, "words"]).alias("count")
    )
    rows = counted.filter(wanted).select("line_number", "count").rows()
    return {int(line_number): int(count) for line_number, count in rows}


def add_raised(heads: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return heads with ``raised``: the last line of the record that names an exception, null where none does.

    Args:
        heads: head lines of ``lines``.
        lines: what ``with_entries`` returned.
    """
    named = lines.filter(
        (pl.col("line_number") != pl.col("entry")) & pl.col("message").str.contains(EXCEPTION_LINE)
    ).sort("line_number")
    last = named.group_by("entry", maintain_order=True).agg(pl.col("message").last().str.strip_chars().alias("raised"))
    return heads.join(last, left_on="line_number", right_on="entry", how="left", maintain_order="left")


def count_places(heads: pl.DataFrame, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return the same by partition and offset, of those places that are heads of records."""
    place = {name: heads.schema[name] for name in ("partition", "offset")}
    wanted = pl.DataFrame(places, schema=place, orient="row")
    rows = heads.join(wanted, on=list(place), how="semi").select("line_number", *place).rows()
    counts = count_statements(heads, [line_number for line_number, _, _ in rows])
    return {(partition, offset): counts[line_number] for line_number, partition, offset in rows}


def _outcomes(heads: pl.DataFrame) -> pl.DataFrame:
    """Add ``status``, ``call``, ``code`` and ``group``: the template, 0 for an answer to an HTTP request."""
    message = pl.col("message")
    call = message.str.extract_groups(HTTP_CALL)
    path = call.struct.field("2").str.replace_all(_PARAMETERS, "").str.replace_all(PATH_ID, "/<id>")
    frame = heads.select("line_number", "service", "level", "template", "message", "raised").with_columns(
        pl.col("raised").str.replace_all(_VALUES, _MARK),
        message.str.extract(HTTP_STATUS).alias("status"),
        pl.concat_str([call.struct.field("1"), path], separator=" ").alias("call"),
    )
    answer = pl.col("status").is_not_null() & pl.col("call").is_not_null()
    return frame.with_columns(
        pl.when(answer).then(None).otherwise(message.str.extract_all(OUTCOME_CODE).list.join(" ")).alias("code"),
        pl.when(answer).then(0).otherwise("template").alias("group"),
    )
