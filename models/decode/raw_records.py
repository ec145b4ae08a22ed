"""Raw records, as they stand on ``logs.raw``, to columns: what is wrong with one is counted, never guessed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final

import numpy as np
import polars as pl

from models.decode.clean_text import cleaned
from models.decode.field_values import as_text, from_bytes, is_no_level, level_number, priority_level
from models.decode.formats.levels import otel_level_of
from models.decode.formats.stamps import read_any
from models.decode.json_fields import FieldColumns, RejectReason
from models.decode.service_names import container_service, identifier_service, place_of, unit_of
from models.decode.shipped import field_names as names
from models.decode.shipped.messages import RECORD_MARKS, Messages
from models.decode.timestamps import Clock, rfc3339
from models.records import RawBatch, Reject

_PIECE: Final = 16_384
"""Bytes of the pieces into which Docker cuts a line."""
_COMPLETE: Final = frozenset(("journal", "syslog", "kernel", "audit", "driver"))
"""Ways into the journal by which a record comes whole; what comes by ``stdout`` is cut at line ends."""
_REQUEST: Final = r"^(?:req-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_STRICT_LINE: Final = frozenset(("log", "message", "msg", "payload"))

RECORD: Final[Mapping[str, pl.DataType]] = {
    "row": pl.UInt32(),
    "text": pl.String(),
    "tenant": pl.String(),
    "source": pl.String(),
    "host": pl.String(),
    "service": pl.String(),
    "said_level": pl.UInt8(),
    "read": pl.Int64(),  # when the shipper read the line, microseconds; null where the record does not say
    "trace": pl.String(),
    "path": pl.String(),
    "position": pl.Int64(),  # where the line stands in its file, as the shipper says; null where it does not
    "complete": pl.Boolean(),  # the record has a level, a time or an id of its own: it continues no other
    "said_at": pl.Int64(),  # the record's own time, microseconds as ``said_clock`` says
    "said_clock": pl.UInt8(),
    "said_logger": pl.String(),
    "said_request": pl.String(),
    "said_global": pl.String(),
    "said_instance": pl.String(),
    "said_stream": pl.String(),  # stdout, stderr …: lines of one do not continue those of another
    "said_part": pl.Boolean(),  # the runtime cut the line behind this piece
}
"""Columns of parsed records: one row per record with a usable line."""

_CONSTANT: Final[Mapping[str, Any]] = {
    "said_level": 0,
    "complete": False,
    "said_clock": int(Clock.NONE),
    "said_part": False,
}
"""What a record without such fields has; null in the other columns."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """``records`` with RECORD columns, ascending by ``row``; ``rejects`` are all the other messages, ascending too.

    ``notes`` counts what was lost of records that were read all the same.
    """

    records: pl.DataFrame
    rejects: list[Reject]
    notes: Mapping[str, int]


def parse(batch: RawBatch, sources: Mapping[int, str], max_line: int) -> Parsed:
    """Messages as columns.  ``sources`` names the source of plain lines by partition; ``max_line`` is in bytes."""
    rejects: dict[int, Reject] = {}
    notes: Counter[str] = Counter()
    columns = FieldColumns(rejects, notes)
    messages = Messages(columns, notes, sources)
    messages.load(batch)
    parts = []
    if columns.rows:
        parts.append(_Objects(columns, batch, sources).frame())
    if messages.plain:
        parts.append(_plain(messages.plain_rows, messages.plain, batch, sources))
    records = (
        pl.concat(parts).sort("row", maintain_order=True)
        if len(parts) > 1
        else parts[0]
        if parts
        else pl.DataFrame(schema=RECORD)
    )
    if rejects:
        bad = pl.Series(sorted(rejects), dtype=pl.UInt32)
        records = records.filter(~pl.col("row").is_in(bad.implode()))
    text = cleaned(records["text"], max_line, notes)
    records = records.with_columns(text.alias("text"))
    return Parsed(_derive(records, batch, sources), [rejects[row] for row in sorted(rejects)], notes)


class _Objects:
    """The columns of a batch's JSON records, one role after the other."""

    def __init__(self, columns: FieldColumns, batch: RawBatch, sources: Mapping[int, str]) -> None:
        columns.unfold()
        self._columns = columns
        self._batch = batch
        self._sources = sources
        self._size = len(columns.rows)
        self._bare = np.zeros(self._size, np.bool_)
        self._nothing = pl.Series([None] * self._size, dtype=pl.String)

    def frame(self) -> pl.DataFrame:
        """RECORD columns."""
        columns, name = self._columns, self._name
        series: dict[str, pl.Series] = {"row": pl.Series(columns.rows, dtype=pl.UInt32), "text": self._line()}
        path = self._path()
        host = name("host", names.HOST)
        source = self._source().fill_null(path)
        service = name("service", names.SERVICE)
        source, service = self._kubernetes(source, service)
        source, service = self._units(source, service)
        series |= {"path": path, "host": host, "source": source, "service": service}
        series["tenant"] = name("tenant", ("tenant",)).fill_null("default")
        series["trace"] = name("trace", names.TRACE)
        if columns.has(names.OFFSET):
            series["position"] = columns.integers("position", names.OFFSET)
        self._level(series)
        self._times(series)
        self._streams(series)
        self._complete(series)
        self._ids(series)
        given = {key: pl.col(key) for key in series}
        return self._as_lines(pl.DataFrame(series).select((_nothing() | given).values()))

    def _as_lines(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Nothing but the text of what is no record: its fields are those of a request's body."""
        if not self._bare.any():
            return frame
        bare, nothing = pl.Series(self._bare), _nothing()
        return frame.with_columns(
            pl.when(bare).then(nothing[key]).otherwise(key).alias(key) for key in RECORD if key not in {"row", "text"}
        )

    def _name(self, key: str, roles: tuple[str, ...], *, counted: bool = True) -> pl.Series:
        if not self._columns.has(roles):
            return self._nothing.alias(key)
        return self._columns.names(key, roles, counted=counted)

    def _source(self) -> pl.Series:
        """The source that a record names; Docker's Fluentd driver calls the stream so."""
        source = self._name("source", ("source",))
        stream = source.is_in(["stdout", "stderr"])
        return source.set(stream.fill_null(value=False), None) if stream.any() else source

    def _line(self) -> pl.Series:
        columns = self._columns
        line = columns.raw(names.LINE)
        if line is None:
            values = columns.first(names.LINE, (str,))
            if columns.has(("message",)):
                # journald writes what is not clean text as an array of bytes; under another spelling of the name an
                # array is a line only in a record that names a unit.
                units = columns.first((*names.UNIT, *names.IDENTIFIER[:1]))
                for key in ("MESSAGE", "message"):
                    for index, value in enumerate(columns.first_of(key)):
                        if values[index] is None and isinstance(value, list) and (key == "MESSAGE" or units[index]):
                            values[index] = from_bytes(value)
            line = pl.Series("line", values, pl.String, strict=True)
        if line.has_nulls():
            line = self._without_line(line)
        return line

    def _without_line(self, line: pl.Series) -> pl.Series:
        """JSON objects without a line: records are refused, others are lines of a log that happen to be JSON."""
        columns = self._columns
        marks = columns.keys(sorted(RECORD_MARKS - names.WRAPPERS))
        wrong = columns.keys(sorted(_STRICT_LINE))
        texts = line.to_list()
        for index in line.is_null().arg_true().to_list():
            row = columns.rows[index]
            for key in wrong:
                if (value := columns.value(key, index)) is not None:
                    columns.refuse(row, RejectReason.TYPE, f"line is {type(value).__name__}, not text")
            # Where plain lines are expected, JSON that is nobody's record is one of them.
            plain = int(self._batch.partitions[row]) in self._sources
            if not plain or any(columns.value(key, index) is not None for key in marks):
                columns.refuse(row, RejectReason.NO_LINE, "no log, message or MESSAGE in the record")
            else:
                texts[index] = self._batch.values[row].decode("utf-8", "replace")
                self._bare[index] = True
        return pl.Series("line", texts, pl.String)

    def _path(self) -> pl.Series:
        path = self._name("path", names.PATH)
        if self._columns.has(("filename", "log.file.name", "beat")):
            given = [value if isinstance(value, str) and value.startswith("/") else None for value in self._absolute()]
            path = path.fill_null(pl.Series("path", given, pl.String))
        return path

    def _absolute(self) -> list[Any]:
        """Per record what may be a path under another name; ``source`` only of the old Beats, which wrote it so."""
        columns = self._columns
        given = columns.first(("filename", "log.file.name"))
        if columns.has(("beat",)):
            old = zip(given, columns.first(("source",)), columns.first(("beat",)), strict=True)
            given = [source if name is None and beat is not None else name for name, source, beat in old]
        return given

    def _kubernetes(self, source: pl.Series, service: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Source ``namespace/pod/container`` and service container, where the record does not say otherwise."""
        if not self._columns.has((*names.POD, *names.POD_CONTAINER)):
            return source, service
        container = self._name("container", names.POD_CONTAINER, counted=False)
        frame = pl.DataFrame(
            {
                "namespace": self._name("namespace", names.NAMESPACE, counted=False),
                "pod": self._name("pod", names.POD, counted=False),
                "container": container,
            }
        )
        parts = pl.concat_str("namespace", "pod", "container", separator="/", ignore_nulls=True)
        place = frame.select(pl.when(pl.col("container").is_not_null()).then(parts)).to_series()
        return source.fill_null(place), service.fill_null(container)

    def _units(self, source: pl.Series, service: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Source and service of records that name a container, a unit or a program instead of a file."""
        columns = self._columns
        if not columns.has((*names.CONTAINER, *names.UNIT, *names.IDENTIFIER, *names.TRANSPORT)):
            return source, service
        container, unit = self._name("container", names.CONTAINER), self._name("unit", names.UNIT)
        about, said = self._name("about", names.ABOUT_UNIT), self._name("identifier", names.IDENTIFIER)
        said = said.fill_null(self._transport())
        if columns.has(names.USER_UNIT):
            unit = self._name("user", names.USER_UNIT, counted=False).fill_null(unit)
        sources, services = source.to_list(), service.to_list()
        rows = zip(container.to_list(), unit.to_list(), about.to_list(), said.to_list(), strict=True)
        for index, (box, own, other, program) in enumerate(rows):
            if box is not None:
                place, served = box, container_service(box)
            elif own is not None:
                place, served = unit_of(own, other, program)
            elif program is not None:
                place = served = identifier_service(program)
            else:
                continue
            if sources[index] is None or box is not None:
                # The file of a container is of that container, whatever it is called.
                sources[index] = sources[index] or place
                services[index] = services[index] or served
        return pl.Series("source", sources, pl.String), pl.Series("service", services, pl.String)

    def _transport(self) -> pl.Series:
        """Who writes records that come into the journal from the kernel itself."""
        transport = self._name("transport", names.TRANSPORT, counted=False)
        return transport.set(~transport.is_in(["kernel", "audit"]), None)

    def _level(self, series: dict[str, pl.Series]) -> None:
        """``said_level``, and into ``own`` which records say their level themselves."""
        columns = self._columns
        if not columns.has((*names.LEVEL, *names.OTEL_LEVEL, *names.PRIORITY, *names.FACILITY_AND_LEVEL)):
            return
        levels = columns.first(names.LEVEL, (str, int, float))
        node = zip(columns.first(("level",), (int,)), columns.first(("msg",)), strict=True)
        own = [level_number(v, is_node=None not in (n, m)) for v, (n, m) in zip(levels, node, strict=True)]
        wrong = sum(level == 0 and is_no_level(v) for level, v in zip(own, columns.first(names.LEVEL), strict=True))
        if wrong:
            columns.note("wrong_type", wrong)
        if columns.has(names.OTEL_LEVEL):
            numbers = columns.first(names.OTEL_LEVEL)
            own = [level or otel_level_of(number) for level, number in zip(own, numbers, strict=True)]
        weak = [level_number(value) for value in columns.first(names.PRIORITY, (str, int, float))]
        if columns.has(names.FACILITY_AND_LEVEL):
            both = columns.first(names.FACILITY_AND_LEVEL, (str, int))
            weak = [level or priority_level(value) for level, value in zip(weak, both, strict=True)]
        series["said_level"] = pl.Series([a or b for a, b in zip(own, weak, strict=True)], dtype=pl.UInt8)
        series["complete"] = pl.Series([level > 0 for level in own], dtype=pl.Boolean)

    def _times(self, series: dict[str, pl.Series]) -> None:
        """``read``, and the record's own time; one that cannot be read counts as none."""
        columns = self._columns
        if columns.has(names.READ):
            series["read"] = rfc3339(_stamps(columns, names.READ))
        if not columns.has(names.TIME):
            return
        own, clock = read_any(_stamps(columns, names.TIME))
        series["said_at"], series["said_clock"] = own, clock
        dated = own.set(clock == int(Clock.YEARLESS), None)
        series["read"] = series["read"].fill_null(dated) if "read" in series else dated

    def _streams(self, series: dict[str, pl.Series]) -> None:
        """Which of a container's or unit's streams a line is of, and whether the runtime cut the line behind it."""
        columns = self._columns
        if columns.has(("source",)) and columns.has(names.CONTAINER):
            source = columns.names("source", ("source",), counted=False)
            series["said_stream"] = source.set(~source.is_in(["stdout", "stderr"]), None)
        if columns.has(names.STREAM):
            stream = columns.names("stream", names.STREAM, counted=False)
            # Docker's own files: a line's end is part of `log`, and a piece of exactly this size lacks it.
            line = series["text"]
            piece = ~line.str.ends_with("\n") & (line.str.len_bytes() == _PIECE) & stream.is_not_null()
            series["said_stream"] = stream.fill_null(series["said_stream"]) if "said_stream" in series else stream
            series["said_part"] = piece.fill_null(value=False)
        if columns.has(names.PRIORITY):
            # journald gives all lines of one stream one priority.
            priority = pl.Series([as_text(value) for value in columns.first(names.PRIORITY)], dtype=pl.String)
            series["said_stream"] = series["said_stream"].fill_null(priority) if "said_stream" in series else priority
        if columns.has(names.PART):
            last = [str(value).lower() == "true" for value in columns.first(names.PART_LAST)]
            cut = [str(value).lower() in {"p", "true"} for value in columns.first(names.PART)]
            parts = [piece and not end for piece, end in zip(cut, last, strict=True)]
            series["said_part"] = pl.Series(parts, dtype=pl.Boolean)

    def _complete(self, series: dict[str, pl.Series]) -> None:
        """Which records have a level, an identifier or a time of their own."""
        columns = self._columns
        marks = []
        if "complete" in series:
            marks.append(series["complete"])
        if columns.has(names.TRACE):
            marks.append(series["trace"].is_not_null())
        containers = (*names.CONTAINER, *names.STREAM)
        inside = self._given(containers) if columns.has(containers) else None
        if "said_at" in series:
            timed = series["said_at"].is_not_null() & series["path"].is_null()
            if columns.has(names.PRIORITY):
                timed &= ~self._given(names.PRIORITY)
            marks.append(timed if inside is None else timed & ~inside)
        if columns.has(names.TRANSPORT):
            whole = pl.Series(
                [value in _COMPLETE for value in columns.first(names.TRANSPORT, (str,))], dtype=pl.Boolean
            )
            marks.append(whole if inside is None else whole & ~inside)
        if marks:
            complete = marks[0]
            for mark in marks[1:]:
                complete |= mark
            series["complete"] = complete.fill_null(value=False)

    def _given(self, roles: tuple[str, ...]) -> pl.Series:
        return pl.Series([value is not None for value in self._columns.first(roles)], dtype=pl.Boolean)

    def _ids(self, series: dict[str, pl.Series]) -> None:
        """Logger and ids of records that a logging library or Kolla's shipper took apart."""
        columns = self._columns
        if columns.has(names.LOGGER) and "complete" in series:
            logger = columns.names("said_logger", names.LOGGER, counted=False)
            series["said_logger"] = logger.set(~series["complete"], None)
        for key, roles in (("said_request", names.REQUEST), ("said_global", names.GLOBAL_REQUEST)):
            if columns.has(roles):
                # Kolla's shipper cuts the prefix off.
                request = columns.names(key, roles, counted=False)
                whole = pl.when(request.str.contains(_REQUEST)).then("req-" + request.str.strip_prefix("req-"))
                series[key] = pl.select(whole).to_series()
        if columns.has(names.INSTANCE):
            instance = columns.names("said_instance", names.INSTANCE, counted=False)
            series["said_instance"] = instance.set(~instance.str.contains(_REQUEST), None)


def _stamps(columns: FieldColumns, roles: tuple[str, ...]) -> pl.Series:
    if (series := columns.raw(roles)) is not None:
        return series
    values = columns.first(roles, (str, int, float))
    if not set(map(type, values)) <= {str, NoneType}:
        values = [v if isinstance(v, str) else repr(v) if isinstance(v, int | float) else None for v in values]
    return pl.Series(values, dtype=pl.String)


def _nothing() -> dict[str, pl.Expr]:
    """Columns of a record that says nothing of itself."""
    given = {**_CONSTANT, "tenant": "default"}
    return {key: pl.lit(given.get(key), dtype).alias(key) for key, dtype in RECORD.items()}


def _plain(rows: list[int], lines: list[str], batch: RawBatch, sources: Mapping[int, str]) -> pl.DataFrame:
    of = batch.partitions
    source = [sources.get(int(of[row]), "unknown") for row in rows]
    frame = pl.DataFrame({"row": rows, "text": lines, "source": source}, schema_overrides={"row": pl.UInt32})
    return frame.select(*(key if key in frame.columns else nothing for key, nothing in _nothing().items()))


def _derive(records: pl.DataFrame, batch: RawBatch, sources: Mapping[int, str]) -> pl.DataFrame:
    """Sources, services and hosts that follow from other fields."""
    source = records["source"].fill_null(records["service"]).fill_null(records["host"])
    if source.has_nulls():
        of = batch.partitions[records["row"].to_numpy()].tolist()
        source = source.fill_null(pl.Series([sources.get(p, "unknown") for p in of], dtype=pl.String))
    service, host = records["service"], records["host"]
    if service.has_nulls() or host.has_nulls():
        names = source.unique().to_list()
        places = dict(zip(names, map(place_of, names), strict=True))
        service = service.fill_null(_mapped(source, {name: places[name][0] for name in names}))
        host = host.fill_null(_mapped(source, {name: places[name][1] for name in names}))
    return records.with_columns(source.alias("source"), service.alias("service"), host.alias("host"))


def _mapped(names: pl.Series, values: Mapping[str, str]) -> pl.Series:
    return names.replace_strict(values, return_dtype=pl.String) if values else names
