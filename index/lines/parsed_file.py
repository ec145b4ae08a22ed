"""Whole log files, read in a form that can be cached: each file on its own, joined afterwards."""

import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final

import numpy as np
import polars as pl

from index.lines.log_lines import LOG_LINES_SCHEMA, LogLines, raw_texts
from index.lines.program_names import name_programs
from index.lines.readable import TextShare
from models.decode.decoder import Decoder
from models.decode.log_files import BrokenArchiveError, FileBatch, LogFile, read_file
from models.errors import InvalidError
from models.templates.masks import Masks
from models.templates.matcher import TemplateTable, mine, template_id, words_of

log = logging.getLogger(__name__)

FORM: Final = 3
"""Version of what ``ReadFile.to_bytes`` writes; to be raised when that, or what is read out of a line, changes."""

_SCHEMA: Final = {name: kind for name, kind in LOG_LINES_SCHEMA.items() if name not in {"row", "partition", "template"}}
"""Columns of a kept file; ``masked`` is the line's own masked text, as templates follow from all files together."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """The lines of one file in order; ``received`` counts all, ``refused`` those that no format can read."""

    lines: pl.DataFrame
    received: int
    refused: int
    unreadable: bool = False
    """Whether it holds no text (a program, an image, noise): then it has no lines, and all are refused."""

    @classmethod
    def of(cls, file: LogFile, decoder: Decoder, masks: Masks, stdin: IO[bytes] | None = None) -> "ReadFile":
        """Read a file.

        Raises:
            InvalidError: it cannot be read.
        """
        parts = []
        received = refused = 0
        texts_seen = TextShare()
        for batch in _batches(file, stdin):
            logs = decoder.decode(batch.raw, batch.sources, batch.written)
            received += len(batch.raw)
            texts_seen.add(batch.raw.values)
            refused += len(logs.rejects)
            texts = raw_texts(batch.raw)
            parts.append(
                logs.lines.with_columns(
                    pl.Series("text", [texts[row] for row in logs.lines["row"].to_list()], pl.String),
                    masks.text(logs.lines["message"]).alias("masked"),
                ).select(*_SCHEMA)
            )
        if texts_seen.unreadable:
            return cls(pl.DataFrame(schema=_SCHEMA), received, received, unreadable=True)
        lines = pl.concat(parts) if parts else pl.DataFrame(schema=_SCHEMA)
        return cls(name_programs(lines), received, refused)

    def to_bytes(self) -> bytes:
        """Return the counts and the lines as two streams of Arrow, behind the length of the first."""
        counts = pl.DataFrame({"received": [self.received], "refused": [self.refused], "unreadable": [self.unreadable]})
        buffer = io.BytesIO()
        counts.write_ipc_stream(buffer)
        length = buffer.tell()
        self.lines.write_ipc_stream(buffer, compression="lz4")
        return length.to_bytes(4, "little") + buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: memoryview) -> "ReadFile":
        """Read the bytes of ``to_bytes``.

        Raises:
            InvalidError: the bytes are something else.
        """
        begin = 4 + int.from_bytes(data[:4], "little")
        try:
            received, refused, unreadable = pl.read_ipc_stream(io.BytesIO(data[4:begin])).row(0)
            lines = pl.read_ipc_stream(io.BytesIO(data[begin:]))
        except (pl.exceptions.PolarsError, OSError, ValueError) as error:
            raise InvalidError(f"these are no lines of a log file ({error})", "read the file again") from error
        if dict(lines.schema) != _SCHEMA:
            raise InvalidError("these lines were kept by another version", "read the file again")
        return cls(lines, int(received), int(refused), bool(unreadable))


def _batches(file: LogFile, stdin: IO[bytes] | None) -> Iterator[FileBatch]:
    """The lines of a file; of a broken archive those before its damage, if there are any."""
    some = False
    try:
        for batch in read_file(file, stdin=stdin):
            some = True
            yield batch
    except BrokenArchiveError as error:
        if not some:
            raise
        log.warning("%s; read as far as it goes", error)


def join_files(
    names: Sequence[str], files: Sequence[ReadFile], table: TemplateTable | None = None, tenant: str | None = None
) -> LogLines:
    """Put files together, each a partition; of one tenant only where one is named.

    Templates are mined from the lines; those that ``table`` holds keep their ids.
    """
    parts = [
        file.lines.with_columns(pl.lit(number, pl.Int32).alias("partition"), pl.lit(0, pl.UInt32).alias("row"))
        for number, file in enumerate(files)
    ]
    lines = pl.concat(parts) if parts else pl.DataFrame(schema=LOG_LINES_SCHEMA).drop("template")
    if tenant is not None:
        lines = lines.filter(pl.col("tenant") == tenant)
    numbers, texts = _templates(lines["masked"], table)
    lines = lines.with_columns(
        pl.col("masked").replace_strict(numbers, return_dtype=pl.UInt64).alias("template"),
        pl.col("masked").replace_strict(texts, return_dtype=pl.String).alias("masked"),
    )
    return LogLines(lines.select(*LOG_LINES_SCHEMA), dict(enumerate(names)))


def _templates(masked: pl.Series, table: TemplateTable | None) -> tuple[dict[str, int], dict[str, str]]:
    """Return for each masked text the id of its template, and the text of that template."""
    counts = masked.value_counts()
    known: Mapping[str, int] = dict(zip(counts.to_series(0).to_list(), counts.to_series(1).to_list(), strict=True))
    mined = mine(known, table)
    numbers, texts = {}, {}
    for text in known:
        words = words_of(text)
        own = " ".join(words)
        number = mined.match(words) or template_id(own)
        numbers[text] = number
        texts[text] = mined.text(number) or own
    return numbers, texts


def span(material: LogLines) -> tuple[int, int]:
    """Return the first and the last time (microseconds) of the lines that have one; (0, 0) where none has."""
    times = material.lines["time"].to_numpy()
    known = times[times > 0]
    return (int(known.min()), int(known.max())) if np.size(known) else (0, 0)
