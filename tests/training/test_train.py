"""Training as a whole: logs in, a bundle out that finds what is odd."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.detectors.ensemble import SCORE_SCALE
from models.detectors.lstm import LstmDetector
from models.features.sequences import Sequences, build
from models.pipeline import PipelineConfig, score_files
from models.records import Verdict
from models.scorer import Scorer
from models.windows.store import WindowStore
from tests.training.simulated import FIRST, MINUTE, START, fault
from training.datasets import windows
from training.fit_lstm import FitConfig
from training.simulate import Fault, FaultKind, Scenario, write_jsonl
from training.train import TrainConfig, TrainingProgress, train

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("tensorflow")]

CALM = Scenario(seed=2, start=START, duration_s=900.0, rate=0.5)
SILENT = TrainingProgress(lambda _: None, lambda _: None)
HALF_TIME = "2026-03-03 09:07:30"
INFO_LINE = re.compile(
    r"(?P<head>(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) \d+) INFO (?P<logger_and_request>[\w.]+ \[[^\]]*\]) .*"
)
NEW_TEXTS = (
    'Lock "compute_resources" acquired by the update of usage',
    "Running cmd (subprocess): qemu-img info",
    "Acquired semaphore for the list of instances",
    "Hypervisor resource view is being made",
    "Auditing locally available compute resources",
    "Instance actively managed on this host",
    "Updated entry in the info cache of the network",
    "Getting information of the domain",
    "Checking the state of power",
    "Refreshing inventories of the resource provider",
)
NOVA, COMPUTE, NEUTRON = "controller-1/nova-api", "compute-1/nova-compute", "controller-1/neutron-server"


def quick(epochs: int, seed: int = 1) -> TrainConfig:
    """Train as always, but not for long."""
    return TrainConfig(fit=replace(FitConfig(), epochs=epochs), seed=seed)


def simulated(path: Path, scenario: Scenario) -> Path:
    """Write the raw records of a simulated cloud."""
    write_jsonl(scenario, path, None)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where these tests keep their logs."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def quarter(tensorflow: None, folder: Path) -> Bundle:
    """A bundle trained on fifteen minutes."""
    scenario = Scenario(seed=1, start=START, duration_s=900.0)
    return train([simulated(folder / "quarter.jsonl", scenario)], quick(3), None, SILENT)


@pytest.fixture(scope="module")
def hour(tensorflow: None, folder: Path) -> Bundle:
    """A bundle trained on an hour with half the traffic, written and read again."""
    scenario = replace(CALM, seed=1, duration_s=3600.0)
    train([simulated(folder / "hour.jsonl", scenario)], quick(4), None, SILENT).write(folder / "bundle")
    return Bundle.load(folder / "bundle")


def score(bundle: Bundle, path: Path, *faults: Fault, rate: float = 0.5) -> list[Verdict]:
    """Verdicts on a quarter of an hour that the bundle was not trained on."""
    return score_file(bundle, simulated(path, replace(CALM, rate=rate, faults=faults)))


def score_file(bundle: Bundle, path: Path) -> list[Verdict]:
    """Verdicts on all windows of a file."""
    processor, store = PipelineConfig().processor(bundle.table), WindowStore(bundle.windows)
    return [each for said, _ in score_files([path], processor, Scorer(bundle), store) for each in said]


def during(verdict: Verdict) -> bool:
    """Whether a window reaches into the fault, or into the minute of its consequences."""
    return verdict.end > FIRST + 5 * MINUTE and verdict.start < FIRST + 11 * MINUTE


@pytest.mark.parametrize(
    ("kind", "place", "service"),
    [
        (FaultKind.ERROR_BURST, NOVA, "nova-api"),
        (FaultKind.SLOW, NOVA, "nova-api"),
        (FaultKind.RETRIES, NEUTRON, "neutron-server"),
    ],
)
def test_a_bundle_of_an_hour_finds_faults_and_says_where_and_why(
    hour: Bundle, tmp_path: Path, kind: FaultKind, place: str, service: str
) -> None:
    """Windows fire while the fault lasts and at no other time; the most important one names the service."""
    said = score(hour, tmp_path / "fault.jsonl", fault(kind, place))
    fired = [verdict for verdict in said if verdict.fired]
    assert fired
    assert all(during(verdict) for verdict in fired)
    worst = max(said, key=lambda verdict: verdict.score)
    assert service in worst.services
    assert worst.reasons


def test_a_bundle_of_an_hour_is_silent_on_a_quiet_quarter(hour: Bundle, tmp_path: Path) -> None:
    """Thousands of windows, and at a budget of one false alarm a day none fires."""
    said = score(hour, tmp_path / "calm.jsonl")
    assert len(said) > 1000
    assert [verdict.key for verdict in said if verdict.fired] == []


def with_new_texts(path: Path, service: str, level: str, every: int) -> Path:
    """A quiet quarter, in whose second half a service writes a new text of a level beside every so many lines.

    There are ten texts, which stand at the time, process and request of the line.
    """
    records = [json.loads(line) for line in simulated(path, CALM).read_text().splitlines()]
    count = 0
    with path.open("w") as file:
        for record in records:
            written = [record]
            line = INFO_LINE.fullmatch(record["log"])
            if f"/{service}." in record["path"] and line and line["time"] > HALF_TIME:
                count += 1
                if count % every == 0:
                    text = f"{line['head']} {level} {line['logger_and_request']} {NEW_TEXTS[count // every % 10]}"
                    written.append({**record, "log": text, "offset": record["offset"] + 1})
            file.writelines(json.dumps(each) + "\n" for each in written)
    return path


@pytest.mark.parametrize("service", ["nova-compute", "nova-api", "neutron-server", "cinder-volume"])
@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_debug_messages_that_are_switched_on_and_new_information_do_not_ring(
    hour: Bundle, tmp_path: Path, service: str, level: str
) -> None:
    """Somebody changed a setting, or upgraded; no window fires for as long as these texts come."""
    said = score_file(hour, with_new_texts(tmp_path / "new.jsonl", service, level, every=1))
    assert len(said) > 1000
    assert [(verdict.key, verdict.reasons) for verdict in said if verdict.fired] == []


def test_new_warnings_ring(hour: Bundle, tmp_path: Path) -> None:
    """The same texts as warnings are news, though they come beside a few lines only."""
    said = score_file(hour, with_new_texts(tmp_path / "new.jsonl", "nova-compute", "WARNING", every=10))
    fired = [verdict for verdict in said if verdict.fired]
    assert fired
    assert any("never seen in training" in reason for verdict in fired for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("kind", "place"), [(FaultKind.ERROR_BURST, NOVA), (FaultKind.SLOW, NOVA), (FaultKind.RETRIES, NEUTRON)]
)
def test_a_bundle_of_fifteen_minutes_finds_faults_and_ranks_them_above_all_that_is_normal(
    quarter: Bundle, tmp_path: Path, kind: FaultKind, place: str
) -> None:
    """Though so few logs say little of how seldom something is."""
    calm = score(quarter, tmp_path / "calm.jsonl", rate=1.0)
    said = score(quarter, tmp_path / "fault.jsonl", fault(kind, place), rate=1.0)
    worst = max(said, key=lambda verdict: verdict.score)
    assert during(worst)
    assert worst.fired
    assert worst.score > max(verdict.score for verdict in calm) + 0.3
    assert not any(verdict.fired for verdict in calm)


def test_a_bundle_tells_what_it_was_made_of(quarter: Bundle) -> None:
    """Counts and the span of its logs, seed and versions; every detector is calibrated for sources and for all."""
    facts = quarter.facts
    assert facts["lines"] >= facts["events"] > 5000
    assert (facts["tenants"], facts["seed"], facts["templates"]) == (1, 1, len(quarter.table))
    assert facts["from"] < facts["to"]
    assert {"keras", "tensorflow", "onnxruntime"} <= set(facts["libraries"])
    assert set(quarter.calibration.parts) == set(SCORE_SCALE)
    assert {0, 1, 6} <= set(quarter.calibration.fused)
    # Windows of services in shadow are scored, but no detector is set by them.
    live = sum(quarter.calibration.parts["novelty"].tails[kind].samples for kind in quarter.calibration.fused)
    assert facts["calibration_windows"] * 0.9 < live <= facts["calibration_windows"]


def surprises(bundle: Bundle, sequences: Sequences) -> np.ndarray:
    """What a bundle's network says of scored events."""
    found = LstmDetector(bundle.onnx, bundle.vocabulary).surprise(sequences)
    return found[sequences.position >= 0]


