"""Values inside lines that are far larger than training ever showed: calls that take long, sizes, queues.

Numbers are compared on a logarithmic scale, in which what takes ten times as long is the same step for fast and for
slow calls.  A single outlier says little; the excess is summed over the window.

Only measures are watched.  A counter, a process id or a clock passes every limit sooner or later and stays beyond it.
What a number is, is told by the words around it and by how it behaved in training: a known unit makes it a measure
unless it only grows, a label such as ``pid`` none; without either it must behave like one.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from models.arrays import group_starts, group_stops
from models.detectors.base import Arrays, TemplateText, rows_of, significant
from models.detectors.number_meaning import is_measure, is_status, meaning_of
from models.features.number_behaviour import NumberKind, kind_of
from models.features.usual_pace import BLOCK_S, Pace, token_of
from models.features.vocabulary import SPECIAL
from models.features.window_features import WindowFeatures
from models.features.writing_gaps import DAY_S
from models.findings import Finding, to_millisecond
from models.records import BOOL, F32, F64, I64, VALUES

FEW: Final = 30
"""Values of one place in one template that must have been seen, a judgement."""

QUANTILE: Final = 0.995
"""Share of the values seen that are at most the limit: a judgement."""

MOST: Final = 5.0
"""Largest excess of one line, in spreads: a judgement, so that one outlier is not the whole score."""

_LEAST_SPREAD: Final = 0.4
"""Least spread of a logarithm, a judgement: a factor of 1.5."""

_KEPT: Final = 2_000_000
"""Values that training keeps: at most 100 MB with the times, writers and offsets of their lines."""

_PROCESSES: Final = 64
"""Most different numbers in a line that can tell its process, a judgement."""

_WATCHED: Final = frozenset({NumberKind.MEASURE})
"""What is watched where no word tells what a number is.  A constant may as well be the id of a process."""

_WATCHED_WITH_UNIT: Final = _WATCHED | {NumberKind.CONSTANT, NumberKind.DRIFT, NumberKind.IDENTIFIER}
"""What is watched of numbers with a unit or the label of a measure."""

NOTHING: Final = -1
"""Stands for the token of a window in which no value exceeds what is usual."""

_SCALE: Final = 1000
"""Excess is summed in thousandths of a spread, as whole numbers."""


class Values:
    """``limit`` and ``spread`` (tokens, VALUES): the quantile of each value, and how far its logarithm spreads.

    ``pace`` is how long calls of each service take; bundles of older versions have none, and their values stand in the
    order of the message.
    """

    name = "values"

    def __init__(self, limit: F32, spread: F32, pace: Pace | None = None) -> None:
        self._limit = limit
        self._spread = spread
        self._pace = pace

    def score(self, features: WindowFeatures) -> F64:
        """Return the summed excess of all lines of each window, in spreads."""
        excess = self._by_row(features)
        # Whole numbers add up exactly, so the score is the same in any batch.
        total = features.windows.sums(np.round(excess * _SCALE).astype(np.int64) * features.windows.count)
        scores: F64 = total / _SCALE
        return scores

    def log_per_day(self, features: WindowFeatures) -> F64:
        """Return log10 of how many minutes a day (n,) are at least as slow in normal operation, by their paces alone.

        It holds from the first quarter of an hour on, without a calibration; NaN where there is nothing to compare.
        """
        surprise = np.full(len(features.group), np.nan)
        if self._pace is not None:
            window, _, _, nats = self._pace.surprise(features)
            np.fmax.at(surprise, window, nats)
        per_day: F64 = np.log10(DAY_S / BLOCK_S) - surprise / np.log(10.0)
        return per_day

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """Return the template whose values exceed the usual most, with the median of those; else the slowest pace."""
        worst = self._worst(features, self._by_row(features))[windows].tolist()
        paces = self._slowest(features) if NOTHING in worst else {}
        out = []
        for window, token in zip(windows.tolist(), worst, strict=True):
            if token != NOTHING:
                out.append([self._beyond(features, window, token, text)])
            else:
                out.append([self._slow(features, window, *paces[window], text)] if window in paces else [])
        return out

    def _slowest(self, features: WindowFeatures) -> dict[int, tuple[int, float]]:
        """Place and mean logarithm of the most unusual pace of each window that has one."""
        if self._pace is None:
            return {}
        windows, places, means, nats = self._pace.surprise(features)
        slow = np.flatnonzero(nats > 0)
        slow = slow[np.lexsort((slow, -nats[slow], windows[slow]))]
        slow = slow[group_starts(windows[slow])]
        pairs = zip(places[slow].tolist(), means[slow].tolist(), strict=True)
        return dict(zip(windows[slow].tolist(), pairs, strict=True))

    def _slow(self, features: WindowFeatures, window: int, place: int, mean: float, text: TemplateText) -> Finding:
        """Return the finding on a pace of a window, which has this mean of logarithms."""
        pace = self._pace
        if pace is None:
            raise ValueError("a pace is slow only where training saw paces")
        token, column = token_of(int(pace.code[place]))
        rows = np.arange(len(features.tokens))[rows_of(features, window)]
        rows = rows[(features.tokens[rows] == token) & (features.windows.values[rows, column] >= 0)]
        floor, usual = float(pace.floor[place]), float(pace.mean[place])
        value = max(float(np.exp(mean)) - floor, 0.0)
        numbers = int((~np.isnan(features.windows.values[rows[0]])).sum())
        kind, unit = meaning_of(text(token), column, numbers, value)
        return Finding(
            kind,
            text(token),
            value=significant(value),
            usual=significant(max(float(np.exp(usual + 2.0 * np.sqrt(pace.between[place]))) - floor, 0.0)),
            unit=unit,
            count=len(rows),
            moment=to_millisecond(int(features.windows.time[rows].min())),
        )

    def _beyond(self, features: WindowFeatures, window: int, token: int, text: TemplateText) -> Finding:
        """Return the finding on the values of a token in a window, with the median of those beyond what is usual."""
        lines = np.flatnonzero(features.tokens[rows_of(features, window)] == token)
        lines += rows_of(features, window).start
        excess = self._excess(features.tokens[lines], features.windows.values[lines])
        column = int(excess.sum(axis=0).argmax())
        lines = lines[excess[:, column] > 0]
        values = features.windows.values[lines]
        shown = np.sort(np.repeat(values[:, column], features.windows.count[lines]))
        value = float(shown[len(shown) // 2])
        template = text(token)
        numbers = int((~np.isnan(values[0])).sum())
        kind, unit = meaning_of(template, column, numbers, value, by_meaning=self._pace is not None)
        return Finding(
            kind,
            template,
            value=significant(value),
            usual=significant(float(self._limit[token, column])),
            unit=unit,
            count=len(shown),
            moment=to_millisecond(int(features.windows.time[lines].min())),
        )

    def exceeding(self, features: WindowFeatures) -> BOOL:
        """Return which rows (rows,) are of the template that ``findings`` reports, and exceed what is usual."""
        excess = self._by_row(features)
        exceeds: BOOL = (excess > 0) & (features.tokens == self._worst(features, excess)[features.window])
        return exceeds

    def _by_row(self, features: WindowFeatures) -> F64:
        """Return by how many spreads the most unusual value of each row (rows,) exceeds what is usual."""
        excess: F64 = self._excess(features.tokens, features.windows.values).max(axis=1, initial=0.0)
        return excess

    def _worst(self, features: WindowFeatures, excess: F64) -> I64:
        """Token of each window (n,) whose values exceed the usual most by row (rows,), NOTHING where none do."""
        rows = np.flatnonzero(excess)
        pairs, of = np.unique(features.window[rows] * len(self._limit) + features.tokens[rows], return_inverse=True)
        # In the order of rows, so that a sum is the same in any batch.
        weights = excess[rows] * features.windows.count[rows]
        total = np.bincount(of, weights=weights, minlength=len(pairs))
        window, token = np.divmod(pairs, len(self._limit))
        order = np.lexsort((token, -total, window))
        first = order[group_starts(window[order])]
        worst = np.full(len(features.group), NOTHING, np.int64)
        worst[window[first]] = token[first]
        return worst

    def _excess(self, tokens: I64, values: F32) -> F64:
        """Return by how many spreads each value (n, VALUES) exceeds what is usual."""
        limit = self._limit[tokens]
        row, column = np.nonzero(values > limit)
        excess = np.zeros(values.shape)
        high = np.log1p(limit[row, column].astype(np.float64))
        step = np.log1p(values[row, column].astype(np.float64)) - high
        excess[row, column] = np.minimum(step / self._spread[tokens[row], column], MOST)
        return excess

    def arrays(self) -> Arrays:
        """Return limits, spreads and paces."""
        pace = {} if self._pace is None else {"pace": self._pace.table()}
        return {"limit": self._limit, "spread": self._spread, **pace}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Make a detector of what ``arrays`` returned."""
        pace = Pace.from_table(np.asarray(arrays["pace"], np.float64)) if "pace" in arrays else None
        return cls(np.asarray(arrays["limit"], np.float32), np.asarray(arrays["spread"], np.float32), pace)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines with a number: tokens, numbers (n, VALUES), event times, who wrote them, offsets."""

    token: I64
    values: F32
    time: I64
    writer: I64
    offset: I64

    def __len__(self) -> int:
        return len(self.token)

    def take(self, rows: I64 | BOOL) -> "_Lines":
        """Return the lines with these numbers, or where a mask holds."""
        return _Lines(self.token[rows], self.values[rows], self.time[rows], self.writer[rows], self.offset[rows])

    def in_order(self) -> "_Lines":
        """Return the lines by token and time; those of one moment by offset, else in an order that no batch changes."""
        bits = self.values.view(np.uint32).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        salt = np.bitwise_xor.reduce(bits >> np.arange(VALUES, dtype=np.uint64), axis=1)
        return self.take(np.lexsort((salt, self.writer, self.offset, self.time, self.token)))


@dataclass(slots=True)
class ValueSamples:
    """Collects the values of lines of normal operation; of very many lines only half, a quarter … are kept.

    Which ones is drawn by their offsets: a line's values stay together, and no rhythm of the log matters.
    """

    tokens: int
    _parts: list[_Lines] = field(default_factory=list)
    _count: int = 0
    """Values in the parts."""
    _stride: int = 1

    def __len__(self) -> int:
        """Number of values kept."""
        return self._count

    def add(self, features: WindowFeatures, rows: I64) -> None:
        """Add the values of these rows."""
        windows = features.windows
        rows = rows[_drawn(windows.offset[rows], self._stride) & (windows.values[rows] >= 0).any(axis=1)]
        tenant = np.array([zlib.crc32(name.encode()) for name in windows.tenants], np.int64)
        writer = tenant[features.window[rows]] << 31 ^ windows.origin[rows].astype(np.int64)
        offset = windows.offset[rows]
        self._keep(_Lines(features.tokens[rows], windows.values[rows], windows.time[rows], writer, offset))
        if self._count > _KEPT:
            self._stride *= 2
            parts, self._parts, self._count = self._parts, [], 0
            for part in parts:
                self._keep(part.take(_drawn(part.offset, self._stride)))

    def _keep(self, lines: _Lines) -> None:
        self._parts.append(lines)
        self._count += int((lines.values >= 0).sum())

    def fit(self, text: TemplateText = lambda _: "", pace: Pace | None = None) -> Values:
        """Make a detector: limits where enough values of a measure were seen, infinite elsewhere.

        Args:
            text: masked text of the template of a token, whose words tell what its numbers are.
            pace: how long calls take.
        """
        limit = np.full((self.tokens, VALUES), np.inf, np.float32)
        spread = np.ones((self.tokens, VALUES), np.float32)
        if len(self):
            lines = _Lines(
                np.concatenate([part.token for part in self._parts]),
                np.concatenate([part.values for part in self._parts]),
                np.concatenate([part.time for part in self._parts]),
                np.concatenate([part.writer for part in self._parts]),
                np.concatenate([part.offset for part in self._parts]),
            ).in_order()
            starts = group_starts(lines.token)
            for start, stop in zip(starts.tolist(), group_stops(starts, len(lines)).tolist(), strict=True):
                token = int(lines.token[start])
                if token < SPECIAL or stop - start < FEW:
                    continue
                of_token = lines.take(np.arange(start, stop))
                for column in _measures(of_token, text(token)):
                    number = np.sort(of_token.values[of_token.values[:, column] >= 0, column])
                    high = number[int(QUANTILE * (len(number) - 1))]
                    middle = number[len(number) // 2]
                    limit[token, column] = high
                    spread[token, column] = max(float(np.log1p(high) - np.log1p(middle)), _LEAST_SPREAD)
        return Values(limit, spread, pace)


def _measures(lines: _Lines, template: str) -> Iterator[int]:
    """Columns of one template's lines that hold a measure, often enough to know what is usual."""
    usual_numbers = int(np.bincount((~np.isnan(lines.values)).sum(axis=1)).argmax())
    for column in range(VALUES):
        having = lines.take(lines.values[:, column] >= 0)
        if len(having) < FEW:
            continue
        labelled = is_measure(template, column, usual_numbers) if column < usual_numbers else None
        if labelled is False:
            continue
        numbers = having.values[:, column].astype(np.float64)
        known = labelled or is_status(template, float(numbers[0]))
        if kind_of(numbers, having.time, _writers(having, column)) in (_WATCHED_WITH_UNIT if known else _WATCHED):
            yield column


def _writers(lines: _Lines, column: int) -> Iterator[I64]:
    """Ways to tell apart who wrote a number: by source, and by another number of the line, such as a process id."""
    _, source = np.unique(lines.writer, return_inverse=True)
    yield source.astype(np.int64)
    for other in range(VALUES):
        names, number = np.unique(lines.values[:, other], return_inverse=True)
        if other != column and 1 < len(names) <= _PROCESSES:
            yield source * len(names) + number


def _drawn(offset: I64, stride: int) -> BOOL:
    """Return which lines (n,) are among one in ``stride``, a power of two; a larger stride draws some of the same."""
    high = (offset.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    drawn: BOOL = high % np.uint64(stride) == 0
    return drawn
