"""Kafka's errors in Tocsin's terms: retry, reject or stop.  Nothing else in the project knows Kafka's codes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from models.errors import FatalError, InvalidError, TocsinError, TransientError

_RETRY_ADVICE: Final = "if it stays, see that the brokers are up and reachable"
_STOP_ADVICE: Final = "restart the role; if it comes back, look at the broker's log"

_TRANSIENT: Final = """
    _TRANSPORT _RESOLVE _MSG_TIMED_OUT _ALL_BROKERS_DOWN _TIMED_OUT _QUEUE_FULL _ISR_INSUFF _NODE_UPDATE _WAIT_COORD
    _IN_PROGRESS _PREV_IN_PROGRESS _TIMED_OUT_QUEUE _WAIT_CACHE _INTR _PARTIAL _RETRY _DESTROY_BROKER _ASSIGNMENT_LOST
    _MAX_POLL_EXCEEDED _OUTDATED _CONFLICT _STATE _UNKNOWN_BROKER _PARTITION_EOF _NO_OFFSET _ASSIGN_PARTITIONS
    _REVOKE_PARTITIONS _NOOP _BAD_MSG _UNDERFLOW
    LEADER_NOT_AVAILABLE NOT_LEADER_FOR_PARTITION REQUEST_TIMED_OUT BROKER_NOT_AVAILABLE REPLICA_NOT_AVAILABLE
    STALE_CTRL_EPOCH NETWORK_EXCEPTION COORDINATOR_LOAD_IN_PROGRESS COORDINATOR_NOT_AVAILABLE NOT_COORDINATOR
    NOT_ENOUGH_REPLICAS NOT_ENOUGH_REPLICAS_AFTER_APPEND ILLEGAL_GENERATION UNKNOWN_MEMBER_ID REBALANCE_IN_PROGRESS
    NOT_CONTROLLER CONCURRENT_TRANSACTIONS KAFKA_STORAGE_ERROR REASSIGNMENT_IN_PROGRESS OPERATION_NOT_ATTEMPTED
    FETCH_SESSION_ID_NOT_FOUND INVALID_FETCH_SESSION_EPOCH LISTENER_NOT_FOUND FENCED_LEADER_EPOCH UNKNOWN_LEADER_EPOCH
    STALE_BROKER_EPOCH OFFSET_NOT_AVAILABLE MEMBER_ID_REQUIRED PREFERRED_LEADER_NOT_AVAILABLE
    ELIGIBLE_LEADERS_NOT_AVAILABLE UNSTABLE_OFFSET_COMMIT THROTTLING_QUOTA_EXCEEDED FENCED_MEMBER_EPOCH
    STALE_MEMBER_EPOCH UNKNOWN_TOPIC_ID INCONSISTENT_TOPIC_ID UNRELEASED_INSTANCE_ID REBOOTSTRAP_REQUIRED
    UNKNOWN_SUBSCRIPTION_ID SHARE_SESSION_NOT_FOUND INVALID_SHARE_SESSION_EPOCH SHARE_SESSION_LIMIT_REACHED
    FENCED_STATE_EPOCH INVALID_MSG
