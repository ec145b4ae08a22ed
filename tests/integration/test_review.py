"""A review of files and one of the topics, beside all roles on a broker: the same windows, incidents and services."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from stream.cli import tocsin
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import read_range
from tests.integration.streamed import Deployment
from tests.waiting import until
from training.simulate import FaultKind, Scenario, plan_faults, stream_records

START = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
SECONDS = 420.0
pytestmark = [pytest.mark.slow]


def places(alerts: list[dict[str, Any]]) -> dict[str, tuple[str, list[str]]]:
    """Return kind and services of each incident, by id, as the last alert has them."""
    return {alert["incident_id"]: (alert["kind"], alert["services"]) for alert in alerts}


def reviewed(*arguments: str) -> dict[str, Any]:
    """Return the data of a review."""
    result = CliRunner().invoke(tocsin, ["review", *arguments, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    record: dict[str, Any] = orjson.loads(result.stdout)
    return record


def test_files_and_topics_are_reviewed_as_the_roles_judge_them(
    embedded: EmbeddedBroker, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every window that fired made the same incidents; of the topics also where frames are read by their time."""
    faults = plan_faults(START, SECONDS, 4, [FaultKind.ERROR_BURST, FaultKind.NEW_MESSAGE])
    values = [("cloud", record.value) for record in stream_records(Scenario(4, START, SECONDS, faults=faults))]
    deployment = Deployment(Broker(embedded.bootstrap), unique, tmp_path, batch_lines=20, partitions=1)
    for name, value in deployment.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TOCSIN_EMBEDDING_MODEL", "built-in")
    windows = deployment.score(values)
    for spec in deployment.topics.specs(1):
        embedded.create_topic(spec.name, spec.partitions)
    deployment.send(values)
    worker = deployment.worker()
    worker.start()

    def alerts() -> list[dict[str, Any]]:
        records = read_range(deployment.broker, deployment.topics.alerts)
        return [orjson.loads(record.value or b"") for record in records]

    try:
        deployment.await_windows(len(windows))
        of_files = reviewed(str(tmp_path / "records.jsonl"))
        until(lambda: places(alerts()) == places(of_files["alerts"]))
    finally:
        worker.stop()
    of_topics = reviewed("--from", "2020-01-01T00:00:00Z")
    fired = {name for name, window in deployment.windows().items() if window["fired"]}
    assert fired == {name for name, window in windows.items() if window["fired"]}
    assert of_files["fired"] == of_topics["fired"] == len(fired)
    assert places(of_topics["alerts"]) == places(of_files["alerts"])
