"""Read a stretch of a topic as it stands, without joining a consumer group."""

import heapq
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, Message, TopicPartition

from models.errors import InvalidError, TransientError
from stream.kafka.clients import TIMEOUT_S, Broker, retry_until_known
from stream.kafka.errors import kafka_errors, translate

Bound: TypeAlias = int | Mapping[int, int] | None
"""Where a stretch begins or ends: a time in milliseconds since the epoch, or offsets per partition, or the topic's own
end.  The begin belongs to the stretch, the end does not.  A partition that a mapping leaves out has no bound."""

READER_GROUP: Final = "tocsin-reader"
"""A name that the client library wants; nothing is ever committed under it."""

POLL_S: Final = 0.25
PATIENCE_POLLS: Final = 120
"""Polls in a row without an answer after which a read that is not at its end gives up."""

BATCH: Final = 2_000

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


def read_range(  # noqa: PLR0913 - each narrows the stretch on its own
    broker: Broker,
    topic: str,
    start: Bound = None,
    end: Bound = None,
    partitions: Iterable[int] | None = None,
    *,
    merge_by_time: bool = False,
) -> Iterator[Record]:
    """Yield what the topic holds between two bounds: partition after partition, in order of offsets.

    With ``merge_by_time`` the partitions are merged by time stamp (ties by partition); within a partition the order of
    offsets stays.  The end is at most the end of the topic at the time of the first call to ``next``.  Old messages
    that the broker drops while it is read are left out.

    Raises InvalidError for an unknown topic or partition, TransientError when the broker does not answer.
    """
    stretches = _plan(broker, topic, start, end, partitions)
    if not merge_by_time:
        for stretch in stretches:
            yield from _read(broker, topic, stretch)
        return
    with ExitStack() as stack:
        parts = [stack.enter_context(closing(_read(broker, topic, stretch))) for stretch in stretches]
        yield from heapq.merge(*parts, key=lambda record: (record.timestamp, record.partition))


def read_spans(broker: Broker, topic: str, spans: Mapping[int, tuple[int, int]]) -> list[Record]:
    """Return what stands at offsets ``first`` to before ``stop`` of each partition (partition → first, stop).

    One consumer reads all partitions at once, so a few lines of many partitions cost little more than those of one.
    Records come by partition and offset; offsets that hold nothing any more are left out.

    Raises TransientError when the broker does not answer.
    """
    left = {p: _Range(p, first, stop, None, None) for p, (first, stop) in spans.items() if first < stop}
    found: list[Record] = []
    if not left:
        return found
    with _opened(broker, topic, left.values(), at_end=True) as consumer:
        silent = 0
        while left and silent < PATIENCE_POLLS:
            messages = _poll(consumer, topic, BATCH)
            silent = 0 if messages else silent + 1
            for message in messages:
                partition = message.partition() or 0
                if (stretch := left.get(partition)) is None:
                    continue
                over = message.error() is not None or (message.offset() or 0) >= stretch.stop
                if not over:
                    found.append(_record(message))
                if over or found[-1].offset + 1 >= stretch.stop:
                    del left[partition]
                    consumer.pause([TopicPartition(topic, partition)])
    if left:
        raise TransientError(_no_answer(broker, topic))
    return sorted(found, key=lambda record: (record.partition, record.offset))


def read_newest(broker: Broker, topic: str, most: int) -> list[Record]:
    """Return the newest ``most`` messages that each partition of a topic holds, or all where there are fewer."""
    marks = broker.watermarks(topic)
    return read_spans(broker, topic, {p: (max(low, high - most), high) for p, (low, high) in marks.items()})


def offsets_at(broker: Broker, topic: str, time: int) -> dict[int, int]:
    """Return per partition the first offset whose message is not older than ``time`` (ms), or the end of the partition.

    An embedded broker knows no times: there it is the first offset of all.
    """
    marks = broker.watermarks(topic)
    if broker.is_embedded():
        return {partition: low for partition, (low, _) in marks.items()}
    found = _offsets_at(broker, topic, time, {partition: high for partition, (_, high) in marks.items()})
    return {partition: max(marks[partition][0], offset) for partition, offset in found.items()}


def follow(
    broker: Broker,
    topic: str,
    start: Bound = None,
    partitions: Iterable[int] | None = None,
) -> Generator[Record | None, None, None]:
    """Yield the topic from a bound on and then for ever what arrives, as it arrives; close the iterator to end.

    None is yielded a few times a second while nothing arrives, so that the caller can look up.
    """
    stretches = _plan(broker, topic, start, None, partitions)
    since = {stretch.partition: stretch.since for stretch in stretches}
    with _opened(broker, topic, stretches, at_end=False) as consumer:
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
        doing = f"read the committed offsets of {group}"
        with kafka_errors(doing):
            found = consumer.committed(wanted, timeout=TIMEOUT_S)
        for entry in found:
            if entry.error is not None:
                raise translate(entry.error, doing)
        return {entry.partition: (entry.offset, entry.metadata or "") for entry in found if entry.offset >= 0}
    finally:
        consumer.close()


