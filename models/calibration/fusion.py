"""From the strengths of all detectors to one number: expected false alarms.

Each detector's raw score becomes a strength, -log10 of its tail probability on normal windows of the kind.  Strengths
are joined by a p-norm, in which a strong single voice counts fully and many weak ones add up.  How often the
joint strength is reached by chance is taken from block maxima: the largest value in each ten minutes of each tenant
follows a Gumbel distribution (Fisher and Tippett 1928), fitted to the quartiles, which a few faults among the normal
logs do not move.  Windows overlap and normal oddities come in clusters, so ten thousand windows are far fewer
witnesses; blocks count each cluster once, and a kind of window that is erratic from block to block is trusted less.

Where a single detector is so sure that it would hold among all windows of a day and all detectors (Bonferroni), it
needs no other: block maxima of all together say little of how far one alone may go.  This holds for windows over
everything, and for errors of a source, which may be all that counts of it; other tails rest on too few windows.

The number that comes out has one meaning for every kind of window and every tenant: how many windows at least as
anomalous a tenant would show in a day of normal operation, all kinds taken together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from models.calibration.service_state import COUNTS_ALWAYS
from models.calibration.tails import Calibration
from models.errors import InvalidError
from models.features.sequences import SHARED, SOURCE
from models.records import F64, I32, I64

NORM: Final = 1.4
"""Power of the norm that joins strengths: between their sum (1), by which weak voices of detectors that look at the
same events shout down a single one, and their largest (infinity).  Chosen among 1, 1.25, 1.33, 1.4, 1.5, 2, 3, 4
and 8 on labelled runs and the simulator: 2 found half as many faults at the same budget."""

COMMON: Final = 0.75
"""Strength up to which a detector adds nothing: one window in six is as strange.  0.5, 0.75, 0.85, 1, 1.25 and 1.5 were
tried: from 1 on loud faults with little to tell are lost, below 0.75 quiet ones drown among weak voices."""

BLOCK_US: Final = 600_000_000

SHARED_PART: Final = 0.97
"""Part of the budget of false alarms for windows over everything; the other kinds share the rest.

