"""From raw scores to expected false alarms.

Windows of normal logs that training did not see say how often a raw score is reached by chance.  Below the 98 %
quantile their empirical distribution is used; above it a generalised Pareto tail is fitted to what exceeds it
(Pickands 1975; for anomaly scores as in Siffer et al., KDD 2017), never shorter than exponential, so that the score
goes on ranking far beyond anything seen and a small sample does not promise more than it knows.

The number that comes out has one meaning for every kind of window and every tenant: how many windows at least as
anomalous a tenant would show in a day of normal operation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.errors import InvalidError
from models.records import F64, I32

TAIL: Final = 0.02
"""Share of the calibration scores that the tail is fitted to."""

MIN_TAIL: Final = 10
KNOTS: Final = 200
"""Points of the empirical distribution that are kept."""

_MAX_SHAPE: Final = 0.5
_LEAST_SCALE: Final = 1.0
_UNKNOWN_SCALE: Final = 4.0
"""In nats: what one event adds whose template is new."""


@dataclass(frozen=True, slots=True)
class Tail:
    """How likely a raw score is reached or passed on normal data, for one kind of window.

    ``knots`` are raw scores, ascending, and ``log_p`` the natural logarithms of the probabilities there; above the last
    knot follows a Pareto tail of ``scale`` and ``shape``.  ``samples`` windows stand behind it; ``per_day`` is how many
    windows of the kind a tenant has in a day.
    """

    knots: tuple[float, ...]
    log_p: tuple[float, ...]
    scale: float
    shape: float
    samples: int
    per_day: float

    def log_probability(self, raw: F64) -> F64:
        """Natural logarithm of the tail probability of each raw score (n,); strictly falling where scores rise."""
        inside = np.interp(raw, self.knots, self.log_p)
        beyond = np.maximum(raw - self.knots[-1], 0.0) / self.scale
        tail = -np.log1p(self.shape * beyond) / self.shape if self.shape else -beyond
        return np.asarray(inside + tail, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Tails per kind of sequence (``models.sequences.kind_number``)."""

    tails: Mapping[int, Tail]

    def false_alarms(self, kinds: I32, raw: F64) -> F64:
        """log10 of the expected windows a day and tenant that are at least so anomalous, all kinds taken together.

        A kind that calibration never saw is judged by the tail of the kind with the fewest samples.
        """
        share = len(self.tails)
        out = np.empty(len(raw), np.float64)
        fallback = min(self.tails.values(), key=lambda tail: tail.samples)
        for kind in np.unique(kinds).tolist():
            mine = kinds == kind
            tail = self.tails.get(kind, fallback)
            log_rate = tail.log_probability(raw[mine]) + np.log(tail.per_day * share)
            out[mine] = log_rate / np.log(10.0)
        return out

    def to_json(self) -> dict[str, Any]:
        """Plain records."""
        return {
            str(kind): {
                "knots": list(tail.knots),
                "log_p": list(tail.log_p),
                "scale": tail.scale,
                "shape": tail.shape,
                "samples": tail.samples,
                "per_day": tail.per_day,
            }
            for kind, tail in self.tails.items()
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Calibration":
        """Read what ``to_json`` wrote; raises InvalidError where it is damaged."""
        try:
            tails = {
                int(kind): Tail(
                    knots=tuple(map(float, tail["knots"])),
                    log_p=tuple(map(float, tail["log_p"])),
                    scale=float(tail["scale"]),
                    shape=float(tail["shape"]),
                    samples=int(tail["samples"]),
                    per_day=float(tail["per_day"]),
                )
                for kind, tail in record.items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(f"damaged calibration: {error!r}; train the bundle again") from error
        if not tails:
            raise InvalidError("the calibration is empty; train the bundle on logs with at least one closed window")
        return cls(tails)


def fit_tail(raw: F64, days: float) -> Tail:
    """Fit the tail of one kind to raw scores (n,) of normal windows.

    ``days`` is the time that they stand for, added up over tenants.

    Raises:
        InvalidError: there is no score.
    """
    n = len(raw)
    if n == 0:
        raise InvalidError("no window to calibrate on; give logs of normal operation that are at least a minute long")
    ordered = np.sort(raw)
    exceed = max(min(MIN_TAIL, n), round(TAIL * n))
    threshold = float(ordered[n - exceed])
    over = ordered[ordered > threshold] - threshold
    scale, shape = _pareto(over)
    # Probability to reach a score: the share of samples at least as high, counted with the window itself.
    values, first = np.unique(ordered[ordered <= threshold], return_index=True)
    p = (n - first + 1) / (n + 1)
    if len(values) > KNOTS:
        at = np.unique(np.linspace(0, len(values) - 1, KNOTS).round().astype(int))
        values, p = values[at], p[at]
    log_p = np.log(p)
    # Beyond the threshold go on from the probability to exceed it; its own may hold many equal scores.
    above = (len(over) + 1) / (n + 1)
    step = 1e-9 * max(1.0, abs(threshold))
    knots = [*values.tolist(), threshold + step]
    return Tail(
        knots=tuple(knots),
        log_p=(*log_p.tolist(), float(min(np.log(above), log_p[-1] - 1e-9))),
        scale=scale,
        shape=shape,
        samples=n,
        per_day=max(n / days, 1.0),
    )


def _pareto(over: F64) -> tuple[float, float]:
    """Scale and shape of a generalised Pareto distribution by probability-weighted moments (Hosking and Wallis 1987).

    Where too few samples exceed the threshold to say anything, a long tail is assumed.
    """
    if len(over) < MIN_TAIL:
        return max(float(over.mean()) if len(over) else 0.0, _UNKNOWN_SCALE), _MAX_SHAPE
    ordered = np.sort(over)
    mean = float(ordered.mean())
    weights = (len(ordered) - np.arange(1, len(ordered) + 1)) / (len(ordered) - 1)
    weighted = float((weights * ordered).mean())
    shape = 2.0 - mean / (mean - 2.0 * weighted) if mean > 2.0 * weighted else _MAX_SHAPE
    shape = float(np.clip(shape, 0.0, _MAX_SHAPE))
    return max(mean * (1.0 - shape), _LEAST_SCALE), shape
