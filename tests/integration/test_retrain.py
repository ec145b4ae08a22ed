"""``tocsin retrain``: lines of the topics → a version, set against the champion, and promoted if it passes."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alerts.incidents.incident import IncidentState
from models.registry.address import ModelAddress
from models.registry.model_store import ModelStore
from models.rfc3339 import SECOND
from stream.cli import tocsin
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.writer import write
from stream.settings import load_settings
from stream.wiring.bundles import open_store
from stream.wiring.core import DEMO_BUNDLE
from tests.integration.streamed import Deployment
from tests.integration.test_learning import send
from tests.stream.review.test_report import incident
from training.simulate import Scenario
from training.simulate.scenario import micros

pytestmark = [pytest.mark.slow]


@pytest.fixture
def deployment(embedded: EmbeddedBroker, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A broker, and a store with a champion."""
    made = Deployment(Broker(embedded.bootstrap), unique, tmp_path)
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TOCSIN_MODELS", f"file://{tmp_path}/store")
    monkeypatch.setenv("TOCSIN_CACHE_PATH", str(tmp_path / "cache"))
    run("models", "check-in", str(DEMO_BUNDLE), "--name", "nova")
    run("models", "promote", "nova@v1", "--alias-only")
    return made


def run(*args: str, code: int = 0) -> Result:
    """Run ``tocsin``."""
    result = CliRunner().invoke(tocsin, args)
    assert result.exit_code == code, (result.output, result.stderr, result.exception)
    return result


def store() -> ModelStore:
    """The versions."""
    return open_store(load_settings())


@pytest.mark.train
def test_a_version_is_trained_gated_and_promoted_only_where_told_to(deployment: Deployment) -> None:
    """What is open is left out of the training; the report stands beside the version."""
    begin = datetime.now(UTC) - timedelta(minutes=41)
    send(deployment, Scenario(5, begin, 40 * 60))
    opened = micros(begin) + 600 * SECOND
    fault = dataclasses.replace(incident("nova-api", 60), first=opened, last=opened + 120 * SECOND)
    deployment.broker.ensure_topics(deployment.topics.specs(1))
    write(deployment.broker, deployment.topics.incidents, fault.to_json(), fault.id.encode())
    assert fault.state is IncidentState.OPEN

    done = run("retrain", "nova", "--days", str(40 / 1440), "--promote", code=1)
    assert "1 stretches of incidents left out" in done.stderr
    manifest, first = store().versions("nova")
    assert (manifest.version, manifest.parent) == ("nova@v2", "nova@v1")
    assert first.bundle != manifest.bundle
    # Trained on half an hour, it knows less than the champion, which has seen days: the gate says of what.
    report = store().report(manifest)
    assert report is not None
    assert next(check["name"] for check in report["checks"] if check["passed"] is False) == "services"
    assert store().alias("nova", "champion") == 1

    again = run("models", "promote", "nova@v2", "--alias-only", "--force", "a trial")
    assert again.stdout.startswith("nova@v2 is the champion")
    address = ModelAddress(store().url, "nova", "champion")
    assert store().resolve(address) == manifest


def test_without_lines_or_a_store_nothing_is_trained(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so at once."""
    deployment.broker.ensure_topics(deployment.topics.specs(1))
    assert "holds no lines" in run("retrain", "nova", code=2).stderr
    monkeypatch.delenv("TOCSIN_MODELS")
    monkeypatch.delenv("TOCSIN_BUNDLE")
    assert "no store of models is set" in run("retrain", "nova", code=2).stderr
    assert len(store().versions("nova") if load_settings().models else [1]) == 1
