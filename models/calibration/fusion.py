"""From the strengths of all detectors to one number: expected false alarms.

Each detector's raw score becomes a strength, -log10 of its tail probability on normal windows of the kind.  Strengths
are joined by a p-norm, in which a single strong detector counts fully and many weak ones add up.  How often the
joint strength is reached by chance is taken from block maxima: the largest value in each ten minutes of each tenant
follows a Gumbel distribution (Fisher and Tippett 1928), fitted to the quartiles, which a few faults among the normal
logs do not move.  Windows overlap and normal oddities come in clusters, so ten thousand windows are far fewer
independent samples; blocks count each cluster once, and a kind of window that varies from block to block gets a wider
scale.

Where a single detector's tail probability is small enough for all windows of a day and all detectors (Bonferroni), it
needs no other: block maxima of all detectors together say little about the range of a single one.  This holds for
windows over everything, and for errors of a source, which may be all that counts of it; other tails rest on too few
windows.

Signs of failure (``models.calibration.sign_rates``) are no part of the joint strength: how often each is a false alarm
is known beforehand, so a window may fire by one alone after minutes of training, where few blocks widen all else.  Both
look at the same lines, so the rarer of the two counts; the other only ranks windows that are equally rare by it.

The number that comes out has one meaning for every kind of window and every tenant: how many windows at least as
anomalous a tenant would show in a day of normal operation, all kinds taken together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from models.arrays import unique
from models.calibration.service_state import COUNTS_ALWAYS
from models.calibration.sign_rates import PER_DAY, SignRates
from models.calibration.tails import Calibration
from models.detectors.signs import Signs
from models.errors import InvalidError
from models.features.sequences import SHARED, SOURCE
from models.records import F64, I32, I64

NORM: Final = 1.4
"""Power of the norm that joins strengths: between their sum (1), by which weak detectors that look at the same events
outweigh a single strong one, and their largest (infinity).  Chosen among 1, 1.25, 1.33, 1.4, 1.5, 2, 3, 4
and 8 on labelled runs and the simulator: 2 found half as many faults at the same budget."""

COMMON: Final = 0.75
"""Strength up to which a detector adds nothing: one window in six is as strange.  0.5, 0.75, 0.85, 1, 1.25 and 1.5 were
tried: from 1 on faults that few detectors see are lost, below 0.75 weak detectors hide small faults."""

BLOCK_US: Final = 600_000_000
"""Length of a block in microseconds, a judgement: ten minutes, longer than most clusters of normal oddities."""

SHARED_PART: Final = 0.97
"""Share of the budget of false alarms for windows over everything; the other kinds share the rest.

