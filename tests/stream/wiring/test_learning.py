"""Which bundle a worker serves, and what it says of that."""

from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.calibration.sign_rates import PER_DAY
from models.detectors.signs import Sign
from models.pipeline import score_files
from models.rfc3339 import SECOND, parse_time
from models.windows.store import WindowStore
from stream.learning.schedule import LearningProgress
from stream.settings import Settings
from stream.wiring.core import make_components
from stream.wiring.learning import (
    PLATFORM_BUNDLE,
    ServedBundle,
    describe_learning,
    learning_folder,
    served_bundle,
)
from tests.models.bundles import bundle
from tests.training.simulated import FIRST as SIMULATED
from tests.training.simulated import MINUTE, START, fault
from training.simulate import FaultKind, Scenario, write_jsonl

FIRST = parse_time("2026-11-30T15:20:00Z")
MOST_BYTES = 1_000_000
"""What the shipped bundle may take of a clone."""


def test_the_users_bundle_comes_first_then_what_was_learned_then_the_shipped_one(tmp_path: Path) -> None:
    """A worker with a bundle of its own never learns."""
    settings = Settings(state_path=tmp_path)
    assert served_bundle(settings) == ServedBundle(PLATFORM_BUNDLE, LearningProgress())
    folder = learning_folder(settings)
    bundle().write(folder.path / "bundle-1")
    progress = LearningProgress(since=FIRST).succeeded(FIRST + 20 * 60 * SECOND, "bundle-1")
    folder.write(progress)
    assert served_bundle(settings) == ServedBundle(folder.path / "bundle-1", progress)
    assert served_bundle(Settings(state_path=tmp_path, bundle=tmp_path)) == ServedBundle(tmp_path)
    assert served_bundle(Settings(state_path=tmp_path, topic_prefix="other.")).path == PLATFORM_BUNDLE


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (
            LearningProgress(),
            "no bundle of this cloud yet: errors, failures and crashes are told, and nothing else; sequences, rates",
        ),
        (LearningProgress(since=FIRST), "nothing else; sequences, rates and silence from 2026-11-30T15:40Z on"),
        (
            LearningProgress(since=FIRST).failed(FIRST, "noise"),
            "from 2026-11-30T15:40Z on after a lesson that failed (noise)",
        ),
        (
            LearningProgress(since=FIRST).succeeded(FIRST + 21 * 60 * SECOND, "bundle-1"),
            "learned from 21 minutes of this cloud's logs; it learns again from 2026-11-30T17:20Z on",
        ),
    ],
)
def test_what_is_known_and_when_there_will_be_more_is_one_sentence(progress: LearningProgress, text: str) -> None:
    """For the log and for doctor."""
    assert text in describe_learning(Settings(), progress)


def test_a_worker_that_may_not_learn_says_so() -> None:
    """Rather than a time that never comes."""
    assert "does not learn by itself" in describe_learning(Settings(learn_after_s=0), LearningProgress(since=FIRST))


def test_the_shipped_bundle_is_small_and_knows_no_service() -> None:
    """Only errors have a say: nothing that depends on one cloud's own ways."""
    shipped = Bundle.load(PLATFORM_BUNDLE)
    assert shipped.is_general
    assert shipped.network is None
    assert [detector.name for detector in shipped.detectors.detectors] == ["signs"]
    assert sum(path.stat().st_size for path in PLATFORM_BUNDLE.iterdir()) < MOST_BYTES


def test_of_signs_the_shipped_bundle_leaves_out_those_that_some_clouds_show_every_day() -> None:
    """Refused requests and restarts are rarer than one a day in some clouds only; all other signs fire alone."""
    rates = Bundle.load(PLATFORM_BUNDLE).calibration.signs
    assert rates is not None
    one_a_day = np.log10(PER_DAY)
    telling = {sign for sign in Sign if rates.strength(np.array([float(sign)]))[0] >= one_a_day}
    assert telling == set(Sign) - {Sign.REFUSALS, Sign.RESTARTS}


def test_the_shipped_bundle_tells_errors_of_a_cloud_that_it_never_saw(tmp_path: Path) -> None:
    """Of hosts and services with other names; all else, a silence and slow calls too, is left until it is known."""
    path = tmp_path / "cloud.jsonl"
    burst = fault(FaultKind.ERROR_BURST, "controller-1/nova-api", 12, 14)
    faults = (burst, fault(FaultKind.SLOW, "controller-1/cinder-api", 4, 7))
    write_jsonl(Scenario(99, START, 16 * 60.0, faults=faults), path, None)
    path.write_bytes(path.read_bytes().replace(b"nova-api", b"my-api").replace(b"controller-1", b"ctl7"))
    parts = make_components(Settings(), Bundle.load(PLATFORM_BUNDLE))
    verdicts = [
        v for part, _ in score_files([path], parts.processor(), parts.scorer, WindowStore(parts.windows)) for v in part
    ]
    fired = [verdict for verdict in verdicts if verdict.fired]
    assert len(verdicts) > 500
    assert fired
    assert min(verdict.end for verdict in fired) <= burst.start + 30 * SECOND
    assert all(verdict.end >= SIMULATED + 12 * MINUTE for verdict in fired), [v.reasons for v in fired]
