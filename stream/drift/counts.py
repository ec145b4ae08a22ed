"""What is counted of logs to judge drift: unknown lines by service and stretch of time, and how windows score."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.arrays import distinct, unique
from models.calibration.service_state import errors_only
from models.features.sequences import kind_numbers
from models.pipeline import Processed
from models.records import F64, NO_TIME, RowFlag
from models.rfc3339 import DAY, SECOND
from models.scorer import Decisions

STRETCH: Final = 600 * SECOND
"""Microseconds of a stretch of time: a judgement.  Most bursts of errors end within one; a release does not."""


@dataclass(slots=True)
class DriftCounts:
    """Counts of some logs; times in microseconds.

    ``lines`` and ``unknown`` are by service and number of its stretch, without lines that belong to another, ``texts``
    are ids of distinct unknown templates of each service, as far as the reader tells them, ``examples`` has the text of
    one.  ``scores`` are those of windows on the grid, by kind, ``fired`` the stretches in which a window fired.
    """

    lines: Counter[tuple[str, int]] = field(default_factory=Counter)
    unknown: Counter[tuple[str, int]] = field(default_factory=Counter)
    texts: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    examples: dict[str, str] = field(default_factory=dict)
    rejects: int = 0
    scores: defaultdict[int, list[F64]] = field(default_factory=lambda: defaultdict(list))
    fired: set[int] = field(default_factory=set)
    first: int = NO_TIME
    last: int = NO_TIME
    _names: dict[int, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Lines that were understood."""
        return self.lines.total()

    @property
    def days(self) -> float:
        """From the first to the last line."""
        return (self.last - self.first) / DAY

    @property
    def services(self) -> Mapping[str, int]:
        """Lines of each service."""
        by_service: Counter[str] = Counter()
        for (service, _), count in self.lines.items():
            by_service[service] += count
        return by_service

    def add_lines(self, processed: Processed) -> None:
        """Count the lines of a batch."""
        is_head = processed.logs.lines["flags"].to_numpy() & RowFlag.CONTINUATION == 0
        lines, is_unknown = processed.logs.lines.filter(is_head), processed.is_unknown[is_head]
        self.rejects += len(processed.logs.rejects)
        self._names.update((new.id, new.text) for new in processed.new)
        if not len(lines):
            return
        unknown = zip(
            lines["service"].filter(is_unknown), processed.templates[is_head][is_unknown].tolist(), strict=True
        )
        for name, template in dict.fromkeys(unknown):
            if template in self._names:
                self.texts[name].add(template)
                self.examples.setdefault(name, self._names[template])
        time = lines["time"].to_numpy()
        self.first = int(time.min()) if self.first == NO_TIME else min(self.first, int(time.min()))
        self.last = max(self.last, int(time.max()))
        first, service = distinct(lines["service"])
        names = lines["service"][first].to_list()
        stretches, stretch = np.unique(time // STRETCH, return_inverse=True)
        code = service * len(stretches) + stretch
        for counts, numbers in ((self.lines, code), (self.unknown, code[is_unknown])):
            places, amounts = np.unique(numbers, return_counts=True)
            for place, amount in zip(places.tolist(), amounts.tolist(), strict=True):
                counts[str(names[place // len(stretches)]), int(stretches[place % len(stretches)])] += amount

    def add_windows(self, decided: Decisions) -> None:
        """Count the windows of a batch."""
        windows = decided.windows
        if not len(windows):
            return
        self.fired.update((windows.end[decided.fired] // STRETCH).tolist())
        on_grid = decided.bundle.windows.on_grid(windows)
        kinds = kind_numbers(windows)
        # As calibration had them: without what single detectors know to be rare.
        parts = errors_only(decided.parts, ~decided.errors_only)
        score = -decided.bundle.calibration.false_alarms(kinds, parts)
        for kind in unique(kinds).tolist():
            self.scores[kind].append(score[on_grid & (kinds == kind)])
