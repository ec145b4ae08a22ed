"""Read a range of a topic, without joining a consumer group."""

import heapq
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, Message, TopicPartition

from models.errors import InvalidError, TransientError
from stream.kafka.clients import TIMEOUT_S, Broker, retry_until_known
from stream.kafka.errors import kafka_errors, translate
from stream.kafka.stored import StoredBroker

Bound: TypeAlias = int | Mapping[int, int] | None
"""Where a range starts or ends: a time in milliseconds since the epoch, offsets per partition, or None for all that the
topic holds.  The start is inclusive, the end exclusive.  A partition that a mapping leaves out has no bound."""

READER_GROUP: Final = "tocsin-reader"
"""A group name, which the client library requires; nothing is ever committed under it."""

POLL_TIMEOUT_S: Final = 0.25
"""Longest time of one poll: how often ``follow`` yields None.  A judgement."""

MAX_EMPTY_POLLS: Final = 120
"""Polls in a row without a message after which a read that is not at its end gives up.  A judgement: 30
seconds."""

BATCH: Final = 2_000
"""Messages of one poll.  A judgement."""

# One consumer per partition: together they must not hold a whole topic in memory.
_BUFFERS: Final = {"queued_min_messages": 20_000, "queued_max_messages_kbytes": 16 * 1024}


