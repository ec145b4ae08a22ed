"""The embedded broker: a Kafka cluster inside this process, for the demo and for development.

librdkafka carries a small cluster for its own tests; every Kafka client, in this process or another, can join it over
TCP on loopback.  Its limits, all verified by experiment:

- Data is kept in memory only.
- A partition keeps 5 MB as stored (compressed) or 100,000 batches, and deletes older ones: producers must not run ahead
  of consumers (see ``stream.kafka.consumer_lag``).
- Topics are created on first use with four partitions; ``create_topic`` creates them with another number.  A client's
  CreateTopics is not answered.
- Nothing is compacted, time stamps are the producer's, and ``offsets_for_times`` knows no times.
- A member that dies leaves its group only after the session timeout, and a group without members accepts the next one
  only a second before that timeout ends.

The handle of the cluster is not part of confluent-kafka, so it is taken from the C library that confluent-kafka has
already loaded.
"""

import ctypes
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from confluent_kafka import cimpl

from models.errors import FatalError, InvalidError
from stream.kafka.topic_specs import TopicSpec

DEFAULT_PARTITIONS: Final = 4
"""Partitions of a topic that is created on first use: librdkafka's number."""

REBALANCE_DELAY_MS: Final = 100
"""How long a group waits for more members.  A judgement: short, because the roles of a demo start together."""

MAX_PARTITION_BYTES: Final = 5 * 1024 * 1024
"""Bytes of stored batches that a partition keeps: librdkafka's number."""

MAX_PARTITION_BATCHES: Final = 100_000
"""Batches that a partition keeps: librdkafka's number."""

CLUSTER_ID_PREFIX: Final = "mockCluster"
"""Start of an embedded broker's cluster id, by which clients tell it from Apache Kafka."""

# Values of librdkafka's C enums: RD_KAFKA_PRODUCER, and two error codes.
_PRODUCER: Final = 0
_NO_ERROR: Final = 0
_TOPIC_ALREADY_EXISTS: Final = 36


class EmbeddedBroker:
    """An in-process Kafka cluster with one broker; use as a context manager, or call ``stop``."""

    def __init__(self, specs: Iterable[TopicSpec] = ()) -> None:
        """Start the cluster and create the topics of ``specs``.

        Raises:
            FatalError: this build of librdkafka cannot.
        """
        self._lib = _library()
        self._handle: int | None = _new_handle(self._lib)
        self._cluster: int = self._lib.rd_kafka_handle_mock_cluster(self._handle)
        if not self._cluster:
            self.stop()
            raise FatalError(
                "the embedded broker did not start", "use Apache Kafka: TOCSIN_KAFKA_BOOTSTRAP_SERVERS=host:port"
            )
        # By default its groups wait three seconds for more members, at every start of a role.
        self._lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, REBALANCE_DELAY_MS)
        self.bootstrap: str = self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        for spec in specs:
            self.create_topic(spec.name, spec.partitions)

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic; one that exists stays as it is.

        Raises:
            InvalidError: librdkafka refuses the name or the number of partitions.
        """
        if partitions < 1:  # librdkafka would end the whole process
            raise InvalidError(f"topic {name!r} cannot have {partitions} partitions", "give at least 1")
        code = self._lib.rd_kafka_mock_topic_create(self._running(), name.encode(), partitions, 1)
        if code not in {_NO_ERROR, _TOPIC_ALREADY_EXISTS}:
            raise InvalidError(
                f"the embedded broker refused topic {name!r} with {partitions} partitions (Kafka error {code})"
            )

    def set_down(self) -> None:
        """Start an outage: close all connections and refuse new ones until ``set_up``."""
        self._lib.rd_kafka_mock_broker_set_down(self._running(), 1)

    def set_up(self) -> None:
        """End the outage; data and committed offsets are still there."""
        self._lib.rd_kafka_mock_broker_set_up(self._running(), 1)

    def stop(self) -> None:
        """Stop the cluster and discard its data; a second call does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._lib.rd_kafka_destroy(handle)

    def __enter__(self) -> Self:
        """Return the running broker."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the broker."""
        self.stop()

    def _running(self) -> int:
        if self._handle is None:
            raise InvalidError("the embedded broker has been stopped")
        return self._cluster


def _library() -> ctypes.CDLL:
    # Symbols are looked up in the extension module *and what it links to*: the very librdkafka that confluent-kafka
    # uses, wherever its wheel, a distribution or a compiler has put it.
    lib = ctypes.CDLL(cimpl.__file__)
    try:
        lib.rd_kafka_conf_new.restype = ctypes.c_void_p
        lib.rd_kafka_conf_set.argtypes = [
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_char_p,
            ctypes.c_char_p,
            ctypes.c_size_t,
        ]
        lib.rd_kafka_new.restype = ctypes.c_void_p
        lib.rd_kafka_new.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
        lib.rd_kafka_destroy.argtypes = [ctypes.c_void_p]
        lib.rd_kafka_handle_mock_cluster.restype = ctypes.c_void_p
        lib.rd_kafka_handle_mock_cluster.argtypes = [ctypes.c_void_p]
        lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        lib.rd_kafka_mock_cluster_bootstraps.argtypes = [ctypes.c_void_p]
        lib.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        lib.rd_kafka_mock_topic_create.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
        lib.rd_kafka_mock_broker_set_down.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        lib.rd_kafka_mock_broker_set_up.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    except AttributeError as error:
        raise FatalError(
            f"this build of librdkafka has no embedded cluster ({error})", "install confluent-kafka's wheel"
        ) from error
    return lib


def _new_handle(lib: ctypes.CDLL) -> int:
    """Create the librdkafka instance whose only use is to own the cluster."""
    reason = ctypes.create_string_buffer(512)
    conf = lib.rd_kafka_conf_new()
    # log_level 3: otherwise its notices about being a test cluster would be printed on the terminal.
    for name, value in (("test.mock.num.brokers", "1"), ("log_level", "3")):
        if lib.rd_kafka_conf_set(conf, name.encode(), value.encode(), reason, len(reason)) != _NO_ERROR:
            raise FatalError(f"the embedded broker cannot be configured: {reason.value.decode(errors='replace')}")
    handle: int | None = lib.rd_kafka_new(_PRODUCER, conf, reason, len(reason))
    if handle is None:
        raise FatalError(f"the embedded broker did not start: {reason.value.decode(errors='replace')}")
    return handle
