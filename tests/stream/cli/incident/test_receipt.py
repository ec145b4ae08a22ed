"""``tocsin receipt verify``: of files, and of an incident on the topic."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from alerts.messages.signed_receipt import Signer
from stream.cli import tocsin
from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from tests.sink_servers.sample_alerts import fired, grown
from tests.waiting import PATIENCE_S

KEY = "only-for-tests"


def verify(target: str, *options: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(tocsin, ["receipt", "verify", target, *options])


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set the key, in an empty folder."""
    monkeypatch.setenv("TOCSIN_RECEIPT_KEY", KEY)
    monkeypatch.chdir(tmp_path)


def test_files_of_one_alert_and_of_many_are_verified(tmp_path: Path) -> None:
    """However one alert is laid out; and one that was changed fails the command."""
    alert = Signer(KEY).sign(fired())
    one, many = tmp_path / "one.json", tmp_path / "many.jsonl"
    one.write_bytes(orjson.dumps(orjson.loads(alert.to_json()), option=orjson.OPT_INDENT_2))
    assert verify(str(one)).exit_code == 0
    changed = orjson.loads(Signer(KEY).sign(grown(fired(), 2)).to_json()) | {"severity": "warning"}
    many.write_bytes(alert.to_json() + b"\n" + orjson.dumps(changed) + b"\n")
    result = verify(str(many), "--json")
    first, second = map(orjson.loads, result.stdout.splitlines()[:2])
    assert first["ok"] is True
    assert "the alert was changed" in second["problems"][0]
    assert result.exit_code == 2


def test_the_alerts_of_an_incident_are_found_on_the_topic(
    broker: Broker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its id."""
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap)
    monkeypatch.setenv("TOCSIN_TOPIC_PREFIX", unique)
    topics = Topics(unique)
    broker.ensure_topics(topics.specs(2))
    producer = broker.producer()
    for alert in (fired(), fired(1), grown(fired(), 2)):
        signed = Signer(KEY).sign(alert)
        producer.produce(topics.alerts, signed.to_json(), signed.incident_id.encode())
    assert producer.flush(PATIENCE_S) == 0
    result = verify(fired().incident_id)
    assert result.exit_code == 0
    assert result.stdout.count("ok ") == 2
    assert verify("0" * 32).exit_code == 2


def test_without_a_key_or_a_file_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    assert "cannot be read" in verify(str(tmp_path / "no.json")).output
    monkeypatch.delenv("TOCSIN_RECEIPT_KEY")
    result = verify("no.json")
    assert result.exit_code == 2
    assert "TOCSIN_RECEIPT_KEY" in result.output
