"""A bundle calibrated anew keeps what it learnt and fires no more on what has become usual."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.calibration.sign_rates import SignRates
from models.detectors.lstm import LstmDetector
from models.detectors.signs import Sign, SignEvidence
from models.errors import InvalidError
from models.features.sequences import SHARED
from models.features.window_features import WindowFeatures
from models.pipeline import PipelineConfig, score_files
from models.records import Verdict
from models.scorer import Scorer, raw_scores
from models.windows.store import WindowStore
from stream.wiring.core import DEMO_BUNDLE
from tests.training.simulated import START
from training.calibration import calibrate, recalibrate, score_normal, shown_signs
from training.datasets import windows
from training.held_out import HeldOutScores
from training.simulate import Scenario, stream_records

CHANGED = re.compile(rb"Claim successful on node")


def logs(path: Path, seed: int, *, new_version: bool) -> Path:
    """An hour of normal operation; a new version words one line differently."""
    values = (record.value for record in stream_records(Scenario(seed, START, 3600.0)))
    if new_version:
        values = (CHANGED.sub(b"Placement claim has been granted by node", value) for value in values)
    path.write_bytes(b"\n".join(values))
    return path


def fired(path: Path, bundle: Bundle) -> list[Verdict]:
    """Windows of the file that fire."""
    processor = PipelineConfig(masks=bundle.masks).processor(bundle.table, bundle.detectors.groups.services)
    scored = score_files([path], processor, Scorer(bundle), WindowStore(bundle.windows))
    return [verdict for part, _ in scored for verdict in part if verdict.fired]


@pytest.mark.slow
def test_a_new_version_that_is_normal_by_now_fires_no_more(tmp_path: Path) -> None:
    """What fired on each of its lines is quiet on another hour of it, and the network is the same."""
    before = Bundle.load(DEMO_BUNDLE)
    recent = logs(tmp_path / "recent.jsonl", 31, new_version=True)
    assert len(fired(recent, before)) > 20
    said: list[str] = []
    after = recalibrate([recent], PipelineConfig(), before, said.append, lambda _: None)
    assert "calibrated on" in said[0]
    assert after.onnx == before.onnx
    assert after.id != before.id
    after.write(tmp_path / "bundle")
    again = Bundle.load(tmp_path / "bundle")
    assert again.facts["recalibrated_from"] == before.id
    assert len(fired(logs(tmp_path / "next.jsonl", 32, new_version=True), again)) <= 2


def test_logs_that_the_bundle_knows_nothing_of_are_refused(tmp_path: Path) -> None:
    """Thresholds from them would mean nothing."""
    path = tmp_path / "other.log"
    lines = [f"2026-03-03 09:{n // 60:02d}:{n % 60:02d}.000 7 INFO a.b [-] foreign words {n}" for n in range(300)]
    path.write_text("\n".join(lines))
    with pytest.raises(InvalidError, match="tocsin train"):
        recalibrate([path], PipelineConfig(), Bundle.load(DEMO_BUNDLE), print, lambda _: None)
    (tmp_path / "empty.log").write_text("")
    with pytest.raises(InvalidError, match="no window"):
        recalibrate([tmp_path / "empty.log"], PipelineConfig(), Bundle.load(DEMO_BUNDLE), print, lambda _: None)


def test_a_calibration_sees_the_scores_that_serving_sees(tmp_path: Path) -> None:
    """To the last bit: a score that many windows have must not come out above the tail's begin by rounding."""
    bundle = Bundle.load(DEMO_BUNDLE)
    path = logs(tmp_path / "recent.jsonl", 31, new_version=False)
    config = PipelineConfig(masks=bundle.masks)
    lstm, known = LstmDetector(bundle.onnx, bundle.vocabulary), bundle.detectors
    closed = list(windows([path], config, bundle.table, known.groups.services))
    scored = (raw_scores(batch, lstm, known) for batch in closed)
    held = score_normal(scored, config.windows, known, lambda batch: np.ones(len(batch), np.bool_), lambda _: None)
    served = [known.score(WindowFeatures.of(batch, bundle.vocabulary, known.groups)) for batch in closed]
    assert served[0].keys() == held.raws.keys() - {"lstm"} > {"novelty"}
    for name in served[0]:
        assert np.concatenate([scores[name] for scores in served]).tobytes() == held.raws[name].tobytes()


def test_windows_that_are_not_usable_set_no_threshold(tmp_path: Path) -> None:
    """Neither as held back nor in place of a kind of which nothing is."""
    bundle = Bundle.load(DEMO_BUNDLE)
    path = logs(tmp_path / "recent.jsonl", 31, new_version=False)
    closed = list(windows([path], PipelineConfig(masks=bundle.masks), bundle.table))
    middle = int(np.median(np.concatenate([batch.end for batch in closed])))
    lstm, known = LstmDetector(bundle.onnx, bundle.vocabulary), bundle.detectors

    def scored(usable: int) -> HeldOutScores:
        scores = (raw_scores(batch, lstm, known) for batch in closed)
        nothing = lambda batch: np.zeros(len(batch), np.bool_)  # noqa: E731
        return score_normal(scores, bundle.windows, known, nothing, lambda _: None, lambda batch: batch.end > usable)

    assert 0 < len(scored(middle)) < len(scored(0)) == sum(map(len, closed))
    with pytest.raises(InvalidError, match="no window"):
        scored(2 * middle)


def test_windows_at_errors_count_among_the_joint_and_not_among_each_detector_alone() -> None:
    """They show what the windows around them show; how many there are is asked by one detector only."""
    n, cut = 1000, 40
    grid = np.arange(n) >= cut
    raw = np.random.default_rng(1).exponential(size=n)
    raws = {"levels": np.where(grid, raw, 50.0), "onset": (~grid).astype(np.float64)}
    held = HeldOutScores(np.full(n, SHARED, np.int32), np.arange(n) % 100, np.ones(n, np.bool_), grid, raws)
    found = calibrate(held, 1.0, lambda _: None)
    assert {name: part.tails[SHARED].samples for name, part in found.parts.items()} == {"levels": n - cut, "onset": n}
    calm = calibrate(replace(held, raws={**raws, "levels": raw}), 1.0, lambda _: None)
    assert found.fused[SHARED].blocks == calm.fused[SHARED].blocks == n // 10
    assert found.fused[SHARED].knots[-1] > calm.fused[SHARED].knots[-1]


def test_signs_are_rated_by_training_or_by_these_windows() -> None:
    """What training counted goes before; a calibration alone counts stretches that show a sign."""
    n = 100
    raw = np.random.default_rng(1).exponential(size=n)
    shown = np.where(np.arange(n) % 20 < 2, float(Sign.ERROR), 0.0)
    shown[50] = np.nan
    ones = np.ones(n, np.bool_)
    held = HeldOutScores(np.full(n, SHARED, np.int32), np.arange(n) // 10, ones, ones, {"levels": raw, "signs": shown})
    assert shown_signs(held, 2.0) == SignEvidence({sign: 5 * (sign is Sign.ERROR) for sign in Sign}, 172_800.0)
    found = calibrate(held, 2.0, lambda _: None)
    assert found.signs == SignRates.of(shown_signs(held, 2.0))
    assert "signs" not in found.parts
    taught = calibrate(held, 2.0, lambda _: None, SignEvidence({}, 900.0))
    assert taught.signs == SignRates.of(SignEvidence({}, 900.0))
    assert calibrate(replace(held, raws={"levels": raw}), 2.0, lambda _: None).signs is None
    assert taught.fused == calibrate(replace(held, raws={"levels": raw}), 2.0, lambda _: None).fused
