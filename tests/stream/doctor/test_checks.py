"""The doctor: each check sees what is wrong and says how to mend it."""

import os
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from alerts.monitoring.metrics_server import serve_metrics
from index.diagnosis.known_failures import shipped
from stream.cli import tocsin
from stream.doctor import checks as doctor
from stream.doctor.checks import check_broker, check_lag, check_metrics_port, check_time_stamps, check_topics, examine
from stream.doctor.result import Check, CheckOutcome
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics, TopicSpec
from tests.index.diagnosis.test_known_failures import OWN
from tests.ports import held_port
from tests.waiting import PATIENCE_S


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, with no setting in the environment."""
    for name in os.environ:
        if name.startswith("TOCSIN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def silent() -> int:
    """Give a port of this machine on which nobody answers."""
    return held_port()


def specs(topics: Topics) -> tuple[TopicSpec, ...]:
    """Return the topics of a small deployment."""
    return topics.specs(2)


def test_a_broker_that_answers_is_counted(broker: Broker) -> None:
    """Brokers and topics, with the address."""
    check = check_broker(broker)
    assert check.outcome is CheckOutcome.OK
    assert broker.bootstrap in check.seen


def test_a_broker_that_is_away_fails_with_the_setting(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The advice names the variable."""
    monkeypatch.setattr(doctor, "TIMEOUT_S", 0.5)
    check = check_broker(Broker(f"127.0.0.1:{silent}"))
    assert check.outcome is CheckOutcome.FAIL
    assert "TOCSIN_KAFKA_BOOTSTRAP_SERVERS" in check.advice


def test_topics_that_are_as_asked_for_are_fine(broker: Broker, unique: str) -> None:
    """Whatever else the cluster holds."""
    wanted = specs(Topics(unique))
    if broker.is_embedded():
        known = {spec.name: spec.partitions for spec in wanted} | {"other": 1}
    else:
        broker.ensure_topics(wanted)
        known = broker.topics()
    assert check_topics(known, wanted).outcome is CheckOutcome.OK


def test_missing_topics_are_named() -> None:
    """A warning only: roles create them."""
    wanted = specs(Topics())
    known = {spec.name: spec.partitions for spec in wanted if spec.name != "tocsin.alerts"}
    check = check_topics(known, wanted)
    assert (check.outcome, check.seen) == (CheckOutcome.WARN, "1 of 11 are missing: tocsin.alerts")


def test_topics_of_another_width_are_named() -> None:
    """With both numbers and the settings to change."""
    wanted = specs(Topics())
    known = {spec.name: spec.partitions for spec in wanted} | {"tocsin.logs.raw": 7}
    check = check_topics(known, wanted)
    assert (check.outcome, check.seen) == (CheckOutcome.WARN, "tocsin.logs.raw has 7 partitions, not 2")
    assert "TOCSIN_RAW_PARTITIONS" in check.advice


def test_partitions_added_to_the_frames_are_told_with_what_they_cost() -> None:
    """Windows that are open when ingest takes them over."""
    wanted = specs(Topics())
    known = {spec.name: spec.partitions for spec in wanted} | {"tocsin.logs.events": 7}
    assert "told in parts" in check_topics(known, wanted).advice
    known = {spec.name: spec.partitions for spec in wanted} | {"tocsin.logs.raw": 7}
    assert "told in parts" not in check_topics(known, wanted).advice


def test_time_stamps_of_the_broker_are_fine_and_those_of_senders_are_not(broker: Broker, unique: str) -> None:
    """The embedded broker has no others, which is worth a warning too."""
    topics = Topics(unique)
    plain = TopicSpec(unique + "plain", 1, "delete", "a test")
    broker.ensure_topics([*specs(topics), plain])
    good, bad = check_time_stamps(broker, topics.logs_raw), check_time_stamps(broker, plain.name)
    assert good.outcome is (CheckOutcome.WARN if broker.is_embedded() else CheckOutcome.OK)
    assert bad.outcome is CheckOutcome.WARN
    assert bad.advice


