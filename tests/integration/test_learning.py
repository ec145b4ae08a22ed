"""A worker without a bundle: it tells of errors at once, learns beside its work, and takes over what it has learned."""

import dataclasses
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from models.bundle import Bundle
from models.rfc3339 import SECOND, parse_time
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.learning.folder import LearningFolder
from stream.learning.schedule import LearningProgress
from stream.wiring.core import DEMO_BUNDLE
from stream.wiring.learning import PLATFORM_BUNDLE
from tests.faults.chaos import Worker
from tests.integration.streamed import Deployment, Window, by_id
from tests.integration.test_roles import simulated
from tests.waiting import PATIENCE_S, until
from training.simulate import Fault, FaultKind, Scenario, stream_records
from training.simulate.scenario import micros

MINUTE = 60 * SECOND
SLOW = "controller-1/nova-api"
TRAINING_S = 800.0
"""For a training at the lowest priority."""

pytestmark = [pytest.mark.slow]


@dataclasses.dataclass(frozen=True, slots=True)
class Unbundled(Deployment):
    """A deployment without a bundle, which keeps what it learns in its own folder."""

    learn_after_s: float = 0.0

    @property
    def state(self) -> LearningFolder:
        """Where it keeps what it has learned."""
        return LearningFolder(self.folder / "state" / self.prefix.strip("."))

    def environment(self, metrics_port: int = 0) -> dict[str, str]:
        """Settings for its processes."""
        settings = Deployment.environment(self, metrics_port)
        del settings["TOCSIN_BUNDLE"]
        return settings | {
            "TOCSIN_STATE_PATH": str(self.folder / "state"),
            "TOCSIN_LEARN_AFTER_S": str(self.learn_after_s),
        }

    def text(self) -> str:
        """Return all that its processes have logged."""
        return (self.folder / "tocsin.log").read_text(errors="replace")


def test_a_new_bundle_is_taken_over_without_losing_or_doubling_a_window(tmp_path: Path) -> None:
    """Each window is published once, by the old bundle or by the new one, in one process number."""
    with EmbeddedBroker() as embedded:
        deployment = Unbundled(Broker(embedded.bootstrap), f"take-{uuid4().hex[:8]}.", tmp_path, batch_lines=200)
        values = simulated(3, 420.0)
        expected = Deployment(deployment.broker, deployment.prefix, tmp_path).score(values)
        deployment.send(values)
        worker = deployment.worker()
        worker.start()
        try:
            number = worker.process.pid if worker.process else 0
            deployment.await_windows(50)
            shutil.copytree(DEMO_BUNDLE, deployment.state.path / "bundle-1")
            deployment.state.write(LearningProgress(since=1000).succeeded(2000, "bundle-1"))
            until(lambda: deployment.text().count("connected kafka") == 2)
            deployment.await_windows(len(expected))
            assert worker.process is not None
            assert worker.process.pid == number
        finally:
            status = worker.stop()
        assert status == 0, deployment.log()
        published = by_id(deployment.windows().values())
    assert published.keys() == expected.keys()
    assert {window["bundle"] for window in published.values()} <= {
        Bundle.load(path).id for path in (PLATFORM_BUNDLE, DEMO_BUNDLE)
    }


@pytest.mark.train
def test_what_needs_to_be_learned_is_told_after_the_first_lesson(tmp_path: Path) -> None:
    """Slow calls are no error: the shipped bundle says nothing of them, the one that the worker trains does."""
    with EmbeddedBroker() as embedded:
        deployment = Unbundled(
            Broker(embedded.bootstrap), f"learn-{uuid4().hex[:8]}.", tmp_path, learn_after_s=1200, idle_s=60
        )
        send(deployment, Scenario(5, datetime.now(UTC) - timedelta(minutes=26), 25 * 60))
        worker = Worker("ingest,detect", deployment.environment(), tmp_path / "tocsin.log", publish_all=False)
        worker.start()
        try:
            until(lambda: deployment.state.progress().bundle, TRAINING_S)
            until(lambda: deployment.text().count("connected kafka") == 2)
            start = datetime.now(UTC)
            begin = micros(start)
            fault = Fault(FaultKind.SLOW, SLOW, begin + 4 * MINUTE, begin + 7 * MINUTE, "")
            send(deployment, Scenario(5, start, 8 * 60, faults=(fault,)))
            until(lambda: [window for window in deployment.windows().values() if is_of(window, fault)])
        finally:
            status = worker.stop()
        assert status == 0, deployment.log()
        bundles = {window["bundle"] for window in deployment.windows().values()}
    learned = deployment.state.bundle(deployment.state.progress())
    assert learned is not None
    assert bundles == {Bundle.load(learned).id}
    assert "errors, failures and crashes are told, and nothing else" in deployment.text()
    assert "learned from 2" in deployment.text()


def send(deployment: Deployment, scenario: Scenario) -> None:
    """Send a simulated stretch at once, each line with the time at which it was written."""
    producer = deployment.broker.producer()
    for record in stream_records(scenario):
        producer.produce(deployment.topics.logs_raw, record.value, record.key.encode(), timestamp=record.time // 1000)
        producer.poll(0)
    assert producer.flush(PATIENCE_S) == 0


def is_of(window: Window, fault: Fault) -> bool:
    """Whether a window fired during a fault, or soon after."""
    return bool(window["fired"]) and fault.start <= parse_time(window["end"]) <= fault.end + MINUTE
