"""Reads the lines of a range of time from ``logs.raw``, and counts them by service, level and template."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from index.lines.log_lines import LogLines
from index.redaction.redactor import Redactor
from models.decode.decoder import DecodeConfig, Decoder
from models.records import Level, RowFlag
from models.templates.matcher import TemplateMatcher
from stream.kafka.clients import Broker
from stream.kafka.reader import offsets_at, read_spans
from stream.topics.raw_logs import raw_batch

MOST: Final = 200_000
"""Lines of a range that are read of all partitions together, the first: a judgement, some three seconds' work."""

SLACK_MS: Final = 60_000
"""Milliseconds by which a line's own time may differ from the broker's: a judgement, shippers need seconds."""

LineKind: TypeAlias = tuple[str, str, str]
"""Service, level, template."""


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many lines of one kind there are; ``first`` is the time of the first one, ``example`` its text, redacted."""

    count: int
    first: int
    example: str


@dataclass(frozen=True, slots=True)
class CountedRange:
    """The lines from ``begin`` to ``end`` (microseconds, by their own clock) by kind, without continuations."""

    begin: int
    end: int
    lines: int
    is_cut: bool
    """There are more lines than were read."""
    kinds: dict[LineKind, KindCount]


@dataclass(frozen=True, slots=True)
class RangeReader:
    """Reads lines of ``topic``; one range at once, so that a few readers do not fill the memory."""

    broker: Broker
    topic: str
    config: DecodeConfig
    matcher: Callable[[], TemplateMatcher]
    redactor: Callable[[], Redactor]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, begin: int, end: int) -> CountedRange:
        """Count the lines of a range, in microseconds.

        Raises:
            TransientError: the broker does not answer.
        """
        lines, is_cut = self.lines(begin, end)
        # The lines of a traceback belong to the message above them.
        inside = lines.lines.filter(lines.lines["flags"] & int(RowFlag.CONTINUATION) == 0)
        counts: dict[LineKind, tuple[int, int, str]] = {}
        columns = inside.sort("time", maintain_order=True).select("service", "level", "masked", "time", "text")
        for service, level, template, time, text in columns.rows():
            kind = (service or "", Level(level).name.lower() if level else "", template)
            known = counts.get(kind)
            counts[kind] = (known[0] + 1, known[1], known[2]) if known else (1, time, text)
        examples = self.redactor().redact([example for _, _, example in counts.values()])
        kinds = {
            kind: KindCount(count, first, example)
            for (kind, (count, first, _)), example in zip(counts.items(), examples, strict=True)
        }
        return CountedRange(begin, end, inside.height, is_cut, kinds)

    def lines(self, begin: int, end: int) -> tuple[LogLines, bool]:
        """Return the lines of a range (microseconds, by their own clock), and whether there are more.

        Raises:
            TransientError: the broker does not answer.
        """
        with self._lock:
            spans, is_cut = self._spans(begin // 1000 - SLACK_MS, end // 1000 + SLACK_MS)
            raw = raw_batch(read_spans(self.broker, self.topic, spans))
            every = LogLines.of(raw, Decoder(self.config).decode(raw), self.matcher(), self.topic)
        return every.scope(start=begin, end=end - 1), is_cut

    def _spans(self, since: int, until: int) -> tuple[dict[int, tuple[int, int]], bool]:
        """Return which offsets of each partition to read, and whether that leaves out some of the range."""
        marks = self.broker.watermarks(self.topic)
        firsts = offsets_at(self.broker, self.topic, since)
        # The embedded broker does not look up offsets by time: there everything is read, and filtered.
        ends = {p: high for p, (_, high) in marks.items()}
        stops = ends if self.broker.is_embedded() else offsets_at(self.broker, self.topic, until)
        share = MOST // max(1, len(marks))
        spans = {p: (first, min(stops.get(p, first), first + share)) for p, first in firsts.items()}
        return spans, any(stops.get(p, 0) > last for p, (_, last) in spans.items())
