"""Kafka's errors in Tocsin's terms: retry, reject or stop.  Nothing outside ``stream.kafka`` knows Kafka's codes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeAlias

from confluent_kafka import KafkaError, KafkaException

from models.errors import FatalError, InvalidError, TocsinError, TransientError

_RETRY_ADVICE: Final = "if it persists, check that the brokers are up and reachable"
_STOP_ADVICE: Final = "restart the role; if it happens again, look at the broker's log"
_TOPIC_ADVICE: Final = "create the topic, or correct its name or prefix (TOCSIN_TOPIC_PREFIX)"
CREDENTIALS_ADVICE: Final = (
    "correct the client's credentials and security settings ([kafka], or TOCSIN_KAFKA_SASL_… and …_SSL_…)"
)
_ACCESS_ADVICE: Final = (
    "grant this client the right in the cluster's access rules; `tocsin topics acls` prints what each role needs"
)

# librdkafka sets `retriable()` only on errors of transactions, which Tocsin does not use: what passes by itself has to
# be listed.  These are the errors of a producer, a consumer group, and requests for metadata and offsets.
_TRANSIENT: Final = """
    _TRANSPORT _RESOLVE _ALL_BROKERS_DOWN _TIMED_OUT _TIMED_OUT_QUEUE _MSG_TIMED_OUT _QUEUE_FULL _WAIT_COORD _WAIT_CACHE
    _STATE _ASSIGNMENT_LOST _MAX_POLL_EXCEEDED _NO_OFFSET LEADER_NOT_AVAILABLE NOT_LEADER_FOR_PARTITION NOT_CONTROLLER
    REQUEST_TIMED_OUT NETWORK_EXCEPTION KAFKA_STORAGE_ERROR NOT_ENOUGH_REPLICAS NOT_ENOUGH_REPLICAS_AFTER_APPEND
    COORDINATOR_LOAD_IN_PROGRESS COORDINATOR_NOT_AVAILABLE NOT_COORDINATOR ILLEGAL_GENERATION UNKNOWN_MEMBER_ID
    MEMBER_ID_REQUIRED REBALANCE_IN_PROGRESS FENCED_LEADER_EPOCH UNKNOWN_LEADER_EPOCH OFFSET_NOT_AVAILABLE
    UNSTABLE_OFFSET_COMMIT UNKNOWN_TOPIC_ID THROTTLING_QUOTA_EXCEEDED
"""

_INVALID: Final = {
    "_INVALID_ARG": "correct the argument named here",
    "_UNKNOWN_TOPIC": _TOPIC_ADVICE,
    "UNKNOWN_TOPIC_OR_PART": _TOPIC_ADVICE,
    "_UNKNOWN_PARTITION": "use a partition that the topic has",
    "TOPIC_EXCEPTION": "use a topic name of letters, digits, '.', '_' and '-'",
    "MSG_SIZE_TOO_LARGE": "send a smaller message, or raise the topic's max.message.bytes",
    "RECORD_LIST_TOO_LARGE": "send smaller batches, or raise the topic's max.message.bytes",
    "OFFSET_METADATA_TOO_LARGE": "put less into the commit, or raise the broker's offset.metadata.max.bytes",
    "OFFSET_OUT_OF_RANGE": "ask for offsets that the topic still keeps",
    "INVALID_RECORD": "give every message of a compacted topic a key",
    "INVALID_GROUP_ID": "give the consumer group a name",
    "INVALID_PARTITIONS": "use a positive number of partitions",
    "INVALID_REPLICATION_FACTOR": "use at most as many replicas as there are brokers (TOCSIN_REPLICATION)",
    "INVALID_CONFIG": "correct the topic setting",
    "INVALID_SESSION_TIMEOUT": "use a session timeout that the broker allows",
    "POLICY_VIOLATION": "ask the cluster's owner which topics its policy allows",
    "TOPIC_ALREADY_EXISTS": "use the topic as it is, or another name",
}

_FATAL: Final = {
    "_AUTHENTICATION": CREDENTIALS_ADVICE,
    "_SSL": CREDENTIALS_ADVICE,
    "SASL_AUTHENTICATION_FAILED": CREDENTIALS_ADVICE,
    "UNSUPPORTED_SASL_MECHANISM": CREDENTIALS_ADVICE,
    "TOPIC_AUTHORIZATION_FAILED": _ACCESS_ADVICE,
    "GROUP_AUTHORIZATION_FAILED": _ACCESS_ADVICE,
    "CLUSTER_AUTHORIZATION_FAILED": _ACCESS_ADVICE,
    "INCONSISTENT_GROUP_PROTOCOL": "give every member of the group the same assignment strategy",
    "UNSUPPORTED_VERSION": "use Apache Kafka 2.4 or newer",
}

Meaning: TypeAlias = tuple[type[TocsinError], str]

MEANINGS: Final[Mapping[str, Meaning]] = {
    **dict.fromkeys(_TRANSIENT.split(), (TransientError, _RETRY_ADVICE)),
    **{name: (InvalidError, advice) for name, advice in _INVALID.items()},
    **{name: (FatalError, advice) for name, advice in _FATAL.items()},
}
"""Name of the error in confluent-kafka → our error class and one line of advice; any other error is fatal."""


def translate(error: KafkaError, action: str) -> TocsinError:
    """Return our error for Kafka's; ``action`` is what was tried ("read tocsin.logs.raw")."""
    kind, advice = MEANINGS.get(error.name(), (FatalError, _STOP_ADVICE))
    if error.fatal():
        # The client instance itself is unusable from here on, whatever the code.
        kind = FatalError
    elif error.retriable():
        kind = TransientError
    return kind(f"cannot {action}: {error.str()} ({error.name()})", advice)


@contextmanager
def kafka_errors(action: str) -> Iterator[None]:
    """Turn Kafka's exceptions inside the block into ours; a full producer queue counts as transient.

    Raises:
        TransientError: another try may succeed.
        InvalidError: the request is wrong, or the cluster does not allow it.
        FatalError: nothing but a restart or another configuration helps.
    """
    try:
        yield
    except KafkaException as error:
        cause = error.args[0]
        if not isinstance(cause, KafkaError):
            raise FatalError(f"cannot {action}: {error}", _STOP_ADVICE) from error
        raise translate(cause, action) from error
    except BufferError as error:
        raise TransientError(f"cannot {action}: the producer's queue is full", "poll it and try again") from error
