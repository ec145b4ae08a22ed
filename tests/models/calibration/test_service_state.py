"""Services that training did not see, or hardly saw, fire on their errors only."""

import dataclasses
from pathlib import Path

import numpy as np
import orjson
import pytest

from models.calibration.service_state import ENOUGH, ServiceState, describe_service
from models.features.window_features import Groups
from models.pipeline import PipelineConfig, score_files
from models.records import ALL_SOURCES, Verdict
from models.scorer import Scorer
from models.windows.store import WindowStore
from tests.models.bundles import TEXTS, bundle

KNOWN = "nova/nova-compute"
ODD = "something that nobody has ever written"
BUNDLE = bundle(np.random.default_rng(1).exponential(0.2, 5000))


def verdicts(folder: Path, service: str, level: str, *, seen: int = 1000, other: str = "") -> list[Verdict]:
    """Verdicts on five minutes of a service that in the last one writes an unknown line, at a level, all the time."""
    learnt = BUNDLE.detectors
    companions = dataclasses.replace(learnt, windows_seen=np.full(len(learnt.windows_seen), seen))
    made = dataclasses.replace(BUNDLE, detectors=companions)
    records = []
    for n in range(150):
        stamp = f"2026-03-03 09:{n * 2 // 60:02d}:{n * 2 % 60:02d}.000"
        usual = f"{stamp} 7 INFO nova.compute [-] {tuple(TEXTS)[n % len(TEXTS)]}"
        line = f"{stamp} 7 {level} nova.compute [-] {ODD}" if n >= 120 else usual
        records.append({"service": service, "host": "a", "log": line})
        if other:
            records.append({"service": other, "host": "a", "log": usual})
    path = folder / "logs.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(record) for record in records))
    processor = PipelineConfig(masks=made.masks).processor(made.table, companions.groups.services)
    scored = score_files([path], processor, Scorer(made), WindowStore(made.windows))
    return [verdict for part, _ in scored for verdict in part]


@pytest.mark.parametrize(
    ("service", "seen", "state"),
    [(KNOWN, 1000, "live"), (KNOWN, ENOUGH - 1, "shadow"), ("heat/heat-engine", 1000, "learning")],
)
def test_only_a_live_service_fires_on_what_is_new(tmp_path: Path, service: str, seen: int, state: str) -> None:
    """The same unknown lines: the others say their state, and what each detector saw all the same."""
    mine = [v for v in verdicts(tmp_path, service, "INFO", seen=seen) if v.key == f"{service}@a"]
    assert {v.state for v in mine} == {state}
    assert any(v.fired for v in mine) == (state == "live")
    assert any(v.parts.get("novelty", 0) > 1 for v in mine)


@pytest.mark.parametrize(("service", "seen"), [(KNOWN, 1000), (KNOWN, 1), ("heat/heat-engine", 1000)])
def test_errors_count_in_every_state(tmp_path: Path, service: str, seen: int) -> None:
    """An error is one whoever writes it."""
    mine = [v for v in verdicts(tmp_path, service, "ERROR", seen=seen) if v.key == f"{service}@a"]
    assert any(v.fired for v in mine)


def test_what_an_unknown_service_writes_stays_out_of_the_window_over_everything(tmp_path: Path) -> None:
    """It would make that window strange for ever."""
    alone = verdicts(tmp_path, "heat/heat-engine", "INFO")
    assert ALL_SOURCES not in {v.key for v in alone}
    beside = [v for v in verdicts(tmp_path, "heat/heat-engine", "INFO", other=KNOWN) if v.key == ALL_SOURCES]
    assert beside
    assert max(v.events for v in beside) == 30
    assert not any(v.parts.get("novelty", 0) > 0 for v in beside)


def test_people_are_told_why_and_what_ends_it() -> None:
    """A sentence per state."""
    groups, seen = Groups(["a", "b"]), np.zeros(20, np.int64)
    seen[groups.number("a")], seen[groups.number("b")] = ENOUGH, 20
    assert describe_service(groups, seen, "a", 15.0) == f"a: {ServiceState.LIVE}"
    assert "20 windows" in describe_service(groups, seen, "b", 15.0)
    assert "5 more minutes" in describe_service(groups, seen, "b", 15.0)
    assert "did not see it" in describe_service(groups, seen, "c", 15.0)
