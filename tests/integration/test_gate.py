"""From a vote to a refused promotion: what people called real is kept with its lines, and must be told again."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from models.bundle import Bundle
from models.calibration.fusion import Fusion
from stream.cli import tocsin
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics
from stream.topics.promotions import read_promotions
from stream.wiring.core import DEMO_BUNDLE
from tests.integration.streamed import Deployment
from tests.waiting import until
from training.simulate import FaultKind, Scenario, plan_faults, stream_records

SECONDS = 420.0
pytestmark = [pytest.mark.slow]


def run(*args: str, code: int = 0) -> Result:
    """Run ``tocsin``."""
    result = CliRunner().invoke(tocsin, args)
    assert result.exit_code == code, (result.output, result.stderr, result.exception)
    return result


def gated(*args: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """Run the gate and return its checks by name."""
    record = orjson.loads(run("models", "gate", *args, "--json", code=code).stdout)
    assert record["passed"] is not bool(code)
    return {check["name"]: check for check in record["checks"]}


def check_in(bundle: Bundle, folder: Path) -> None:
    """Register a bundle as the next version."""
    bundle.write(folder)
    run("models", "check-in", str(folder), "--name", "nova")


def alerts(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Return the last alert of each incident."""
    records = (orjson.loads(record.value or b"") for record in read_range(deployment.broker, deployment.topics.alerts))
    return {alert["incident_id"]: alert for alert in records}


@pytest.fixture
def deployment(embedded: EmbeddedBroker, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A store with three versions - one in use, one like it, one that is deaf - and a broker with all topics."""
    made = Deployment(Broker(embedded.bootstrap), unique, tmp_path, batch_lines=20, partitions=1)
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TOCSIN_MODELS", f"file://{tmp_path}/store")
    monkeypatch.setenv("TOCSIN_CACHE_PATH", str(tmp_path / "cache"))
    monkeypatch.setenv("TOCSIN_EMBEDDING_MODEL", "built-in")
    shipped = Bundle.load(DEMO_BUNDLE)
    fused = {kind: replace(maxima, loc=1e9) for kind, maxima in shipped.calibration.fused.items()}
    check_in(shipped, tmp_path / "one")
    check_in(replace(shipped, facts={**shipped.facts, "seed": 2}), tmp_path / "two")
    check_in(replace(shipped, calibration=Fusion({}, fused)), tmp_path / "three")
    run("models", "promote", "nova@v1", "--alias-only")
    for spec in made.topics.specs(1):
        embedded.create_topic(spec.name, spec.partitions)
    return made


def test_a_vote_outlives_the_topics_and_stops_what_would_silence_it(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deaf version is stopped by the incident's name, the one like the champion passes and may be promoted."""
    start = datetime.now(UTC).replace(microsecond=0)
    faults = plan_faults(start, SECONDS, 4, [FaultKind.ERROR_BURST, FaultKind.NEW_MESSAGE])
    records = stream_records(Scenario(4, start, SECONDS, faults=faults))
    deployment.send(("cloud", record.value) for record in records)
    worker = deployment.worker()
    worker.start()
    try:
        until(lambda: len(alerts(deployment)) >= 2)
    finally:
        worker.stop()
    real, noise = sorted(alerts(deployment))[:2]
    run("vote", real, "real", "--by", "anna")
    run("vote", noise, "noise", "--by", "bert")
    kept = run("models", "labels", "nova", "--collect")
    assert "2 votes kept" in kept.stderr
    assert {line.split()[0] for line in kept.stdout.splitlines()} == {real[:6], noise[:6]}
    assert "0 votes kept" in run("models", "labels", "nova", "--collect").stderr

    # From here on the topics are not needed: the broker could be gone.
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    lines = deployment.folder / "recent.jsonl"
    lines.write_bytes(b"".join(record.value + b"\n" for record in stream_records(Scenario(5, start, 120.0))))
    deaf = gated("nova@v3", str(lines), code=1)
    assert deaf["votes"]["exceptions"].keys() == {real[:6]}
    assert "real, says anna, and not told" in deaf["votes"]["exceptions"][real[:6]]
    assert gated("nova@v2", str(lines), code=1)["votes"]["exceptions"].keys() == {noise[:6]}
    assert gated("nova@v2", str(lines), "--accept", noise[:6])["votes"]["accepted"] == [noise[:6]]

    monkeypatch.setenv("TOCSIN_GATE", "required")
    refused = run("models", "promote", "nova@v3", "--alias-only", code=2).stderr
    assert "nova@v3 is not promoted: it has failed its gate" in refused
    run("models", "promote", "nova@v2", "--alias-only")
    # What passed against another champion passes no more.
    assert "is not the version in use" in run("models", "promote", "nova@v3", "--alias-only", code=2).stderr
    run("models", "rollback", "nova", "--to", "v1", "--alias-only")


def test_the_last_days_of_the_topic_are_read_and_reports_stand_in_the_promotion(deployment: Deployment) -> None:
    """Without a gate a promotion says so; one that is forced says why."""
    assert "holds no lines" in run("models", "gate", "nova@v2", "--days", "1", code=2).stderr
    start = datetime.now(UTC).replace(microsecond=0)
    records = stream_records(Scenario(5, start, 120.0))
    deployment.send(("cloud", record.value) for record in records)
    assert gated("nova@v2", "--days", "1")["unknown lines"]["passed"]
    shadow = gated("nova@v2", "--shadow-hours", "1", code=1)["shadow"]
    assert (shadow["passed"], "nova@v2 has not judged in shadow" in shadow["text"]) == (False, True)
    assert gated("nova@v2", "--days", "1")["shadow"]["passed"] is None
    run("models", "promote", "nova@v2")
    run("models", "promote", "nova@v3", "--force", "the cloud was rebuilt")
    passed, forced = (
        stored.promotion.report for stored in read_promotions(deployment.broker, Topics(deployment.prefix).models)
    )
    assert (passed["challenger"], passed["champion"], passed["passed"]) == ("nova@v2", "nova@v1", True)
    assert forced == {"forced": "the cloud was rebuilt", "why_not": "it has passed no gate"}


def test_the_champion_is_not_set_against_itself(deployment: Deployment) -> None:
    """Nor a folder against nothing."""
    assert "is the champion itself" in run("models", "gate", "nova@v1", code=2).stderr
    assert "--against" in run("models", "gate", str(deployment.folder / "one"), code=2).stderr