@dataclass(frozen=True, slots=True)
class Record:
    """One message; ``timestamp`` in milliseconds since the epoch (the broker's on a LogAppendTime topic)."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class _Range:
    """What to read of one partition: offsets ``first`` to before ``stop``, and of these the times that fit."""

    partition: int
    first: int
    stop: int
    since: int | None
    until: int | None


def read_range(  # noqa: PLR0913 - each narrows the range on its own
    broker: Broker,
    topic: str,
    start: Bound = None,
    end: Bound = None,
    partitions: Iterable[int] | None = None,
    *,
    merge_by_time: bool = False,
) -> Iterator[Record]:
    """Yield the messages between two bounds: partition after partition, in order of offsets.

    With ``merge_by_time`` the partitions are merged by time stamp (ties by partition); within a partition the order of
    offsets stays.  The end is at most the end of the topic at the time of the first call to ``next``.  Old messages
    that the broker deletes meanwhile are left out.

    Raises:
        InvalidError: the topic or a partition does not exist.
        TransientError: the broker does not answer.
    """
    ranges = _plan(broker, topic, start, end, partitions)
    if not merge_by_time:
        for wanted in ranges:
            yield from _read(broker, topic, wanted)
        return
    with ExitStack() as stack:
        parts = [stack.enter_context(closing(_read(broker, topic, wanted))) for wanted in ranges]
        yield from heapq.merge(*parts, key=lambda record: (record.timestamp, record.partition))


def read_spans(broker: Broker, topic: str, spans: Mapping[int, tuple[int, int]]) -> list[Record]:
    """Return the records at offsets ``first`` to before ``stop`` of each partition (partition → first, stop).

    One consumer reads all partitions at once, so a few lines of many partitions cost little more than those of one.
    Records are sorted by partition and offset; offsets that hold nothing any more are left out.

    Raises:
        TransientError: the broker does not answer.
    """
    if isinstance(broker, StoredBroker):
        stored = broker.messages(topic, spans)
        return [Record(partition, offset, time, None, value, ()) for partition, offset, time, value in stored]
    unread = {p: _Range(p, first, stop, None, None) for p, (first, stop) in spans.items() if first < stop}
    records: list[Record] = []
    if not unread:
        return records
    with _opened(broker, topic, unread.values(), eof=True) as consumer:
        empty_polls = 0
        while unread and empty_polls < MAX_EMPTY_POLLS:
            messages = _poll(consumer, topic, BATCH)
            empty_polls = 0 if messages else empty_polls + 1
            for message in messages:
                partition = message.partition() or 0
                if (wanted := unread.get(partition)) is None:
                    continue
                is_past_end = message.error() is not None or (message.offset() or 0) >= wanted.stop
                if not is_past_end:
                    records.append(_record(message))
                if is_past_end or records[-1].offset + 1 >= wanted.stop:
                    del unread[partition]
                    consumer.pause([TopicPartition(topic, partition)])
    if unread:
        raise _no_answer(broker, topic)
    return sorted(records, key=lambda record: (record.partition, record.offset))


def read_newest(broker: Broker, topic: str, most: int) -> list[Record]:
    """Return the newest ``most`` messages that each partition of a topic holds, or all where there are fewer."""
    watermarks = broker.watermarks(topic)
    return read_spans(broker, topic, {p: (max(low, high - most), high) for p, (low, high) in watermarks.items()})


def offsets_at(broker: Broker, topic: str, time: int) -> dict[int, int]:
    """Return per partition the first offset whose message is not older than ``time`` (ms), or the end of the partition.

    An embedded broker has no index of times: there it is the first offset of all.
    """
    if isinstance(broker, StoredBroker):
        return broker.offsets_at(topic, time)
    watermarks = broker.watermarks(topic)
    if broker.is_embedded():
        return {partition: low for partition, (low, _) in watermarks.items()}
    offsets = _offsets_at(broker, topic, time, {partition: high for partition, (_, high) in watermarks.items()})
    return {partition: max(watermarks[partition][0], offset) for partition, offset in offsets.items()}


def follow(
    broker: Broker,
    topic: str,
    start: Bound = None,
    partitions: Iterable[int] | None = None,
) -> Generator[Record | None, None, None]:
    """Yield the topic's messages from a bound on, and then for ever each that arrives; close the iterator to end.

    None is yielded a few times a second while nothing arrives, so that the caller can do something else.
    """
    ranges = _plan(broker, topic, start, None, partitions)
    since = {wanted.partition: wanted.since for wanted in ranges}
    with _opened(broker, topic, ranges, eof=False) as consumer:
        while True:
            messages = _poll(consumer, topic, BATCH)
            for message in messages:
                record = _record(message)
                if (first := since[record.partition]) is None or record.timestamp >= first:
                    yield record
            if not messages:
                yield None


def committed(broker: Broker, group: str, topic: str) -> dict[int, tuple[int, str]]:
    """Return per partition the committed offset and its metadata; partitions without a commit are left out."""
    wanted = [TopicPartition(topic, partition) for partition in range(broker.partitions(topic))]
    consumer = broker.consumer(group)
    try:
        action = f"read the committed offsets of {group}"
        with kafka_errors(action):
            entries = consumer.committed(wanted, timeout=TIMEOUT_S)
        for entry in entries:
            if entry.error is not None:
                raise translate(entry.error, action)
        return {entry.partition: (entry.offset, entry.metadata or "") for entry in entries if entry.offset >= 0}
    finally:
        consumer.close()


def _plan(
    broker: Broker,
    topic: str,
    start: Bound,
    end: Bound,
    partitions: Iterable[int] | None,
) -> list[_Range]:
    watermarks = broker.watermarks(topic)
    chosen = sorted(watermarks if partitions is None else set(partitions))
    if unknown := [partition for partition in chosen if partition not in watermarks]:
        raise InvalidError(
            f"topic {topic!r} has {len(watermarks)} partitions, so no partition {unknown[0]}",
            "they are numbered from 0",
        )
    since = start if isinstance(start, int) else None
    firsts = start if isinstance(start, Mapping) else {}
    if since is not None and not broker.is_embedded():
        # The embedded broker has no index of times: there everything is read, and other times are left out.
        firsts = _offsets_at(broker, topic, since, {partition: watermarks[partition][1] for partition in chosen})
    until = end if isinstance(end, int) else None
    stops = end if isinstance(end, Mapping) else {}
    return [
        _Range(
            partition,
            first=max(watermarks[partition][0], firsts.get(partition, 0)),
            stop=min(watermarks[partition][1], stops.get(partition, watermarks[partition][1])),
            since=since,
            until=until,
        )
        for partition in chosen
    ]


def _offsets_at(broker: Broker, topic: str, time: int, ends: Mapping[int, int]) -> dict[int, int]:
    """Return per partition the first offset whose message is not older than ``time``, or its end."""
    consumer = broker.consumer(READER_GROUP)
    try:
        times = [TopicPartition(topic, partition, max(time, 0)) for partition in ends]
        action = f"find the offsets of {topic} by time"
        entries = retry_until_known(lambda: consumer.offsets_for_times(times, timeout=TIMEOUT_S), action)
        return {entry.partition: entry.offset if entry.offset >= 0 else ends[entry.partition] for entry in entries}
    finally:
        consumer.close()


def _read(broker: Broker, topic: str, wanted: _Range) -> Generator[Record, None, None]:
    if wanted.first >= wanted.stop:
        return
    with _opened(broker, topic, [wanted], eof=True) as consumer:
        empty_polls = 0
        last = wanted.first - 1
        while empty_polls < MAX_EMPTY_POLLS:
            # Never more than there is: a poll for more would wait for messages that cannot come.
            messages = _poll(consumer, topic, min(BATCH, wanted.stop - 1 - last))
            empty_polls = 0 if messages else empty_polls + 1
            for message in messages:
                if message.error() is not None:
                    # The end of the partition: offsets below `stop` that hold no message (compaction, transactions).
                    return
                record = _record(message)
                if record.offset >= wanted.stop or _is_past(message, record, wanted):
                    return
                if _is_within(record, wanted):
                    yield record
                last = record.offset
                if last + 1 >= wanted.stop:
                    return
    raise _no_answer(broker, topic)


def _no_answer(broker: Broker, topic: str) -> TransientError:
    return TransientError(
        f"no answer from {broker.bootstrap} while reading {topic}", "check that the broker is up and try again"
    )


def _is_past(message: Message, record: Record, wanted: _Range) -> bool:
    """Return whether no later message can be before the end: only the broker's own time stamps are in order."""
    is_ordered = message.timestamp()[0] == TIMESTAMP_LOG_APPEND_TIME
    return is_ordered and wanted.until is not None and record.timestamp >= wanted.until