"""

_INVALID: Final = {
    "_INVALID_ARG": "correct the argument named here",
    "_UNKNOWN_TOPIC": "create the topic, or correct its name or prefix (TOCSIN_TOPIC_PREFIX)",
    "_UNKNOWN_PARTITION": "give a partition that the topic has",
    "_INVALID_TYPE": "correct the argument named here",
    "_NOENT": "name something that exists",
    "_KEY_SERIALIZATION": "send bytes",
    "_VALUE_SERIALIZATION": "send bytes",
    "_KEY_DESERIALIZATION": "read bytes",
    "_VALUE_DESERIALIZATION": "read bytes",
    "_UNKNOWN_GROUP": "give a consumer group that exists",
    "UNKNOWN_TOPIC_OR_PART": "create the topic, or correct its name or prefix (TOCSIN_TOPIC_PREFIX)",
    "INVALID_MSG_SIZE": "send a smaller message",
    "MSG_SIZE_TOO_LARGE": "send a smaller message, or raise the topic's max.message.bytes",
    "RECORD_LIST_TOO_LARGE": "send smaller batches, or raise the topic's max.message.bytes",
    "OFFSET_METADATA_TOO_LARGE": "carry less in the commit, or raise the broker's offset.metadata.max.bytes",
    "INVALID_COMMIT_OFFSET_SIZE": "carry less in the commit, or raise the broker's offset.metadata.max.bytes",
    "OFFSET_OUT_OF_RANGE": "ask for offsets that the topic still keeps",
    "TOPIC_EXCEPTION": "use a topic name of letters, digits, '.', '_' and '-'",
    "INVALID_RECORD": "give every message of a compacted topic a key",
    "INVALID_TIMESTAMP": "send the message with a time stamp that the topic accepts",
    "INVALID_GROUP_ID": "give a group name",
    "INVALID_PARTITIONS": "give a positive number of partitions",
    "INVALID_REPLICATION_FACTOR": "ask for at most as many replicas as there are brokers",
    "INVALID_REPLICA_ASSIGNMENT": "ask for at most as many replicas as there are brokers",
    "INVALID_CONFIG": "correct the topic setting",
    "INVALID_REQUEST": "correct the request",
    "POLICY_VIOLATION": "ask the cluster's owner which topics its policy allows",
    "TOPIC_ALREADY_EXISTS": "use the topic as it is, or another name",
    "GROUP_ID_NOT_FOUND": "give a consumer group that exists",
    "NON_EMPTY_GROUP": "stop the members of the group first",
    "GROUP_SUBSCRIBED_TO_TOPIC": "stop the members of the group first",
    "RESOURCE_NOT_FOUND": "name something that exists",
    "DUPLICATE_RESOURCE": "name each thing once",
    "INVALID_REGULAR_EXPRESSION": "correct the pattern",
    "INVALID_SESSION_TIMEOUT": "use a session time-out that the broker allows",
    "INVALID_TRANSACTION_TIMEOUT": "use a transaction time-out that the broker allows",
    "INVALID_PRINCIPAL_TYPE": "correct the principal",
    "INVALID_RECORD_STATE": "acknowledge a record once",
}

_DENIED: Final = "grant this client the right in the cluster's access rules"
_CREDENTIALS: Final = "correct the client's credentials and security settings"
_FATAL_ADVICE: Final = {
    "_AUTHENTICATION": _CREDENTIALS,
    "_SSL": _CREDENTIALS,
    "SASL_AUTHENTICATION_FAILED": _CREDENTIALS,
    "UNSUPPORTED_SASL_MECHANISM": _CREDENTIALS,
    "ILLEGAL_SASL_STATE": _CREDENTIALS,
    "SECURITY_DISABLED": _CREDENTIALS,
    "UNACCEPTABLE_CREDENTIAL": _CREDENTIALS,
    "TOPIC_AUTHORIZATION_FAILED": _DENIED,
    "GROUP_AUTHORIZATION_FAILED": _DENIED,
    "CLUSTER_AUTHORIZATION_FAILED": _DENIED,
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": _DENIED,
    "DELEGATION_TOKEN_AUTHORIZATION_FAILED": _DENIED,
    "_AUTO_OFFSET_RESET": "the group has no valid offset: its messages were deleted; choose where it starts again",
    "_LOG_TRUNCATION": "the topic lost messages that were read; see what became of the cluster",
    "_FENCED": "another process took this one's place; run each identity once",
    "PRODUCER_FENCED": "another process took this one's place; run each identity once",
    "INVALID_PRODUCER_EPOCH": "another process took this one's place; run each identity once",
    "FENCED_INSTANCE_ID": "another process took this one's place; run each identity once",
    "UNSUPPORTED_VERSION": "use Apache Kafka 2.4 or newer",
    "INCONSISTENT_GROUP_PROTOCOL": "give every member of the group the same assignment strategy",
    "GROUP_MAX_SIZE_REACHED": "run fewer members, or raise the broker's group.max.size",
}

_FATAL: Final = """
    _BAD_COMPRESSION _DESTROY _FAIL _CRIT_SYS_RESOURCE _FS _EXISTING_SUBSCRIPTION _UNKNOWN_PROTOCOL _NOT_IMPLEMENTED
    _UNSUPPORTED_FEATURE _READ_ONLY _PURGE_QUEUE _PURGE_INFLIGHT _FATAL _INCONSISTENT _GAPLESS_GUARANTEE
    _NOT_CONFIGURED _APPLICATION _INVALID_DIFFERENT_RECORD
    UNKNOWN INVALID_REQUIRED_ACKS UNSUPPORTED_FOR_MESSAGE_FORMAT OUT_OF_ORDER_SEQUENCE_NUMBER
    DUPLICATE_SEQUENCE_NUMBER INVALID_TXN_STATE INVALID_PRODUCER_ID_MAPPING TRANSACTION_COORDINATOR_FENCED
    LOG_DIR_NOT_FOUND UNKNOWN_PRODUCER_ID DELEGATION_TOKEN_AUTH_DISABLED DELEGATION_TOKEN_NOT_FOUND
    DELEGATION_TOKEN_OWNER_MISMATCH DELEGATION_TOKEN_REQUEST_NOT_ALLOWED DELEGATION_TOKEN_EXPIRED
    TOPIC_DELETION_DISABLED UNSUPPORTED_COMPRESSION_TYPE ELECTION_NOT_NEEDED NO_REASSIGNMENT_IN_PROGRESS
    INCONSISTENT_VOTER_SET INVALID_UPDATE_VERSION FEATURE_UPDATE_FAILED PRINCIPAL_DESERIALIZATION_FAILURE
    UNSUPPORTED_ASSIGNOR MISMATCHED_ENDPOINT_TYPE UNSUPPORTED_ENDPOINT_TYPE UNKNOWN_CONTROLLER_ID TELEMETRY_TOO_LARGE
    INVALID_REGISTRATION TRANSACTION_ABORTABLE INVALID_VOTER_KEY DUPLICATE_VOTER VOTER_NOT_FOUND
    STREAMS_INVALID_TOPOLOGY STREAMS_INVALID_TOPOLOGY_EPOCH STREAMS_TOPOLOGY_FENCED
