"""A Kafka that denies what no rule allows: the roles do all their work with the rules that Tocsin prints."""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not in its stubs
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from models.errors import FatalError
from stream.cli import tocsin
from stream.kafka.clients import Broker
from stream.kafka.consuming import good_messages
from stream.kafka.rights import check_rights, missing_rights
from stream.kafka.security.access_rules import PRINCIPALS, AccessRule, ResourceKind, access_rules
from stream.kafka.topic_specs import Topics
from stream.runtime.roles import ROLES
from tests.faults.chaos import Worker
from tests.integration.streamed import Deployment
from tests.integration.test_roles import simulated
from tests.secure_kafka import SecureKafka
from tests.waiting import until

pytestmark = [pytest.mark.kafka]
PASSWORD = "of-the-role"  # noqa: S105


def bindings(commands: Iterable[str]) -> Iterator[AclBinding]:
    """Return what calls of kafka-acls.sh grant."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--add", action="store_true")
    parser.add_argument("--bootstrap-server")
    parser.add_argument("--allow-principal")
    parser.add_argument("--resource-pattern-type", default="literal")
    for name in ("--operation", "--topic", "--group"):
        parser.add_argument(name, action="append", default=[])
    for command in commands:
        name, *words = shlex.split(command)
        assert name == "kafka-acls.sh"
        call = parser.parse_args(words)
        assert call.add
        for kind, names in ((ResourceType.TOPIC, call.topic), (ResourceType.GROUP, call.group)):
            for resource in names:
                for operation in call.operation:
                    yield AclBinding(
                        kind,
                        resource,
                        ResourcePatternType[call.resource_pattern_type.upper()],
                        call.allow_principal,
                        "*",
                        # Kafka's tools write DescribeConfigs, its protocol DESCRIBE_CONFIGS.
                        AclOperation["".join(f"_{c}" if c.isupper() else c.upper() for c in operation)[1:]],
                        AclPermissionType.ALLOW,
                    )


@dataclass(frozen=True)
class Users:
    """A user for each role and for each of the others, with the rights that the command prints."""

    server: SecureKafka
    prefix: str

    def client(self, role: str) -> Broker:
        """Return clients of a user."""
        return self.server.client("SCRAM-SHA-512", self.prefix + role, PASSWORD)

    def settings(self, role: str) -> dict[str, str]:
        """Return the settings by which a process is the user."""
        return {
            "TOCSIN_KAFKA_BOOTSTRAP_SERVERS": self.server.at("SASL_SSL"),
            "TOCSIN_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
            "TOCSIN_KAFKA_SSL_CAFILE": str(self.server.authority.file),
            "TOCSIN_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "TOCSIN_KAFKA_SASL_USERNAME": self.prefix + role,
            "TOCSIN_KAFKA_SASL_PASSWORD": PASSWORD,
        }


@pytest.fixture
def users(secure_kafka: SecureKafka, unique: str, monkeypatch: pytest.MonkeyPatch) -> Users:
    """Make the users, and grant what ``tocsin topics acls`` prints."""
    for role in PRINCIPALS:
        secure_kafka.set_password(unique + role, PASSWORD)
    monkeypatch.setenv("TOCSIN_TOPIC_PREFIX", unique)
    printed = CliRunner().invoke(tocsin, ["topics", "acls", "--principal", f"User:{unique}{{role}}"])
    assert printed.exit_code == 0
    secure_kafka.allow(bindings(printed.output.splitlines()))
    return Users(secure_kafka, unique)


@pytest.mark.slow
def test_all_roles_work_with_the_printed_rules(users: Users, tmp_path: Path) -> None:
    """Each as a user of its own, from the first line to an alert at a sink; people see it and speak of it."""
    topics = Topics(users.prefix)
    deployment = Deployment(users.client("shipper"), users.prefix, tmp_path)
    users.client("setup").ensure_topics(topics.specs(deployment.partitions))
    alerts = tmp_path / "alerts.jsonl"
    alerts.touch()

    def environment(role: str) -> dict[str, str]:
        return deployment.environment() | users.settings(role) | {"TOCSIN_ALERT_FILE": str(alerts)}

    def command(*words: str) -> str:
        script = str(Path(sys.executable).parent / "tocsin")
        done = subprocess.run(
            [script, *words], env=environment("operator"), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    producer = deployment.broker.producer()
    for key, value in simulated(2, 420.0):
        producer.produce(topics.logs_raw, value, key.encode())
        producer.poll(0)
    assert producer.flush(60) == 0
    with ExitStack() as stack:
        for role in ROLES:
            worker = Worker(role, environment(role), tmp_path / f"{role}.log", publish_all=False)
            worker.start()
            stack.callback(worker.stop)
        until(lambda: any(b"synthetic" not in line for line in alerts.read_bytes().splitlines()))
        incident, *_ = orjson.loads(command("incidents", "list", "--all", "--json"))
        command("change", "nova-compute", "a test")
        command("vote", incident["incident_id"], "real")
        checks = {check["name"]: check for check in orjson.loads(command("doctor", "--json"))["checks"]}
        assert not [check for check in checks.values() if check["outcome"] == "fail"]
    logs = [(tmp_path / f"{role}.log").read_text() for role in ROLES]
    assert not [line for log in logs for line in log.splitlines() if "uthorization" in line]


def test_a_missing_right_stops_a_role_with_all_that_is_missing(users: Users, secure_kafka: SecureKafka) -> None:
    """One sentence for all topics and groups, before anything is read."""
    topics = Topics(users.prefix)
    users.client("setup").ensure_topics(topics.specs(1))
    assert missing_rights(users.client("ingest"), access_rules(topics, "ingest")) == []
    lacking = missing_rights(users.client("detect"), access_rules(topics, "ingest"))
    assert AccessRule(ResourceKind.TOPIC, topics.logs_events, ("Write",)) in lacking
    assert AccessRule(ResourceKind.GROUP, users.prefix + "ingest", ("Read",)) in lacking
    assert AccessRule(ResourceKind.TOPIC, topics.logs_raw, ("Read",)) not in lacking
    with pytest.raises(FatalError) as refused:
        check_rights(users.client("detect"), access_rules(topics, "ingest"), ["ingest"])
    assert f"Read on group {users.prefix}ingest" in refused.value.problem
    assert f"Write on topic {topics.logs_events}" in refused.value.problem
    assert "tocsin topics acls --roles ingest" in refused.value.advice


def test_topics_that_may_not_be_created_are_told(users: Users) -> None:
    """A role without topics says who creates them."""
    with pytest.raises(FatalError) as refused:
        users.client("ingest").ensure_topics(Topics(users.prefix).specs(1))
    assert "cannot create topic" in refused.value.problem
    assert "tocsin topics acls" in refused.value.advice


@pytest.mark.parametrize("denied", ["group", "topic"])
def test_a_right_that_is_gone_while_a_role_runs_ends_it(users: Users, denied: str) -> None:
    """Waiting would not bring it back: the error says what to grant."""
    topics = Topics(users.prefix)
    users.client("setup").ensure_topics(topics.specs(1))
    consumer = users.client("explain").consumer(users.prefix + ("ingest" if denied == "group" else "explain"))
    consumer.subscribe([topics.logs_raw if denied == "group" else topics.alerts])
    try:
        with pytest.raises(FatalError) as refused:
            until(lambda: good_messages(consumer.consume(10, 0.5), "read the topic"))
    finally:
        consumer.close()
    assert f"{denied.upper()}_AUTHORIZATION_FAILED" in refused.value.problem
    assert "tocsin topics acls" in refused.value.advice
