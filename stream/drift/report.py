"""The verdict on drift: is all well, or is the bundle to be calibrated or trained anew, or do masks miss?"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

from models.calibration.recognition import some_names
from models.features.sequences import SEQUENCE_KINDS, SHARED
from models.rfc3339 import DAY
from stream.drift.counts import DriftCounts
from stream.drift.statistics import binomial_tail, stability_index

FALSE_PER_DAY: Final = 1 / 30
"""False alarms of drift a day, of all services together: one a month, as the budget of the project has it."""

USUALLY: Final = 0.1
"""Share of stretches that may be unusual without drift: a judgement.  Faults and restarts bring unknown lines, too,
and fire windows; they last for minutes to hours, and drift goes on."""

MOST_UNKNOWN: Final = 0.01
"""Share of a stretch's lines with unknown texts above which it is unusual, and
``LEAST_LINES`` below which it says nothing.  Judgements: between what a day after a training brings and what a release
does."""

LEAST_LINES: Final = 20

MOVED: Final = 0.25
"""Population stability index above which scores have moved much, the usual limit, and
``LEAST_SCORES`` below which there is none: a judgement, ten in each decile and more."""

LEAST_SCORES: Final = 500

_LOAD: Final = SEQUENCE_KINDS[SHARED]
"""Windows whose scores are told and not judged: on a quiet weekend their index was 0.4 to 0.7 against a weekday's."""

MANY_TEXTS: Final = 50
"""Distinct unknown texts of a service from which on, if ``TEXTS_A_LINE`` of its unknown lines has one of its own,
values stand in them that no mask cuts out; from ``TOO_MANY_TEXTS`` on in any case.  Judgements: a release brings dozens
of texts that are written again and again, and a reader tells at most ``TemplateLimits.new_per_service``."""

TEXTS_A_LINE: Final = 0.3

TOO_MANY_TEXTS: Final = 500

NEW_STRETCHES: Final = 3
"""Stretches in which a service that the training has not seen must have written before it counts: a judgement, half an
hour of something new."""

STALE_DAYS: Final = 30.0
"""Days since the end of the training's logs from which on its age is told, as of the alert TocsinModelStale."""


class DriftVerdict(StrEnum):
    """What to do."""

    WELL = "all well"
    RECALIBRATE = "recalibrate"
    TRAIN = "train anew"
    MASKS = "masks missing"


@dataclass(frozen=True, slots=True)
class ServiceDrift:
    """Unknown lines of a service, and in how many of its stretches of ten minutes they were unusually many.

    ``chance`` is the probability of so many without drift, ``texts`` how many distinct texts there are, ``example`` one
    of them.
    """

    service: str
    lines: int
    unknown: int
    stretches: int
    unusual: int
    chance: float
    texts: int
    example: str

    @property
    def lacks_masks(self) -> bool:
        """Whether its unknown texts are mostly values that no mask cuts out."""
        return self.texts >= MANY_TEXTS and self.texts >= min(TEXTS_A_LINE * self.unknown, TOO_MANY_TEXTS)

    @property
    def text(self) -> str:
        """Return it as a sentence."""
        share = self.unknown / self.lines
        return (
            f"{self.service}: {share:.1%} of {self.lines:,} lines have a text that the training has not seen "
            f"({self.texts} texts, such as {self.example[:100]!r}), unusually many in {self.unusual} of "
            f"{self.stretches} stretches of ten minutes"
        )


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What a check found; ``age_days`` is how old the training's logs are, None where that is not known."""

    days: float
    lines: int
    drifted: tuple[ServiceDrift, ...]
    new_services: tuple[str, ...]
    stability: Mapping[str, float]
    """Population stability index of the scores by kind of window."""
    stretches: int
    fired_stretches: int
    fires_too_often: bool
    rejects: int
    age_days: float | None

    @property
    def verdict(self) -> DriftVerdict:
        """What to do."""
        if any(service.lacks_masks for service in self.drifted):
            return DriftVerdict.MASKS
        if self.drifted or self.new_services:
            return DriftVerdict.TRAIN
        if self.fires_too_often or any(self._has_moved(kind) for kind in self.stability):
            return DriftVerdict.RECALIBRATE
        return DriftVerdict.WELL

    def _has_moved(self, kind: str) -> bool:
        """Whether scores of a kind of window have moved; those over everything go with the load, day and week."""
        return kind != _LOAD and self.stability[kind] > MOVED

    def to_record(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"verdict": self.verdict, "sentence": self.sentence, **asdict(self)}

    @property
    def sentence(self) -> str:
        """Return the verdict in words, with what to do."""
        names = some_names([service.service for service in self.drifted] + list(self.new_services))
        match self.verdict:
            case DriftVerdict.MASKS:
                lacking = some_names([service.service for service in self.drifted if service.lacks_masks])
                return f"masks missing: texts of {lacking} hold values; add masks (TOCSIN_MASKS), then train anew"
            case DriftVerdict.TRAIN:
                return f"train anew: the bundle does not know what is written today by {names}"
            case DriftVerdict.RECALIBRATE:
                return (
                    "recalibrate, unless these were faults: the texts are known, and windows score otherwise than in "
                    "training"
                )
            case DriftVerdict.WELL:
                return "all well: the logs look as those of the training did"

    def lines_of_text(self) -> Iterator[str]:
        """Yield it for people, the verdict first."""
        yield self.sentence
        yield from (f"  {service.text}" for service in self.drifted)
        if self.new_services:
            yield f"  services that the training has not seen: {some_names(self.new_services)}"
        for kind, index in self.stability.items():
            moved = ": they have moved" if self._has_moved(kind) else ""
            yield f"  scores of {kind} windows: stability index {index:.2f} (usual up to {MOVED}){moved}"
        often = ": too often" if self.fires_too_often else ""
        yield f"  windows fired in {self.fired_stretches} of {self.stretches} stretches of ten minutes{often}"
        if self.rejects:
            share = self.rejects / (self.rejects + self.lines)
            yield f"  {self.rejects:,} lines ({share:.1%}) could not be read: `tocsin formats` says why"
        if self.age_days is not None and self.age_days > STALE_DAYS:
            yield f"  the training's logs are {self.age_days:.0f} days old"
        yield f"  looked at: {self.lines:,} lines of {self.days:.1f} days"


