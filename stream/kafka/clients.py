"""Kafka clients with our settings.  Producers, consumers and admin clients are built here and nowhere else."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ClusterMetadata, ConfigResource  # type: ignore[attr-defined]  # not in its stubs
from confluent_kafka.cimpl import NewTopic

from models.errors import InvalidError, TransientError
from stream.kafka.embedded import CLUSTER_ID_PREFIX
from stream.kafka.errors import kafka_errors, translate
from stream.kafka.refusals import is_refusal, log_refusal, refusal
from stream.kafka.security import client_settings
from stream.kafka.topic_specs import MAX_MESSAGE_BYTES, TopicSpec

T = TypeVar("T")

log = logging.getLogger(__name__)
client_log = logging.getLogger("tocsin.librdkafka")

Value: TypeAlias = str | int | float | bool
"""A value among librdkafka's settings."""

Setting: TypeAlias = Value | Callable[..., object]
"""A value, or a callback where a client accepts one."""

TIMEOUT_S: Final = 15.0
"""Longest time of one request to the cluster.  A judgement: a client that has lost its broker reconnects well within
it, because its back-off ends at two seconds."""

REFUSED_S: Final = 3.0
"""After so long without an answer a client looks whether it was refused.  A judgement: a client that gets in does so in
less, and librdkafka itself would try until the time is up."""

RETRY_INTERVAL_S: Final = 0.05
"""Between two requests for what the cluster does not know yet, such as topics that were just created.  A judgement."""

WATERMARKS_GROUP: Final = "tocsin-watermarks"
"""A group name, which the client library requires; nothing is ever committed under it."""

_LEADERLESS: Final = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - their public names
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
}

METADATA_MS: Final = 10_000
"""Milliseconds after which a consumer looks for new partitions.  A judgement: before what writes into them, which looks
every five minutes (librdkafka, Fluent Bit), and it costs a request of some hundred bytes."""

_COMMON: Final[Mapping[str, Value]] = {
    "client.id": "tocsin",
    "socket.keepalive.enable": True,
    # A broker that restarts is back in seconds: do not let the back-off grow past that.
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 2000,
}

_PRODUCER: Final[Mapping[str, Setting]] = {
    # Idempotence also means acks=all and order kept over retries.
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "lz4",
    "linger.ms": 20,
    "batch.size": 1_000_000,
    "batch.num.messages": 50_000,
    "queue.buffering.max.messages": 1_000_000,
    "queue.buffering.max.kbytes": 256 * 1024,
    "message.max.bytes": MAX_MESSAGE_BYTES,
    # An outage longer than this stops the role, which starts again from its committed offsets.
    "delivery.timeout.ms": 120_000,
}

_CONSUMER: Final[Mapping[str, Setting]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "fetch.min.bytes": 1,
    "fetch.wait.max.ms": 100,
    "fetch.max.bytes": 52_428_800,
    "max.partition.fetch.bytes": 2 * MAX_MESSAGE_BYTES,
    "queued.min.messages": 200_000,
    "queued.max.messages.kbytes": 128 * 1024,
    # How long fetching pauses once the queue is full.  With the default of a second a fast reader waits for messages.
    "fetch.queue.backoff.ms": 20,
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 3_000,
    "max.poll.interval.ms": 300_000,
    "topic.metadata.refresh.interval.ms": METADATA_MS,
}


