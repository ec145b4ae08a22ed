"""What a challenger must show, each by itself: pure functions of what was measured."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from alerts.messages.feedback import Opinion
from alerts.messages.wording import short_id
from models.registry.bundle_diff import BundleDiff
from models.rfc3339 import time_text
from stream.gate.labels import LabelledIncident
from stream.gate.report import GateCheck
from stream.gate.told_incidents import AS_SOON, ReviewedLogs, ToldIncident, pairs

CHANCE: Final = 0.95
"""Probability with which a challenger within its budget of false alarms passes.  A judgement, of usual tests."""

MORE_UNKNOWN: Final = 0.001
"""Share of all lines by which unknown ones may be more: a judgement, below what an update of one package brings."""

MORE_TEMPLATES: Final = 0.05
"""How many more templates the same lines may have, as a part of the champion's: a judgement.  A training on twice the
logs gave as many, one with half of the masks 11 % more on a real cloud's logs and 17 % on simulated ones."""

COSTLIER: Final = 0.1
"""How much more processor time and memory a challenger may take, as a part of the champion's; and
``LEAST_S`` and ``LEAST_MB``, below which a difference says nothing.  Judgements: processor time of the same work varies
by some per cent from run to run, and a start by a second."""

LEAST_S: Final = 5.0
LEAST_MB: Final = 20.0


def known_services(diff: BundleDiff) -> GateCheck:
    """No service is known less well than before: of one in shadow only errors count."""
    worse = {
        name: f"{change.before} before, {change.after} now"
        for name, change in diff.states.items()
        if _RANK[str(change.after)] < _RANK[str(change.before)]
    }
    worse |= dict.fromkeys(diff.services_gone, "the training has seen nothing of it")
    new = f", {len(diff.services_new)} new" if diff.services_new else ""
    text = f"{len(worse)} known less well than before{new}"
    return GateCheck("services", not worse, text, worse, figures={"services_known_less": len(worse)})


_RANK: Final[Mapping[str, int]] = {"learning": 0, "shadow": 1, "live": 2}


def unknown_lines(champion: ReviewedLogs, challenger: ReviewedLogs) -> GateCheck:
    """Lines with texts that the training never saw are not more."""
    limit = champion.unknown + MORE_UNKNOWN
    text = (
        f"{challenger.unknown:.2%} of all lines have a text that its training never saw, {champion.unknown:.2%} before"
    )
    figures = {"unknown_lines": challenger.unknown}
    return GateCheck("unknown lines", challenger.unknown <= limit, text, figures=figures)


def templates(champion: ReviewedLogs, challenger: ReviewedLogs) -> GateCheck:
    """The same lines have no more templates: more mean that values stand in texts, as where masks are missing."""
    most = math.floor(champion.templates * (1 + MORE_TEMPLATES)) + 1
    text = f"{challenger.templates} for the same lines, {champion.templates} before; above {most} values stand in texts"
    figures = {"templates": challenger.templates}
    return GateCheck("templates", challenger.templates <= most, text, figures=figures)


def new_incidents(
    champion: ReviewedLogs, challenger: ReviewedLogs, labels: Iterable[LabelledIncident], per_day: float
) -> GateCheck:
    """Incidents that only the challenger tells, and nobody called real, are within its budget (false alarms a day)."""
    real = [label.episode for label in labels if label.opinion is Opinion.REAL]
    new = [
        incident
        for old, incident in pairs(champion.incidents, challenger.incidents)
        if old is None and incident is not None and not any(incident.episode.is_same(one) for one in real)
    ]
    days = challenger.days
    limit = most_by_chance(per_day * days)
    text = f"{len(new)} that the champion does not tell, in {_span(days)}; of {per_day:g} a day chance makes {limit}"
    passed = len(new) <= limit
    return GateCheck("new incidents", passed, text, {} if passed else _named(new), figures={"new_incidents": len(new)})


def pages(champion: ReviewedLogs, challenger: ReviewedLogs, per_day: float | None, chance_per_day: float) -> GateCheck:
    """Nobody is paged more often than the rules allow, or, where they say nothing, than before but for chance."""
    days = challenger.days
    if per_day is None:
        limit = champion.pages + most_by_chance(chance_per_day * days)
        said = "no budget of pages is set"
    else:
        limit = max(math.ceil(per_day * days), champion.pages)
        said = f"the rules allow {per_day:g} a day"
    text = f"{challenger.pages}, {champion.pages} before, in {_span(days)}; {said}: at most {limit}"
    return GateCheck("pages", challenger.pages <= limit, text, figures={"pages": challenger.pages})


