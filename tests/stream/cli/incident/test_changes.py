"""``tocsin changes``: those that were recorded, and what the newest did to the logs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from models.rfc3339 import SECOND, time_text
from stream.cli import tocsin
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker

START = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def broker(embedded: EmbeddedBroker, unique: str, monkeypatch: pytest.MonkeyPatch) -> Broker:
    """A cloud in which a service was deployed at noon, two hours before its last line."""
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", embedded.bootstrap)
    monkeypatch.setenv("TOCSIN_TOPIC_PREFIX", unique)
    embedded.create_topic(f"{unique}logs.raw", 1)
    embedded.create_topic(f"{unique}changes", 1)
    made = Broker(embedded.bootstrap)
    producer = made.producer()
    for minute in range(-180, 60):
        at = START + timedelta(minutes=minute, seconds=1)
        lines = [("nova-api", "INFO", "GET /servers took some time")]
        lines += [("glance-api", "INFO", "image was read")] * (1 if minute < 0 else 9)
        lines += (
            [("nova-api", "INFO", "old cache was pruned")] if minute < 0 else [("nova-api", "ERROR", "token rejected")]
        )
        for service, level, text in lines:
            head = f"{at:%Y-%m-%d %H:%M:%S}.000 7 {level} {service.replace('-', '.')} [-] {text}"
            record = orjson.dumps({"log": head, "path": f"/var/log/{service.partition('-')[0]}/{service}.log"})
            producer.produce(f"{unique}logs.raw", record, timestamp=int(at.timestamp() * 1000))
    assert producer.flush(30) == 0
    return made


def run(*args: str, code: int = 0) -> Result:
    """Run a command."""
    result = CliRunner().invoke(tocsin, args)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def rows(record: dict[str, Any], sort: str) -> list[tuple[str, str, str]]:
    """Service, level and message of what a comparison has."""
    return [(row["service"], row["level"], row["template"]) for row in record[sort]]


def test_the_newest_change_is_compared_with_the_hours_before() -> None:
    """What is new, gone and more often, by service."""
    run("change", "glance-api", "earlier", "--time", "2026-11-30T11:00:00Z")
    run("change", "nova-api", "deployed 2026.2.1", "--time", time_text(int(START.timestamp()) * SECOND))
    listed = run("changes").stdout.splitlines()
    assert listed == ["2026-11-30T11:00:00Z  glance-api: earlier", "2026-11-30T12:00:00Z  nova-api: deployed 2026.2.1"]
    assert run("changes", "nova-api").stdout.count("\n") == 1

    record = orjson.loads(run("changes", "--diff", "--json").stdout)
    assert rows(record, "new") == [("nova-api", "error", "token rejected")]
    assert rows(record, "gone") == [("nova-api", "info", "old cache was pruned")]
    assert rows(record, "more") == [("glance-api", "info", "image was read")]
    text = run("changes", "--diff").stdout
    assert text.startswith(
        "1 h after 2026-11-30T12:00:00Z against 3 h before\n1 new\n  nova-api error: 60 lines, 0 before"
    )
    assert "glance-api info: 540 lines, 180 before, 9.0 times as often: " in text


def test_any_moment_may_be_compared_and_one_without_lines_says_so() -> None:
    """Without a recorded change a time is needed."""
    assert "no change is recorded" in run("changes", "--diff", code=2).stderr
    quiet = orjson.loads(run("changes", "--at", "2026-11-30T10:30:00Z", "--before", "1", "--json").stdout)
    assert (quiet["new"], quiet["gone"], quiet["more"], quiet["fewer"]) == ([], [], [], [])
    assert "no lines in the hours after it" in run("changes", "--at", "2026-11-30T15:00:00Z", code=2).stderr