On real faults the former rank far better.  The latter say where a fault is, and find faults of one service in large
clouds, where windows over everything hold too much else."""

KNOTS: Final = 100
"""Points of the empirical rate that are kept, a judgement: it bounds the size of a bundle."""

_SINGLE_SCALE: Final = 0.4342944819032518
"""Scale of the strength of a single detector that is calibrated perfectly: one over the logarithm of ten."""

_WIDER: Final = 0.4
"""What is added to the least scale, less of it from ``_MANY`` blocks on.  Detectors look at the same events, so their
joint strength rises by chance faster than a single one's, and in its largest values faster than its quartiles show.
A judgement."""

_MANY: Final = 400
"""Blocks from which the data may narrow the scale, and it is fitted to the upper tenth as well.  (With 100, twice as
many false alarms passed on 396 real ones.)"""

_MEDIAN: Final = -float(np.log(np.log(2.0)))
"""Median of a Gumbel distribution with location 0 and scale 1."""

_QUARTILES: Final = float(np.log(np.log(4.0) / np.log(4.0 / 3.0)))
"""Distance of its quartiles."""

_UPPER: Final = -float(np.log(-np.log(0.9))) - _MEDIAN
"""Distance of its upper tenth from the median."""

_BESIDE: Final = 0.01
"""What the less rare of a sign and the joint strength adds, a judgement: enough to rank windows with the same sign.
With 1, a lone error rang louder for what repeats it: of 70 failing and 45 normal runs of a real cloud, the area under
the ROC curve was 0.9816 instead of 0.9832."""

_DECILES: Final = np.arange(1, 10) / 10

_DECADE: Final = float(np.log(10.0))
"""A factor of ten in nats."""


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
        """Return log10 of how often a day each joint strength (n,) is reached; strictly falling beyond ``loc``."""
        blocks = float(np.log10(self.blocks_per_day))
        beyond = blocks - (strength - self.loc) / self.scale / _DECADE
        within = np.maximum(np.interp(strength, self.knots, self.log_rate), blocks)
        return np.where(strength > self.loc, beyond, within)


@dataclass(frozen=True, slots=True)
class Fusion:
    """Calibrations of the detectors by name, and of their joint strength per kind of window.

    ``signs`` are the rates of false alarms of signs of failure.  ``usual`` says for each kind of window which scores
    are usual: ascending scores, each with the share of windows at or below it.  Bundles of older versions have neither.
    """

    parts: Mapping[str, Calibration]
    fused: Mapping[int, BlockMaxima]
    signs: SignRates | None = None
    usual: Mapping[int, tuple[tuple[float, float], ...]] = field(default_factory=dict)

    def strengths(self, kinds: I32, raws: Mapping[str, F64]) -> dict[str, F64]:
        """Return the strength of each detector (n,), 0 where its raw score is NaN."""
        out = {name: self.parts[name].strength(kinds, raw) for name, raw in raws.items() if name in self.parts}
        if self.signs is not None and Signs.name in raws:
            out[Signs.name] = self.signs.strength(raws[Signs.name])
        return out

    def false_alarms(self, kinds: I32, strengths: Mapping[str, F64]) -> F64:
        """Return log10 of the expected windows a day and tenant that are at least as anomalous, of all kinds.

        A kind that calibration never saw is calibrated as the kind with the fewest blocks.

        Args:
            kinds: kind of each window (n,).
            strengths: strength of each window (n,) by detector.
        """
        strength = joint(strengths, len(kinds))
        fallback = min(self.fused, key=lambda kind: (self.fused[kind].blocks, kind))
        log_rate = np.empty(len(kinds))
        for kind in unique(kinds).tolist():
            of_kind = kinds == kind
            maxima = self.fused.get(kind, self.fused[fallback])
            rate = maxima.log_per_day(strength[of_kind])
            alone = [part[of_kind] for name, part in strengths.items() if _may_fire_alone(kind, name)]
            if alone:
                strongest = np.max(alone, axis=0) / _caution(maxima.blocks)
                others = len(strengths.keys() - {Signs.name})
                rate = np.minimum(rate, maxima.log_rate[0] + np.log10(others) - strongest)
            log_rate[of_kind] = rate - np.log10(self._share(kind))
        signs = strengths.get(Signs.name)
        if signs is not None:
            log_rate = np.where(signs > 0, _rarer(log_rate, np.log10(PER_DAY) - signs), log_rate)
        return log_rate

    def _share(self, kind: int) -> float:
        """Share of the budget that a kind may use."""
        if SHARED not in self.fused or len(self.fused) == 1:
            return 1.0 / len(self.fused)
        return SHARED_PART if kind == SHARED else (1.0 - SHARED_PART) / (len(self.fused) - 1)

    def to_json(self) -> dict[str, Any]:
        """Return plain records."""
        parts = {name: part.to_json() for name, part in self.parts.items()}
        fused = {str(kind): asdict(of_kind) for kind, of_kind in self.fused.items()}
        signs = {} if self.signs is None else {"signs": self.signs.to_json()}
        usual = {"usual": {str(kind): shares for kind, shares in self.usual.items()}} if self.usual else {}
        return {"parts": parts, "fused": fused, **signs, **usual}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Fusion":
        """Read what ``to_json`` returned.

        Raises:
            InvalidError: it is damaged or empty.
        """
        try:
            parts = {str(name): Calibration.from_json(part) for name, part in record["parts"].items()}
            fused = {int(kind): _extremes(extremes) for kind, extremes in record["fused"].items()}
            usual = {
                int(kind): tuple((float(score), float(share)) for score, share in shares)
                for kind, shares in record.get("usual", {}).items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(f"damaged calibration: {error!r}", "train the bundle again") from error
        if not fused:
            raise InvalidError("the calibration is empty", "train the bundle on logs with at least one closed window")
        return cls(parts, fused, SignRates.from_json(record["signs"]) if "signs" in record else None, usual)


def usual_scores(kinds: I32, scores: F64) -> dict[int, tuple[tuple[float, float], ...]]:
    """Return for each kind of window the deciles of scores (n,), without repetition, and the share at or below each."""
    usual = {}
    for kind in unique(kinds).tolist():
        of_kind = np.sort(scores[kinds == kind])
        deciles = np.unique(np.quantile(of_kind, _DECILES, method="lower"))
        shares = np.searchsorted(of_kind, deciles, "right") / len(of_kind)
        usual[kind] = tuple(zip(deciles.tolist(), shares.tolist(), strict=True))
    return usual


def _rarer(log_rate: F64, other: F64) -> F64:
    """Return the smaller of two log10 of windows a day (n,): days until a window, and ``_BESIDE`` of the other's."""
    days = np.maximum(-log_rate, -other), np.minimum(-log_rate, -other) + np.log10(_BESIDE)
    rarer: F64 = -np.logaddexp(days[0] * _DECADE, days[1] * _DECADE) / _DECADE
    return rarer