def lost_incidents(
    champion: ReviewedLogs, challenger: ReviewedLogs, labels: Iterable[LabelledIncident] = ()
) -> GateCheck:
    """What paged people still is told, unless they called it noise."""
    noise = [label.episode for label in labels if label.opinion is Opinion.NOISE]
    both = list(pairs(champion.incidents, challenger.incidents))
    lost = [
        old
        for old, new in both
        if new is None and old is not None and old.pages and not any(old.episode.is_same(one) for one in noise)
    ]
    shared = [new.told_at - old.told_at for old, new in both if old is not None and new is not None]
    sooner, later = sum(late < -AS_SOON for late in shared), sum(late > AS_SOON for late in shared)
    text = (
        f"{len(lost)} that paged people would not be told; of {len(shared)} that both tell the challenger is sooner "
        f"with {sooner}, later with {later}"
    )
    return GateCheck("lost incidents", not lost, text, _named(lost), figures={"lost_incidents": len(lost)})


def votes(
    verdicts: Sequence[tuple[LabelledIncident, bool, bool]],
) -> GateCheck:
    """What people voted real is found again, and nothing that they voted noise comes back.

    ``verdicts`` say of each whether the champion, and whether the challenger tells it of the lines that were kept.
    """
    real = [one for one in verdicts if one[0].opinion is Opinion.REAL]
    noise = [one for one in verdicts if one[0].opinion is Opinion.NOISE]
    silent = [label for label, old, new in real if not old and not new]
    wrong = {
        short_id(label.id): f"real, says {label.by}, and not told: {label.summary}"
        for label, old, new in real
        if old and not new
    }
    wrong |= {
        short_id(label.id): f"noise, says {label.by}, and told again: {label.summary}" for label, _, new in noise if new
    }
    text = f"{sum(new for _, _, new in real)} of {len(real)} real incidents found again, "
    text += f"{sum(new for _, _, new in noise)} of {len(noise)} of noise back"
    if silent:
        text += f"; {len(silent)} real ones say nothing: the champion does not find them in the kept lines either"
    figures = {
        "real_found_again": sum(new for _, _, new in real),
        "real": len(real),
        "noise_back": sum(new for _, _, new in noise),
        "noise": len(noise),
    }
    return GateCheck("votes", not wrong, text, wrong, figures=figures)


def cost(before: tuple[float, float], after: tuple[float, float]) -> GateCheck:
    """Neither time nor memory grows by more than ``COSTLIER``; both are seconds of a processor and MB at the most."""
    (old_s, old_mb), (new_s, new_mb) = before, after
    slow = new_s > max(old_s * (1 + COSTLIER), old_s + LEAST_S)
    large = new_mb > max(old_mb * (1 + COSTLIER), old_mb + LEAST_MB)
    text = f"{new_s:.1f} s of a processor, {old_s:.1f} before; {new_mb:.0f} MB, {old_mb:.0f} before"
    return GateCheck("cost", not (slow or large), text, figures={"cpu_s": new_s, "peak_mb": new_mb})


def evaluation(worse: Sequence[str]) -> GateCheck:
    """No figure of an evaluation got worse; ``worse`` are those that did, as ``tocsin compare`` says them."""
    named = {f"figure {number}": line for number, line in enumerate(worse, 1)}
    figures = {"figures_worse": len(worse)}
    return GateCheck("evaluation", not worse, f"{len(worse)} figures got worse", named, figures=figures)


def not_asked(name: str, how: str) -> GateCheck:
    """Return the check that was not made, and how it would be."""
    return GateCheck(name, None, f"not looked at; {how}")


def most_by_chance(expected: float) -> int:
    """Return the least number that a Poisson count of this mean does not exceed with probability ``CHANCE``."""
    term = total = math.exp(-expected)
    count = 0
    while total < CHANCE:
        count += 1
        term *= expected / count
        total += term
    return count


def _span(days: float) -> str:
    return f"{days:.1f} days" if days >= 1 else f"{days * 24:.1f} hours"


def _named(incidents: Iterable[ToldIncident]) -> dict[str, str]:
    return {
        short_id(incident.id): f"{time_text(incident.episode.first)[:19]}Z {incident.summary}" for incident in incidents
    }
