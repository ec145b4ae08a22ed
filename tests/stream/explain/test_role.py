"""The role that groups windows, on a broker: what comes in, what people say, what a restart finds."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import orjson
import pytest
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from models.rfc3339 import SECOND, time_text
from stream.cli import tocsin
from stream.explain.role import ExplainConfig, ExplainRole
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics
from tests.fixtures_kafka import SOON
from tests.waiting import PATIENCE_S, until

TOPICS: Final = Topics("p.")


class Desk:
    """A broker with our topics, a role on it, and the command line beside it."""

    def __init__(self, embedded: EmbeddedBroker) -> None:
        self.broker = Broker(embedded.bootstrap, SOON)
        self.registry = CollectorRegistry()
        self.producer = self.broker.producer()
        self.now = time.time_ns() // 1000
        for spec in TOPICS.specs(1):
            embedded.create_topic(spec.name, spec.partitions)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Run the role."""
        stop = threading.Event()
        self.registry = CollectorRegistry()
        role = ExplainRole(self.broker, TOPICS, Metrics.on(self.registry), ExplainConfig())
        thread = threading.Thread(target=role.run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def fire(self, name: str, seconds: float, service: str = "nova", **parts: Any) -> None:
        """Publish an anomalous window that ends so long after the start."""
        end = self.now + int(seconds * SECOND)
        record = {
            "id": name,
            "tenant": "default",
            "key": f"{service}@host",
            "kind": "source",
            "start": time_text(end - 60 * SECOND),
            "end": time_text(end),
            "importance": 0.99,
            "fired": True,
            "parts": {"levels": 5.0},
            "services": [service],
            "templates": ["0" * 16],
            **parts,
        }
        self.producer.produce(TOPICS.anomalies, orjson.dumps(record), b"key")
        assert self.producer.flush(PATIENCE_S) == 0

    def alerts(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many alerts, and for the states behind them: they follow, and commands read those."""
        until(lambda: len(self._all(TOPICS.alerts)) >= count)
        alerts = self._all(TOPICS.alerts)
        until(lambda: all(any(_of(state, alert) for state in self._all(TOPICS.incidents)) for alert in alerts))
        return alerts

    def _all(self, topic: str) -> list[dict[str, Any]]:
        return [orjson.loads(record.value) for record in read_range(self.broker, topic) if record.value]

    def count(self, name: str, **labels: str) -> float:
        """Value of a metric of the role."""
        return self.registry.get_sample_value(name, labels) or 0.0


def _of(state: dict[str, Any], alert: dict[str, Any]) -> bool:
    """Say whether a state is one that an alert may have been made of; the embedded broker keeps all there were."""
    named = state.get("incident_id") == alert["incident_id"]
    return named and state["told"] is not None and set(alert["services"]) <= set(state["services"])


@pytest.fixture
def desk(embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Settings that name the embedded broker."""
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", embedded.bootstrap)
    monkeypatch.setenv("TOCSIN_TOPIC_PREFIX", TOPICS.prefix)
    return Desk(embedded)


def run(*arguments: str) -> Result:
    """Run a command; it must succeed."""
    result = CliRunner().invoke(tocsin, list(arguments))
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def refusal(*arguments: str) -> str:
    """Return the one line that a command ends with."""
    result = CliRunner().invoke(tocsin, list(arguments))
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    (line,) = result.stderr.splitlines()
    return line


def test_a_vote_known_silences_the_pattern_within_one_window(desk: Desk) -> None:
    """Also after a restart; another pattern is told; what was silenced is counted and shown."""
    with desk.working():
        desk.fire("a", 0)
        (fired,) = desk.alerts(1)
        name = fired["incident_id"]
        assert (fired["status"], fired["page"], fired["kind"]) == ("firing", True, "errors")
        said = run("vote", name[:8], "known", "--by", "jo", "--why", "BUG-1", "--expires", "2h").stdout
        assert said.startswith(f"{name} labelled known until ")
        closed = desk.alerts(2)[1]
        assert (closed["status"], closed["page"]) == ("resolved", False)
        assert closed["note"].startswith("known, says jo, until ")
        desk.fire("b", 15)
        until(lambda: desk.count("tocsin_hushed_windows_total") == 1)
    with desk.working():
        desk.fire("c", 30)
        desk.fire("d", 45, "glance")
        *_, other = desk.alerts(3)
        assert (other["status"], other["services"]) == ("firing", ["glance"])
    _, line, _ = run("incidents", "list").stdout.splitlines()
    assert "known, says jo" in line
    assert "BUG-1; 2 windows suppressed" in line
    assert len(desk.alerts(3)) == 3


def test_incidents_are_taken_noted_muted_split_and_merged_by_command(desk: Desk) -> None:
    """Each is said once, heard by the role, and shown."""
    with desk.working():
        desk.fire("a", 0)
        desk.fire("b", 60, "nova-api")
        first = desk.alerts(2)[0]["incident_id"]
        run("incidents", "ack", first, "--by", "jo")
        assert desk.alerts(3)[2]["acknowledged"] == "jo"
        run("incidents", "note", first, "looks like the disk", "--by", "al")
        run("incidents", "split", first, "--service", "nova-api", "--by", "jo")
        left = desk.alerts(4)[3]
        assert (left["services"], left["page"], left["windows"]) == (["nova-api"], False, ["b"])
        run("incidents", "merge", left["incident_id"], first, "--by", "jo")
        gone = desk.alerts(5)[4]
        assert (gone["incident_id"], gone["status"]) == (left["incident_id"], "resolved")
        run("incidents", "mute", first, "--until", "1h", "--by", "jo")
        assert desk.alerts(6)[5]["note"].startswith("muted by jo until ")
        run("incidents", "mute", first, "--undo", "--by", "jo")
        assert desk.alerts(7)[6]["status"] == "firing"
        run("incidents", "resolve", first, "--by", "jo")
        assert desk.alerts(8)[7]["status"] == "resolved"
    whole = orjson.loads(run("incidents", "show", first, "--json").stdout)
    assert (whole["count"], whole["state"], set(whole["services"])) == (2, "resolved", {"nova", "nova-api"})
    assert [entry["action"] for entry in whole["said"]] == ["ack", "note"]
    shown = run("incidents", "show", first).stdout
    assert "al: note looks like the disk" in shown
    # What is resolved goes on nowhere.
    assert ", over" in shown
    assert "goes on" not in shown
    assert "no open or muted incidents" in run("incidents", "list").stdout
    assert len(run("incidents", "list", "--all").stdout.splitlines()) == 3
    listed = orjson.loads(run("incidents", "list", "--all", "--json").stdout)
    assert {state["incident_id"]: state["state"] for state in listed} == {
        first: "resolved",
        left["incident_id"]: "merged",
    }


def test_services_whose_new_messages_name_one_backend_are_one_incident(desk: Desk) -> None:
    """The texts stand on the topic of templates; without them the same two windows are two faults."""
    for name, text in (("0a" * 8, "AMQP server is unreachable"), ("0b" * 8, "lost the connection to RabbitMQ")):
        desk.producer.produce(TOPICS.templates, orjson.dumps({"id": name, "text": text}), name.encode())
    desk.producer.produce(TOPICS.templates, b"no template", b"x")
    desk.producer.flush()
    with desk.working():
        desk.fire("a", 0, "nova-compute", templates=["0a" * 8])
        desk.fire("b", 60, "cinder-volume", templates=["0b" * 8])
        desk.fire("c", 60, "glance-api", templates=["0c" * 8])
        alerts = desk.alerts(3)
    assert sorted(alert["services"] for alert in alerts if alert["windows"][-1] != "a") == [
        ["glance-api"],
        ["nova-compute", "cinder-volume"],
    ]


def test_what_is_said_while_nobody_listens_counts_at_the_next_start(desk: Desk) -> None:
    """The state and what people said come from the topics alone; what cannot be read is left out."""
    with desk.working():
        desk.fire("a", 0)
        (fired,) = desk.alerts(1)
    run("vote", fired["incident_id"], "noise", "--by", "jo")
    desk.producer.produce(TOPICS.feedback, b"no record", b"x")
    assert desk.producer.flush(PATIENCE_S) == 0
    with desk.working():
        closed = desk.alerts(2)[1]
    assert (closed["status"], closed["note"]) == ("resolved", "noise, says jo")


def test_what_cannot_be_is_refused_in_one_line(desk: Desk) -> None:
    """With the command that helps."""
    with desk.working():
        desk.fire("a", 0)
        (fired,) = desk.alerts(1)
    name = fired["incident_id"]
    assert "see `tocsin incidents list --all`" in refusal("incidents", "show", "f" * 32)
    assert "give at least 4 characters" in refusal("incidents", "show", name[:3])
    assert "cannot be split off; services that can: none" in refusal("incidents", "split", name, "--service", "nova")
    assert "another incident" in refusal("incidents", "merge", name, name)
    assert "later than now" in refusal("vote", name, "known", "--expires", "2020-01-01T00:00:00Z")
    assert "nothing else, have a time" in refusal("vote", name, "real", "--expires", "2d")
    assert "write 12h, 30d" in refusal("vote", name, "known", "--expires", "soon")
    assert "Invalid value for" in refusal("vote", name, "perhaps")