def _plan(
    broker: Broker,
    topic: str,
    start: Bound,
    end: Bound,
    partitions: Iterable[int] | None,
) -> list[_Range]:
    marks = broker.watermarks(topic)
    chosen = sorted(marks if partitions is None else set(partitions))
    if unknown := [partition for partition in chosen if partition not in marks]:
        raise InvalidError(
            f"topic {topic!r} has {len(marks)} partitions, so no partition {unknown[0]}", "they are numbered from 0"
        )
    since = start if isinstance(start, int) else None
    firsts = start if isinstance(start, Mapping) else {}
    if since is not None and not broker.is_embedded():
        # The embedded broker knows no times: everything is read there, and what does not fit is left out.
        firsts = _offsets_at(broker, topic, since, {partition: marks[partition][1] for partition in chosen})
    until = end if isinstance(end, int) else None
    stops = end if isinstance(end, Mapping) else {}
    return [
        _Range(
            partition,
            first=max(marks[partition][0], firsts.get(partition, 0)),
            stop=min(marks[partition][1], stops.get(partition, marks[partition][1])),
            since=since,
            until=until,
        )
        for partition in chosen
    ]


def _offsets_at(broker: Broker, topic: str, time: int, ends: Mapping[int, int]) -> dict[int, int]:
    """Return per partition the first offset whose message is not older than ``time``, or its end."""
    consumer = broker.consumer(READER_GROUP)
    try:
        asked = [TopicPartition(topic, partition, max(time, 0)) for partition in ends]
        doing = f"find the offsets of {topic} by time"
        found = retry_until_known(lambda: consumer.offsets_for_times(asked, timeout=TIMEOUT_S), doing)
        return {entry.partition: entry.offset if entry.offset >= 0 else ends[entry.partition] for entry in found}
    finally:
        consumer.close()


def _read(broker: Broker, topic: str, stretch: _Range) -> Generator[Record, None, None]:
    if stretch.first >= stretch.stop:
        return
    with _opened(broker, topic, [stretch], at_end=True) as consumer:
        silent = 0
        last = stretch.first - 1
        while silent < PATIENCE_POLLS:
            # Never more than there is: a poll for more would wait for what cannot come.
            messages = _poll(consumer, topic, min(BATCH, stretch.stop - 1 - last))
            silent = 0 if messages else silent + 1
            for message in messages:
                if message.error() is not None:
                    # The end of the partition: offsets below `stop` that hold no message (compaction, transactions).
                    return
                record = _record(message)
                if record.offset >= stretch.stop or _past(message, record, stretch):
                    return
                if _fits(record, stretch):
                    yield record
                last = record.offset
                if last + 1 >= stretch.stop:
                    return
    raise TransientError(_no_answer(broker, topic))


def _no_answer(broker: Broker, topic: str) -> str:
    return f"no answer from {broker.bootstrap} while reading {topic}; see that the broker is up and try again"


def _past(message: Message, record: Record, stretch: _Range) -> bool:
    """Say whether nothing that follows can be before the end: only the broker's own stamps are in order."""
    ordered = message.timestamp()[0] == TIMESTAMP_LOG_APPEND_TIME
    return ordered and stretch.until is not None and record.timestamp >= stretch.until


def _fits(record: Record, stretch: _Range) -> bool:
    late_enough = stretch.since is None or record.timestamp >= stretch.since
    return late_enough and (stretch.until is None or record.timestamp < stretch.until)


@contextmanager
def _opened(broker: Broker, topic: str, stretches: Iterable[_Range], *, at_end: bool) -> Iterator[Consumer]:
    """Give a consumer that stands at the beginnings of the stretches; ``at_end`` marks where partitions end."""
    consumer = broker.consumer(READER_GROUP, enable_partition_eof=at_end, **_BUFFERS)
    try:
        consumer.assign([TopicPartition(topic, stretch.partition, stretch.first) for stretch in stretches])
        yield consumer
    finally:
        consumer.close()


def _poll(consumer: Consumer, topic: str, limit: int) -> list[Message]:
    """Return messages, and the mark of a partition's end as a message with an error; raise any other error."""
    doing = f"read {topic}"
    with kafka_errors(doing):
        messages = consumer.consume(limit, timeout=POLL_S)
    for message in messages:
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            raise translate(error, doing)
    return messages


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
    # Bytes on the wire; the client library's types admit more because the same type serves for sending.
    found = message.headers()
    pairs = found.items() if isinstance(found, dict) else found or ()
    return tuple((name, value.encode() if isinstance(value, str) else value) for name, value in pairs)
