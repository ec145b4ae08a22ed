"""Records of a log as columns, for ranking: a record is a line with the lines that continue it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from index.lines.callees import RPC_CALL
from index.lines.entries import heads_of, with_entries
from index.lines.log_lines import LogLines, places
from index.lines.patterns import EXCEPTION_LINE, HTTP_ERROR
from index.lines.shared_ids import shared_ids
from models.records import BOOL, I64, U64


@dataclass(frozen=True, slots=True)
class Mentions:
    """Which records mention which ids: the ``row`` of a record and the ``number`` of an id, shape (mentions,)."""

    row: I64
    number: I64
    ids: list[str]

    def by_row(self) -> dict[int, list[int]]:
        """Return the numbers of the ids of each record that mentions any, by row."""
        numbers: dict[int, list[int]] = {}
        for row, number in zip(self.row.tolist(), self.number.tolist(), strict=True):
            numbers.setdefault(row, []).append(number)
        return numbers

    def numbers_of(self, names: Collection[str]) -> I64:
        """Return the numbers of some ids."""
        return np.array([number for number, name in enumerate(self.ids) if name in names], np.int64)


@dataclass(frozen=True, slots=True)
class LogRecords:
    """Records in order of time; all columns have one value a record, shape (records,).

    ``error`` is the last line of the record that names an exception, "" where none does.  ``http`` is 4 or 5 where the
    record holds an HTTP status of that hundred, else 0.
    """

    lines: pl.DataFrame
    """Head lines, with LOG_LINES_SCHEMA."""
    level: I64
    time: I64
    template: U64
    http: I64
    follow: I64
    """Number of lines that continue it."""
    error: list[str]
    error_lines: pl.DataFrame
    """Lines with LOG_LINES_SCHEMA that name the exceptions, and the row of their ``record``."""
    mentions: Mentions
    asked: dict[int, str]
    """The service that a record waits for, by row, as the calls of its traceback name it."""

    def __len__(self) -> int:
        return len(self.lines)

    @classmethod
    def of(cls, material: LogLines) -> "LogRecords":
        """Put lines together to records."""
        lines = with_entries(material.lines)
        heads = heads_of(lines)
        row_of = np.full(len(lines), -1, np.int64)  # line number of a head → row of its record
        row_of[heads["line_number"].to_numpy()] = np.arange(len(heads))
        continued = lines.filter(pl.col("line_number") != pl.col("entry"))
        record = row_of[continued["entry"].to_numpy()]
        named = continued.with_columns(pl.Series("record", record)).filter(
            pl.col("message").str.contains(EXCEPTION_LINE)
        )
        last = named.group_by("record", maintain_order=True).last()
        error = [""] * len(heads)
        for row, text in zip(last["record"].to_list(), last["message"].to_list(), strict=True):
            error[row] = text.strip()
        return cls(
            lines=heads,
            level=heads["level"].cast(pl.Int64).to_numpy(),
            time=heads["time"].to_numpy(),
            template=heads["template"].to_numpy(),
            http=heads["message"].str.extract(HTTP_ERROR).cast(pl.Int64).fill_null(0).to_numpy(),
            follow=np.bincount(record, minlength=len(heads)).astype(np.int64),
            error=error,
            error_lines=last,
            mentions=_mentions(heads, row_of),
            asked=_asked(continued.with_columns(pl.Series("record", record))),
        )

    def kinds(self) -> U64:
        """Return a number for each record, equal where service, template, level and hundred of the HTTP status are."""
        keys = self.lines.select(pl.struct("service", "template", "level", pl.Series("http", self.http)).hash(0))
        return keys.to_series().to_numpy()

    def without(self, material: LogLines, rows: BOOL) -> LogLines:
        """Return the lines without some records (records,) and the lines that continue these."""
        if not rows.any():
            return material
        # A record goes with the lines that continue it, which bear its level, time and logger.
        record = ["tenant", "partition", "source", "host", "time", "logger", "level"]
        left_out = self.lines.filter(pl.Series(rows)).select(record).unique()
        return LogLines(material.lines.join(left_out, on=record, how="anti", nulls_equal=True), material.sources)

    def with_raised(self) -> pl.DataFrame:
        """Return the head lines with ``raised``: what ``error`` holds, null where that is empty."""
        return self.lines.with_columns(pl.Series("raised", [text or None for text in self.error], pl.String))

    def places(self) -> tuple[I64, I64]:
        """Return partition and offset of each record."""
        return places(self.lines)

    def naming(self, names: Iterable[str]) -> list[I64]:
        """Return, for each name in small letters, the rows of the records whose line contains it."""
        text = self.lines["text"].str.to_lowercase()
        return [np.flatnonzero(text.str.contains(name, literal=True).to_numpy()) for name in names]


def _asked(continued: pl.DataFrame) -> dict[int, str]:
    """Return whom records call, by row; ``continued`` are the lines that continue them, with the row of the record."""
    calls = continued.filter(pl.col("message").str.contains("/rpcapi.py", literal=True)).select(
        "record", "service", pl.col("message").str.extract_groups(RPC_CALL).struct.unnest()
    )
    names = {record: f"{of}-{name}" for record, _, of, name in calls.iter_rows() if of and name}
    own = dict(zip(calls["record"].to_list(), calls["service"].to_list(), strict=True))
    return {record: name for record, name in names.items() if name != own[record]}


def _mentions(heads: pl.DataFrame, row_of: I64) -> Mentions:
    """Return the mentions in heads; ``row_of`` gives the record of each line number."""
    pairs = shared_ids(heads)
    names = pairs["id"].unique(maintain_order=True)
    order = pl.DataFrame({"id": names, "number": np.arange(len(names))})
    numbered = pairs.join(order, on="id", how="left", maintain_order="left")
    return Mentions(row_of[numbered["line_number"].to_numpy()], numbered["number"].to_numpy(), names.to_list())
