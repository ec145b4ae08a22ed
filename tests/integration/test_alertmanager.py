"""The deliver role and a real Alertmanager: what it takes, keeps, forwards and ends; and a line's way to it."""

import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from alerts.messages.alert import Alert, Severity
from alerts.monitoring.metrics import Metrics
from alerts.sinks.alertmanager import AlertmanagerSink
from alerts.sinks.base import Response
from alerts.sinks.http_transport import Transport
from stream.deliver.role import Deliver, DeliverConfig
from stream.deliver.sink_worker import SinkWorkerConfig
from stream.doctor.result import CheckOutcome
from stream.doctor.sink_checks import sink_checks
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics
from tests.integration.streamed import Deployment
from tests.ports import held_port
from tests.sink_servers.base import Answer, Call, Service
from tests.sink_servers.sample_alerts import enriched, fired, grown, resolved
from tests.stream.deliver.delivering import FAST, fast
from tests.waiting import PATIENCE_S, until
from training.simulate import Scenario, plan_faults, stream_records

pytestmark = [pytest.mark.alertmanager]


class Hook(Service):
    """Where Alertmanager sends its notifications."""

    def __init__(self) -> None:
        self.notified: list[dict[str, Any]] = []
        super().__init__()

    def take(self, call: Call) -> Answer:
        """Keep every alert of a notification."""
        self.notified += orjson.loads(call.body)["alerts"]
        return Answer(200)

    def of(self, status: str) -> list[dict[str, Any]]:
        """Return what was notified in a state."""
        return [alert for alert in self.notified if alert["status"] == status]


@dataclass
class Running:
    """A real Alertmanager, and the receiver that it notifies."""

    url: str
    hook: Hook = field(default_factory=Hook)

    def alerts(self) -> list[dict[str, Any]]:
        """Return what it holds."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=PATIENCE_S) as answer:  # noqa: S310 - loopback
            alerts: list[dict[str, Any]] = orjson.loads(answer.read())
        return alerts


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Running]:
    """Give a real Alertmanager that notifies at once."""
    binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if binary is None:
        pytest.skip("no Alertmanager: apt install prometheus-alertmanager")
    port = held_port()
    running = Running(f"http://127.0.0.1:{port}")
    config = tmp_path / "alertmanager.yml"
    config.write_text(
        "route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
        f"receivers: [{{name: hook, webhook_configs: [{{url: '{running.hook.url}/', send_resolved: true}}]}}]\n"
    )
    command = [binary, f"--config.file={config}", f"--storage.path={tmp_path}", "--cluster.listen-address="]
    with (tmp_path / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        until(lambda: _ready(running.url))
        yield running
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        running.hook.close()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=PATIENCE_S):  # noqa: S310 - loopback
            return True
    except OSError:
        return False


def put(broker: Broker, topics: Topics, alert: Alert) -> None:
    """Put an alert onto the topic."""
    producer = broker.producer(linger_ms=0)
    producer.produce(topics.alerts, alert.to_json(), alert.incident_id.encode())
    assert producer.flush(PATIENCE_S) == 0


def test_an_incident_fires_grows_and_ends_in_a_real_alertmanager(
    embedded: EmbeddedBroker, unique: str, alertmanager: Running
) -> None:
    """Notified as firing, as worse, and as resolved, once each, with labels and texts in their places."""
    broker, topics = Broker(embedded.bootstrap), Topics(unique)
    broker.ensure_topics(topics.specs(4))
    # By the fast clock it is resent every second, and would end by itself only after forty.
    sink = AlertmanagerSink(alertmanager.url, refresh_s=FAST)
    config = DeliverConfig((sink,), SinkWorkerConfig(steady=fast), 0.0)
    role = Deliver(broker, topics, Metrics.on(CollectorRegistry()), config)
    stop = threading.Event()
    thread = threading.Thread(target=role.run, args=(stop,))
    thread.start()
    try:
        put(broker, topics, fired())
        until(lambda: alertmanager.hook.of("firing"))
        time.sleep(3)  # several resends: nothing new for Alertmanager
        assert len(alertmanager.hook.notified) == 1
        worse = enriched(grown(fired(), 2, Severity.CRITICAL))
        put(broker, topics, worse)
        until(lambda: [a["annotations"]["severity"] for a in alertmanager.alerts()] == ["critical"])
        assert alertmanager.hook.of("resolved") == []
        [alert] = alertmanager.alerts()
        assert "QueuePool" in alert["annotations"]["diagnosis"]
        put(broker, topics, resolved(worse))
        until(lambda: len(alertmanager.hook.of("resolved")) == 1)
        assert alertmanager.alerts() == []
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    [check] = sink_checks((AlertmanagerSink(alertmanager.url),))
    assert check.outcome is CheckOutcome.OK


def test_a_real_alertmanager_takes_every_alert_that_can_be_made(alertmanager: Running) -> None:
    """Odd names, empty texts, control characters, times that run backwards."""
    sink = AlertmanagerSink(alertmanager.url)
    odd = [
        replace(fired(), services=("\x00\u202e",), tenant='a"b\\c\n'),
        replace(fired(), summary="x" * 50_000, kind="", started=2**52),
        replace(resolved(fired()), ended=0, started=10**15 * 4),
        replace(fired(), links={"runbook": "https://x.test/\u00e9 b", "replay": "not a url"}),
    ]
    with Transport() as transport:
        for alert in odd:
            request = sink.render(alert, {}, time.time())
            assert request is not None
            answer = transport.send(request)
            assert isinstance(answer, Response)
            assert answer.status == 200, answer.body


@pytest.mark.slow
def test_lines_travel_to_a_notification(embedded: EmbeddedBroker, tmp_path: Path, alertmanager: Running) -> None:
    """Line → Kafka → window → incident → Alertmanager → webhook, by ``tocsin run`` with all roles."""
    deployment = Deployment(Broker(embedded.bootstrap), "lines.", tmp_path)
    start = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
    scenario = Scenario(0, start, 420.0, faults=plan_faults(start, 420.0, 0), tenant="cloud-0")
    deployment.send([("cloud-0", record.value) for record in stream_records(scenario)])
    worker = deployment.worker()
    worker.roles = "ingest,detect,explain,deliver"
    worker.environment |= {"TOCSIN_ALERTMANAGER_URL": alertmanager.url, "TOCSIN_SYNTHETIC_EVERY_S": "3600"}
    worker.start()
    try:
        wanted = {"TocsinIncident", "TocsinSynthetic"}
        until(lambda: wanted <= {alert["labels"]["alertname"] for alert in alertmanager.hook.notified})
    finally:
        status = worker.stop()
    assert status == 0, deployment.log()
    incident = next(a for a in alertmanager.hook.notified if a["labels"]["alertname"] == "TocsinIncident")
    assert incident["labels"]["tenant"] == "cloud-0"