def test_the_same_seed_gives_the_same_bundle(folder: Path) -> None:
    """But for float noise in the network; another seed gives another network of the same templates."""
    path = simulated(folder / "short.jsonl", replace(CALM, seed=5, duration_s=300.0))
    first, again, other = (train([path], quick(1, seed), None, SILENT) for seed in (1, 1, 2))
    assert first.vocabulary.ids.tolist() == again.vocabulary.ids.tolist() == other.vocabulary.ids.tolist()
    assert first.templates_version == again.templates_version
    assert first.detectors.to_bytes() == again.detectors.to_bytes() != other.detectors.to_bytes()
    closed = max(windows([path], PipelineConfig(), first.table), key=len)
    sequences = build(closed, first.vocabulary)[-1]
    expected = surprises(first, sequences)
    assert surprises(again, sequences) == pytest.approx(expected, abs=0.01)
    assert np.abs(surprises(other, sequences) - expected).max() > 0.1
    assert {kind: (e.blocks, e.blocks_per_day) for kind, e in first.calibration.fused.items()} == {
        kind: (e.blocks, e.blocks_per_day) for kind, e in again.calibration.fused.items()
    }


def test_a_base_hands_its_templates_on(quarter: Bundle, tmp_path: Path) -> None:
    """With their ids, so that what is kept of old events stays readable."""
    path = tmp_path / "nova-compute.log"
    line = "2026-03-02 08:{:02d}:{:02d}.000 7 INFO nova.compute.manager [-] {}\n"
    path.write_text("".join(line.format(*divmod(n, 60), "an odd thing happened") for n in range(150)))
    told: list[str] = []
    bundle = train([path], quick(1), quarter, TrainingProgress(told.append, lambda _: None))
    assert set(quarter.table) < set(bundle.table)
    assert told[0].startswith("150 events of 150 lines, ")
    (calibrated,) = (sentence for sentence in told if sentence.startswith("calibrated on "))
    assert calibrated.endswith("(few: thresholds will be rough)")
    learnt, shadow, hosts, *missing = told[told.index(calibrated) + 1 :]
    assert learnt == "learnt from 2 minutes of logs; 0 of 1 services are live"
    assert shadow.startswith("  nova-compute: shadow; training saw ")
    assert hosts.startswith("the logs name no host")
    assert [sentence.partition(",")[0] for sentence in missing] == [
        "missing: a whole day",
        "missing: more lines of the 1 services in shadow; until then only their errors count",
    ]
