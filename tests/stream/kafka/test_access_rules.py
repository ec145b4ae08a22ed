"""The least rights of each role: as Apache Kafka's commands and as Strimzi's resources."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from stream.cli import tocsin
from stream.kafka.security.access_rules import (
    PRINCIPALS,
    AccessRule,
    ResourceKind,
    access_rules,
    kafka_commands,
    merged,
    shared,
    strimzi_users,
)
from stream.kafka.topic_specs import Topics

TOPICS = Topics("t.")
SCHEMA = Path(__file__).parents[4] / "shared" / "data" / "crds" / "kafka.strimzi.io" / "kafkauser_v1.json"


def users() -> list[dict[str, Any]]:
    """Return Strimzi's resources for all."""
    text = strimzi_users({f"User:t-{name}": access_rules(TOPICS, name) for name in PRINCIPALS}, "cluster", "tls")
    return list(yaml.safe_load_all(text))


def test_only_setup_creates_topics_and_nobody_deletes() -> None:
    """A role that is taken over cannot remove the evidence."""
    rights = {name: {right for rule in access_rules(TOPICS, name) for right in rule.operations} for name in PRINCIPALS}
    assert [name for name, own in rights.items() if "Create" in own] == ["setup"]
    assert set().union(*rights.values()) == {"Create", "Describe", "DescribeConfigs", "Read", "Write"}


def test_only_the_shipper_writes_lines_and_it_reads_none() -> None:
    """The rights of what runs on every host are the fewest."""
    writers = [
        name
        for name in PRINCIPALS
        for rule in access_rules(TOPICS, name)
        if rule.name == TOPICS.logs_raw and "Write" in rule.operations
    ]
    assert writers == ["shipper"]
    assert access_rules(TOPICS, "shipper") == (AccessRule(ResourceKind.TOPIC, "t.logs.raw", ("Describe", "Write")),)


def test_rules_of_one_user_are_one_per_resource() -> None:
    """Whoever serves several roles has the rights of all."""
    one = merged(rule for name in ("ingest", "detect") for rule in access_rules(TOPICS, name))
    assert len({(rule.kind, rule.name, rule.prefixed) for rule in one}) == len(one)
    assert AccessRule(ResourceKind.TOPIC, "t.logs.events", ("Read", "Write")) in one


def test_commands_grant_one_set_of_rights_each() -> None:
    """A name that a shell would take apart is quoted."""
    rules = [
        AccessRule(ResourceKind.TOPIC, "a", ("Read", "Write")),
        AccessRule(ResourceKind.TOPIC, "b", ("Read", "Write")),
        AccessRule(ResourceKind.GROUP, "p.", ("Read",), prefixed=True),
    ]
    start = "kafka-acls.sh --bootstrap-server k:9092 --add --allow-principal 'User:CN=me, O=us'"
    assert kafka_commands(rules, "User:CN=me, O=us", "k:9092") == [
        f"{start} --operation Read --group p. --resource-pattern-type prefixed",
        f"{start} --operation Read --operation Write --topic a --topic b",
    ]


def test_strimzi_gets_a_user_for_each_role() -> None:
    """With the rules, under a name that Kubernetes admits."""
    names = [user["metadata"]["name"] for user in users()]
    assert names == [f"t-{name}" for name in PRINCIPALS]
    (raw,) = [user for user in users() if user["metadata"]["name"] == "t-shipper"]
    assert raw["spec"]["authorization"]["acls"] == [
        {
            "resource": {"type": "topic", "name": "t.logs.raw", "patternType": "literal"},
            "operations": ["Describe", "Write"],
        }
    ]


@pytest.mark.beside
def test_strimzis_schema_takes_them() -> None:
    """That of the resource's current version."""
    if not SCHEMA.exists():
        pytest.skip("no schemas of custom resources beside this repository")
    schema = json.loads(SCHEMA.read_text())
    for user in users():
        jsonschema.validate(user, schema)


def test_the_command_names_unknown_roles() -> None:
    """And prints nothing."""
    result = CliRunner().invoke(tocsin, ["topics", "acls", "--roles", "ingest,writer"])
    assert result.exit_code == 2
    assert "no such role: writer" in result.output
    one = CliRunner().invoke(tocsin, ["topics", "acls", "--roles", "ingest,detect", "--principal", "User:tocsin"])
    assert one.exit_code == 0
    assert {line.split("--allow-principal ")[1].split()[0] for line in one.output.splitlines()} == {"User:tocsin"}


def test_rights_that_are_shared_are_those_of_the_same_topics() -> None:
    """Of those that are asked for, only what others have as well."""
    own = [
        AccessRule(ResourceKind.TOPIC, "a", ("Describe", "Read")),
        AccessRule(ResourceKind.TOPIC, "b", ("Write",)),
        AccessRule(ResourceKind.GROUP, "a", ("Read",)),
    ]
    others = [AccessRule(ResourceKind.TOPIC, "a", ("Read", "Write")), AccessRule(ResourceKind.TOPIC, "b", ("Read",))]
    assert list(shared(own, others)) == [AccessRule(ResourceKind.TOPIC, "a", ("Read",))]
    assert list(shared(own, [])) == []
