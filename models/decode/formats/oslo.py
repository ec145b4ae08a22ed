"""oslo.log: ``date time pid LEVEL logger [context] [instance: uuid] message``, with or without the parts behind it."""

from typing import Final

import numpy as np
import polars as pl

from models.arrays import distinct, spread
from models.decode.formats.base import DIGITS, LineFormat, facts
from models.decode.formats.levels import LEVEL_WORD, level_expr
from models.decode.timestamps import Clock, fixed

_STAMP: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}"
_HINT: Final = rf"^{_STAMP} [0-9]{{1,10}} [A-Z]{{4,8}} [A-Za-z_][^ \[\]=]*(?: |$)"
CONTEXT: Final = r"\[(?:-|None|req-[0-9A-Za-z-]+)[ \]]"
"""How the context of a record begins."""
_TIMELESS_HINT: Final = rf"^{LEVEL_WORD} [A-Za-z_][^ \[\]=]* {CONTEXT}"
_INSTANCE: Final = "[instance: "
_TRACEBACK_LEVELS: Final = ["ERROR", "TRACE", "CRITICAL"]


def _decode(lines: pl.DataFrame) -> pl.DataFrame:
    time, exists = fixed(lines["text"], fraction=3)
    lines = lines.select("row", pl.col("text").str.slice(24).alias("rest"), pl.Series("at", time))
    header = _finish(_split(lines, ["pid", "level", "logger"])).with_columns(
        pl.lit(Clock.NAIVE, pl.UInt8).alias("clock")
    )
    if not exists.all():
        # An hour 24 or a 30th of February: the line says all but its time.
        clock = pl.Series(np.where(exists, int(Clock.NAIVE), int(Clock.NONE)), dtype=pl.UInt8)
        header = header.with_columns(clock.alias("clock"))
    return facts(header)


def oslo_facts(lines: pl.DataFrame) -> pl.DataFrame:
    """FACTS without a time of lines whose ``rest`` begins with pid, level and logger."""
    return facts(_finish(_split(lines, ["pid", "level", "logger"])))


def _decode_timeless(lines: pl.DataFrame) -> pl.DataFrame:
    return facts(_finish(_split(lines.rename({"text": "rest"}), ["level", "logger"])))


