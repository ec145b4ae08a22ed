"""What carries over from the clouds of a training to any other."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from models.bundle import Bundle
from models.detectors.signs import SignEvidence, Signs
from models.pipeline import PipelineConfig, score_files
from models.scorer import Scorer
from models.windows.store import WindowStore
from stream.wiring.core import DEMO_BUNDLE
from tests.models.detectors.normal import NO_TROUBLE
from tests.training.simulated import MINUTE, START, fault
from training.platform_bundle import CARRIED_OVER, carried_over
from training.simulate import FaultKind, Scenario, write_jsonl

BURST = fault(FaultKind.ERROR_BURST, "controller-1/neutron-server", 12, 14)
SILENCE = fault(FaultKind.SILENCE, "controller-1/neutron-server", 5, 9)


def with_signs(bundle: Bundle) -> Bundle:
    """Give a bundle of before there were signs those of a training without bad news."""
    known = bundle.detectors
    usual = replace(NO_TROUBLE, most_errors=np.zeros(len(known.groups), np.int64))
    signs = Signs(usual, SignEvidence({}, 3600.0))
    others = tuple(detector for detector in known.detectors if detector.name != signs.name)
    return replace(bundle, detectors=replace(known, detectors=(*others, signs)))


def test_what_depends_on_one_cloud_is_left_behind(tmp_path: Path) -> None:
    """Of a bundle that sees both, only the errors are left: the silence of a service passes without a word."""
    normal, faulty = tmp_path / "normal.jsonl", tmp_path / "faulty.jsonl"
    write_jsonl(Scenario(41, START, 16 * 60.0, 0.3), normal, None)
    write_jsonl(Scenario(42, START, 16 * 60.0, 0.3, faults=(SILENCE, BURST)), faulty, None)
    before = with_signs(Bundle.load(DEMO_BUNDLE))
    said: list[str] = []
    carried_over([normal], PipelineConfig(), before, said.append).write(tmp_path / "bundle")
    bundle = Bundle.load(tmp_path / "bundle")
    assert bundle.is_general
    assert not before.is_general
    assert bundle.network is None
    assert {detector.name for detector in bundle.detectors.detectors} == set(CARRIED_OVER)
    assert list(bundle.table) == list(before.table)
    assert "calibrated on" in said[-1]
    scored = score_files(
        [faulty], PipelineConfig().processor(bundle.table), Scorer(bundle), WindowStore(bundle.windows)
    )
    fired = [verdict.end for part, _ in scored for verdict in part if verdict.fired]
    assert fired
    assert min(fired) >= BURST.start
    assert min(fired) <= BURST.start + MINUTE
