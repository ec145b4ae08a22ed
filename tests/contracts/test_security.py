"""A Kafka that asks for a password, with both clients."""

import asyncio

import pytest
from faust.streams import Stream
from faust.types import TP, StreamT

from models.errors import TocsinError
from stream.doctor import checks
from stream.doctor.result import CheckOutcome
from stream.kafka import faust_transport
from stream.kafka.clients import Broker
from stream.kafka.faust_app import create_app, serve
from stream.kafka.topic_specs import TopicSpec
from tests.kafka_server import PASSWORD, USER, KafkaServer

pytestmark = [pytest.mark.kafka]
DEADLINE_S = 120.0


def sasl(server: KafkaServer, password: str) -> Broker:
    """Return clients that come with a password."""
    properties = {
        "security.protocol": "sasl_plaintext",
        "sasl.mechanism": "PLAIN",
        "sasl.username": USER,
        "sasl.password": password,
    }
    return Broker(server.sasl_bootstrap, properties)


def test_both_clients_get_in_with_the_password(kafka_server: KafkaServer, unique: str) -> None:
    """What librdkafka writes, Faust reads, and its commits are taken."""
    broker = sasl(kafka_server, PASSWORD)
    topic = unique + "frames"
    broker.ensure_topics([TopicSpec(topic, 1, "delete", "a test")])
    producer = broker.producer()
    producer.produce(topic, b"behind a password", partition=0)
    assert producer.flush(DEADLINE_S) == 0
    seen: list[bytes] = []

    async def program() -> None:
        app = create_app(unique + "group", broker)
        done = asyncio.Event()

        @app.agent(app.topic(topic, acks=False))
        async def note(stream: StreamT[bytes]) -> None:
            assert isinstance(stream, Stream)
            async for event in stream.noack().events():
                seen.append(event.message.value or b"")
                assert await faust_transport.commit(app, {TP(topic, 0): (1, "")}) == {TP(topic, 0)}
                done.set()

        async with asyncio.timeout(DEADLINE_S):
            await serve(app, done)

    asyncio.run(program())
    assert seen == [b"behind a password"]


def test_a_wrong_password_is_told_and_not_shown(kafka_server: KafkaServer) -> None:
    """The error names no secret."""
    with pytest.raises(TocsinError) as refused:
        sasl(kafka_server, "wrong-one").topics()
    assert "wrong-one" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"sasl.password": "wrong-one"}, "correct the client's credentials"),
        ({"security.protocol": "plaintext"}, "set what it expects of clients"),
    ],
)
def test_the_doctor_tells_a_refusal_from_a_kafka_that_is_away(
    kafka_server: KafkaServer, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], advice: str
) -> None:
    """A wrong password, and a client without one: what to correct is the client."""
    monkeypatch.setattr(checks, "TIMEOUT_S", 3.0)
    broker = sasl(kafka_server, PASSWORD)
    check = checks.check_broker(Broker(broker.bootstrap, {**broker.extra, **change}))
    assert check.outcome is CheckOutcome.FAIL
    assert advice in check.advice
    assert "start Kafka" not in check.advice
    assert "wrong-one" not in check.seen