def _split(lines: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Cuts words off ``rest``, as columns of these names (and ``bare`` and a numeric level).

    What stands before the first bracket repeats from line to line, so it is taken apart once per distinct text.
    """
    rest = lines["rest"]
    bracket = rest.str.find(" [", literal=True)
    # A bracket that does not follow the words belongs to a message: then all up to it is cut off and given back below.
    head = pl.select(rest.str.slice(0, bracket)).to_series()
    behind = pl.select(rest.str.slice(bracket + 1)).to_series().fill_null("")
    if (head.str.len_bytes() != head.str.len_chars()).any():
        # `find` counts bytes and `slice` characters: beyond ASCII the bracket itself is what to cut at.
        parts = rest.str.splitn(" [", 2).struct.unnest()
        head, behind = parts["field_0"], ("[" + parts["field_1"]).fill_null("")
    first, inverse = distinct(head)
    words = head[first].str.splitn(" ", len(names) + 1).struct.unnest()
    words.columns = [*names, "more"]
    words = words.with_columns(
        # Tracebacks repeat the header at ERROR (TRACE in old releases), whatever the level of their record.
        pl.col("level").is_in(_TRACEBACK_LEVELS).alias("bare"),
        level_expr("level"),
    )
    words = words[inverse]
    more = words["more"]
    if more.null_count() < len(more):
        given = pl.concat_str(more, pl.when(bracket.is_not_null()).then(pl.lit(" ")).otherwise(pl.lit("")), behind)
        behind = pl.select(pl.when(more.is_not_null()).then(given).otherwise(behind)).to_series()
    return lines.with_columns(behind.alias("rest"), *words.drop("more").get_columns())


def _finish(head: pl.DataFrame) -> pl.DataFrame:
    """Context, instance and message from ``rest``; ``bare`` stays true only of headers without context."""
    rest = pl.col("rest")
    opened = rest.str.starts_with("[req-") | rest.str.starts_with("[None") | rest.str.starts_with("[-")
    head = head.with_columns(pl.when(opened).then(rest.str.find("]", literal=True)).alias("close"))
    # `find` counts bytes and `slice` characters: a context beyond ASCII is cut by its bracket instead.
    # A slice of unknown length would be all the rest, where the other way gives nothing.
    inner = pl.when(pl.col("close").is_not_null()).then(rest.str.slice(1, pl.col("close") - 1))
    behind = rest.str.slice(pl.col("close") + 1)
    head = head.with_columns(inner.alias("inner"), behind.alias("behind"))
    if not head["inner"].str.len_bytes().eq_missing(head["inner"].str.len_chars()).all():
        parts = head["rest"].str.strip_prefix("[").str.splitn("]", 2).struct.unnest()
        head = head.with_columns(
            pl.when(pl.col("close").is_not_null()).then(parts["field_0"]).alias("inner"),
            pl.when(pl.col("close").is_not_null()).then(parts["field_1"]).alias("behind"),
        )
    context = pl.col("close").is_not_null()
    head = head.with_columns(
        pl.when(context).then("behind").otherwise("rest").alias("message"),
        (pl.col("bare") & ~context).alias("bare"),
        pl.col("inner").str.strip_prefix("None ").alias("ids"),
    )
    return _take_instance(_take_requests(head))


def _take_requests(head: pl.DataFrame) -> pl.DataFrame:
    """The request ids out of ``ids``: of two the first is the global one."""
    ids = pl.col("ids")
    space = ids.str.find(" ", literal=True)
    is_id = ids.str.starts_with("req-")
    first = pl.when(is_id).then(ids.str.slice(0, space))
    head = head.with_columns(first.alias("request"))
    two = head["ids"].str.contains(r"^(?:req-\S+|-) req-").fill_null(value=False)
    if not two.any():
        return head
    words = head["ids"].str.splitn(" ", 3).struct.unnest()
    return head.with_columns(
        pl.when(two).then(words["field_1"]).otherwise("request").alias("request"),
        pl.when(pl.Series(two) & is_id).then(words["field_0"]).alias("global_request"),
    )


def _take_instance(head: pl.DataFrame) -> pl.DataFrame:
    """Moves the prefix ``[instance: uuid]`` from ``message`` into ``instance``; leaves the message stripped."""
    message = pl.col("message").str.strip_chars()
    if head["bare"].any():
        # The indent of a traceback's lines is part of them.
        message = pl.when("bare").then(pl.col("message").str.strip_chars_end()).otherwise(message)
    head = head.with_columns(message.alias("message"))
    has = head["message"].str.starts_with(_INSTANCE)
    rows = np.flatnonzero(has.to_numpy())
    if not rows.size:
        return head
    some = head.select("message", "bare")[rows]
    parts = some["message"].str.strip_prefix(_INSTANCE).str.splitn("]", 2).struct.unnest()
    behind = parts["field_1"]
    cut = pl.select(
        instance=pl.when(behind.is_not_null()).then(parts["field_0"]),
        message=pl.when(behind.is_null())
        .then(some["message"])
        .when(some["bare"])
        .then(behind.str.strip_prefix(" "))
        .otherwise(behind.str.strip_chars()),
    )
    instance = spread(cut["instance"], rows, head.height)
    place = np.arange(head.height, dtype=np.uint32)
    place[rows] = np.arange(head.height, head.height + cut.height, dtype=np.uint32)
    texts = pl.concat([head["message"], cut["message"]]).gather(place)
    return head.with_columns(instance.alias("instance"), texts.alias("message"))


FORMATS: Final = (
    LineFormat("oslo", _HINT, _decode, begins=DIGITS),
    LineFormat("oslo without time", _TIMELESS_HINT, _decode_timeless),
)
