"""Which rights a client lacks, as the cluster itself says: it needs no right to ask."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from models.errors import FatalError
from stream.kafka.clients import TIMEOUT_S, Broker
from stream.kafka.security.access_rules import AccessRule, ResourceKind

_DENIED: Final = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}


def missing_rights(broker: Broker, rules: Iterable[AccessRule]) -> list[AccessRule]:
    """Return the rules whose rights this client lacks, with these rights alone; of single topics and groups only.

    Raises:
        TocsinError: the cluster does not answer.
    """
    # An embedded broker has no rights.
    wanted = [rule for rule in rules if not rule.prefixed] if not broker.is_embedded() else []
    return list(_missing(broker, wanted))


def check_rights(broker: Broker, rules: Iterable[AccessRule], roles: Iterable[str]) -> None:
    """Check that this client has what its roles need.

    Raises:
        FatalError: it does not; the message names all that is missing.
        TocsinError: the cluster does not answer.
    """
    if missing := missing_rights(broker, rules):
        raise FatalError(
            f"this client lacks rights on Kafka: {described(missing)}",
            f"grant them; `tocsin topics acls --roles {','.join(roles)}` prints all that are needed",
        )


def described(rules: Iterable[AccessRule]) -> str:
    """Return rules in words: ``Read on group tocsin.ingest; Write on topic tocsin.alerts``."""
    return "; ".join(f"{', '.join(rule.operations)} on {rule.kind} {rule.name}" for rule in sorted(rules))


def _missing(broker: Broker, rules: Iterable[AccessRule]) -> Iterator[AccessRule]:
    admin = broker.admin()

    def topic(name: str) -> Mapping[str, Future[Any]]:
        answers: Mapping[str, Future[Any]] = admin.describe_topics(
            TopicCollection([name]), include_authorized_operations=True, request_timeout=TIMEOUT_S
        )
        return answers

    def group(name: str) -> Mapping[str, Future[Any]]:
        answers: Mapping[str, Future[Any]] = admin.describe_consumer_groups(
            [name], include_authorized_operations=True, request_timeout=TIMEOUT_S
        )
        return answers

    asking: Mapping[ResourceKind, Callable[[str], Mapping[str, Future[Any]]]] = {
        ResourceKind.TOPIC: topic,
        ResourceKind.GROUP: group,
    }
    answers = [(rule, asking[rule.kind](rule.name)[rule.name]) for rule in rules]
    for rule, answer in answers:
        granted = _granted(answer)
        lacking = tuple(right for right in rule.operations if granted is not None and right not in granted)
        if lacking:
            yield AccessRule(rule.kind, rule.name, lacking)


def _granted(answer: "Future[Any]") -> set[str] | None:
    """Return the rights on a topic or group, as Kafka's tools write them; None where nobody can say.

    A topic may not be there yet, a coordinator may still be loading, a cluster may know no such question: none of that
    is a right that is missing, and whoever uses the topic or group will tell.
    """
    try:
        operations = answer.result(TIMEOUT_S).authorized_operations
    except KafkaException as error:
        return set() if error.args[0].code() in _DENIED else None
    return None if operations is None else {operation.name.title().replace("_", "") for operation in operations}