def _is_within(record: Record, wanted: _Range) -> bool:
    is_late_enough = wanted.since is None or record.timestamp >= wanted.since
    return is_late_enough and (wanted.until is None or record.timestamp < wanted.until)


@contextmanager
def _opened(broker: Broker, topic: str, ranges: Iterable[_Range], *, eof: bool) -> Iterator[Consumer]:
    """Provide a consumer at the starts of the ranges; with ``eof`` it reports the end of each partition."""
    consumer = broker.consumer(READER_GROUP, enable_partition_eof=eof, **_BUFFERS)
    try:
        consumer.assign([TopicPartition(topic, wanted.partition, wanted.first) for wanted in ranges])
        yield consumer
    finally:
        consumer.close()


def _poll(consumer: Consumer, topic: str, limit: int) -> list[Message]:
    """Return messages, among them the end of a partition as a message with an error; raise any other error."""
    action = f"read {topic}"
    with kafka_errors(action):
        messages = [message for message in consumer.consume(limit, timeout=POLL_TIMEOUT_S) if not is_of_group(message)]
    for message in messages:
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            raise translate(error, action)
    return messages


def is_of_group(message: Message) -> bool:
    """Whether a message only tells that READER_GROUP is denied: who joins no group needs no right on one."""
    error = message.error()
    return error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED


def _record(message: Message) -> Record:
    return Record(
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        timestamp=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=_headers(message),
    )


def _headers(message: Message) -> tuple[tuple[str, bytes | None], ...]:
    # Values are bytes; the client library's types admit more, because the same type serves for sending.
    headers = message.headers()
    pairs = headers.items() if isinstance(headers, dict) else headers or ()
    return tuple((name, value.encode() if isinstance(value, str) else value) for name, value in pairs)
