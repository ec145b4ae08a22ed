"""Raw bytes to a LogBatch: parse, take duplicates out, read headers, settle times, join continuations.

Only times without year and arrival, and what ``models.decode.decoder_state`` holds, depend on earlier records.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from models.arrays import unique
from models.decode.decoder_state import PartitionState
from models.decode.event_time import Clocks, Settled
from models.decode.formats import FORMATS, FormatSpec, compile_format
from models.decode.headers import read_headers, unwrap
from models.decode.multiline import CARRIED, SHAPED, Joined, LineKind, Lines, join
from models.decode.raw_records import Parsed, parse
from models.decode.timestamps import Clock
from models.errors import InvalidError
from models.records import BOOL, I32, I64, LOG_SCHEMA, U8, U64, LogBatch, RawBatch, RowFlag

_NO_SOURCES: Final[Mapping[int, str]] = {}
_INSTANCE: Final = "[instance: "
_NO_TIMES: Final[Mapping[int, int]] = {}


@dataclass(frozen=True, slots=True)
class DecodeConfig:
    """How lines are read.

    ``zone`` is the IANA zone of stamps without one, ``zones`` overrides it by source (shell pattern → zone, first
    match).  ``max_line`` is in bytes, ``future_limit_s`` in seconds, ``generation`` in offsets.  ``formats`` are tried
    before the known ones.
    """

    zone: str = "UTC"
    zones: Mapping[str, str] = field(default_factory=dict)
    max_line: int = 65_536
    future_limit_s: int = 600
    generation: int = 32_768
    formats: tuple[FormatSpec, ...] = ()


class Decoder:
    """Decodes the batches of any number of raw partitions, each in order of its offsets.

    What it remembers of a partition is exactly a function of the partition's records in the present and the previous
    generation (offset // generation), however they were cut into batches.
    """

    def __init__(self, config: DecodeConfig) -> None:
        if config.generation < 1 or config.max_line < 1:
            raise InvalidError("generation and max_line must be at least 1")
        self._config = config
        self._formats = (*(compile_format(spec) for spec in config.formats), *FORMATS)
        self._clocks = Clocks(config.zone, config.zones, config.future_limit_s)
        self._states: dict[int, PartitionState] = {}

    def fresh_copy(self) -> "Decoder":
        """A decoder that reads lines alike and remembers nothing."""
        return Decoder(self._config)

    def forget(self, partition: int) -> None:
        """Drops what is remembered of a partition: it was revoked, or will be read from elsewhere."""
        self._states.pop(partition, None)
        self._clocks.forget(partition)

    def replay_from(self, partition: int, offset: int) -> int:  # noqa: ARG002 - all partitions are alike today
        """The offset from which to read again so that the memory at ``offset`` is exact."""
        return max(0, (offset // self._config.generation - 1) * self._config.generation)

    def decode(
        self, batch: RawBatch, sources: Mapping[int, str] = _NO_SOURCES, written: Mapping[int, int] = _NO_TIMES
    ) -> LogBatch:
        """Decodes a batch; never raises, whatever the bytes.  ``sources`` names the source of plain lines.

        ``written`` (partition → microseconds) is when a file was last written: it gives the year to stamps without one.

        A partition whose offsets go back is taken as read anew: what was remembered of it is dropped.
        """
        parsed = parse(batch, sources, self._config.max_line)
        records = parsed.records
        if records.is_empty():
            return LogBatch(pl.DataFrame(schema=LOG_SCHEMA), tuple(parsed.rejects), {}, dict(+Counter(parsed.notes)))
        place = records["row"].to_numpy()
        records = records.with_columns(
            pl.Series("row", np.arange(records.height), pl.UInt32),
            pl.Series("partition", batch.partitions[place], pl.Int32),
            pl.Series("offset", batch.offsets[place], pl.Int64),
        )
        lines = unwrap(records.select("row", "text"))
        headers, lines = read_headers(lines, self._formats)
        records = _with_facts(records, lines, headers)
        settled = self._clocks.settle(records, batch.arrived[place], written)
        records = records.with_columns(
            pl.Series("base", settled.time, pl.Int64), _seen(records, batch.arrived[place]).alias("seen")
        )
        return self._join(records, settled, parsed, place)

    def formats(self, batch: RawBatch, sources: Mapping[int, str] = _NO_SOURCES) -> pl.DataFrame:
        """What each message of a batch was read as: ``row``, ``format`` (null: no header), ``record`` (JSON fields)."""
        parsed = parse(batch, sources, self._config.max_line)
        numbered = parsed.records.select("row", "text").with_columns(
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")
        )
        facts, _ = read_headers(unwrap(numbered), self._formats)
        names = pl.Series([line_format.name for line_format in self._formats], dtype=pl.String)
        known = facts.select("row", names.gather(facts["format"]).alias("format"))
        stated = parsed.records["complete"] | (parsed.records["said_clock"] != int(Clock.NONE))
        places = numbered.select("row", parsed.records["row"].alias("message"), stated.alias("record"))
        joined = places.join(known, on="row", how="left", maintain_order="left")
        return joined.select(pl.col("message").alias("row"), "format", "record").unique("row", keep="first")

    def _join(self, records: pl.DataFrame, settled: Settled, parsed: Parsed, place: I64) -> LogBatch:
        """Duplicates and continuations, one generation of every partition at a time, and the batch's books.

        ``place`` (n,) is the message that each record came from.
        """
        partition = records["partition"].to_numpy()
        number = records["offset"].to_numpy() // self._config.generation
        self._notice_rewinds(partition, records["offset"].to_numpy())
        parts: list[pl.DataFrame] = []
        drops: Counter[str] = Counter()
        notes: Counter[str] = Counter(parsed.notes)
        unread: Counter[tuple[str, str]] = Counter()
        for wave in _by_generation(partition, number):
            chosen = records if wave.size == records.height else records[wave]
            self._enter(partition[wave], number[wave])
            twice = self._duplicates(chosen)
            joined = join(self._lines(chosen), self._states)
            kept = ~(twice | joined.empty)
            events = kept & ~joined.continuation
            drops.update(duplicate=int(twice.sum()), empty=int((joined.empty & ~twice).sum()))
            notes.update(
                future=int((settled.future[wave] & events).sum()),
                timeless=int((settled.timeless[wave] & events).sum()),
                yearless=int((settled.yearless[wave] & events).sum()),
            )
            unread.update(_unread(chosen, events, settled.timeless[wave]))
            parts.append(_assemble(chosen, joined, kept))
        lines = parts[0] if len(parts) == 1 else pl.concat(parts).sort("row")
        rows = lines["row"].to_numpy()
        if not np.array_equal(place, np.arange(place.size)):
            lines = lines.with_columns(pl.Series("row", place[rows], pl.UInt32))
            notes["unpacked"] = int(place.size - unique(place).size)
        return LogBatch(lines, tuple(parsed.rejects), dict(+drops), dict(+notes), dict(unread))

    def _notice_rewinds(self, partition: I32, offset: I64) -> None:
        """Forgets partitions that start again before what was read of them."""
        numbers, first = np.unique(partition, return_index=True)
        for number, row in zip(numbers.tolist(), first.tolist(), strict=True):
            memory = self._states.get(number)
            if memory is not None and offset[row] <= memory.offset:
                self.forget(number)
            self._states.setdefault(number, PartitionState()).offset = int(offset[partition == number].max())

    def _enter(self, partition: I32, number: I64) -> None:
        numbers, first = np.unique(partition, return_index=True)
        for name, row in zip(numbers.tolist(), first.tolist(), strict=True):
            self._states[name].enter(int(number[row]))

    def _duplicates(self, records: pl.DataFrame) -> BOOL:
        """Which records came before: same tenant, host, path, place in the file and text."""
        known = (records["path"].is_not_null() & records["position"].is_not_null()).to_numpy()
        twice = np.zeros(records.height, np.bool_)
        if not known.any():
            return twice
        keys = records.select("tenant", "host", "path", "position", "text").hash_rows().to_numpy()
        partition = records["partition"].to_numpy()
        for number in unique(partition[known]).tolist():
            rows = np.flatnonzero(known & (partition == number))
            twice[rows] = self._states[number].duplicates(keys[rows])
        return twice

    def _lines(self, records: pl.DataFrame) -> Lines:
        """Kinds and keys of records; the rest of a line that the container runtime cut counts as shaped."""
        place = ("partition", "tenant", "host", "source")
        group = records.select(place).hash_rows().to_numpy()
        process = np.where(records["pid"].is_null(), np.uint64(0), records.select(*place, "pid").hash_rows())
        kind = _kinds(records)
        cut = np.zeros(records.height, np.bool_)
        if records["stream"].null_count() < records.height:
            # Lines without a stream keep their group, so that a source's groups do not depend on its neighbours.
            of_stream = records.select(*place, "stream").hash_rows().to_numpy()
            group = np.where(records["stream"].is_null().to_numpy(), group, of_stream)
            cut = self._cut(records, group)
            kind = np.where(cut, np.uint8(LineKind.SHAPED), kind)
            process = np.where(cut, np.uint64(0), process)
        return Lines(records["partition"].to_numpy(), kind, group, process, cut, records.select(*CARRIED))

    def _cut(self, records: pl.DataFrame, group: U64) -> BOOL:
        """Which lines stand behind a piece of the same stream that the runtime marked as partial."""
        cut = np.zeros(records.height, np.bool_)
        rows = np.flatnonzero(records["stream"].is_not_null().to_numpy())
        streams = records[rows]
        keys, parts = group[rows].tolist(), streams["part"].to_list()
        for row, key, part, partition in zip(rows.tolist(), keys, parts, streams["partition"].to_list(), strict=True):
            partial = self._states[partition].present.partial
            cut[row] = key in partial
            (partial.add if part else partial.discard)(key)
        return cut


def _kinds(records: pl.DataFrame) -> U8:
    """models.decode.multiline.Kind of every record, seen alone."""
    bare = records["bare"]
    kinds = bare.cast(pl.UInt8).fill_null(int(LineKind.PLAIN)).to_numpy()
    if bare.has_nulls():
        kinds = kinds.copy()
        rows = np.flatnonzero(bare.is_null().to_numpy())
        text = records["text"][rows]
        kinds[rows[text.str.contains(SHAPED).to_numpy()]] = LineKind.SHAPED
        kinds[rows[text.str.contains(r"^\s*$").to_numpy()]] = LineKind.EMPTY
        # A record with a level, a time or an id of its own continues no other.
        if (complete := records["complete"][rows]).any():
            own = rows[complete.to_numpy()]
            kinds[own] = np.where(kinds[own] == LineKind.EMPTY, kinds[own], np.uint8(LineKind.HEAD))
    return kinds


def _seen(records: pl.DataFrame, arrived: I64) -> pl.Series:
    """When each line was read: by its runtime, its shipper or the broker; null where nobody says."""
    seen = records["stamp"].fill_null(records["read"])
    if not seen.has_nulls():
        return seen
    arrival = pl.Series(arrived, dtype=pl.Int64)
    return seen.fill_null(arrival.set(arrival < 0, None))


def _unread(records: pl.DataFrame, events: BOOL, timeless: BOOL) -> Counter[tuple[str, str]]:
    """Per source and what is lacking (``time``, ``level``, ``format``) the number of events."""
    counts: Counter[tuple[str, str]] = Counter()
    level = records["level"].to_numpy() == 0
    stated = records["complete"].to_numpy() | (records["said_clock"].to_numpy() != int(Clock.NONE))
    formless = records["format"].is_null().to_numpy() & ~stated
    for what, lacking in (("time", timeless), ("level", level), ("format", formless)):
        rows = np.flatnonzero(lacking & events)
        if rows.size:
            by_source = records["source"][rows].value_counts().rows()
            counts.update({(source, what): count for source, count in by_source})
    return counts


def _with_facts(records: pl.DataFrame, lines: pl.DataFrame, headers: pl.DataFrame) -> pl.DataFrame:
    """Records with the columns of their envelopes and headers; a line without header is its own message."""
    records = records.drop("text").hstack(lines.select("text", "stamp", "part", "stream"))
    if records["said_stream"].null_count() < records.height or records["said_part"].any():
        records = records.with_columns(pl.coalesce("stream", "said_stream"), pl.col("part") | pl.col("said_part"))
    headers = headers.rename({"trace": "said_trace"})
    if headers.height == records.height:
        records = records.hstack(headers.drop("row"))
    else:
        place = pl.Series(np.searchsorted(headers["row"].to_numpy(), records["row"].to_numpy()), dtype=pl.UInt32)
        place = place.set(~records["row"].is_in(headers["row"].implode()), None)
        records = records.hstack(headers.drop("row").select(pl.all().gather(place)))
    level = pl.col("level").fill_null(0)
    records = records.with_columns(
        pl.when(level == 0).then("said_level").otherwise(level).alias("level"),
        pl.col("logger").fill_null(""),
        pl.col("message").fill_null(pl.col("text")),
        pl.coalesce("trace", "said_trace").alias("trace"),
    )
    return _with_fields(records)


def _with_fields(records: pl.DataFrame) -> pl.DataFrame:
    """Records whose lines do not say what the record itself does: its time, logger and ids."""
    size = records.height
    columns: list[pl.Expr] = []
    if records["said_at"].null_count() < size:
        lacking = pl.col("clock").fill_null(int(Clock.NONE)) == int(Clock.NONE)
        columns += [pl.when(lacking).then(f"said_{name}").otherwise(name).alias(name) for name in ("at", "clock")]
    if records["said_logger"].null_count() < size:
        columns.append(
            pl.when(pl.col("logger") == "")
            .then(pl.col("said_logger").fill_null(""))
            .otherwise("logger")
            .alias("logger")
        )
    ids = (("request", "said_request"), ("global_request", "said_global"), ("instance", "said_instance"))
    columns += [pl.coalesce(name, said).alias(name) for name, said in ids if records[said].null_count() < size]
    if records["complete"].any():
        # Kolla's shipper takes the header apart and leaves the prefix of the text.
        bare = pl.col("complete") & pl.col("bare").is_null() & pl.col("message").str.starts_with(_INSTANCE)
        records = records.with_columns(columns) if columns else records
        cut = pl.col("message").str.extract_groups(r"^\[instance: ([^\]\s]{1,80})\] ?((?s:.*))$")
        columns = [
            pl.when(bare).then(pl.coalesce("instance", cut.struct.field("1"))).otherwise("instance").alias("instance"),
            pl.when(bare).then(pl.coalesce(cut.struct.field("2"), "message")).otherwise("message").alias("message"),
        ]
    return records.with_columns(columns) if columns else records


def _by_generation(partition: I32, number: I64) -> list[I64]:
    """Rows cut so that every part holds one generation per partition, the parts of a partition in order."""
    size = partition.size
    if size and (number == number[0]).all():
        return [np.arange(size)]
    wave = np.zeros(size, np.int64)
    for name in unique(partition).tolist():
        rows = np.flatnonzero(partition == name)
        wave[rows] = np.cumsum(np.diff(number[rows], prepend=number[rows[0]]) != 0)
    return [np.flatnonzero(wave == step) for step in range(int(wave.max()) + 1)]


def _assemble(records: pl.DataFrame, joined: Joined, kept: BOOL) -> pl.DataFrame:
    """LOG_SCHEMA rows of the lines that are kept; continuations with their head's facts and their own text."""
    frame = records.with_columns(
        pl.Series("time", np.maximum(joined.time, 0), pl.Int64),
        pl.Series("flags", joined.continuation.astype(np.uint8) * np.uint8(RowFlag.CONTINUATION)),
    )
    if joined.continuation.any():
        heads = joined.carried[joined.head].select(
            "level", "logger", "request", "global_request", "instance", pl.coalesce("trace", records["trace"])
        )
        own = records["bare"].fill_null(value=False)
        text = pl.when(own | pl.Series(~joined.continuation)).then("message").otherwise("text")
        frame = frame.with_columns(text.alias("message"), *heads.get_columns())
    return frame.select(*LOG_SCHEMA) if kept.all() else frame.filter(pl.Series(kept)).select(*LOG_SCHEMA)
