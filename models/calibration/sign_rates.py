"""How often a sign of failure is a false alarm: known beforehand, and giving way to what this cloud shows.

Each sign has a rate of false alarms a day in normal operation.  What is known beforehand counts as so many days of logs
(a Gamma prior of a Poisson rate); evidence of this cloud is in how many stretches of ten minutes a sign would have been
new, and in how much time.  The posterior mean is what was expected plus what was seen, over the time that both stand
for.  Of two signs of one window the rarer counts; at least so anomalous are all signs that are as rare, so that their
rates add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from models.arrays import unique
from models.detectors.signs import Sign, SignEvidence
from models.errors import InvalidError
from models.records import F64

PRIOR: Final[Mapping[Sign, float]] = {
    Sign.ERROR: 0.45,
    Sign.REFUSALS: 0.15,
    Sign.RESTARTS: 0.1,
    Sign.BURST: 0.1,
    Sign.SPREAD: 0.03,
    Sign.CRITICAL: 0.02,
}
"""False alarms a day of each sign, in clouds whose training showed none.

``tests.bench.sign_rates`` measures them: in 2.4 days of normal logs (a recorded cloud, 170 runs of a real one, the
simulator) after trainings of 15 minutes to two hours, first errors came 7 times, of which 4 told of instances that
really failed; the others never, so each less often than about once a day (95 % confidence).  How far below is a
judgement.  That all together stay below one a day, the default budget, is a decision: a first error just fires, with
little importance, as to be told of one that means nothing is better than not to be told of one that does.
"""

PRIOR_DAYS: Final = 1.0
"""Days of logs that the prior counts for, a judgement: one unlucky error in two hours of training is then enough for
lone errors not to fire, and after a week the cloud's own rate decides."""

PER_DAY: Final = 5760.0
"""Windows over everything a day, at a step of 15 seconds."""

_DAY_S: Final = 86_400.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class SignRates:
    """False alarms a day of each sign in this cloud."""

    per_day: Mapping[Sign, float]

    @classmethod
    def of(cls, evidence: SignEvidence) -> Self:
        """Return the posterior means."""
        days = PRIOR_DAYS + evidence.seconds / _DAY_S
        rates = {sign: (rate * PRIOR_DAYS + evidence.counts.get(sign, 0)) / days for sign, rate in PRIOR.items()}
        return cls({sign: round(rate, 6) for sign, rate in rates.items()})

    def strength(self, raw: F64) -> F64:
        """Return the strength (n,) of windows that show the signs ``raw`` (n,): -log10 of the share that do.

        It is 0 where there is none, or NaN.
        """
        out = np.zeros(len(raw))
        signs = np.nan_to_num(raw).astype(np.int64)
        for shown in unique(signs[signs > 0]).tolist():
            rarest = min(rate for sign, rate in self.per_day.items() if shown & sign)
            total = sum(rate for rate in self.per_day.values() if rate <= rarest)
            out[signs == shown] = max(float(np.log10(PER_DAY / total)), 0.0)
        return np.round(out, 6)

    def to_json(self) -> dict[str, float]:
        """Return the rates by name."""
        return {str(sign.name).lower(): rate for sign, rate in self.per_day.items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` returned.

        Raises:
            InvalidError: it is damaged.
        """
        try:
            rates = {Sign[name.upper()]: float(rate) for name, rate in record.items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(f"damaged rates of signs: {error!r}", "train the bundle again") from error
        if rates.keys() != PRIOR.keys() or min(rates.values()) <= 0:
            raise InvalidError("damaged rates of signs", "train the bundle again")
        return cls(rates)
