"""The memory filled from the topics: all that there is, then what comes, through an outage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from alerts.messages.alert import Alert
from alerts.messages.feedback import Opinion, vote
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics
from stream.kafka.writer import write
from stream.topics.changes import Announcement, announce
from stream.topics.feedback import send
from stream.topics.promotions import PromotionKind, promote
from stream.ui.memory import follower
from stream.ui.memory.follower import Follower
from stream.ui.memory.memory import Memory
from tests.stream.promotion.samples import promotion
from tests.stream.ui.samples import BEGIN, alert
from tests.waiting import until


@contextmanager
def following(broker: Broker, topics: Topics) -> Iterator[Memory]:
    """Provide a memory that follows the topics."""
    memory = Memory()
    reader = Follower(broker, topics, memory)
    try:
        yield memory
    finally:
        reader.close()


def publish(broker: Broker, topics: Topics, *alerts: Alert) -> None:
    """Write alerts to their topic."""
    for one in alerts:
        write(broker, topics.alerts, one.to_json(), one.incident_id.encode())


def test_what_there_is_and_what_comes(broker: Broker, unique: str) -> None:
    """Alerts, votes and changes are read from the beginning, and new ones as they come; rubbish stops nothing."""
    topics = Topics(unique)
    broker.ensure_topics(topics.specs(2))
    publish(broker, topics, alert())
    write(broker, topics.alerts, b"rubbish", b"")
    send(broker, topics.feedback, vote(alert().incident_id, Opinion.REAL, "jo", BEGIN))
    announce(broker, topics.changes, Announcement(BEGIN, "nova", "deployed"))
    with following(broker, topics) as memory:
        until(lambda: not memory.health().reading)
        assert [head.id for head in memory.heads()] == [alert().incident_id]
        assert list(memory.said(alert().incident_id).annotations.votes) == ["jo"]
        assert [change.text for change in memory.changes()] == ["deployed"]
        publish(broker, topics, alert(2))
        until(lambda: len(memory.heads()) == 2)
        assert memory.health().troubles == ()


def test_a_switch_of_bundles_is_a_change(broker: Broker, unique: str) -> None:
    """From the moment on from which the version judges, with who promoted it and why."""
    topics = Topics(unique)
    broker.ensure_topics(topics.specs(2))
    there = promote(broker, topics.models, promotion(2, 1))
    back = replace(promotion(1, 2), id="back", kind=PromotionKind.ROLLBACK, reason="")
    promote(broker, topics.models, back)
    with following(broker, topics) as memory:
        until(lambda: len(memory.changes()) == 2)
        first, second = memory.changes()
    assert (first.time, first.service, first.text) == (there.since, "model nova", "nova@v2 judges, by anna: better")
    assert second.text == "nova@v1 judges again, by anna"


def test_an_outage_is_told_and_passes(embedded: EmbeddedBroker, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the broker is away the memory says so and keeps what it knows; afterwards it goes on, nothing twice."""
    monkeypatch.setattr(follower, "LOOK_S", 0.2)
    monkeypatch.setattr(follower, "ANSWER_S", 1.0)
    broker, topics = Broker(embedded.bootstrap), Topics(unique)
    broker.ensure_topics(topics.specs(2))
    publish(broker, topics, alert())
    with following(broker, topics) as memory:
        until(lambda: len(memory.heads()) == 1)
        embedded.set_down()
        until(lambda: bool(memory.health().troubles))
        assert [head.id for head in memory.heads()] == [alert().incident_id]
        embedded.set_up()
        until(lambda: not memory.health().troubles)
        publish(broker, topics, alert(2))
        until(lambda: len(memory.heads()) == 2)
        log = memory.log(alert().incident_id)
        assert log is not None
        assert len(log.steps) == 1
