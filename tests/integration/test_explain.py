"""The explain role: an alert fires first, then carries what the lines say, then what a language model adds."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from alerts.incidents.incident import Incident
from alerts.messages.alert import Alert, Status
from alerts.monitoring.metrics import Metrics
from models.bundle import Bundle
from models.errors import InvalidError
from stream.explain.role import ExplainConfig, ExplainRole
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import follow, read_range
from stream.kafka.topic_specs import Topics
from stream.settings import Settings
from stream.topics.changes import Announcement, announce
from stream.wiring.core import DEMO_BUNDLE
from stream.wiring.explainer import make_explainer
from stream.wiring.llm import transcript_store
from tests.fixtures_kafka import SOON
from tests.index.diagnosis.test_known_failures import OWN
from tests.messages_server import MessagesServer
from tests.ports import held_port
from tests.waiting import until

DEADLINE_S = 180.0
SECRET = "hunter2-unguessable-9f1c"  # noqa: S105 - planted
REQUEST = "req-5a1f6a0e-3c52-4c6b-9d62-0b2f7a4f1c11"
HEAD = "2026-03-03 09:10:%02d.000 2817 %s %s [" + REQUEST + " demo demo - default default] "
LINES = [
    *(HEAD % (i, "INFO", "nova.api.openstack.compute.servers") + f"listing servers, page {i}" for i in range(20)),
    HEAD % (21, "ERROR", "oslo_messaging.rpc.server") + "Exception during message handling: DBConnectionError",
    HEAD % (22, "ERROR", "oslo.db") + f"mysql+pymysql://nova:{SECRET}@10.0.0.5/nova: Lost connection to MySQL server",
    HEAD % (23, "ERROR", "nova.api.openstack.wsgi") + "Unexpected exception in API method: DBConnectionError",
]
FIRST_ERROR = 20


@pytest.fixture
def settings(embedded: EmbeddedBroker, unique: str, tmp_path: Path) -> Settings:
    """Give settings of a role whose lines and one anomalous window are there already."""
    made = Settings(
        kafka_bootstrap_servers=embedded.bootstrap,
        topic_prefix=unique,
        bundle=DEMO_BUNDLE,
        index_path=tmp_path / "index",
        embedding_model="built-in",
        explain_settle_s=1.0,
    )
    broker, topics = Broker(embedded.bootstrap), Topics(unique)
    for spec in topics.specs(1):
        embedded.create_topic(spec.name, spec.partitions)
    announce(broker, topics.changes, Announcement(micros("09:00:00"), "mysql", "failover to db-2"))
    producer = broker.producer()
    for line in LINES:
        record = {"log": line, "service": "nova-api", "host": "controller-1", "source": "/var/log/nova/nova-api.log"}
        producer.produce(topics.logs_raw, orjson.dumps(record), partition=0)
    producer.produce(topics.anomalies, orjson.dumps(anomaly()), b"default/nova-api@controller-1")
    assert producer.flush(DEADLINE_S) == 0
    return made


def micros(clock: str) -> int:
    """Return a moment of the day of the lines."""
    from models.rfc3339 import parse_time

    return parse_time(f"2026-03-03T{clock}Z")


def anomaly() -> dict[str, Any]:
    """Return a window that points to the errors."""
    return {
        "schema": "tocsin.anomaly/1",
        "bundle": "test",
        "id": "0" * 32,
        "tenant": "default",
        "key": "nova-api@controller-1",
        "kind": "source",
        "start": "2026-03-03T09:10:00.000Z",
        "end": "2026-03-03T09:11:00.000Z",
        "events": len(LINES),
        "score": 6.0,
        "importance": 0.99,
        "fired": True,
        "state": "live",
        "parts": {"levels": 5.0},
        "lines": [{"partition": 0, "offset": offset} for offset in range(FIRST_ERROR, len(LINES))],
        "services": ["nova-api"],
        "reasons": ["3 errors, usually 0"],
    }


@contextmanager
def role(settings: Settings, *, explains: bool = True) -> Iterator[Metrics]:
    """Run the role while the context lasts."""
    broker, topics = Broker(settings.kafka_bootstrap_servers, SOON), Topics(settings.topic_prefix)
    metrics = Metrics.on(CollectorRegistry())
    explainer = make_explainer(settings, broker, topics, Bundle.load(DEMO_BUNDLE)) if explains else None
    stop = threading.Event()
    alerting = ExplainRole(broker, topics, metrics, ExplainConfig(), explainer)
    thread = threading.Thread(target=alerting.run, args=(stop,))
    thread.start()
    try:
        yield metrics
    finally:
        stop.set()
        thread.join(DEADLINE_S)
    assert not thread.is_alive()


def alerts(settings: Settings, enough: Callable[[list[Alert]], bool]) -> list[Alert]:
    """Return the alerts of the topic once there are enough."""
    seen: list[Alert] = []
    idle = 0
    broker, topics = Broker(settings.kafka_bootstrap_servers), Topics(settings.topic_prefix)
    for record in follow(broker, topics.alerts):
        if record is None:
            idle += 1
            assert idle < DEADLINE_S * 4, [alert.status for alert in seen]
            continue
        seen.append(Alert.from_json(record.value or b""))
        if enough(seen):
            break
    return seen


def enriched(seen: list[Alert]) -> bool:
    """Say whether a diagnosis has been told."""
    return seen[-1].status is Status.ENRICHED


def told_by(mode: str) -> Callable[[list[Alert]], bool]:
    """Say when a diagnosis of a mode has been told."""
    return lambda seen: seen[-1].diagnosis is not None and seen[-1].diagnosis["mode"] == mode


def test_an_alert_fires_first_and_is_enriched_with_lines_that_are_there(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """The first alert waits for no explanation; the diagnosis cites raw lines by their places, and names suspects."""
    caplog.set_level(logging.INFO)
    with role(settings) as metrics:
        first, *_, last = alerts(settings, enriched)
    assert (first.status, first.diagnosis, first.reasons) == (Status.FIRING, None, ("3 errors, usually 0",))
    diagnosis = last.diagnosis
    assert diagnosis is not None
    assert (last.incident_id, diagnosis["service"], diagnosis["mode"]) == (
        first.incident_id,
        "nova-api",
        "deterministic",
    )
    assert diagnosis["evidence"]
    for line in diagnosis["evidence"]:
        assert line["source"] == settings.topic_prefix + "logs.raw"
        assert line["text"] == LINES[line["line"]]
    assert diagnosis["evidence"][0]["line"] >= FIRST_ERROR
    cited = {name for claim in diagnosis["claims"] for name in claim["lines"]}
    assert cited
    assert cited <= {line["id"] for line in diagnosis["evidence"]}
    assert any("failover to db-2" in moment["text"] for moment in diagnosis["timeline"])
    assert metrics.diagnoses.labels("deterministic")._value.get() >= 1
    logged = [record.__dict__ for record in caplog.records if record.getMessage() == "incident explained"]
    assert logged[0]["incident"] == last.incident_id
    assert logged[0]["evidence_lines"] > 0


def test_a_failure_that_only_the_user_knows_is_named(settings: Settings, tmp_path: Path) -> None:
    """By the table of one's own; where that is wrong, the role does not start."""
    table = tmp_path / "own.toml"
    own = OWN.format(name="full-moon").replace("moon (?:is )?full", "DBConnectionError")
    table.write_text(own.replace("0.9", "1.0"))
    with role(settings.model_copy(update={"failures": table})):
        last = alerts(settings, enriched)[-1]
    assert last.diagnosis is not None
    assert "Astronomy." in last.diagnosis["cause"]
    table.write_text("[[failure]]")
    with pytest.raises(InvalidError, match=r"own\.toml"), role(settings.model_copy(update={"failures": table})):
        pass


