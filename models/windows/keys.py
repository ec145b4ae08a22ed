"""Which windows an event belongs to: its source, its tenant's source of everything, its requests, what it is about.

Every event has a source key, ``service@host``, and that of all sources of its tenant.  Session keys come from the
record (``trace_id``), the header (request ids, instance) and the text of the line (rules).  A key of a session is a
speaking string: the trace id as it is, ``req-…`` as it is, and ``instance:<uuid>``, ``volume:<uuid>``, ``port:<uuid>``
for things.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl

from models.arrays import distinct, splits, spread, unique
from models.errors import InvalidError
from models.records import (
    ALL_SOURCES,
    F32,
    HOST_MARK,
    I64,
    ROW_SCHEMA,
    U32,
    U64,
    VALUES,
    EventFrame,
    KeyKind,
    RawSpan,
    RowFlag,
    source_id,
)

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

DEFAULT_ENTITY: Final = (
    rf"(?i)\b(instance|server|volume|port)s?[^0-9a-z]{{0,4}}(?:(?:id|uuid)[^0-9a-z]{{1,3}})?({_UUID})"
)
"""Finds what a line speaks of: a noun, at most an "id" between, and a uuid."""

DEFAULT_NOUNS: Final[Mapping[str, str]] = {
    "instance": "instance",
    "server": "instance",
    "volume": "volume",
    "port": "port",
}


@dataclass(frozen=True, slots=True)
class KeyRules:
    """How session keys are found in the text of a line.

    ``entity`` is a regular expression with two groups, noun and id (Rust syntax, no look-around; "" switches it off);
    ``nouns`` maps the noun, in lower case, to the prefix of the key.  ``everything`` adds the source that holds all
    lines of a tenant, or, where ``services`` are given, of these: what others write nobody can judge.
    """

    entity: str = DEFAULT_ENTITY
    nouns: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_NOUNS))
    everything: bool = True
    services: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Refuse a pattern that cannot be compiled or has not two groups."""
        if not self.entity:
            return
        try:
            fields = pl.Series([""]).str.extract_groups(self.entity).struct.fields
        except pl.exceptions.PolarsError as error:
            raise InvalidError(
                f"key rule {self.entity!r} is no valid pattern: {error}", "correct it in the settings"
            ) from error
        if len(fields) != 2:  # noqa: PLR2004 - noun and id
            raise InvalidError(f"key rule {self.entity!r} has {len(fields)} groups", "it needs two: noun and id")


def _source_key() -> pl.Expr:
    host = pl.col("host")
    return pl.when(host == "").then(pl.col("service")).otherwise(pl.col("service") + HOST_MARK + host)


def _entity_keys(lines: pl.DataFrame, rules: KeyRules) -> pl.DataFrame:
    """Keys of instances, volumes and ports: the header's, and the first that the text names."""
    header = pl.when(pl.col("instance").is_not_null()).then("instance:" + pl.col("instance")).alias("instance")
    if not rules.entity:
        return lines.select(header, pl.lit(None, dtype=pl.String).alias("entity"))
    # To look first and cut out then is quicker: most lines speak of nothing.
    speaks = pl.col("message").str.contains(rules.entity) & ((pl.col("flags") & RowFlag.CONTINUATION) == 0)
    rows = np.flatnonzero(lines.select(speaks).to_series().to_numpy())
    named = lines["message"].gather(rows).str.extract_groups(rules.entity).struct.unnest()
    named.columns = ["noun", "uuid"]
    noun = pl.col("noun").str.to_lowercase().replace_strict(rules.nouns, default=None, return_dtype=pl.String)
    entity = named.select(noun + ":" + pl.col("uuid").str.to_lowercase()).to_series()
    return lines.select(header, spread(entity, rows, len(lines)).alias("entity"))


def _key_columns(lines: pl.DataFrame, rules: KeyRules) -> list[tuple[KeyKind, pl.Series]]:
    """The candidate keys of each line, one column per rule; a key that a line has twice is kept once."""
    entities = _entity_keys(lines, rules)
    columns: list[pl.Series] = [
        lines["trace"],
        lines["request"],
        lines["global_request"],
        entities["instance"],
        entities["entity"],
    ]
    for i, column in enumerate(columns):
        for other in columns[:i]:
            if column.null_count() < len(column) and other.null_count() < len(other):
                same = (column == other).fill_null(value=False)
                if same.any():
                    columns[i] = columns[i].set(same, None)
    sources = [lines.select(_source_key().alias("source"))["source"]]
    if rules.everything:
        everything = pl.repeat(ALL_SOURCES, len(lines), dtype=pl.String, eager=True)
        if rules.services is not None:
            is_known = lines["service"].is_in(sorted(rules.services))
            everything = everything.set(~is_known, None)
        sources.append(everything)
    return [(KeyKind.SOURCE, column) for column in sources] + [(KeyKind.SESSION, column) for column in columns]


