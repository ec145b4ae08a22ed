"""Log lines: decoded lines with what was written and their templates, out of which evidence is gathered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import polars as pl

from models.decode.raw_records import parse
from models.records import I64, LOG_SCHEMA, U64, LogBatch, RawBatch
from models.templates.matcher import TemplateMatcher

LOG_LINES_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    **LOG_SCHEMA,
    "text": pl.String(),  # the line as it was written, header and all
    "template": pl.UInt64(),
    "masked": pl.String(),  # text of the template
}
"""Columns of ``LogLines``; LOG_SCHEMA's ``row`` counts within a batch and means nothing here."""

_MAX_LINE: Final = 1 << 30
"""Bytes (1 GiB), which is no limit: longer lines than the settings allow were refused when the batch was decoded."""


@dataclass(frozen=True, slots=True)
class LogLines:
    """Lines with LOG_LINES_SCHEMA, in any order; those of one partition stand in the order of their offsets.

    ``sources`` says what to call the place of a line: one name for all (a topic), or one by partition (files).
    """

    lines: pl.DataFrame
    sources: str | Mapping[int, str]

    def __len__(self) -> int:
        return len(self.lines)

    @classmethod
    def empty(cls, sources: str | Mapping[int, str] = "") -> Self:
        """Return no lines."""
        return cls(pl.DataFrame(schema=LOG_LINES_SCHEMA), sources)

    @classmethod
    def from_logs(
        cls,
        logs: LogBatch | pl.DataFrame,
        texts: Sequence[str] | pl.Series,
        templates: Sequence[int] | U64 | pl.Series,
        masked: Sequence[str] | pl.Series,
        sources: str | Mapping[int, str],
    ) -> Self:
        """Put together what is known of decoded lines; each argument has one value a line of ``logs``."""
        lines = logs.lines if isinstance(logs, LogBatch) else logs
        more = {
            "text": pl.Series(texts, dtype=pl.String),
            "template": pl.Series(templates, dtype=pl.UInt64),
            "masked": pl.Series(masked, dtype=pl.String),
        }
        return cls(lines.with_columns(**more).select(list(LOG_LINES_SCHEMA)), sources)

    @classmethod
    def of(cls, raw: RawBatch, logs: LogBatch, matcher: TemplateMatcher, sources: str | Mapping[int, str]) -> Self:
        """Put a raw batch and its decoded lines together; ``sources`` as the decoder was given them.

        ``matcher`` remembers which new templates it has reported: give it one of its own.
        """
        ids = matcher.assign(logs.lines["message"]).ids
        names = {number: matcher.text(number) for number in set(ids.tolist())}
        texts = raw_texts(raw)
        return cls.from_logs(
            logs,
            [texts[row] for row in logs.lines["row"].to_list()],
            ids,
            [names[number] for number in ids.tolist()],
            sources,
        )

    @classmethod
    def concat(cls, parts: Iterable[Self]) -> Self:
        """Join the lines of several batches; the first part that names a partition's source decides."""
        every = list(parts)
        if not every:
            return cls.empty()
        names = {part.sources for part in every if isinstance(part.sources, str)}
        if len(names) == 1 and all(isinstance(part.sources, str) for part in every):
            sources: str | Mapping[int, str] = every[0].sources
        else:
            merged: dict[int, str] = {}
            for part in every:
                for partition in part.lines["partition"].unique().to_list():
                    merged.setdefault(partition, part.source_of(partition))
            sources = merged
        return cls(pl.concat([part.lines for part in every]), sources)

    def source_of(self, partition: int) -> str:
        """Return the name of the topic or file that holds a partition's lines."""
        if isinstance(self.sources, str):
            return self.sources
        return self.sources.get(partition, str(partition))

    def scope(self, tenant: str | None = None, start: int | None = None, end: int | None = None) -> Self:
        """Return the lines of a tenant from ``start`` to ``end`` (microseconds, both inclusive); None takes all."""
        tests = [
            pl.col("tenant") == tenant if tenant is not None else None,
            pl.col("time") >= start if start is not None else None,
            pl.col("time") <= end if end is not None else None,
        ]
        return type(self)(self.lines.filter(*(test for test in tests if test is not None)), self.sources)


def raw_texts(raw: RawBatch) -> dict[int, str]:
    """Return lines as they were written, by row of the batch; what cannot be read as a line is left out."""
    records = parse(raw, {}, _MAX_LINE).records
    return dict(zip(records["row"].to_list(), records["text"].to_list(), strict=True))


def places(lines: pl.DataFrame) -> tuple[I64, I64]:
    """Return partitions and offsets of lines, both of shape (lines,) and 64 bits."""
    return lines["partition"].cast(pl.Int64).to_numpy(), lines["offset"].to_numpy()