@dataclass(frozen=True, slots=True)
class Broker:
    """The address of a cluster; ``extra`` holds librdkafka settings of every client, such as ``security.protocol``."""

    bootstrap: str
    # Not in the repr: passwords are among them.
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)

    def producer(self, **overrides: Setting) -> Producer:
        """Return an idempotent producer; overrides are librdkafka's settings with ``_`` for ``.``: ``linger_ms=5``."""
        with kafka_errors("set up a Kafka producer"):
            return Producer(self._settings(_PRODUCER, overrides), logger=client_log)

    def consumer(self, group: str, **overrides: Setting) -> Consumer:
        """Return a consumer of ``group`` that commits nothing by itself."""
        with kafka_errors("set up a Kafka consumer"):
            return Consumer(self._settings({**_CONSUMER, "group.id": group}, overrides), logger=client_log)

    def admin(self, **overrides: Setting) -> AdminClient:
        """Return an admin client; overrides as for ``producer``, but for ``error_cb``, which keeps its name."""
        with kafka_errors("set up a Kafka admin client"):
            return AdminClient(self._settings({}, overrides), logger=client_log)  # type: ignore[arg-type]  # its stubs know no callbacks

    def is_embedded(self) -> bool:
        """Return whether this is an embedded broker, by its cluster id."""
        return _is_embedded(self._reach())

    def topics(self) -> dict[str, int]:
        """Return every topic with its number of partitions."""
        return _topics(self._reach())

    def size(self, timeout_s: float = TIMEOUT_S) -> tuple[int, int]:
        """Return the number of brokers and the number of topics.

        Raises:
            TransientError: there is no answer.
            FatalError: there is one: the password is wrong, or TLS or SASL are not what the address expects.
        """
        metadata = self._reach(timeout_s)
        return len(metadata.brokers), len(metadata.topics)

    def _reach(self, timeout_s: float = TIMEOUT_S) -> ClusterMetadata:
        """Return what the cluster says of itself, asked by a client of its own.

        Raises:
            TransientError: there is no answer.
            FatalError: there is one, and it lets this client not in.
        """
        action = f"reach Kafka at {self.bootstrap}"
        reports: list[KafkaError] = []
        admin = self.admin(error_cb=reports.append)
        deadline = time.monotonic() + timeout_s
        while True:
            rest_s = deadline - time.monotonic()
            try:
                with kafka_errors(action):
                    return admin.list_topics(timeout=max(min(rest_s, REFUSED_S), 0.1))
            except TransientError as error:
                admin.poll(0)
                if refused := next(filter(is_refusal, reports), None):
                    raise refusal(action, refused, self.bootstrap, self.extra) from error
                if rest_s <= REFUSED_S:
                    raise

    def topic_config(self, topic: str, timeout_s: float = TIMEOUT_S) -> dict[str, str | None]:
        """Return Kafka's settings of a topic; an embedded broker does not answer this."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        # The client must outlive its answer.
        admin = self.admin()
        with kafka_errors(f"read the settings of {topic}"):
            (answer,) = admin.describe_configs([resource], request_timeout=timeout_s).values()
            return {name: entry.value for name, entry in answer.result(timeout_s).items()}

    def partitions(self, topic: str) -> int:
        """Return the number of partitions of ``topic``.

        Raises:
            InvalidError: there is no such topic.
        """
        known = self.topics()
        if topic not in known:
            raise InvalidError(
                f"there is no topic {topic!r} on {self.bootstrap}", "correct its name, or start a role to create it"
            )
        return known[topic]

    def watermarks(self, topic: str) -> dict[int, tuple[int, int]]:
        """Return per partition the first offset kept and the offset that the next message will get."""
        partitions = self.partitions(topic)
        consumer = self.consumer(WATERMARKS_GROUP)
        try:
            return {partition: watermarks_of(consumer, topic, partition) for partition in range(partitions)}
        finally:
            consumer.close()

    def ensure_topics(self, specs: Iterable[TopicSpec], replication: int = 1) -> None:
        """Create the topics that are missing; leave those that exist as they are, with a warning if partitions differ.

        Return when the brokers know all of them, which is a moment after they are created.

        An embedded broker creates topics on first use, with its own number of partitions: the process that owns it
        gives the specs to ``EmbeddedBroker`` instead.

        Raises:
            InvalidError: the cluster refuses to create a topic, or its settings.
            TransientError: the cluster does not answer, or the topics cannot be used in time.
        """
        cluster = self._reach()
        known = _topics(cluster)
        wanted = tuple(specs)
        missing = [spec for spec in wanted if spec.name not in known]
        if missing and _is_embedded(cluster):
            self._touch(missing)
        elif missing:
            _create(self.admin(), missing, replication)
            self._await([spec.name for spec in missing])
        if missing:
            log.info("topics created", extra={"topics": [spec.name for spec in missing]})
            known = self.topics()
        for spec in wanted:
            if (partitions := known.get(spec.name, spec.partitions)) != spec.partitions:
                facts = {"topic": spec.name, "partitions": partitions, "wanted": spec.partitions}
                log.warning("topic left as it is, with another number of partitions", extra=facts)

    def _await(self, names: Iterable[str]) -> None:
        """Wait until new topics can be used: a cluster confirms them before it lists them and elects their leaders.

        Raises:
            TransientError: that takes too long.
        """
        deadline = time.monotonic() + TIMEOUT_S
        admin, consumer = self.admin(), self.consumer(WATERMARKS_GROUP)
        try:
            unusable = set(names)
            while unusable:
                with kafka_errors(f"reach Kafka at {self.bootstrap}"):
                    known = _topics(admin.list_topics(timeout=TIMEOUT_S))
                unusable -= {name for name in unusable & known.keys() if _is_led(consumer, name, known[name])}
                if unusable and time.monotonic() >= deadline:
                    raise TransientError(f"topic {min(unusable)} was created, but cannot be used yet", "try again")
                if unusable:
                    time.sleep(RETRY_INTERVAL_S)
        finally:
            consumer.close()

    def _touch(self, specs: Iterable[TopicSpec]) -> None:
        producer = self.producer()
        with kafka_errors("create topics on the embedded broker"):
            for spec in specs:
                producer.list_topics(spec.name, timeout=TIMEOUT_S)

    def _settings(self, ours: Mapping[str, Setting], overrides: Mapping[str, Setting]) -> dict[str, Setting]:
        dotted = {_dotted(name): value for name, value in overrides.items()}
        common = {"bootstrap.servers": self.bootstrap, "error_cb": log_refusal(self.bootstrap, self.extra), **_COMMON}
        return {**common, **ours, **client_settings(self.extra), **dotted}


def _topics(metadata: ClusterMetadata) -> dict[str, int]:
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def _is_embedded(metadata: ClusterMetadata) -> bool:
    return str(metadata.cluster_id).startswith(CLUSTER_ID_PREFIX)


def retry_until_known(request: Callable[[], T], action: str) -> T:
    """Return the answer to a request, which is repeated while no broker knows it: partitions move between brokers.

    Raises:
        TransientError: no broker knows it in time.
        TocsinError: whatever else ``kafka_errors`` makes of the answer.
    """
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            with kafka_errors(action):
                return request()
        except TransientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_INTERVAL_S)


def watermarks_of(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """Return the first offset kept and the offset that the next message will get.

    Raises:
        TocsinError: as ``retry_until_known`` does.
    """

    def request() -> tuple[int, int]:
        watermarks = consumer.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT_S, cached=False)
        if watermarks is None:
            raise TransientError("the cluster did not answer in time", "try again")
        return watermarks

    return retry_until_known(request, f"read the offsets of {topic}")


def _create(admin: AdminClient, specs: Iterable[TopicSpec], replication: int) -> None:
    new = [
        NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=replication,
            config=spec.all_configs(),
        )
        for spec in specs
    ]
    for name, future in admin.create_topics(new, operation_timeout=TIMEOUT_S, request_timeout=TIMEOUT_S).items():
        try:
            future.result()
        except KafkaException as error:
            cause = error.args[0]
            # Roles that start together create the same topics: that another was first is no error.
            if cause.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise translate(cause, f"create topic {name}") from error


def _is_led(consumer: Consumer, topic: str, partitions: int) -> bool:
    """Return whether every partition has a leader that knows of it."""
    try:
        places = [TopicPartition(topic, partition) for partition in range(partitions)]
        return all(consumer.get_watermark_offsets(place, TIMEOUT_S, cached=False) for place in places)
    except KafkaException as error:
        if error.args[0].code() in _LEADERLESS:
            return False
        raise translate(error.args[0], f"check that topic {topic} can be used") from error


def _dotted(name: str) -> str:
    """Return librdkafka's name of a setting for its Python name; callbacks keep theirs."""
    return name if name.endswith("_cb") or name == "on_commit" else name.replace("_", ".")