On real faults the former rank far better; the latter say where, and carry large clouds, in which the whole drowns the
part."""

KNOTS: Final = 100
_SINGLE_SCALE: Final = 0.4342944819032518
"""Scale of the strength of a single detector that is calibrated perfectly: one over the logarithm of ten."""

_WIDER: Final = 0.4
_MANY: Final = 400
"""Detectors look at the same events, so their joint strength rises by chance faster than a single one's, and in its
largest values faster than its quartiles tell.  Until so many blocks show by how much, the scale is taken for this much
wider; from then on the upper tenth is asked, too.  (With 100, twice as many false alarms passed on 396 real ones.)"""

_MEDIAN: Final = -float(np.log(np.log(2.0)))
_QUARTILES: Final = float(np.log(np.log(4.0) / np.log(4.0 / 3.0)))
_UPPER: Final = -float(np.log(-np.log(0.9))) - _MEDIAN
"""Of a Gumbel distribution with location 0 and scale 1: its median, how far its quartiles are apart, and its
upper tenth from the median."""

_DECADE: Final = float(np.log(10.0))


@dataclass(frozen=True, slots=True)
class BlockMaxima:
    """How often a joint strength is reached, for one kind of window.

    ``blocks_per_day`` blocks of a tenant have a window of the kind; their maxima have Gumbel location ``loc`` and
    ``scale``.  Below ``loc`` count windows: ``knots`` are strengths, ascending, ``log_rate`` log10 of windows a day.
    """

    loc: float
    scale: float
    blocks_per_day: float
    blocks: int
    knots: tuple[float, ...]
    log_rate: tuple[float, ...]

    def log_per_day(self, strength: F64) -> F64:
        """log10 of how often a day each joint strength (n,) is reached; strictly falling beyond ``loc``."""
        blocks = float(np.log10(self.blocks_per_day))
        beyond = blocks - (strength - self.loc) / self.scale / _DECADE
        within = np.maximum(np.interp(strength, self.knots, self.log_rate), blocks)
        return np.where(strength > self.loc, beyond, within)


@dataclass(frozen=True, slots=True)
class Fusion:
    """Calibrations of the detectors by name, and of their joint strength per kind of window."""

    parts: Mapping[str, Calibration]
    fused: Mapping[int, BlockMaxima]

    def strengths(self, kinds: I32, raws: Mapping[str, F64]) -> dict[str, F64]:
        """Strength of each detector (n,), 0 where it has no say."""
        return {name: self.parts[name].strength(kinds, raw) for name, raw in raws.items() if name in self.parts}

    def false_alarms(self, kinds: I32, strengths: Mapping[str, F64]) -> F64:
        """log10 of the expected windows a day and tenant that are at least so anomalous, all kinds taken together.

        A kind that calibration never saw is judged by the kind with the fewest blocks.
        """
        strength = joint(strengths, len(kinds))
        fallback = min(self.fused, key=lambda kind: (self.fused[kind].blocks, kind))
        out = np.empty(len(kinds))
        for kind in np.unique(kinds).tolist():
            mine = kinds == kind
            extremes = self.fused.get(kind, self.fused[fallback])
            rate = extremes.log_per_day(strength[mine])
            alone = [each[mine] for name, each in strengths.items() if _may_fire_alone(kind, name)]
            if alone:
                strongest = np.max(alone, axis=0) / _caution(extremes.blocks)
                rate = np.minimum(rate, extremes.log_rate[0] + np.log10(len(strengths)) - strongest)
            out[mine] = rate - np.log10(self._part(kind))
        return out

    def _part(self, kind: int) -> float:
        """Part of the budget that a kind may use."""
        if SHARED not in self.fused or len(self.fused) == 1:
            return 1.0 / len(self.fused)
        return SHARED_PART if kind == SHARED else (1.0 - SHARED_PART) / (len(self.fused) - 1)

    def to_json(self) -> dict[str, Any]:
        """Plain records."""
        parts = {name: part.to_json() for name, part in self.parts.items()}
        return {"parts": parts, "fused": {str(kind): asdict(extremes) for kind, extremes in self.fused.items()}}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Fusion":
        """Read what ``to_json`` wrote; raises InvalidError where it is damaged."""
        try:
            parts = {str(name): Calibration.from_json(part) for name, part in record["parts"].items()}
            fused = {int(kind): _extremes(extremes) for kind, extremes in record["fused"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(f"damaged calibration: {error!r}", "train the bundle again") from error
        if not fused:
            raise InvalidError("the calibration is empty", "train the bundle on logs with at least one closed window")
        return cls(parts, fused)


def _caution(blocks: int) -> float:
    """By how much more it takes: few blocks may all have been quiet ones, so they promise less."""
    return 1.0 + 1.0 / blocks


def _may_fire_alone(kind: int, name: str) -> bool:
    """Whether a detector may fire alone on windows of a kind."""
    return kind == SHARED or (kind == SOURCE and name == COUNTS_ALWAYS)


def _extremes(record: Mapping[str, Any]) -> BlockMaxima:
    return BlockMaxima(
        loc=float(record["loc"]),
        scale=float(record["scale"]),
        blocks_per_day=float(record["blocks_per_day"]),
        blocks=int(record["blocks"]),
        knots=tuple(map(float, record["knots"])),
        log_rate=tuple(map(float, record["log_rate"])),
    )


def joint(strengths: Mapping[str, F64], n: int) -> F64:
    """Norm of the strengths above what is common (n,)."""
    total = np.zeros(n)
    for _, strength in sorted(strengths.items()):
        total += np.maximum(strength - COMMON, 0.0) ** NORM
    return np.asarray(total ** (1.0 / NORM), np.float64)


def blocks_of(tenants: Sequence[str], end: I64) -> I64:
    """Number of the block of each window (n,): a tenant's stretch of ten minutes."""
    numbers: dict[tuple[str, int], int] = {}
    pairs = zip(tenants, (end // BLOCK_US).tolist(), strict=True)
    return np.fromiter((numbers.setdefault(pair, len(numbers)) for pair in pairs), np.int64, len(tenants))


def fit_fused(kinds: I32, blocks: I64, strengths: Mapping[str, F64], days: float) -> dict[int, BlockMaxima]:
    """Fit every kind to normal windows: their kinds (n,), blocks (n,), strengths (n,) by detector, and days.

    Detectors that ``strengths`` leaves out have no say, so it also tells what fewer of them would be worth.

    Raises:
        InvalidError: there is no window.
    """
    strength = joint(strengths, len(kinds))
    found = {kind: kinds == kind for kind in np.unique(kinds).tolist()}
    return {kind: fit_extremes(strength[mine], blocks[mine], days) for kind, mine in found.items()}


def fit_extremes(strength: F64, blocks: I64, days: float) -> BlockMaxima:
    """Fit one kind: joint strengths (n,) of normal windows, the block of each (n,), and the days that they stand for.

    Raises:
        InvalidError: there is no window.
    """
    n = len(strength)
    if n == 0:
        raise InvalidError("no window to calibrate on", "give logs of normal operation that are at least a minute long")
    numbers, place = np.unique(blocks, return_inverse=True)
    maxima = np.zeros(len(numbers))
    np.maximum.at(maxima, place, strength)
    count = len(maxima)
    low, middle, high = np.quantile(maxima, (0.25, 0.5, 0.75))
    scale = max(float(high - low) / _QUARTILES, _SINGLE_SCALE + _WIDER * min(1.0, _MANY / count))
    if count >= _MANY:
        scale = max(scale, float(np.quantile(maxima, 0.9) - middle) / _UPPER)
    scale *= _caution(count)
    ordered = np.sort(strength)
    values, first = np.unique(ordered, return_index=True)
    if len(values) > KNOTS:
        at = np.unique(np.linspace(0, len(values) - 1, KNOTS).round().astype(int))
        values, first = values[at], first[at]
    rate = np.log10((n - first) / days)
    return BlockMaxima(
        loc=round(max(float(middle) - _MEDIAN * scale, 0.0), 9),
        scale=round(scale, 9),
        blocks_per_day=count / days,
        blocks=count,
        knots=tuple(values.tolist()),
        log_rate=tuple(np.round(rate, 9).tolist()),
    )