def test_what_is_open_at_a_start_is_explained(settings: Settings) -> None:
    """A role that ended before it had explained an incident makes up for it when it starts again."""
    with role(settings, explains=False):
        assert not enriched(alerts(settings, lambda seen: len(seen) == 1))
    with role(settings):
        assert alerts(settings, enriched)[-1].diagnosis


def test_a_language_model_is_asked_once_and_never_sees_a_secret(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is checked and told; what was sent is kept, without the password that the lines hold."""
    with MessagesServer() as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "test")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        with role(settings) as metrics:
            explained = alerts(settings, told_by("llm"))
        with role(settings):
            again = alerts(settings, lambda seen: len(seen) > 1 and told_by("llm")(seen))
        requests = [request.body for request in server.requests]
    assert explained[0].diagnosis is None
    assert again[-1].incident_id == explained[-1].incident_id
    assert len(requests) == 1
    assert SECRET not in str(requests)
    kept = transcript_store(settings).get(explained[-1].incident_id)
    assert kept is not None
    assert requests[0]["messages"][0]["content"] == kept.user
    assert SECRET not in kept.text
    assert explained[-1].diagnosis is not None
    assert explained[-1].diagnosis["cost_usd"] > 0
    assert metrics.llm_cost.labels("default")._value.get() > 0


def test_without_an_answer_the_diagnosis_from_the_lines_stays_and_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that cannot be reached costs nothing but a note, which is kept and is no news."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{held_port()}")
    broker, topics = Broker(settings.kafka_bootstrap_servers), Topics(settings.topic_prefix)

    def notes() -> list[str]:
        records = [Incident.from_json(record.value or b"") for record in read_range(broker, topics.incidents)]
        return [str(incident.diagnosis["note"]) for incident in records if incident.diagnosis]

    with role(settings.model_copy(update={"llm_attempts": 1})):
        last = alerts(settings, enriched)[-1]
        until(lambda: any("cannot be reached" in note for note in notes()))
    assert last.diagnosis is not None
    assert last.diagnosis["mode"] == "deterministic"
    assert sum(alert.status is Status.ENRICHED for alert in published(settings)) == 1


def published(settings: Settings) -> list[Alert]:
    """Return the alerts of the topic so far."""
    broker, topics = Broker(settings.kafka_bootstrap_servers), Topics(settings.topic_prefix)
    return [Alert.from_json(record.value or b"") for record in read_range(broker, topics.alerts)]
