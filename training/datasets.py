"""Files → what a model is trained and calibrated on, in passes over the files, so that memory stays bounded.

Part of the data is held back for calibration: every fifth tenant, or, where there are fewer than five, every fifth
stretch of the time, so that all hours of the day are among both.  No event of the held-back part is trained on.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from models.calibration.recognition import some_names
from models.decode.decoder import Decoder
from models.decode.log_files import read_paths
from models.errors import InvalidError
from models.features.vocabulary import Vocabulary
from models.features.window_features import service_of
from models.pipeline import PipelineConfig, scored_files, windows_of_files
from models.records import BOOL, I64, KeyKind, LastSeen, RowFlag, WindowBatch
from models.rfc3339 import time_text
from models.templates.matcher import TemplateTable, mine, template_id, words_of
from models.windows.batches import take
from models.windows.scoring import ScoredT, WindowScorer
from models.windows.store import WindowStore

HELD_BACK: Final = 5
"""One part in so many is held back."""

BLOCKS: Final = 25
"""The span of the logs is cut into about so many blocks, so that each hour of a day stands on both sides; a
judgement."""
MIN_BLOCK_US: Final = 120_000_000
"""Microseconds; a shorter block would hold back less than one window's history."""
MAX_BLOCK_US: Final = 3_600_000_000
"""Microseconds; a longer block would leave whole hours of the day to one side."""

MIN_COUNT: Final = 2
"""Templates met less often have no token of their own."""

MAX_TEXTS: Final = 1_000_000
"""Different masked texts that the survey keeps, so that memory is bounded; a judgement."""
INSTEAD: Final = "give logs of normal operation, a quarter of an hour at least; see `tocsin formats PATH…`"
"""What to do where files are nothing to learn from."""
DAY_US: Final = 86_400e6
"""Microseconds a day."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What the first pass found: templates, tokens, services, lines, and each tenant's span of time (microseconds)."""

    table: TemplateTable
    vocabulary: Vocabulary
    services: frozenset[str]
    lines: int
    events: int
    spans: dict[str, tuple[int, int]]
    refused: Mapping[str, int] = field(default_factory=dict)
    """Lines that were not understood, by reason."""
    timeless: int = 0
    """Events without a time of their own."""
    worst: Mapping[str, int] = field(default_factory=dict)
    """The same by source."""
    hosts: frozenset[str] = frozenset()
    rare: frozenset[int] = frozenset()
    """Ids of templates that are too rare to learn from."""

    def describe(self) -> Iterator[str]:
        """Yield what the files hold and what of it was not read, in sentences for people."""
        low, high = min(low for low, _ in self.spans.values()), max(high for _, high in self.spans.values())
        yield (
            f"{self.events:,} events of {self.lines:,} lines, {len(self.table):,} templates, {len(self.services)} "
            f"services, {len(self.spans)} tenants; from {time_text(low)} to {time_text(high)}"
        )
        if self.refused:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in Counter(self.refused).most_common())
            total = sum(self.refused.values())
            yield f"warning: {total:,} lines were not understood ({reasons}); `tocsin formats` shows them"
        if self.timeless:
            worst = some_names([source for source, _ in Counter(self.worst).most_common()])
            yield (
                f"warning: {self.timeless:,} of {self.events:,} events have no time of their own, in {worst} "
                "(`tocsin formats`)"
            )


@dataclass(frozen=True, slots=True)
class Split:
    """Which windows are held back: those of some tenants, or, without tenants, every fifth ``block`` of the time.

    ``begin`` and ``block`` in microseconds.  Where the time is too short for blocks, ``by_key`` holds back every fifth
    session instead.  ``turn`` says which of each five.
    """

    tenants: frozenset[str]
    begin: int
    block: int
    by_key: bool = False
    turn: int = 0

    def held(self, windows: WindowBatch) -> BOOL:
        """Whether each window (n,) is for calibration."""
        if self.by_key:
            return self._key(windows)
        return self._tenant(windows) if self.tenants else self._in_held_block(windows.end)

    def trained(self, windows: WindowBatch) -> BOOL:
        """Whether each window (n,) may be trained on: no event of it lies in what is held back."""
        if self.by_key:
            return ~self._key(windows)
        if self.tenants:
            return ~self._tenant(windows)
        first, last = (self._number(time) for time in (windows.start, windows.end))
        # A long session may reach over a whole stretch: count the held-back ones from its first to its last.
        free: BOOL = (last + 1) // HELD_BACK == first // HELD_BACK
        return free

    def days(self, spans: dict[str, tuple[int, int]]) -> float:
        """Days of logs held back, added up over tenants."""
        if self.tenants:
            return total_us({tenant: span for tenant, span in spans.items() if tenant in self.tenants}) / DAY_US
        return total_us(spans) / HELD_BACK / DAY_US

    def _tenant(self, windows: WindowBatch) -> BOOL:
        return np.fromiter((tenant in self.tenants for tenant in windows.tenants), np.bool_, len(windows))

    def _key(self, windows: WindowBatch) -> BOOL:
        numbers = (zlib.crc32(key.encode()) % HELD_BACK == self.turn for key in windows.keys)
        held_out: BOOL = np.fromiter(numbers, np.bool_, len(windows)) & (windows.kinds == KeyKind.SESSION)
        return held_out

    def _in_held_block(self, time: I64) -> BOOL:
        held_out: BOOL = self._number(time) % HELD_BACK == HELD_BACK - 1
        return held_out

    def _number(self, time: I64) -> I64:
        """Number of the block of each moment (n,), such that the last of each five is held back."""
        return (time - self.begin) // self.block - self.turn


