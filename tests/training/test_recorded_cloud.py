"""The first day on a real cloud: a quarter of an hour to train on, then normal traffic, then faults (a recording)."""

from typing import Final

import pytest

from models.bundle import Bundle
from models.findings import Finding, FindingKind
from models.pipeline import PipelineConfig, score_files
from models.records import ALL_SOURCES, Verdict
from models.rfc3339 import SECOND
from models.scorer import Scorer
from models.windows.store import WindowStore
from tests.recorded_cloud import TRAINED_UNTIL, fault_times, recorded
from training.train import TrainConfig, TrainingProgress, train

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.usefixtures("tensorflow")]

SHOWS: Final = (
    "rabbit-stop",
    "db-stop",
    "compute-kill",
    "conductor-hang",
    "placement-stop",
    "keystone-slow",
    "disk-full",
    "wrong-password",
    "quota",
)
"""Faults that windows show within their time and a minute."""

FIRST: Final = {
    "db-stop": "error line",
    "disk-full": "1 error line of glance-api (none like this in 17 minutes of training)",
    "placement-stop": "1 error line of nova-",
    "compute-kill": "nova-compute on cmp1 has written nothing for",
    "quota": "requests to nova-api-uwsgi refused",
}
"""What the first window over everything that fires says of a fault."""


@pytest.fixture(scope="module")
def verdicts(tensorflow: None, tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    """Windows of all that follows the first 17 minutes, judged by a bundle that was trained on these."""
    folder = tmp_path_factory.mktemp("cloud")
    (folder / "train.jsonl").write_bytes(b"".join(recorded(lambda time: time < TRAINED_UNTIL)))
    (folder / "rest.jsonl").write_bytes(b"".join(recorded(lambda time: time >= TRAINED_UNTIL)))
    bundle: Bundle = train(
        [folder / "train.jsonl"], TrainConfig(), None, TrainingProgress(lambda _: None, lambda _: None)
    )
    processor, store = PipelineConfig().processor(bundle.table), WindowStore(bundle.windows)
    parts = score_files([folder / "rest.jsonl"], processor, Scorer(bundle), store)
    return [verdict for part, _ in parts for verdict in part]


@pytest.fixture(scope="module")
def faults() -> dict[str, tuple[int, int]]:
    """Begin and end of each fault (microseconds)."""
    return fault_times()


def test_normal_traffic_fires_nothing(verdicts: list[Verdict], faults: dict[str, tuple[int, int]]) -> None:
    """Request counters grow, durations vary, and nobody is called."""
    begin = min(low for low, _ in faults.values())
    normal = [verdict for verdict in verdicts if verdict.end < begin]
    assert len(normal) > 1000
    assert [verdict.reasons for verdict in normal if verdict.fired] == []


@pytest.mark.parametrize("name", SHOWS)
def test_a_fault_fires(name: str, verdicts: list[Verdict], faults: dict[str, tuple[int, int]]) -> None:
    """Some window fires while the fault lasts, or within a minute of its end."""
    low, high = faults[name]
    assert any(verdict.fired for verdict in verdicts if low <= verdict.end <= high + 60 * SECOND)


@pytest.mark.parametrize("name", FIRST)
def test_a_fault_is_told_by_its_first_sign(
    name: str, verdicts: list[Verdict], faults: dict[str, tuple[int, int]]
) -> None:
    """With the service, the number, and how long there was none."""
    low, high = faults[name]
    fired = [verdict for verdict in verdicts if verdict.fired and verdict.key == ALL_SOURCES]
    first = min(
        (verdict for verdict in fired if low <= verdict.end <= high + 60 * SECOND), key=lambda verdict: verdict.end
    )
    assert any(FIRST[name] in reason for reason in first.reasons)


def found_in(
    name: str, kind: FindingKind, verdicts: list[Verdict], faults: dict[str, tuple[int, int]]
) -> list[tuple[Verdict, Finding]]:
    """Findings of one kind, with their windows, of windows that fired while a fault lasted."""
    low, high = faults[name]
    fired = [verdict for verdict in verdicts if verdict.fired and low <= verdict.end <= high]
    return [(verdict, finding) for verdict in fired for finding in verdict.findings if finding.kind == kind]


def test_a_killed_service_is_silent_on_its_host(verdicts: list[Verdict], faults: dict[str, tuple[int, int]]) -> None:
    """Nova-compute of one of two hosts; the load makes both write, and the other goes on."""
    silent = found_in("compute-kill", FindingKind.SILENT, verdicts, faults)
    assert {(finding.service, finding.host) for _, finding in silent} == {("nova-compute", "cmp1")}


def test_slow_tokens_are_told_of_keystone(verdicts: list[Verdict], faults: dict[str, tuple[int, int]]) -> None:
    """Its request log has their durations, and no single one need be beyond all that training saw."""
    slow = found_in("keystone-slow", FindingKind.SLOW, verdicts, faults)
    assert "keystone-uwsgi@controller" in {verdict.key for verdict, _ in slow}