"""

Meaning = tuple[type[TocsinError], str]


def _meanings() -> Mapping[str, Meaning]:
    table: dict[str, Meaning] = dict.fromkeys(_TRANSIENT.split(), (TransientError, _RETRY_ADVICE))
    table |= dict.fromkeys(_FATAL.split(), (FatalError, _STOP_ADVICE))
    table |= {name: (InvalidError, advice) for name, advice in _INVALID.items()}
    table |= {name: (FatalError, advice) for name, advice in _FATAL_ADVICE.items()}
    return table


MEANINGS: Final = _meanings()
"""Name of the error in confluent-kafka → our error class and one line of advice; complete but for NO_ERROR."""

# Members of one enum; a list of their names is not part of confluent-kafka's types.
_CODES: Final = {getattr(KafkaError, name): meaning for name, meaning in MEANINGS.items() if hasattr(KafkaError, name)}


def translate(error: KafkaError, doing: str) -> TocsinError:
    """Return our error for Kafka's; ``doing`` says what was tried ("read tocsin.logs.raw")."""
    kind, advice = _CODES.get(error.code(), (FatalError, _STOP_ADVICE))
    if error.fatal():
        # The client instance itself is unusable from here on, whatever the code.
        kind = FatalError
    elif error.retriable():
        kind = TransientError
    return kind(f"cannot {doing}: {error.str()} ({error.name()}); {advice}")


@contextmanager
def kafka_errors(doing: str) -> Iterator[None]:
    """Raise Kafka's exceptions inside the block as ours; a full producer queue counts as transient."""
    try:
        yield
    except KafkaException as error:
        cause = error.args[0]
        if not isinstance(cause, KafkaError):
            raise FatalError(f"cannot {doing}: {error}", f"{_STOP_ADVICE}") from error
        raise translate(cause, doing) from error
    except BufferError as error:
        raise TransientError(f"cannot {doing}: the producer's queue is full", "poll it and try again") from error
