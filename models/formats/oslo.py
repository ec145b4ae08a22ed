"""oslo.log: ``date time pid LEVEL logger [context] [instance: uuid] message``, with or without the parts behind it."""

from typing import Final

import polars as pl

from models.formats.base import LineFormat, facts
from models.formats.levels import LEVEL_WORD, level_expr
from models.times import Clock, fixed

_STAMP: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}"
_HINT: Final = rf"^{_STAMP} [0-9]{{1,10}} [A-Z]{{4,8}} [A-Za-z_][^ \[\]=]*(?: |$)"
_TIMELESS_HINT: Final = rf"^{LEVEL_WORD} [A-Za-z_][^ \[\]=]* \[(?:-|None|req-[0-9A-Za-z-]+)[ \]]"
_INSTANCE: Final = "[instance: "
_TRACEBACK_LEVELS: Final = ["ERROR", "TRACE", "CRITICAL"]


def _decode(lines: pl.DataFrame) -> pl.DataFrame:
    at, exists = fixed(lines["text"], fraction=3)
    head = lines.select("row", pl.col("text").str.slice(24).str.splitn(" ", 4).alias("_")).unnest("_")
    head = head.rename({"field_0": "pid", "field_1": "level", "field_2": "logger", "field_3": "rest"})
    head = head.with_columns(pl.Series("at", at), pl.lit(Clock.NAIVE, pl.UInt8).alias("clock"))
    return _finish(head if exists.all() else head.filter(pl.Series(exists)))


def _decode_timeless(lines: pl.DataFrame) -> pl.DataFrame:
    head = lines.select("row", pl.col("text").str.splitn(" ", 3).alias("_")).unnest("_")
    return _finish(head.rename({"field_0": "level", "field_1": "logger", "field_2": "rest"}))


def _finish(head: pl.DataFrame) -> pl.DataFrame:
    """Context, instance and message from ``rest``, and whether the header is a bare one."""
    rest = head["rest"].fill_null("")
    bracket = rest.str.strip_prefix("[").str.splitn("]", 2).struct.unnest()
    words = bracket["field_0"].str.splitn(" ", 3).struct.unnest()
    head = head.with_columns(
        rest,
        (rest.str.starts_with("[") & bracket["field_1"].is_not_null()).alias("closed"),
        bracket["field_1"].alias("behind"),
        words["field_0"].alias("first"),
        words["field_1"].alias("second"),
    )
    first, second = pl.col("first"), pl.col("second")
    is_first = first.str.starts_with("req-")
    is_second = second.str.starts_with("req-").fill_null(value=False)
    context = pl.col("closed") & (is_first | (first == "-") | (first == "None"))
    head = head.with_columns(context.alias("context"), (context & is_second).alias("two"))
    head = head.with_columns(
        pl.when("two").then("second").when(context & is_first).then("first").alias("request"),
        pl.when(pl.col("two") & is_first).then("first").alias("global_request"),
        pl.when("context").then(pl.col("behind")).otherwise("rest").alias("message"),
        # Tracebacks repeat the header at ERROR (TRACE in old releases), whatever the level of their record.
        (~pl.col("context") & pl.col("level").is_in(_TRACEBACK_LEVELS)).alias("bare"),
        level_expr("level"),
    )
    return facts(_take_instance(head))


def _take_instance(head: pl.DataFrame) -> pl.DataFrame:
    """Moves the prefix ``[instance: uuid]`` from ``message`` into ``instance``; leaves the message stripped."""
    bare = pl.col("bare")
    message = pl.col("message")
    # The indent of a traceback's lines is part of them.
    head = head.with_columns(
        pl.when(bare).then(message.str.strip_chars_end()).otherwise(message.str.strip_chars()).alias("message")
    )
    has = head["message"].str.starts_with(_INSTANCE)
    if not has.any():
        return head
    parts = head["message"].str.strip_prefix(_INSTANCE).str.splitn("]", 2).struct.unnest()
    head = head.with_columns((has & parts["field_1"].is_not_null()).alias("has"), parts["field_0"], parts["field_1"])
    behind = pl.col("field_1")
    return head.with_columns(
        pl.when("has").then("field_0").alias("instance"),
        pl.when(~pl.col("has"))
        .then("message")
        .when(bare)
        .then(behind.str.strip_prefix(" "))
        .otherwise(behind.str.strip_chars())
        .alias("message"),
    )


FORMATS: Final = (
    LineFormat("oslo", _HINT, _decode),
    LineFormat("oslo without time", _TIMELESS_HINT, _decode_timeless),
)
