"""What a shadow told, set against what people were told: from the topics, as ``tocsin models shadow`` prints it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from models.bundle import Bundle
from models.records import Verdict
from models.rfc3339 import SECOND
from models.windows.store import RestartMark
from stream.cli import tocsin
from stream.detect.partition_state import PartitionCheckpoint
from stream.kafka.clients import Broker
from stream.kafka.consuming import TopicPartition
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics
from stream.review.sources import windows_of_files
from stream.settings import load_settings
from stream.topics.anomalies import anomaly
from stream.topics.shadow_starts import ShadowStart
from stream.wiring.core import DEMO_BUNDLE, load_bundle, make_components
from training.simulate import FaultKind, Scenario, plan_faults, stream_records

START = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
SECONDS = 2400.0
BEGIN = round(START.timestamp()) * SECOND

pytestmark = [pytest.mark.slow]


@cache
def model() -> ShadowStart:
    """The bundle that judged in shadow."""
    return ShadowStart(Bundle.load(DEMO_BUNDLE).id, str(DEMO_BUNDLE))


@pytest.fixture(scope="module")
def fired(tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    """Windows of 40 minutes of a simulated cloud that fired: of a new message, and later of a burst of errors."""
    path = tmp_path_factory.mktemp("logs") / "logs.jsonl"
    faults = plan_faults(START, SECONDS, 4, [FaultKind.ERROR_BURST, FaultKind.NEW_MESSAGE])
    path.write_bytes(b"".join(r.value + b"\n" for r in stream_records(Scenario(4, START, SECONDS, faults=faults))))
    settings = load_settings()
    parts = make_components(settings, load_bundle(settings, DEMO_BUNDLE))
    closed = windows_of_files([path], parts.processor(), parts.scorer, parts.windows)
    return [verdict for one in closed for verdict in one.verdicts if verdict.fired]


@pytest.fixture
def topics(embedded: EmbeddedBroker, unique: str, monkeypatch: pytest.MonkeyPatch) -> Topics:
    """Topics of a cloud on which both have judged for 40 minutes."""
    for name, value in (
        ("KAFKA_BOOTSTRAP_SERVERS", embedded.bootstrap),
        ("TOPIC_PREFIX", unique),
        ("BUNDLE", str(DEMO_BUNDLE)),
        ("EMBEDDING_MODEL", "built-in"),
    ):
        monkeypatch.setenv(f"TOCSIN_{name}", value)
    topics = Topics(unique)
    broker = Broker(embedded.bootstrap)
    broker.ensure_topics([*topics.specs(1), *topics.in_shadow().specs(1)])
    for names in (topics, topics.in_shadow()):
        mark = RestartMark(0, BEGIN + round(SECONDS) * SECOND, {})
        consumer = broker.consumer(names.group("detect"))
        metadata = PartitionCheckpoint(mark, done=0).metadata()
        consumer.commit(offsets=[TopicPartition(names.logs_events, 0, 0, metadata)], asynchronous=False)
        consumer.close()
    return topics


def write(broker: Broker, topic: str, records: Iterable[tuple[bytes, int]]) -> None:
    """Write records with their times, in microseconds."""
    producer = broker.producer()
    for value, time in records:
        producer.produce(topic, value, timestamp=time // 1000)
    assert producer.flush(60) == 0


def windows(verdicts: Sequence[Verdict], bundle: str = "") -> list[tuple[bytes, int]]:
    """Records of windows, by the bundle or by another one."""
    return [(anomaly(verdict, bundle or model().bundle)[1], verdict.end) for verdict in verdicts]


def shadow(*args: str, code: int = 0) -> Result:
    """Run the command."""
    result = CliRunner().invoke(tocsin, ["models", "shadow", *args])
    assert result.exit_code == code, (result.output, result.stderr, result.exception)
    return result


def test_incidents_are_the_same_sooner_later_or_of_one_alone(
    embedded: EmbeddedBroker, topics: Topics, fired: list[Verdict]
) -> None:
    """The shadow is deaf to the first fault, and hears of the second later; another bundle does not count."""
    broker = Broker(embedded.bootstrap)
    errors = next(verdict.start for verdict in fired if "nova-api" in verdict.services)
    write(broker, topics.anomalies, windows(fired))
    late = [verdict for verdict in fired if verdict.start > errors + 120 * SECOND]
    write(broker, topics.in_shadow().anomalies, [(model().to_json(), BEGIN), *windows(late), *windows(fired, "other")])
    report = orjson.loads(shadow(str(DEMO_BUNDLE), "--json").stdout)
    assert (report["from"], report["to"]) == ("2026-03-03T08:00:00.000Z", "2026-03-03T08:40:00.000Z")
    assert [(one["outcome"], (one["champion"] or one["shadow"])["services"][0]) for one in report["incidents"]] == [
        ("only champion", "neutron-dhcp-agent"),
        ("only champion", "neutron-metadata-agent"),
        ("later", "nova-api"),
    ]
    assert report["incidents"][0]["shadow"] is None
    text = shadow().stdout.splitlines()
    assert text[0] == f"{DEMO_BUNDLE} judged in shadow for 40 min, 2026-03-03T08:00:00Z to 2026-03-03T08:40:00Z"
    assert text[1].startswith("only champion   ")
    assert text[3].startswith("later 120 s     ")
    assert text[4] == "3 incidents by the champion, 1 in shadow: 1 later, 2 only champion"


def test_only_what_both_have_judged_counts(embedded: EmbeddedBroker, topics: Topics, fired: list[Verdict]) -> None:
    """From the begin of the shadow to its end; alike is the same."""
    broker = Broker(embedded.bootstrap)
    write(broker, topics.anomalies, windows(fired))
    begin, end = BEGIN + 1200 * SECOND, BEGIN + 1800 * SECOND
    other = ShadowStart("other", "nova@v9")
    records = [(model().to_json(), begin), *windows(fired), (other.to_json(), end)]
    write(broker, topics.in_shadow().anomalies, records)
    incidents = orjson.loads(shadow(str(DEMO_BUNDLE), "--json").stdout)["incidents"]
    assert [one["champion"]["services"][0] for one in incidents] == ["neutron-metadata-agent", "nova-api"]
    assert {one["outcome"] for one in incidents} == {"same"}
    assert all(one["champion"] == one["shadow"] for one in incidents)


def test_who_has_not_judged_in_shadow_is_told_how(topics: Topics, tmp_path: Path) -> None:
    """With the command."""
    assert "nothing has judged in shadow; let it: `tocsin run --shadow NAME@v13`" in shadow(code=2).stderr
    assert f"{tmp_path} has not judged in shadow" in shadow(str(tmp_path), code=2).stderr