def test_lag_is_counted_and_much_of_it_is_worth_a_warning(
    broker: Broker,
    unique: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Messages that the group has not committed."""
    topic = unique + "topic"
    broker.ensure_topics([TopicSpec(topic, 2, "delete", "a test")])
    producer = broker.producer()
    for _ in range(7):
        producer.produce(topic, b"line")
    assert producer.flush(PATIENCE_S) == 0
    check = check_lag(broker, unique + "ingest", topic)
    assert (check.outcome, check.seen) == (CheckOutcome.OK, f"7 messages of {topic} not yet committed")
    monkeypatch.setattr(doctor, "LARGE_LAG", 7)
    assert check_lag(broker, unique + "ingest", topic).outcome is CheckOutcome.WARN


def test_a_free_metrics_port_is_fine_and_so_is_none(silent: int) -> None:
    """A port of no program can be taken; 0 means none."""
    assert check_metrics_port("127.0.0.1", silent).outcome is CheckOutcome.OK
    assert check_metrics_port("127.0.0.1", 0).seen == "switched off"


def test_a_port_on_which_tocsin_answers_is_fine() -> None:
    """A role that runs here holds it."""
    registry = CollectorRegistry()
    Metrics.on(registry).role_up.labels("ingest").set(1)
    server = serve_metrics(registry, 0, "127.0.0.1")
    try:
        assert check_metrics_port("127.0.0.1", server.port).outcome is CheckOutcome.OK
    finally:
        server.stop()


def test_a_port_of_another_program_fails() -> None:
    """With the setting to change."""
    server = serve_metrics(CollectorRegistry(), 0, "127.0.0.1")
    try:
        check = check_metrics_port("127.0.0.1", server.port)
    finally:
        server.stop()
    assert check.outcome is CheckOutcome.FAIL
    assert "TOCSIN_METRICS_PORT" in check.advice


def test_wrong_settings_are_the_only_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else can be checked; what is wrong and what to do are told apart."""
    monkeypatch.setenv("TOCSIN_METRIC_PORT", "1")
    (check,) = doctor.examine()
    assert (check.name, check.outcome) == ("settings", CheckOutcome.FAIL)
    assert check.seen == "TOCSIN_METRIC_PORT is not a setting"
    assert check.advice == "did you mean TOCSIN_METRICS_PORT?"


def test_the_command_exits_2_and_sums_up_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines on standard output, the summary on standard error."""
    monkeypatch.setenv("TOCSIN_ZONE", "Mars")
    result = CliRunner().invoke(tocsin, ["doctor"])
    assert result.exit_code == 2
    assert result.stdout.startswith("fail  settings: TOCSIN_ZONE")
    assert result.stderr == "tocsin: 1 of 1 checks failed: settings; follow the advice above\n"


def test_a_new_deployment_lacks_topics_and_begins_with_the_shipped_bundle(
    embedded: EmbeddedBroker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In JSON: every check in order, with what is known and when more will be; missing topics are only a warning."""
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", embedded.bootstrap)
    monkeypatch.setenv("TOCSIN_METRICS_PORT", "0")
    monkeypatch.setenv("TOCSIN_STATE_PATH", str(tmp_path / "state"))
    monkeypatch.setenv("TOCSIN_LEARN_AFTER_S", "0")
    monkeypatch.setenv("TOCSIN_MASKS", str(tmp_path / "none.toml"))
    result = CliRunner().invoke(tocsin, ["doctor", "--json"])
    assert result.exit_code == 2, result.output
    report = orjson.loads(result.stdout)
    assert report["ok"] is False
    outcomes = {check["name"]: check["outcome"] for check in report["checks"]}
    assert list(outcomes) == [
        "settings",
        "broker",
        "authentication",
        "rights",
        "topics",
        "bundle",
        "masks",
        "learning",
        "search index",
        "sinks",
        "metrics",
    ]
    assert list(outcomes.values()) == ["ok", "ok", "ok", "ok", "warn", "ok", "fail", "warn", "ok", "warn", "ok"]
    advice = {check["name"]: check["advice"] for check in report["checks"]}
    assert "TOCSIN_BUNDLE" in advice["learning"]
    assert (
        "errors, failures and crashes are told"
        in {check["name"]: check["seen"] for check in report["checks"]}["learning"]
    )


RULES = """
version: 1
routes:
  - {name: storage, match: {service: "cinder*"}, sinks: [%s]}
suppressions:
  - {name: hush, reason: "been silent", sample: "it has been silent", why: BUG-1, owner: ops, expires: "%s"}
"""


def told_of(name: str) -> list[Check]:
    """Return what the doctor says under a name, without looking at Kafka."""
    return [check for check in examine() if check.name == name]


def test_rules_that_are_odd_or_wrong_are_told(tmp_path: Path, silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has expired, sinks that no setting names; a file that is wrong fails."""
    monkeypatch.setattr(doctor, "TIMEOUT_S", 0.5)
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{silent}")
    assert told_of("rules") == []
    monkeypatch.setenv("TOCSIN_RULES", "rules.yaml")
    monkeypatch.setenv("TOCSIN_ALERT_FILE", str(tmp_path / "alerts.jsonl"))
    Path("rules.yaml").write_text(RULES % ("file", "2999-01-01"))
    assert [check.outcome for check in told_of("rules")] == [CheckOutcome.OK]
    Path("rules.yaml").write_text(RULES % ("slak", "2020-01-01"))
    expired, unknown = told_of("rules")
    assert (expired.outcome, unknown.outcome) == (CheckOutcome.WARN, CheckOutcome.WARN)
    assert "hush has expired at 2020-01-02T00:00:00.000Z" in expired.seen
    assert "slak" in unknown.seen
    assert all("rules.yaml" in check.advice for check in (expired, unknown))
    Path("rules.yaml").write_text("version: 7")
    [wrong] = told_of("rules")
    assert wrong.outcome is CheckOutcome.FAIL


def test_the_table_of_failures_is_checked(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted with what is shipped; a wrong one fails and names the entry."""
    monkeypatch.setattr(doctor, "TIMEOUT_S", 0.5)
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{silent}")
    monkeypatch.setenv("TOCSIN_FAILURES", "own.toml")
    Path("own.toml").write_text(OWN.format(name="full-moon"))
    [good] = told_of("failures")
    assert (good.outcome, good.seen) == (
        CheckOutcome.OK,
        f"own.toml, {len(shipped()) + 1} failures with the shipped ones",
    )
    Path("own.toml").write_text(OWN.format(name="full-moon").replace("title", "titel"))
    [wrong] = told_of("failures")
    assert wrong.outcome is CheckOutcome.FAIL
    assert "full-moon" in wrong.seen


def test_no_secret_is_told(silent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every secret is set, nothing answers and the file of kinds is wrong: names of settings, hosts, and no more."""
    away = f"http://u:copper-lantern@127.0.0.1:{silent}"
    secrets = {
        "KAFKA_SASL_PASSWORD": "copper-lantern",
        "SLACK_TOKEN": "xoxb-copper-lantern",
        "SLACK_SIGNING_SECRET": "copper-lantern",
        "PAGERDUTY_ROUTING_KEY": "copper-lantern",
        "WEBHOOK_SECRET": "copper-lantern",
        "RECEIPT_KEY": "copper-lantern",
        "ALERTMANAGER_AUTHORIZATION": "Bearer copper-lantern",
        **{f"{name}_URL": f"{away}/copper-lantern" for name in ("ALERTMANAGER", "SLACK_API", "PAGERDUTY", "WEBHOOK")},
    }
    path = tmp_path / "kinds.toml"
    path.write_text('[[kind]]\nname = "copper-lantern')
    rest = {
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{silent}",
        "KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": "tocsin",
        "SLACK_CHANNEL": "C1",
        "REDACTION_KINDS": str(path),
        "METRICS_PORT": "0",
    }
    for name, value in (secrets | rest).items():
        monkeypatch.setenv(f"TOCSIN_{name}", value)
    monkeypatch.setattr(doctor, "TIMEOUT_S", 0.5)
    result = CliRunner().invoke(tocsin, ["doctor"])
    assert result.exit_code == 2
    failed = {line.split(":")[0].removeprefix("fail  ") for line in result.stdout.splitlines() if line[:4] == "fail"}
    assert failed >= {"broker", "redaction", "sink slack", "sink pagerduty", "sink alertmanager"}
    assert "copper-lantern" not in result.output
