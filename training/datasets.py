"""Files → what a model is trained and calibrated on, in passes over the files, so that memory stays bounded.

Part of the data is held back for calibration: every fifth tenant, or, where there are fewer than five, every fifth
stretch of the time, so that all hours of the day are among both.  No event of the held-back part is trained on.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from models.config import PipelineConfig
from models.decode import Decoder
from models.errors import InvalidError
from models.facts import service_of
from models.files import read_paths
from models.pipeline import windows_of_files
from models.records import BOOL, I64, KeyKind, RowFlag, WindowBatch
from models.templates import TemplateTable, mine, template_id, words_of
from models.vocabulary import Vocabulary
from models.windows import WindowStore

HELD_BACK: Final = 5
"""One part in so many is held back."""

BLOCKS: Final = 25
MIN_BLOCK_US: Final = 120_000_000
MAX_BLOCK_US: Final = 3_600_000_000

MIN_COUNT: Final = 2
"""Templates met less often have no token of their own."""

MAX_TEXTS: Final = 1_000_000
_DAY_US: Final = 86_400e6


@dataclass(frozen=True, slots=True)
class Survey:
    """What the first pass found: templates, tokens, services, lines, and each tenant's span of time (microseconds)."""

    table: TemplateTable
    vocabulary: Vocabulary
    services: frozenset[str]
    lines: int
    events: int
    spans: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Split:
    """Which windows are held back: those of some tenants, or, without tenants, every fifth ``block`` of the time.

    ``begin`` and ``block`` in microseconds.  Where the time is too short for blocks, ``by_key`` holds back every fifth
    session instead.
    """

    tenants: frozenset[str]
    begin: int
    block: int
    by_key: bool = False

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
        first, last = ((time - self.begin) // self.block for time in (windows.start, windows.end))
        # A long session may reach over a whole stretch: count the held-back ones from its first to its last.
        free: BOOL = (last + 1) // HELD_BACK == first // HELD_BACK
        return free

    def days(self, spans: dict[str, tuple[int, int]]) -> float:
        """Days of logs held back, added up over tenants."""
        if self.tenants:
            return sum(high - low for tenant, (low, high) in spans.items() if tenant in self.tenants) / _DAY_US
        return sum(high - low for low, high in spans.values()) / HELD_BACK / _DAY_US

    def _tenant(self, windows: WindowBatch) -> BOOL:
        return np.fromiter((tenant in self.tenants for tenant in windows.tenants), np.bool_, len(windows))

    def _key(self, windows: WindowBatch) -> BOOL:
        numbers = (zlib.crc32(key.encode()) % HELD_BACK == 0 for key in windows.keys)
        held: BOOL = np.fromiter(numbers, np.bool_, len(windows)) & (windows.kinds == KeyKind.SESSION)
        return held

    def _in_held_block(self, time: I64) -> BOOL:
        held: BOOL = (time - self.begin) // self.block % HELD_BACK == HELD_BACK - 1
        return held


def survey(
    paths: Sequence[str | Path], config: PipelineConfig, base: TemplateTable | None, progress: Callable[[int], None]
) -> Survey:
    """First pass: mine templates and measure.

    Raises:
        InvalidError: no line was understood.
    """
    texts: Counter[str] = Counter()
    spans: dict[str, tuple[int, int]] = {}
    services: set[str] = set()
    lines = events = 0
    decoder = Decoder(config.decode)
    for batch in read_paths(paths):
        decoded = decoder.decode(batch.raw, batch.sources).lines
        lines += len(batch.raw)
        only = decoded.filter((pl.col("flags") & RowFlag.CONTINUATION) == 0)
        events += len(only)
        services.update(service_of(name) for name in only["service"].unique().to_list())
        counts = config.masks.text(only["message"]).alias("text").value_counts()
        for text, count in counts.iter_rows():
            if text in texts or len(texts) < MAX_TEXTS:
                texts[text] += count
        for tenant, low, high in (
            only.group_by("tenant").agg(pl.min("time").alias("low"), pl.max("time").alias("high")).iter_rows()
        ):
            known = spans.get(tenant, (low, high))
            spans[tenant] = (min(known[0], low), max(known[1], high))
        progress(len(batch.raw))
    if not events:
        raise InvalidError(
            "no line of these files could be understood; look at one with `tocsin templates FILE --out -`"
        )
    table = mine(texts, base)
    seen: Counter[int] = Counter()
    for text, count in texts.items():
        words = words_of(text)
        seen[table.match(words) or template_id(" ".join(words))] += count
    vocabulary = Vocabulary(number for number, count in seen.items() if count >= MIN_COUNT)
    return Survey(table, vocabulary, frozenset(services), lines, events, spans)


def split_of(found: Survey) -> Split:
    """Choose what is held back: by tenants, or by blocks of time that are spread over the day."""
    begin = min(low for low, _ in found.spans.values())
    end = max(high for _, high in found.spans.values())
    block = int(np.clip((end - begin) / BLOCKS, MIN_BLOCK_US, MAX_BLOCK_US))
    if len(found.spans) < HELD_BACK:
        return Split(frozenset(), begin, block, by_key=end - begin < HELD_BACK * MIN_BLOCK_US)
    ordered = sorted(found.spans, key=lambda tenant: (zlib.crc32(tenant.encode()), tenant))
    return Split(frozenset(ordered[::HELD_BACK]), begin, block)


def windows(
    paths: Sequence[str | Path], config: PipelineConfig, table: TemplateTable, services: Iterable[str] | None = None
) -> Iterator[tuple[WindowBatch, WindowStore]]:
    """Closed windows of the files, with the store that remembers what is said of their events.

    ``services`` are those that a training has seen; None in a training.
    """
    store = WindowStore(config.windows)
    for closed, _ in windows_of_files(paths, config.processor(table, services), store):
        if len(closed):
            yield closed, store
