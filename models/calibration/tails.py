"""From a detector's raw scores to tail probabilities.

Windows of normal logs that training did not see say how often a raw score is reached by chance.  Below the 98 %
quantile their empirical distribution is used; above it a generalised Pareto tail is fitted to what exceeds it
(Pickands 1975; for anomaly scores as in Siffer et al., KDD 2017), never shorter than exponential, so that the score
goes on ranking far beyond anything seen.  Where too few samples exceed it, the tail is exponential with the detector's
own unit as its scale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.arrays import unique
from models.errors import InvalidError
from models.records import F64, I32

TAIL: Final = 0.02
"""Share of the calibration scores that the tail is fitted to, a judgement."""

MIN_TAIL: Final = 10
"""Samples that the tail is fitted to at least, a judgement."""

KNOTS: Final = 200
"""Points of the empirical distribution that are kept, a judgement: it bounds the size of a bundle."""

_MAX_SHAPE: Final = 0.5
"""Largest shape of a Pareto tail, a judgement: from 0.5 on its variance is infinite."""

_PRIOR: Final = 50
"""Samples that an exponential tail counts for beside those seen: the shape of a few dozen is mostly chance, and one
estimated too long hides all that is far out (0, 50, 100 and 200 tried: 50 found twice the silent services of 0)."""

STRONGEST: Final = 50.0
"""Largest strength of one part, in powers of ten: beyond this, more of the same adds nothing."""


@dataclass(frozen=True, slots=True)
class Tail:
    """How likely a raw score is reached or passed on normal data, for one kind of window.

    ``knots`` are raw scores, ascending, and ``log_p`` the natural logarithms of the probabilities there; above the last
    knot follows a Pareto tail of ``scale`` and ``shape``.  ``samples`` windows stand behind it.
    """

    knots: tuple[float, ...]
    log_p: tuple[float, ...]
    scale: float
    shape: float
    samples: int

    def log_probability(self, raw: F64) -> F64:
        """Return the natural logarithm of the tail probability of each raw score (n,), which falls strictly with it."""
        inside = np.interp(raw, self.knots, self.log_p)
        beyond = np.maximum(raw - self.knots[-1], 0.0) / self.scale
        tail = -np.log1p(self.shape * beyond) / self.shape if self.shape else -beyond
        return np.asarray(inside + tail, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Tails of one detector per kind of window (``models.features.sequences.kind_number``)."""

    tails: Mapping[int, Tail]

    def strength(self, kinds: I32, raw: F64) -> F64:
        """Return -log10 of the tail probability of each raw score (n,); 0 where that is NaN or its kind unknown."""
        strength = np.zeros(len(raw))
        for kind, tail in self.tails.items():
            windows = np.flatnonzero((kinds == kind) & ~np.isnan(raw))
            if len(windows):
                strength[windows] = -tail.log_probability(raw[windows]) / np.log(10.0)
        return np.asarray(np.round(np.clip(strength, 0.0, STRONGEST), 6), np.float64)

    def to_json(self) -> dict[str, Any]:
        """Return plain records."""
        return {
            str(kind): {
                "knots": list(tail.knots),
                "log_p": list(tail.log_p),
                "scale": tail.scale,
                "shape": tail.shape,
                "samples": tail.samples,
            }
            for kind, tail in self.tails.items()
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Calibration":
        """Read what ``to_json`` returned.

        Raises:
            InvalidError: it is damaged.
        """
        try:
            tails = {
                int(kind): Tail(
                    knots=tuple(map(float, tail["knots"])),
                    log_p=tuple(map(float, tail["log_p"])),
                    scale=float(tail["scale"]),
                    shape=float(tail["shape"]),
                    samples=int(tail["samples"]),
                )
                for kind, tail in record.items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(f"damaged calibration: {error!r}", "train the bundle again") from error
        return cls(tails)


def fit_tail(raw: F64, unit: float = 1.0) -> Tail:
    """Fit the tail of one kind of window.

    Args:
        raw: raw scores (n,) of normal windows.
        unit: by how much a raw score must rise to mean something: the scale where there are too few samples to tell.

    Raises:
        InvalidError: there is no score.
    """
    n = len(raw)
    if n == 0:
        raise InvalidError("no window to calibrate on", "give logs of normal operation that are at least a minute long")
    ordered = np.sort(raw)
    exceed = max(min(MIN_TAIL, n), round(TAIL * n))
    threshold = float(ordered[n - exceed])
    over = ordered[ordered > threshold] - threshold
    scale, shape = _pareto(over, unit)
    # Probability to reach a score: the share of samples at least as high, counted with the window itself.
    values, first = np.unique(ordered[ordered <= threshold], return_index=True)
    p = (n - first + 1) / (n + 1)
    if len(values) > KNOTS:
        kept = unique(np.linspace(0, len(values) - 1, KNOTS).round().astype(int))
        values, p = values[kept], p[kept]
    log_p = np.log(p)
    # Beyond the threshold go on from the probability to exceed it; its own may hold many equal scores.
    above = (len(over) + 1) / (n + 1)
    step = 1e-9 * max(unit, abs(threshold))
    knots = [*values.tolist(), threshold + step]
    return Tail(
        knots=tuple(knots),
        log_p=(*log_p.tolist(), float(min(np.log(above), log_p[-1] - 1e-9))),
        scale=scale,
        shape=shape,
        samples=n,
    )


def _pareto(over: F64, unit: float) -> tuple[float, float]:
    """Return scale and shape of a generalised Pareto distribution.

    They are fitted by probability-weighted moments (Hosking and Wallis 1987).
    The shape is drawn towards an exponential tail.  Where too few samples exceed the threshold to say anything, the
    tail is exponential: fifteen minutes of logs then teach enough to find bursts of errors, where a long tail would let
    nothing pass that a day has not shown to be rare.  It falls slowly enough that the largest sample is as likely as
    one of so many is.
    """
    if len(over) < MIN_TAIL:
        return max(float(over.max()) / float(np.log(len(over) + 1)) if len(over) else 0.0, unit), 0.0
    ordered = np.sort(over)
    mean = float(ordered.mean())
    weights = (len(ordered) - np.arange(1, len(ordered) + 1)) / (len(ordered) - 1)
    weighted = float((weights * ordered).mean())
    shape = 2.0 - mean / (mean - 2.0 * weighted) if mean > 2.0 * weighted else _MAX_SHAPE
    shape = float(np.clip(shape, 0.0, _MAX_SHAPE)) * len(over) / (len(over) + _PRIOR)
    return max(mean * (1.0 - shape), unit / 4), shape
