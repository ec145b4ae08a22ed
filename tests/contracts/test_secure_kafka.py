"""An Apache Kafka that asks who one is, with both clients: each way to say it, and each way to be refused."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from faust.streams import Stream
from faust.types import TP, StreamT

from models.errors import FatalError, InvalidError, TocsinError
from stream.kafka import faust_transport
from stream.kafka.clients import Broker
from stream.kafka.faust_app import create_app, serve
from stream.kafka.topic_specs import TopicSpec
from tests.secure_kafka import OPERATOR, REAUTHENTICATION_MS, SecureKafka
from tests.token_server import TokenServer

pytestmark = [pytest.mark.kafka]
DEADLINE_S = 120.0
SECRET = "of-the-client"  # noqa: S105
MODES: Mapping[str, Callable[[SecureKafka], Broker]] = {
    "PLAIN": lambda server: server.client("PLAIN"),
    "SCRAM-SHA-256": lambda server: server.client("SCRAM-SHA-256"),
    "SCRAM-SHA-512": lambda server: server.client("SCRAM-SHA-512"),
    "OAUTHBEARER": lambda server: server.token_client(OPERATOR, SECRET),
    "mutual TLS": lambda server: server.certificate_client(server.authority.issue(OPERATOR)),
}


@pytest.fixture(autouse=True)
def known_client(tokens: TokenServer) -> None:
    """Let the operator have tokens."""
    tokens.clients[OPERATOR] = SECRET


def changed(broker: Broker, **properties: str) -> Broker:
    """Return clients with some properties changed; ``_`` stands for ``.``."""
    return Broker(broker.bootstrap, {**broker.extra, **{k.replace("_", "."): v for k, v in properties.items()}})


async def read(broker: Broker, group: str, topic: str, messages: list[bytes], count: int, sent: asyncio.Event) -> None:
    """Read with Faust until there are so many messages, each committed before the next; ``sent``: the first one is."""
    app = create_app(group, broker)
    done = asyncio.Event()

    @app.agent(app.topic(topic, acks=False))
    async def note(stream: StreamT[bytes]) -> None:
        assert isinstance(stream, Stream)
        async for event in stream.noack().events():
            messages.append(event.message.value or b"")
            offset = event.message.offset + 1
            while not await faust_transport.commit(app, {TP(topic, 0): (offset, "")}):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            sent.set()
            if len(messages) == count:
                done.set()

    async with asyncio.timeout(DEADLINE_S):
        await serve(app, done)


@pytest.mark.parametrize("mode", MODES)
def test_both_clients_get_in(secure_kafka: SecureKafka, unique: str, mode: str) -> None:
    """What librdkafka writes, Faust reads, and its commits are taken."""
    broker = MODES[mode](secure_kafka)
    topic = unique + "frames"
    broker.ensure_topics([TopicSpec(topic, 1, "delete", "a test")])
    producer = broker.producer()
    producer.produce(topic, b"said in confidence", partition=0)
    assert producer.flush(DEADLINE_S) == 0
    messages: list[bytes] = []
    asyncio.run(read(broker, unique + "group", topic, messages, 1, asyncio.Event()))
    assert messages == [b"said in confidence"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SCRAM-SHA-512", "OAUTHBEARER"])
def test_connections_outlive_what_the_broker_trusts_them_for(
    secure_kafka: SecureKafka, tokens: TokenServer, unique: str, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """The broker asks again after four seconds, tokens end after three: nothing is lost, and nobody starts anew."""
    monkeypatch.setattr(tokens, "lifetime_s", 3.0)
    broker = MODES[mode](secure_kafka)
    if mode == "OAUTHBEARER":
        # A client of its own, for which no other test has a token that lives longer.
        tokens.clients[unique] = SECRET
        broker = secure_kafka.token_client(unique, SECRET)
        secure_kafka.allow_all(unique)
    topic = unique + "frames"
    broker.ensure_topics([TopicSpec(topic, 1, "delete", "a test")])
    messages: list[bytes] = []
    producer = broker.producer()
    wanted = [str(number).encode() for number in range(8)]

    async def program() -> None:
        reads = asyncio.Event()
        reading = asyncio.create_task(read(broker, unique + "group", topic, messages, len(wanted), reads))
        for value in wanted:
            producer.produce(topic, value, partition=0)
            assert await asyncio.to_thread(producer.flush, DEADLINE_S) == 0
            await reads.wait()
            await asyncio.sleep(2.5 * REAUTHENTICATION_MS / 1000 / len(wanted))
        await reading

    asyncio.run(program())
    # The broker closes connections of a client that cannot say again who it is: what was not committed comes twice.
    assert sorted(set(messages)) == wanted
    assert mode != "OAUTHBEARER" or tokens.issued[unique] > 3


REFUSALS: Mapping[str, tuple[Callable[[SecureKafka], Broker], str, str]] = {
    "wrong password": (
        lambda server: server.client("SCRAM-SHA-512", password="wrong-one"),
        "Authentication failed",
        "correct the client's credentials",
    ),
    "unknown user": (
        lambda server: server.client("PLAIN", "nobody", "wrong-one"),
        "Authentication failed",
        "correct the client's credentials",
    ),
    "unknown authority": (
        lambda server: changed(server.client("PLAIN"), ssl_ca_location=str(server.stranger.file)),
        "unable to get local issuer certificate",
        "TOCSIN_KAFKA_SSL_CAFILE",
    ),
    "expired broker": (
        lambda server: server.certificate_client(server.authority.issue(OPERATOR), "EXPIRED"),
        "certificate has expired",
        "renew the broker's certificate",
    ),
    "expired client": (
        lambda server: server.certificate_client(server.authority.issue("late", ends=timedelta(hours=-1))),
        "certificate",
        "renew TOCSIN_KAFKA_SSL_CERTFILE",
    ),
    "client of an unknown authority": (
        lambda server: server.certificate_client(server.stranger.issue("foreign")),
        "certificate",
        "signed by an authority that the broker trusts",
    ),
    "client without a certificate": (
        lambda server: Broker(
            server.at("MTLS"), {"security.protocol": "ssl", "ssl.ca.location": str(server.authority.file)}
        ),
        "certificate",
        "TOCSIN_KAFKA_SSL_CERTFILE",
    ),
    "wrong secret at the provider": (
        lambda server: server.token_client(OPERATOR, "wrong-one"),
        "refuses this client (401 invalid_client)",
        "TOCSIN_KAFKA_OAUTH_CLIENT_ID",
    ),
    "provider away": (
        lambda server: changed(
            server.token_client(OPERATOR, SECRET), sasl_oauthbearer_token_endpoint_url="http://127.0.0.1:1/token"
        ),
        "Connection refused",
        "OIDC provider is up",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_says_what_to_correct(secure_kafka: SecureKafka, case: str) -> None:
    """Within seconds, and without a secret."""
    make, problem, advice = REFUSALS[case]
    with pytest.raises(TocsinError) as refused:
        make(secure_kafka).topics()
    assert problem in refused.value.problem
    assert advice in refused.value.advice
    assert "wrong-one" not in str(refused.value)
    assert isinstance(refused.value, FatalError | InvalidError) == (case != "provider away")