def key_events(
    lines: pl.DataFrame, templates: U64, values: F32, rules: KeyRules, raw: Mapping[int, RawSpan]
) -> EventFrame:
    """Make keyed events of decoded lines: one row per line and key, in the order of the lines.

    ``lines`` has LOG_SCHEMA, ``templates`` (n,) and ``values`` (n, VALUES) belong to its rows; ``raw`` says what part
    of the raw partitions the lines came from.
    """
    rows: list[I64] = []
    names: list[pl.Series] = []
    kinds: list[pl.Series] = []
    columns = _key_columns(lines, rules)
    for kind, column in columns:
        with_key = np.flatnonzero(column.is_not_null().to_numpy())
        if len(with_key):
            rows.append(with_key)
            names.append(column.gather(with_key).alias("key"))
            kinds.append(pl.repeat(int(kind), len(with_key), dtype=pl.UInt8, eager=True).alias("kind"))
    if not rows:
        return EventFrame.empty(raw)
    row = np.concatenate(rows)
    # Rows before the second column are the lines' own sources.
    sources = len(rows[0])
    order = np.argsort(row, kind="stable")
    row = row[order]
    keyed = pl.DataFrame(
        {
            "tenant": lines["tenant"].gather(row),
            "kind": pl.concat(kinds).gather(order),
            "key": pl.concat(names).gather(order),
        }
    )
    keys = keyed.unique(maintain_order=True)
    codes = keyed.join(keys.with_row_index("code"), on=["tenant", "kind", "key"], how="left", maintain_order="left")[
        "code"
    ]
    table = lines.select("time", "level", "flags", "partition", "offset")[row]
    return EventFrame(
        keys.with_columns(key_hash(keys)),
        pl.DataFrame(
            {
                "key": codes,
                "time": table["time"],
                "template": templates[row],
                "origin": _origins(keys["key"], codes.to_numpy()[order < sources])[row],
                "level": table["level"],
                "flags": table["flags"],
                "partition": table["partition"],
                "offset": table["offset"],
                "values": pl.Series(values[row].reshape(-1, VALUES), dtype=pl.Array(pl.Float32, VALUES)),
            },
            schema=ROW_SCHEMA,
        ),
        raw,
    )


def _origins(names: pl.Series, codes: U32) -> U32:
    """``source_id`` of each line (n,), whose source is the key of this number (n,) among ``names`` (k,)."""
    is_used = np.zeros(len(names), np.bool_)
    is_used[codes] = True
    used = np.flatnonzero(is_used)
    numbers = np.zeros(len(names), np.uint32)
    numbers[used] = [source_id(name) for name in names.gather(used).to_list()]
    origins: U32 = numbers[codes]
    return origins


def key_hash(keys: pl.DataFrame) -> pl.Series:
    """CRC-32 of tenant and key of each row, as UInt32: spreads keys over partitions and over the age grid."""
    names = keys.select(pl.col("tenant") + "\x1f" + pl.col("key")).to_series().to_list()
    return pl.Series("hash", [zlib.crc32(name.encode()) for name in names], dtype=pl.UInt32)


def named_rows(frame: EventFrame) -> pl.DataFrame:
    """A frame's rows with tenant, kind and name of their key in place of its number; for people and tests."""
    names = frame.keys.rename({"key": "name"}).with_row_index("key").drop("hash")
    return frame.rows.join(names, on="key", maintain_order="left").drop("key").rename({"name": "key"})


def join_frames(frames: Sequence[EventFrame]) -> EventFrame:
    """Put frames that follow each other into one: each key once, rows in their order, ``raw`` of all.

    The offsets of a raw partition must not go back from one frame to the next.
    """
    if len(frames) == 1:
        return frames[0]
    raw: dict[int, RawSpan] = {}
    for frame in frames:
        for number, span in frame.raw.items():
            raw[number] = _joined(raw[number], span) if number in raw else span
    keys = pl.concat([frame.keys for frame in frames])
    names = keys.select(pl.concat_str("tenant", pl.col("kind").cast(pl.String), "key", separator="\x1f")).to_series()
    first, inverse = distinct(names)
    order = np.argsort(first)
    place = np.empty(len(first), np.int64)
    place[order] = np.arange(len(first))
    before = splits(np.array([len(frame.keys) for frame in frames], np.int64)).tolist()
    starts = zip(frames, before[:-1], strict=True)
    codes = [place[inverse[frame.rows["key"].to_numpy().astype(np.int64) + start]] for frame, start in starts]
    rows = pl.concat([frame.rows for frame in frames])
    rows = rows.with_columns(pl.Series("key", np.concatenate(codes), dtype=pl.UInt32))
    return EventFrame(keys[first[order]], rows, raw)


def _joined(span: RawSpan, other: RawSpan) -> RawSpan:
    """The stretch of both, where ``other`` follows; one without offsets only moves the clock."""
    clock = max(span.clock, other.clock)
    if other.last < other.first:
        return replace(span, clock=clock)
    return replace(other, clock=clock) if span.last < span.first else replace(span, last=other.last, clock=clock)


def split_frame(frame: EventFrame, partitions: int) -> dict[int, EventFrame]:
    """Cut a frame into one per partition of ``logs.events``, each with the whole ``raw`` map.

    Partitions without a row get no frame.  Rows keep their order.
    """
    if not len(frame.rows):
        return {}
    partition_of_key = frame.keys["hash"].to_numpy() % partitions
    codes = frame.rows["key"].to_numpy()
    partition_of_row = partition_of_key[codes]
    frames: dict[int, EventFrame] = {}
    for partition in unique(partition_of_row).tolist():
        keys = np.flatnonzero(partition_of_key == partition)
        new_code = np.zeros(len(partition_of_key), dtype=np.uint32)
        new_code[keys] = np.arange(len(keys), dtype=np.uint32)
        chosen = np.flatnonzero(partition_of_row == partition)
        rows = frame.rows[chosen].with_columns(pl.Series("key", new_code[codes[chosen]]))
        frames[partition] = EventFrame(frame.keys[keys], rows, frame.raw)
    return frames
