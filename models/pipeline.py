"""Raw messages to keyed events, and files to verdicts: the same parts that the roles run on Kafka."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from models.arrays import unique
from models.decode.decoder import DecodeConfig, Decoder
from models.decode.file_merge import merged
from models.records import BOOL, NO_TIME, U64, EventFrame, LogBatch, RawBatch, RawSpan, RowFlag, Verdict, WindowBatch
from models.scorer import Scorer
from models.templates.masks import Masks
from models.templates.matcher import NewTemplate, TemplateLimits, TemplateMatcher, TemplateTable
from models.windows.config import WindowConfig
from models.windows.host_clocks import HostClocks
from models.windows.keys import KeyRules, key_events
from models.windows.scoring import ScoredT, WindowScorer
from models.windows.store import WindowStore


@dataclass(frozen=True, slots=True)
class Processed:
    """What became of a raw batch.

    ``logs`` are decoded lines and rejects, ``frame`` the keyed events, ``new`` templates that were seen for the first
    time, ``overflow`` counts lines whose new template was above the cap of its service, ``templates`` (lines,) are the
    ids of their templates, and ``is_unknown`` (lines,) says which of these the training has not seen; lines that belong
    to another are none.
    """

    logs: LogBatch
    frame: EventFrame
    new: Sequence[NewTemplate]
    overflow: int
    templates: U64
    is_unknown: BOOL

    @property
    def received(self) -> int:
        """Number of messages that went in."""
        lines = len(self.logs.lines) - self.logs.notes.get("unpacked", 0)
        return lines + len(self.logs.rejects) + sum(self.logs.drops.values())

    @property
    def events(self) -> int:
        """Number of lines that are events."""
        return len(self.logs.lines) - self.continuations

    @property
    def continuations(self) -> int:
        """Number of lines that belong to the record before them."""
        return int(np.count_nonzero(self.logs.lines["flags"].to_numpy() & RowFlag.CONTINUATION))


def raw_spans(raw: RawBatch, clocks: Mapping[int, int]) -> dict[int, RawSpan]:
    """What part of each raw partition a batch covers; ``clocks`` also names partitions that only moved on in time."""
    spans = {partition: RawSpan(0, -1, clock) for partition, clock in clocks.items()}
    for partition in unique(raw.partitions).tolist():
        rows = np.flatnonzero(raw.partitions == partition)
        first, last = int(raw.offsets[rows[0]]), int(raw.offsets[rows[-1]])
        spans[partition] = RawSpan(first, last, clocks.get(partition, NO_TIME), int(raw.arrived[rows[0]]))
    return spans


class LineProcessor:
    """Makes keyed events of raw messages.

    The memory of the decoder and of clocks that are wrong is its only state that could change a result.
    """

    def __init__(self, decoder: Decoder, matcher: TemplateMatcher, rules: KeyRules) -> None:
        self.decoder = decoder
        self.clocks = HostClocks()
        self._matcher = matcher
        self._rules = rules

    def process(
        self, raw: RawBatch, sources: Mapping[int, str] | None = None, clocks: Mapping[int, int] | None = None
    ) -> Processed:
        """Decode, mask, template and key a batch.

        ``sources`` names the source of plain lines per partition, ``clocks`` the recorded clock of each raw partition
        (microseconds).
        """
        return self.keyed(self._decoded(raw, sources or {}), raw_spans(raw, clocks or {}))

    def adopt(self, table: TemplateTable, masks: Masks, services: Iterable[str] | None) -> None:
        """Go on with other templates and services; what was read so far, and the clocks, stay known."""
        self._matcher = TemplateMatcher(table, masks, TemplateLimits())
        self._rules = replace(self._rules, services=None if services is None else frozenset(services))

    def remember(self, raw: RawBatch) -> None:
        """Decode a batch for its effect on memory alone."""
        self._decoded(raw, {})

    def _decoded(self, raw: RawBatch, sources: Mapping[int, str]) -> LogBatch:
        logs = self.decoder.decode(raw, sources)
        return replace(logs, lines=self.clocks.settle(logs.lines, raw.arrived[logs.lines["row"].to_numpy()]))

    def keyed(self, logs: LogBatch, spans: Mapping[int, RawSpan]) -> Processed:
        """Mask, template and key decoded lines; ``spans`` says what part of the raw partitions they cover."""
        assigned = self._matcher.assign(logs.lines["message"], logs.lines["service"])
        lines = logs.lines
        if assigned.marks.any():
            lines = lines.with_columns(pl.col("flags") | pl.Series(assigned.marks))
        frame = key_events(lines, assigned.ids, assigned.values, self._rules, spans)
        is_unknown = _without_parts(lines, assigned.is_unknown)
        return Processed(logs, frame, assigned.new, assigned.overflow, assigned.ids, is_unknown)


def _without_parts(lines: pl.DataFrame, chosen: BOOL) -> BOOL:
    """Return which of the ``chosen`` lines (n,) are no part of another, as of a traceback.

    Where the head came too long before them, as of a warning that Python prints between two requests, they stand alone,
    and are indented all the same.
    """
    rows = np.flatnonzero(chosen & (lines["flags"].to_numpy() & RowFlag.CONTINUATION == 0))
    out = np.zeros_like(chosen)
    if len(rows):
        out[rows] = ~lines["message"][rows].str.contains(r"^\s").to_numpy()
    return out


def windows_of_files(
    paths: Sequence[str | Path], processor: LineProcessor, store: WindowStore
) -> Iterator[WindowBatch]:
    """Closed windows of files, merged by time; the last batches close what is open at the end."""
    for processed in _processed_files(paths, processor):
        yield store.add(processed.frame)
    yield from store.flush()


def scored_files(
    paths: Sequence[str | Path], processor: LineProcessor, scorer: WindowScorer[ScoredT]
) -> Iterator[tuple[ScoredT, Processed | None]]:
    """What a scorer makes of the windows of files, with the lines that closed them; None at the end of the files."""
    for processed in _processed_files(paths, processor):
        yield scorer.step(processed.frame), processed
    for scored in scorer.flush():
        yield scored, None


def score_files(
    paths: Sequence[str | Path], processor: LineProcessor, scorer: Scorer, store: WindowStore
) -> Iterator[tuple[list[Verdict], Processed | None]]:
    """Verdicts on all windows of files, in the order in which they close; ``store`` begins empty."""
    for decided, processed in scored_files(paths, processor, WindowScorer(store, scorer.decide)):
        yield decided.verdicts(), processed


def _processed_files(paths: Sequence[str | Path], processor: LineProcessor) -> Iterator[Processed]:
    """Keyed events of files, merged by time."""
    for logs, spans in merged(paths, processor.decoder):
        yield processor.keyed(replace(logs, lines=processor.clocks.settle(logs.lines)), spans)


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Decoding, masks, keys and windows."""

    decode: DecodeConfig = field(default_factory=DecodeConfig)
    masks: Masks = field(default_factory=Masks.default)
    rules: KeyRules = field(default_factory=KeyRules)
    windows: WindowConfig = field(default_factory=WindowConfig)

    def processor(self, table: TemplateTable, services: Iterable[str] | None = None) -> LineProcessor:
        """A line processor of its own, with an empty memory; ``services`` are those that a training has seen."""
        matcher = TemplateMatcher(table, self.masks, TemplateLimits())
        rules = self.rules if services is None else replace(self.rules, services=frozenset(services))
        return LineProcessor(Decoder(self.decode), matcher, rules)
