"""Records of a log as columns, for ranking: a record is a line with the lines that continue it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from index.lines.entries import with_entries
from index.lines.log_lines import LogLines, places
from index.lines.shared_ids import shared_ids
from models.records import I64, U64, Level

_EXCEPTION: Final = r"^(?:\s*)((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:_Remote)?)(?:: |:?\s*$)"
"""The line of a traceback that names what was raised: ``nova.exception.NoValidHost: …``."""

_HTTP_ERROR: Final = r"""(?:status(?:_code)?["']?: ?|HTTP |code["']?: ?|HTTP/[0-9.]+" )([45])[0-9]{2}\b"""


@dataclass(frozen=True, slots=True)
class Mentions:
    """Which records mention which ids: pairs of ``row`` and ``number`` of the id in ``ids``."""

    row: I64
    number: I64
    ids: list[str]

    def by_row(self) -> dict[int, list[int]]:
        """Numbers of the ids of each record that mentions any."""
        found: dict[int, list[int]] = {}
        for row, number in zip(self.row.tolist(), self.number.tolist(), strict=True):
            found.setdefault(row, []).append(number)
        return found


@dataclass(frozen=True, slots=True)
class LogRecords:
    """Records in order of time; all columns have one entry a record.

    ``error`` is the last line of the record that names an exception, "" where none does, ``error_at`` its place.
    ``http`` is 4 or 5 where the record tells of a status of that hundred, else 0.
    """

    lines: pl.DataFrame
    """Heads, with MATERIAL_SCHEMA."""
    level: I64
    time: I64
    template: U64
    http: I64
    follow: I64
    """Lines that continue it."""
    error: list[str]
    error_lines: pl.DataFrame
    """Lines with MATERIAL_SCHEMA that name the exceptions, and ``record``."""
    mentions: Mentions

    def __len__(self) -> int:
        return len(self.lines)

    @classmethod
    def of(cls, material: LogLines) -> "LogRecords":
        """Put the lines of some material together."""
        lines = with_entries(material.lines)
        heads = lines.filter(pl.col("at") == pl.col("entry"))
        number = np.full(len(lines), -1, np.int64)
        number[heads["at"].to_numpy()] = np.arange(len(heads))
        behind = lines.filter(pl.col("at") != pl.col("entry"))
        record = number[behind["entry"].to_numpy()]
        named = behind.with_columns(pl.Series("record", record)).filter(pl.col("message").str.contains(_EXCEPTION))
        last = named.group_by("record", maintain_order=True).last()
        error = [""] * len(heads)
        for row, text in zip(last["record"].to_list(), last["message"].to_list(), strict=True):
            error[row] = text.strip()
        return cls(
            lines=heads,
            level=heads["level"].cast(pl.Int64).to_numpy(),
            time=heads["time"].to_numpy(),
            template=heads["template"].to_numpy(),
            http=heads["message"].str.extract(_HTTP_ERROR).cast(pl.Int64).fill_null(0).to_numpy(),
            follow=np.bincount(record, minlength=len(heads)).astype(np.int64),
            error=error,
            error_lines=last,
            mentions=_mentions(heads, number),
        )

    def kinds(self) -> U64:
        """A number for each record that is equal where service, template, level and kind of answer are."""
        keys = self.lines.select(pl.struct("service", "template", "level", pl.Series("http", self.http)).hash(0))
        return keys.to_series().to_numpy()

    def related(self, material: LogLines, near: Sequence[int], before: int) -> LogLines:
        """The material without failures that are neither of the kinds of ``near`` records nor shortly before one.

        What it began with may read like something else altogether, but then it came within ``before`` microseconds.
        """
        kinds = self.kinds()
        moments = np.append(np.sort(self.time[list(near)]), np.iinfo(np.int64).max)
        after = moments[np.searchsorted(moments[:-1], self.time)] - self.time
        other = (self.level >= Level.ERROR) & (after > before) & ~np.isin(kinds, kinds[list(near)])
        if not other.any():
            return material
        # A record goes with the lines that continue it, which bear its level, time and logger.
        record = ["tenant", "partition", "source", "host", "time", "logger", "level"]
        gone = self.lines.filter(pl.Series(other)).select(record).unique()
        return LogLines(material.lines.join(gone, on=record, how="anti", nulls_equal=True), material.sources)

    def places(self) -> tuple[I64, I64]:
        """Partition and offset of each record."""
        return places(self.lines)


def _mentions(heads: pl.DataFrame, number: I64) -> Mentions:
    """Mentions in heads; ``number`` gives the record of each ``at``."""
    pairs = shared_ids(heads)
    names = pairs["id"].unique(maintain_order=True)
    order = pl.DataFrame({"id": names, "number": np.arange(len(names))})
    numbered = pairs.join(order, on="id", how="left", maintain_order="left")
    return Mentions(number[numbered["at"].to_numpy()], numbered["number"].to_numpy(), names.to_list())
