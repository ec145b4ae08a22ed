"""Fixtures with brokers: the embedded one, a real Apache Kafka, and ``broker`` that runs a test on both.

Loaded by ``pytest_plugins = ["tests.fixtures_kafka"]`` in the root conftest.
"""

from collections.abc import Iterator
from typing import Final
from uuid import uuid4

import pytest

from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from tests.kafka_server import KafkaServer, KafkaUnavailableError, kafka_jars
from tests.secure_kafka import SecureKafka
from tests.served import served
from tests.token_server import TokenServer

SOON: Final = {"session.timeout.ms": "4000", "heartbeat.interval.ms": "500"}
"""Settings of clients whose group on an embedded broker takes a new member soon after the last one has left."""


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """Give a running Apache Kafka, one to a process; without Java or Maven the test is skipped, in CI it fails."""
    yield from served(
        kafka_jars, KafkaUnavailableError, "Apache Kafka", lambda: KafkaServer(tmp_path_factory.mktemp("kafka"))
    )


@pytest.fixture(scope="session")
def kafka(kafka_server: KafkaServer) -> Broker:
    """Give clients of the Apache Kafka that tests share: use topics and groups with names of your own."""
    return Broker(kafka_server.bootstrap)


@pytest.fixture(scope="session")
def tokens() -> Iterator[TokenServer]:
    """Give a provider of OAuth tokens, one to a process."""
    with TokenServer() as server:
        yield server


@pytest.fixture(scope="session")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory, tokens: TokenServer) -> Iterator[SecureKafka]:
    """Give a running Apache Kafka that asks who one is and denies what no rule allows, one to a process."""
    yield from served(
        kafka_jars,
        KafkaUnavailableError,
        "Apache Kafka",
        lambda: SecureKafka(tmp_path_factory.mktemp("secure-kafka"), tokens),
    )


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    """Give an embedded broker of its own to each test."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Run the test once on the embedded broker and once on Apache Kafka."""
    if request.param == "kafka":
        kafka: Broker = request.getfixturevalue("kafka")
        return kafka
    embedded: EmbeddedBroker = request.getfixturevalue("embedded")
    return Broker(embedded.bootstrap)


@pytest.fixture
def unique() -> str:
    """Give a name that no other test uses, for topics and groups on the shared broker."""
    return f"test-{uuid4().hex[:12]}."
