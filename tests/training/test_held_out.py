"""What looks like a fault among normal windows sets no tail."""

from dataclasses import replace

import numpy as np
import pytest

from models.calibration.tails import Tail
from models.features.sequences import SHARED
from models.records import F64
from training.calibration import calibrate
from training.held_out import MIN_BLOCKS, HeldOutScores, suspect_blocks, tails

BLOCKS, EACH = 100, 10
DETECTORS = ("counts", "followups", "novelty", "rates", "sets", "transitions", "values")
DAYS = BLOCKS / 144
FAULTS = np.array([3, 17])


def held(errors: float, oddity: float, blocks: int = BLOCKS) -> HeldOutScores:
    """Windows of which each detector finds some a little odd; two blocks are a fault to all of them."""
    rng = np.random.default_rng(5)
    n = blocks * EACH
    number = np.repeat(np.arange(blocks), EACH)
    bad = np.isin(number, FAULTS) & (np.arange(n) % EACH >= EACH // 2)
    raws: dict[str, F64] = {name: rng.exponential(1.0, n) + oddity * bad for name in DETECTORS}
    raws["levels"] = np.where(rng.random(n) < 0.02, rng.exponential(5.0, n), 0.0) + errors * bad
    every = np.ones(n, np.bool_)
    return HeldOutScores(np.full(n, SHARED, np.int32), number, every, every, raws)


def test_blocks_far_out_with_errors_are_faulty() -> None:
    """Though they make the tails that they are judged by wider at first."""
    assert suspect_blocks(held(60.0, 30.0), DAYS).tolist() == FAULTS.tolist()


def test_what_has_no_errors_is_no_fault() -> None:
    """However odd: it may be the backup of every night."""
    assert not len(suspect_blocks(held(0.0, 30.0), DAYS))


def test_of_sound_logs_next_to_nothing_is_left_out() -> None:
    """A block or so of a hundred."""
    assert len(suspect_blocks(held(0.0, 0.0), DAYS)) <= 1


def test_few_blocks_show_nothing() -> None:
    """What is usual cannot be told from what is not."""
    few = held(60.0, 30.0, MIN_BLOCKS - 1)
    assert not len(suspect_blocks(few, (MIN_BLOCKS - 1) / 144))
    assert len(suspect_blocks(held(60.0, 30.0, MIN_BLOCKS), MIN_BLOCKS / 144))


def test_other_windows_than_those_over_everything_are_not_asked() -> None:
    """A set without them loses nothing."""
    sources = replace(held(60.0, 30.0), kinds=np.zeros(BLOCKS * EACH, np.int32))
    assert not len(suspect_blocks(sources, DAYS))


def test_faults_among_normal_logs_hide_no_fault() -> None:
    """The tails are as if they had never been there; the joint strength knows of them."""
    said: list[str] = []
    fusion = calibrate(held(60.0, 30.0), DAYS, said.append)
    assert said == ["calibrated on 1,000 windows; 2 stretches that look like faults set no tail"]
    raw = np.array([30.0])

    def strength(tail: Tail) -> float:
        return -float(tail.log_probability(raw)[0])

    sound, all_in = held(0.0, 0.0), held(60.0, 30.0)
    clean = strength(tails(sound, np.zeros(0, np.int64))["counts"].tails[SHARED])
    found = strength(fusion.parts["counts"].tails[SHARED])
    blind = strength(tails(all_in, np.zeros(0, np.int64))["counts"].tails[SHARED])
    assert blind < 0.5 * clean
    assert found == pytest.approx(clean, rel=0.25)
    assert fusion.fused[SHARED].blocks == BLOCKS
