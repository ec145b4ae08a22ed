"""What training saw of bad news, and in how many of its stretches of ten minutes each sign of failure was new.

Whether a stretch would have shown a sign is judged by all others (leave-one-out): a template, or a source, with errors
in one stretch only was a first error there.  As in the estimate of Good and Turing (Good 1953), what was seen once
tells how often something new comes.  A whole stretch stands for its windows, so the count errs on the side of more.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from models.arrays import ranges
from models.calibration.fusion import BLOCK_US
from models.detectors.signs import (
    BURST,
    KNOWN_BURST,
    REFUSED,
    SPREAD,
    STARTS,
    Sign,
    SignEvidence,
    SignLines,
    Signs,
    Times,
    Usual,
    burst_limit,
)
from models.features.sequences import SHARED, SOURCE, kind_numbers
from models.features.window_features import UNKNOWN, WindowFeatures
from models.records import BOOL, I64

Blocks: TypeAlias = dict[int, set[int]]
"""In which stretches of ten minutes each value was seen."""

KEPT: Final = 500_000
"""Different pairs of stretch and template that are kept of errors, a judgement: it bounds the memory of a training."""

_MINUTE_US: Final = 60_000_000
"""Microseconds: the time of training is counted in minutes with a line."""

_DAY_S: Final = 86_400.0
"""Seconds."""

_STARTS_US: Final = 60_000_000
"""Microseconds from a source's first line on in which its errors say nothing of how often there are some in operation:
it starts, and what it needs may start, too.  A judgement."""

_AT_START: Final = -1
"""Stands for the stretch of what a source writes at its start: known from there, but no evidence of rates."""


@dataclass(slots=True)
class SignSamples:
    """Collects bad news of windows of normal operation, batch by batch."""

    _tenants: dict[str, int] = field(default_factory=dict)
    _minutes: set[int] = field(default_factory=set)
    _sources: set[str] = field(default_factory=set)
    _errors: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    """Lines by block, template and origin."""
    _begins: dict[int, int] = field(default_factory=dict)
    """Tenant and origin → end of the first window (microseconds)."""
    _criticals: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    _most_errors: dict[int, dict[int, int]] = field(default_factory=dict)
    """Group → block → most errors of a window."""
    _refused: dict[int, dict[int, int]] = field(default_factory=dict)
    """Template → block → most times that a window held it."""
    _started: dict[int, dict[int, int]] = field(default_factory=dict)

    def add(self, facts: WindowFeatures, chosen: I64) -> None:
        """Learn from the ``chosen`` windows (m,), of which each line's newest step must be one."""
        windows = facts.windows
        kinds = kind_numbers(windows)[chosen]
        sources = chosen[kinds == SOURCE]
        tenant = np.array([self._tenants.setdefault(name, len(self._tenants)) << 40 for name in windows.tenants])
        last = windows.end - 1
        self._minutes.update(np.unique(tenant[sources] + last[sources] // _MINUTE_US).tolist())
        self._sources.update(windows.keys[i] for i in sources.tolist())
        block = tenant + last // BLOCK_US
        rows = ranges(windows.splits[sources + 1] - windows.new_rows[sources], windows.splits[sources + 1])
        lines = SignLines.of(facts)
        window = lines.window[rows]
        source, of_row = np.unique(tenant[window] + lines.origin[rows], return_inverse=True)
        first = np.full(len(source), np.iinfo(np.int64).max)
        np.minimum.at(first, of_row, last[window])
        begin = np.array(
            [self._begins.setdefault(*known) for known in zip(source.tolist(), first.tolist(), strict=True)]
        )
        stretch = np.full(len(lines.window), _AT_START)
        stretch[rows] = np.where(last[window] < begin[of_row] + _STARTS_US, _AT_START, block[window])
        for is_bad, counter in ((lines.trouble, self._errors), (lines.critical, self._criticals)):
            bad = rows[is_bad[rows]]
            columns = (stretch[bad], lines.template[bad], lines.origin[bad])
            triples = zip(*(column.tolist() for column in columns), strict=True)
            counter.update(triple for triple in triples if triple in counter or len(counter) < KEPT)
        judged = np.zeros(len(windows), np.bool_)
        judged[chosen[(kinds == SOURCE) | (kinds == SHARED)]] = True
        errors = lines.count(lines.trouble)
        with_errors = np.flatnonzero(judged & (errors > 0) & (facts.group != UNKNOWN))
        _note(self._most_errors, facts.group[with_errors], block[with_errors], errors[with_errors])
        for times, most in ((lines.refusals, self._refused), (lines.starts, self._started)):
            _note_times(most, times, block, judged)

    def fit(self, groups: int) -> Signs:
        """The detector, of so many groups of windows."""
        seconds = len(self._minutes) * _MINUTE_US / 1e6
        days = seconds / _DAY_S
        by_template = _blocks(self._errors, 1)
        by_origin = _blocks((line for line in self._errors if line[0] != _AT_START), 2)
        by_critical = _blocks(self._criticals, 1)
        noisy = sorted(origin for origin, blocks in by_origin.items() if _is_noisy(len(blocks), days))
        most = np.zeros(groups, np.int64)
        for group, by_block in self._most_errors.items():
            most[group] = max(by_block.values())
        refused, most_refused = _table(self._refused)
        started, most_started = _table(self._started)
        usual = Usual(
            errors=np.array(sorted(by_template), np.uint64),
            criticals=np.array(sorted(by_critical), np.uint64),
            noisy=np.array(noisy, np.uint32),
            most_errors=most,
            refused=refused,
            most_refused=most_refused,
            started=started,
            most_started=most_started,
            sources=tuple(sorted(self._sources)),
        )
        return Signs(usual, SignEvidence(self._counts(days, by_template, by_origin, by_critical), seconds))

    def _counts(self, days: float, by_template: Blocks, by_origin: Blocks, by_critical: Blocks) -> dict[Sign, int]:
        """In how many blocks each sign was new; errors by template and by origin, criticals by template."""
        lines: Counter[int] = Counter()
        writers: dict[int, set[int]] = defaultdict(set)
        for (block, template, origin), count in self._errors.items():
            is_first = len(by_template[template]) == 1 and block != _AT_START
            if is_first and not _is_noisy(len(by_origin[origin]) - 1, days):
                lines[block] += count
                writers[block].add(origin)
        bursts = {block for block, count in lines.items() if count >= BURST}
        bursts |= _beyond(self._most_errors.values(), KNOWN_BURST, KNOWN_BURST)
        return {
            Sign.ERROR: len(lines),
            Sign.BURST: len(bursts),
            Sign.SPREAD: sum(len(of) >= SPREAD for of in writers.values()),
            Sign.CRITICAL: len({block for of in by_critical.values() if len(of) == 1 for block in of} - {_AT_START}),
            Sign.REFUSALS: len(_beyond(self._refused.values(), REFUSED, KNOWN_BURST)),
            Sign.RESTARTS: len(_beyond(self._started.values(), STARTS, STARTS)),
        }


def _is_noisy(blocks: int, days: float) -> bool:
    """Whether errors in so many stretches are at least one a day, the default budget of false alarms."""
    return blocks > 0 and blocks >= days


def _blocks(lines: Iterable[tuple[int, int, int]], column: int) -> Blocks:
    """Blocks in which each value of a column was seen."""
    out: dict[int, set[int]] = defaultdict(set)
    for line in lines:
        out[line[column]].add(line[0])
    return out


def _note(most: dict[int, dict[int, int]], ids: Iterable[int], blocks: I64, counts: I64) -> None:
    """Take the largest count of each id and block."""
    for number, block, count in zip(np.asarray(ids).tolist(), blocks.tolist(), counts.tolist(), strict=True):
        by_block = most.setdefault(number, {})
        by_block[block] = max(by_block.get(block, 0), count)


def _note_times(most: dict[int, dict[int, int]], times: Times, block: I64, judged: BOOL) -> None:
    chosen = judged[times.window]
    _note(most, times.template[chosen], block[times.window[chosen]], times.count[chosen])


def _table(most: dict[int, dict[int, int]]) -> tuple[np.ndarray[tuple[int], np.dtype[np.uint64]], I64]:
    """Ids, ascending, with their largest count."""
    ids = sorted(most)
    return np.array(ids, np.uint64), np.array([max(most[number].values()) for number in ids], np.int64)


def _beyond(most: Iterable[dict[int, int]], new: int, known: int) -> set[int]:
    """Blocks with a burst: of at least ``new``, or where other blocks hold some, as these and ``known`` tell."""
    out: set[int] = set()
    for by_block in most:
        (block, count), *others = sorted(by_block.items(), key=lambda item: -item[1])
        if count >= (int(burst_limit(np.array(others[0][1]), known)) if others else new):
            out.add(block)
    return out
