"""The least rights with which each role works, as rules, as commands of Apache Kafka, and as Strimzi's resources.

A writer that is idempotent needs no right of its own from Apache Kafka 2.8 on.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import yaml

from stream.kafka.topic_specs import Topics


class ResourceKind(StrEnum):
    """What a right is about."""

    TOPIC = "topic"
    GROUP = "group"


@dataclass(frozen=True, slots=True, order=True)
class AccessRule:
    """Rights on a topic or consumer group, or, with ``prefixed``, on all whose names begin so."""

    kind: ResourceKind
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False


@dataclass(frozen=True, slots=True)
class _Needs:
    """Topics that a role reads and writes, and its groups, by their names without the prefix."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    group: str = ""
    groups: str = ""


_ROLES: Final[Mapping[str, _Needs]] = {
    "ingest": _Needs(("logs_raw", "models"), ("logs_events", "logs_dead", "templates"), "ingest"),
    # It reads raw lines, and what fired, where it learns by itself, and takes back a promotion that cannot be served.
    "detect": _Needs(("logs_events", "models", "logs_raw", "anomalies"), ("anomalies", "models"), "detect"),
    "explain": _Needs(
        ("anomalies", "incidents", "feedback", "changes", "templates", "logs_raw", "models"),
        ("incidents", "alerts"),
        "explain",
    ),
    # It writes the test alert and votes.
    "deliver": _Needs(("alerts", "changes", "deliveries"), ("deliveries", "alerts", "feedback"), groups="deliver."),
}

_SHADOW_ROLES: Final[Mapping[str, _Needs]] = {
    "ingest": _Needs(("logs_raw",), ("logs_events", "logs_dead", "templates"), "ingest"),
    "detect": _Needs(("logs_events",), ("anomalies",), "detect"),
}
"""Roles of a bundle that judges beside the one in use: it follows no promotions and takes none back."""

OTHERS: Final = ("shadow", "shipper", "operator", "setup")
"""Who is no role: a bundle that judges beside the one in use, what sends lines, people with commands (also `tocsin
doctor`), and what creates the topics."""

PRINCIPALS: Final = (*_ROLES, *OTHERS)


def access_rules(topics: Topics, principal: str) -> tuple[AccessRule, ...]:
    """Return the rights of a role, or of one of ``OTHERS``.

    Each may know that all of our topics exist, or it would try to create those that it does not see.
    """
    topic, group = ResourceKind.TOPIC, ResourceKind.GROUP
    known = AccessRule(topic, topics.prefix, ("Describe",), prefixed=True)
    match principal:
        case "shadow":
            return merged(rule for role in _SHADOW_ROLES for rule in access_rules(topics.in_shadow(), role))
        case "shipper":
            return (AccessRule(topic, topics.logs_raw, ("Describe", "Write")),)
        case "operator":
            return (
                AccessRule(topic, topics.prefix, ("Describe", "DescribeConfigs", "Read"), prefixed=True),
                AccessRule(topic, topics.feedback, ("Write",)),
                AccessRule(topic, topics.changes, ("Write",)),
                AccessRule(topic, topics.models, ("Write",)),
                AccessRule(group, topics.prefix, ("Describe",), prefixed=True),
            )
        case "setup":
            return (AccessRule(topic, topics.prefix, ("Create", "Describe"), prefixed=True),)
    needs = (_SHADOW_ROLES if topics.suffix else _ROLES)[principal]
    rights: dict[str, tuple[str, ...]] = {getattr(topics, name): ("Read",) for name in needs.reads}
    for name in (getattr(topics, name) for name in needs.writes):
        rights[name] = (*rights.get(name, ()), "Write")
    groups = [AccessRule(group, topics.group(needs.group), ("Read",))] if needs.group else []
    groups += [AccessRule(group, topics.prefix + needs.groups, ("Read",), prefixed=True)] if needs.groups else []
    return (known, *(AccessRule(topic, name, operations) for name, operations in rights.items()), *groups)


def shared(rules: Iterable[AccessRule], others: Iterable[AccessRule]) -> Iterator[AccessRule]:
    """Yield what of the rights of some rules others have, too, on the same topics and groups."""
    known = {(rule.kind, rule.name, rule.prefixed): rule.operations for rule in others}
    for rule in rules:
        rights = known.get((rule.kind, rule.name, rule.prefixed), ())
        if both := tuple(right for right in rule.operations if right in rights):
            yield replace(rule, operations=both)


def merged(rules: Iterable[AccessRule]) -> tuple[AccessRule, ...]:
    """Return one rule per resource, with the rights of all, as for a user who serves several roles."""
    place = attrgetter("kind", "name", "prefixed")
    parts = groupby(sorted(rules, key=place), place)
    return tuple(
        AccessRule(kind, name, tuple(sorted({right for rule in same for right in rule.operations})), prefixed)
        for (kind, name, prefixed), same in parts
    )


def kafka_commands(rules: Iterable[AccessRule], principal: str, bootstrap: str) -> list[str]:
    """Return calls of Apache Kafka's ``kafka-acls.sh`` that grant the rules, one for each set of rights."""
    place = attrgetter("kind", "prefixed", "operations")
    commands = []
    for (kind, prefixed, operations), same in groupby(sorted(rules, key=place), place):
        words = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--add", "--allow-principal", principal]
        words += [word for operation in operations for word in ("--operation", operation)]
        words += [word for rule in same for word in (f"--{kind}", rule.name)]
        words += ["--resource-pattern-type", "prefixed"] if prefixed else []
        commands.append(shlex.join(words))
    return commands


def strimzi_users(users: Mapping[str, Iterable[AccessRule]], cluster: str, authentication: str) -> str:
    """Return Strimzi's KafkaUser resources as YAML; its users have no ``User:`` before their names."""
    resources = [
        _strimzi_user(rules, name.removeprefix("User:"), cluster, authentication) for name, rules in users.items()
    ]
    return yaml.safe_dump_all(resources, sort_keys=False)


def _strimzi_user(rules: Iterable[AccessRule], name: str, cluster: str, authentication: str) -> dict[str, Any]:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": cluster}},
        "spec": {
            "authentication": {"type": authentication},
            "authorization": {
                "type": "simple",
                "acls": [
                    {
                        "resource": {
                            "type": rule.kind.value,
                            "name": rule.name,
                            "patternType": "prefix" if rule.prefixed else "literal",
                        },
                        "operations": list(rule.operations),
                    }
                    for rule in rules
                ],
            },
        },
    }