def judge(
    counts: DriftCounts,
    known: frozenset[str],
    usual: Mapping[int, Sequence[tuple[float, float]]],
    learned: int | None,
) -> DriftReport:
    """Judge the counts of some logs.

    Args:
        counts: what was counted.
        known: services that the training has seen.
        usual: which scores are usual by kind of window (``Fusion.usual``).
        learned: end of the training's logs (microseconds), None where it is not known.
    """
    services = counts.services
    stretches_of: defaultdict[str, list[int]] = defaultdict(list)
    for service, number in counts.lines:
        stretches_of[service].append(number)
    # One half for what services write, the other for what fires.  Nobody looks more often than once a day for long.
    allowed = FALSE_PER_DAY / 2 * max(counts.days, 1.0)
    drift = [_service_drift(counts, service, stretches_of[service]) for service in sorted(services.keys() & known)]
    drifted = [one for one in drift if one.unusual and one.chance <= allowed / len(drift)]
    stretches = {stretch for _, stretch in counts.lines}
    fired = len(counts.fired & stretches)
    return DriftReport(
        days=counts.days,
        lines=counts.total,
        drifted=tuple(sorted(drifted, key=lambda one: one.chance)),
        new_services=tuple(
            sorted(name for name in services.keys() - known if len(stretches_of[name]) >= NEW_STRETCHES)
        ),
        stability=_stability(counts, usual),
        stretches=len(stretches),
        fired_stretches=fired,
        fires_too_often=binomial_tail(fired, len(stretches), USUALLY) <= allowed,
        rejects=counts.rejects,
        age_days=None if learned is None else max(counts.last - learned, 0) / DAY,
    )


def _service_drift(counts: DriftCounts, service: str, stretches: Sequence[int]) -> ServiceDrift:
    places = [(service, number) for number in stretches]
    telling = [place for place in places if counts.lines[place] >= LEAST_LINES]
    unusual = sum(counts.unknown[place] > MOST_UNKNOWN * counts.lines[place] for place in telling)
    return ServiceDrift(
        service=service,
        lines=sum(counts.lines[place] for place in places),
        unknown=sum(counts.unknown[place] for place in places),
        stretches=len(telling),
        unusual=unusual,
        chance=binomial_tail(unusual, len(telling), USUALLY),
        texts=len(counts.texts[service]),
        example=counts.examples.get(service, ""),
    )


def _stability(counts: DriftCounts, usual: Mapping[int, Sequence[tuple[float, float]]]) -> dict[str, float]:
    """Return the stability index of each kind of window of which enough closed."""
    out = {}
    for kind, parts in sorted(counts.scores.items()):
        scores = np.concatenate(parts)
        if kind in usual and len(scores) >= LEAST_SCORES:
            out[SEQUENCE_KINDS[kind]] = round(stability_index(usual[kind], scores), 3)
    return out
