"""What tests of roles share."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from tests.fixtures_kafka import SOON
from tests.stream.deliver.delivering import Place


@pytest.fixture
def place(broker: Broker, unique: str, tmp_path: Path) -> Iterator[Place]:
    """Give topics of its own to each test, on both brokers."""
    topics = Topics(unique)
    broker.ensure_topics(topics.specs(2))
    found = Place(replace(broker, extra=SOON) if broker.is_embedded() else broker, topics, tmp_path)
    yield found
    found.close()
