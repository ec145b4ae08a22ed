"""The verdict on drift: from counts to a sentence."""

from collections import Counter

import numpy as np
import pytest

from models.rfc3339 import SECOND
from stream.drift.counts import STRETCH, DriftCounts
from stream.drift.report import DriftVerdict, judge

KNOWN = frozenset({"nova-api", "keystone"})
DAY = 144
"""Stretches of a day."""

FIRST = 1_772_000_000 * SECOND // STRETCH


def counts(stretches: int = DAY, **unknown: int) -> DriftCounts:
    """A day of two services with 100 lines a stretch; ``unknown`` is in how many of them a service has ten of these."""
    out = DriftCounts(first=FIRST * STRETCH, last=(FIRST + stretches) * STRETCH)
    for service in {*KNOWN, *unknown}:
        out.lines.update({(service, FIRST + i): 100 for i in range(stretches)})
        out.unknown.update({(service, FIRST + i): 10 for i in range(unknown.get(service, 0))})
        out.texts[service] = set(range(3)) if unknown.get(service) else set()
        out.examples[service] = "instance <*> was rebuilt"
    return out


def test_quiet_logs_are_well() -> None:
    """An hour of a fault in a day is no drift, and neither is what fires meanwhile."""
    made = counts(keystone=6)
    made.fired.update(range(FIRST, FIRST + 12))
    report = judge(made, KNOWN, {}, None)
    assert (report.verdict, report.drifted) == (DriftVerdict.WELL, ())
    assert next(report.lines_of_text()) == "all well: the logs look as those of the training did"
    assert report.to_record()["verdict"] == "all well"


def test_unknown_lines_that_keep_coming_are_drift_of_that_service() -> None:
    """With one of its texts, and how often."""
    report = judge(counts(keystone=DAY), KNOWN, {}, None)
    (service,) = report.drifted
    assert report.verdict is DriftVerdict.TRAIN
    assert report.sentence == "train anew: the bundle does not know what is written today by keystone"
    assert (service.unknown, service.unusual, service.stretches) == (DAY * 10, DAY, DAY)
    assert "3 texts, such as 'instance <*> was rebuilt'" in service.text


def test_a_text_for_every_line_means_that_masks_are_missing() -> None:
    """Whatever else there is."""
    made = counts(keystone=DAY, octavia=0)
    made.texts["keystone"] = set(range(1000))
    report = judge(made, KNOWN, {}, None)
    assert report.verdict is DriftVerdict.MASKS
    assert "texts of keystone hold values" in report.sentence


def test_a_new_service_counts_once_it_has_written_for_half_an_hour() -> None:
    """One line of something is nothing."""
    made = counts(octavia=0)
    assert judge(made, KNOWN, {}, None).new_services == ("octavia",)
    few = counts()
    few.lines["octavia", FIRST] = 3
    assert judge(few, KNOWN, {}, None).verdict is DriftVerdict.WELL


def test_windows_that_fire_all_the_time_or_score_otherwise_ask_for_a_calibration() -> None:
    """A kind with few windows has no say."""
    often = counts()
    often.fired.update(range(FIRST, FIRST + 40))
    assert judge(often, KNOWN, {}, None).verdict is DriftVerdict.RECALIBRATE
    moved = counts()
    moved.scores[0] = [np.full(400, 3.0), np.full(400, 4.0)]
    moved.scores[6] = [np.full(20, 3.0)]
    usual = {0: ((0.0, 0.5), (1.0, 0.9)), 6: ((0.0, 0.5), (1.0, 0.9))}
    report = judge(moved, KNOWN, usual, None)
    assert report.verdict is DriftVerdict.RECALIBRATE
    assert report.stability.keys() == {"source"}
    load = counts()
    load.scores[6] = [np.full(800, 3.0)]
    assert judge(load, KNOWN, usual, None).verdict is DriftVerdict.WELL
    assert any(
        "source windows: stability index" in line and "they have moved" in line for line in report.lines_of_text()
    )


@pytest.mark.parametrize(("days", "is_told"), [(10, False), (40, True)])
def test_an_old_training_is_told_and_lines_that_could_not_be_read(days: int, *, is_told: bool) -> None:
    """Neither changes the verdict."""
    made = counts()
    made.rejects = 100
    report = judge(made, KNOWN, {}, made.last - days * 86_400 * SECOND)
    text = "\n".join(report.lines_of_text())
    assert ("the training's logs are 40 days old" in text) is is_told
    assert "100 lines (0.3%) could not be read" in text
    assert report.verdict is DriftVerdict.WELL


def test_counts_of_services_are_sums_over_stretches() -> None:
    """And of all lines."""
    made = DriftCounts(lines=Counter({("nova-api", 1): 2, ("nova-api", 2): 3, ("keystone", 1): 4}))
    assert made.services == {"nova-api": 5, "keystone": 4}
    assert made.total == 9
