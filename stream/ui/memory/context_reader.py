"""The lines around one of the topic ``logs.raw``, redacted: what its source wrote before and after, or everybody."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from index.lines.log_lines import raw_texts
from index.redaction.redactor import Redactor
from models.decode.decoder import DecodeConfig, Decoder
from models.decode.log_files import list_files, read_file
from models.records import NO_TIME, Level, RawBatch
from stream.kafka.clients import Broker
from stream.kafka.reader import read_spans
from stream.kafka.stored import StoredBroker, StoredPartition
from stream.review.sources import record_of
from stream.topics.raw_logs import raw_batch

AROUND: Final = 20
"""Lines before, and as many after: a judgement, half a screen each."""

REACH: Final = 400
"""Offsets on either side among which lines of the same source are sought: a judgement; a partition mixes sources."""


@dataclass(frozen=True, slots=True)
class ContextLine:
    """A line of ``logs.raw``; ``time`` in microseconds."""

    partition: int
    offset: int
    time: int
    service: str
    host: str
    level: str
    text: str
    here: bool
    """It is the one that was asked for."""


@dataclass(frozen=True, slots=True)
class ContextReader:
    """Reads lines of the topic ``topic``; ``redactor`` makes what takes secrets out of them."""

    broker: Broker
    topic: str
    config: DecodeConfig
    redactor: Callable[[], Redactor]

    def around(self, partition: int, offset: int, *, everybody: bool = False) -> tuple[ContextLine, ...]:
        """Return the line at an offset with ``AROUND`` lines before and after it; nothing where it is gone.

        Args:
            partition: Of the topic.
            offset: Of the line there.
            everybody: Take the lines of all sources of the partition, not only of the line's own.

        Raises:
            TransientError: the broker does not answer.
        """
        reach = AROUND if everybody else REACH
        records = read_spans(self.broker, self.topic, {partition: (max(0, offset - reach), offset + reach + 1)})
        raw = raw_batch(records)
        logs = Decoder(self.config).decode(raw).lines
        texts = raw_texts(raw)
        wanted = logs.filter(logs["offset"] == offset)
        if wanted.is_empty():
            return ()
        if not everybody:
            logs = logs.filter(
                logs["source"].eq_missing(wanted["source"][0]) & logs["host"].eq_missing(wanted["host"][0])
            )
        offsets = logs["offset"].to_numpy()
        place = int(np.searchsorted(offsets, offset))
        rows = logs.slice(max(0, place - AROUND), min(place, AROUND) + 1 + AROUND).to_dicts()
        redacted = self.redactor().redact([texts[row["row"]] for row in rows])
        return tuple(
            ContextLine(
                partition,
                row["offset"],
                row["time"],
                row["service"] or "",
                row["host"] or "",
                Level(row["level"]).name.lower() if row["level"] else "",
                text,
                here=row["offset"] == offset,
            )
            for row, text in zip(rows, redacted, strict=True)
        )


def broker_of_files(paths: Sequence[str], topic: str, config: DecodeConfig) -> StoredBroker:
    """Return a broker whose ``topic`` is made of files, numbered and read as ``tocsin review`` does.

    The lines came at their own times, or with the line before them.

    Raises:
        InvalidError: a file cannot be read.
    """
    stored = {}
    for file in list_files(list(paths)):
        values: list[bytes] = []
        for batch in read_file(file):
            source = batch.sources.get(file.number)
            values += batch.raw.values if source is None else (record_of(line, source) for line in batch.raw.values)
        rows = np.arange(len(values))
        raw = RawBatch(values, np.full(len(values), file.number, np.int32), rows, np.full(len(values), NO_TIME))
        lines = Decoder(config).decode(raw).lines
        arrived = np.zeros(len(values), np.int64)
        arrived[lines["offset"].to_numpy()] = lines["time"].to_numpy() // 1000
        stored[file.number] = StoredPartition(values, np.maximum.accumulate(arrived))
    return StoredBroker("", stored={topic: stored})