def total_us(spans: Mapping[str, tuple[int, int]]) -> int:
    """Microseconds of all tenants' spans together."""
    return sum(high - low for low, high in spans.values())


def survey(
    paths: Sequence[str | Path], config: PipelineConfig, base: TemplateTable | None, progress: Callable[[int], None]
) -> Survey:
    """First pass: mine templates and measure.

    Raises:
        InvalidError: no line was understood, or none has a time.
    """
    texts: Counter[str] = Counter()
    spans: dict[str, tuple[int, int]] = {}
    services: set[str] = set()
    refused: Counter[str] = Counter()
    worst: Counter[str] = Counter()
    hosts: set[str] = set()
    lines = events = 0
    decoder = Decoder(config.decode)
    for batch in read_paths(paths):
        logs = decoder.decode(batch.raw, batch.sources, batch.written)
        decoded = logs.lines
        lines += len(batch.raw)
        refused.update(reject.reason for reject in logs.rejects)
        worst.update({source: count for (source, what), count in logs.unread.items() if what == "time"})
        only = decoded.filter((pl.col("flags") & RowFlag.CONTINUATION) == 0)
        events += len(only)
        services.update(service_of(name) for name in only["service"].unique().to_list())
        hosts.update(only["host"].unique().to_list())
        counts = config.masks.text(only["message"]).alias("text").value_counts()
        for text, count in counts.iter_rows():
            if text in texts or len(texts) < MAX_TEXTS:
                texts[text] += count
        _widen(spans, only)
        progress(len(batch.raw))
    if not events:
        raise InvalidError(
            "no line of these files could be understood", "look at one with `tocsin templates FILE --out -`"
        )
    if not spans:
        raise InvalidError(f"none of the {lines:,} lines names a time, as logs do", INSTEAD)
    table = mine(texts, base)
    vocabulary, rare = _vocabulary(table, texts)
    return Survey(
        table,
        vocabulary,
        frozenset(services),
        lines,
        events,
        spans,
        refused,
        worst.total(),
        worst,
        frozenset(hosts - {""}),
        rare,
    )


def _vocabulary(table: TemplateTable, texts: Mapping[str, int]) -> tuple[Vocabulary, frozenset[int]]:
    """Templates that were met often enough to be learnt, and the others, by masked texts and how often each was."""
    seen: Counter[int] = Counter()
    for text, count in texts.items():
        words = words_of(text)
        seen[table.match(words) or template_id(" ".join(words))] += count
    known = {number for number, count in seen.items() if count >= MIN_COUNT}
    return Vocabulary(known), frozenset(seen.keys() - known)


def _widen(spans: dict[str, tuple[int, int]], events: pl.DataFrame) -> None:
    """Take events into the span of time of their tenants."""
    # What has no time is put beside its neighbours when windows are made, and tells nothing of the span.
    dated = events.filter(pl.col("time") > 0).group_by("tenant")
    for tenant, low, high in dated.agg(pl.min("time").alias("low"), pl.max("time").alias("high")).iter_rows():
        known = spans.get(tenant, (low, high))
        spans[tenant] = (min(known[0], low), max(known[1], high))


def split_of(data: Survey, seed: int) -> Split:
    """Choose what is held back: by tenants, or by blocks of time that are spread over the day.

    Another ``seed`` holds back something else, so that figures over several seeds tell how much hangs on it.
    """
    turn = (seed - 1) % HELD_BACK
    begin = min(low for low, _ in data.spans.values())
    end = max(high for _, high in data.spans.values())
    block = int(np.clip((end - begin) / BLOCKS, MIN_BLOCK_US, MAX_BLOCK_US))
    if len(data.spans) < HELD_BACK:
        return Split(frozenset(), begin, block, by_key=end - begin < HELD_BACK * MIN_BLOCK_US, turn=turn)
    ordered = sorted(data.spans, key=lambda tenant: (zlib.crc32(tenant.encode()), tenant))
    return Split(frozenset(ordered[turn::HELD_BACK]), begin, block, turn=turn)


def windows(
    paths: Sequence[str | Path], config: PipelineConfig, table: TemplateTable, services: Iterable[str] | None = None
) -> Iterator[WindowBatch]:
    """Closed windows of the files, not scored; ``services`` are those that a training has seen; None in a training."""
    for closed in windows_of_files(paths, config.processor(table, services), WindowStore(config.windows)):
        if len(closed):
            yield closed


def scored_windows(
    paths: Sequence[str | Path],
    config: PipelineConfig,
    table: TemplateTable,
    score: Callable[[WindowBatch], ScoredT],
    services: Iterable[str] | None = None,
) -> Iterator[ScoredT]:
    """What ``score`` makes of each batch of closed windows of the files; ``services`` as for ``windows``."""
    scorer = WindowScorer(WindowStore(config.windows), score)
    for scored, _ in scored_files(paths, config.processor(table, services), scorer):
        if len(scored.windows):
            yield scored


def select(batch: WindowBatch, chosen: I64) -> WindowBatch:
    """The windows with these numbers, and nothing of who wrote before them: no sequence tells."""
    if len(chosen) == len(batch):
        return batch
    return replace(take(batch, chosen), last_seen=LastSeen.nothing(batch.start[chosen]))