def _caution(blocks: int) -> float:
    """Factor on the scale, 1 for infinitely many blocks: few blocks may all have been quiet ones."""
    return 1.0 + 1.0 / blocks


def _may_fire_alone(kind: int, name: str) -> bool:
    """Whether a detector may fire alone on windows of a kind."""
    return name != Signs.name and (kind == SHARED or (kind == SOURCE and name == COUNTS_ALWAYS))


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
    """Return the p-norm of the strengths (n,) above ``COMMON``; signs of failure are no part of it."""
    total = np.zeros(n)
    for name, strength in sorted(strengths.items()):
        if name != Signs.name:
            total += np.maximum(strength - COMMON, 0.0) ** NORM
    return np.asarray(total ** (1.0 / NORM), np.float64)


def blocks_of(tenants: Sequence[str], end: I64) -> I64:
    """Return the number of the block of each window (n,): ten minutes of one tenant."""
    numbers: dict[tuple[str, int], int] = {}
    pairs = zip(tenants, (end // BLOCK_US).tolist(), strict=True)
    return np.fromiter((numbers.setdefault(pair, len(numbers)) for pair in pairs), np.int64, len(tenants))


def fit_fused(kinds: I32, blocks: I64, strengths: Mapping[str, F64], days: float) -> dict[int, BlockMaxima]:
    """Fit the block maxima of every kind of window.

    Args:
        kinds: kind of each normal window (n,).
        blocks: block of each window (n,).
        strengths: strength of each window (n,) by detector; those left out count nothing, as in an ablation.
        days: days of logs that the windows stand for.

    Raises:
        InvalidError: there is no window.
    """
    strength = joint(strengths, len(kinds))
    by_kind = {kind: kinds == kind for kind in unique(kinds).tolist()}
    return {kind: fit_extremes(strength[of_kind], blocks[of_kind], days) for kind, of_kind in by_kind.items()}


def fit_extremes(strength: F64, blocks: I64, days: float) -> BlockMaxima:
    """Fit the block maxima of one kind of window.

    Args:
        strength: joint strength of each normal window (n,).
        blocks: block of each window (n,).
        days: days of logs that the windows stand for.

    Raises:
        InvalidError: there is no window.
    """
    n = len(strength)
    if n == 0:
        raise InvalidError("no window to calibrate on", "give logs of normal operation that are at least a minute long")
    numbers, block = np.unique(blocks, return_inverse=True)
    maxima = np.zeros(len(numbers))
    np.maximum.at(maxima, block, strength)
    count = len(maxima)
    low, middle, high = np.quantile(maxima, (0.25, 0.5, 0.75))
    scale = max(float(high - low) / _QUARTILES, _SINGLE_SCALE + _WIDER * min(1.0, _MANY / count))
    if count >= _MANY:
        scale = max(scale, float(np.quantile(maxima, 0.9) - middle) / _UPPER)
    scale *= _caution(count)
    ordered = np.sort(strength)
    values, first = np.unique(ordered, return_index=True)
    if len(values) > KNOTS:
        kept = unique(np.linspace(0, len(values) - 1, KNOTS).round().astype(int))
        values, first = values[kept], first[kept]
    rate = np.log10((n - first) / days)
    return BlockMaxima(
        loc=round(max(float(middle) - _MEDIAN * scale, 0.0), 9),
        scale=round(scale, 9),
        blocks_per_day=count / days,
        blocks=count,
        knots=tuple(values.tolist()),
        log_rate=tuple(np.round(rate, 9).tolist()),
    )
