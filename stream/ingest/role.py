"""The ingest role: ``logs.raw`` → frames on ``logs.events``, dead letters, and texts of new templates.

A plain confluent-kafka loop in a thread of its own.  What it writes is a function of what it reads: after a crash it
reads its memory (heads of records, known duplicates) again from before the committed offset, so a frame that is sent
twice holds the same events, and detect knows them by their raw offsets.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from alerts.monitoring.metrics import LineCount, Metrics
from models.pipeline import LineProcessor, Processed
from models.records import EventFrame, RawBatch, RawSpan
from models.windows import frame_codec as frames
from models.windows.keys import split_frame
from stream.ingest.partition_buffer import MAX_BUFFERED, PartitionBuffer, select
from stream.ingest.partition_clocks import PartitionClocks
from stream.kafka.clients import TIMEOUT_S, Broker, watermarks_of
from stream.kafka.errors import translate
from stream.kafka.outbox import Outbox
from stream.kafka.topic_specs import Topics
from stream.topics.dead_letters import DeadLimit, DeadWatch, dead_letter
from stream.topics.raw_logs import raw_batch_of_messages

log = logging.getLogger(__name__)

ROLE = "ingest"
TEMPLATE_SCHEMA = "tocsin.template/1"
COMMIT_S = 1.0
HELD_WAIT_S = 0.01
"""How long to wait for more while lines are held back: who is paused gives nothing, so a batch does not fill."""


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """How lines are taken: at most ``batch_lines`` or what comes in ``batch_s`` seconds; a tick every ``tick_s``."""

    batch_lines: int = 20_000
    batch_s: float = 0.25
    tick_s: float = 1.0
    speed: float = 1.0
    dead: DeadLimit = field(default_factory=DeadLimit)


class Ingest:
    """One ingest worker; ``run`` blocks until told to stop."""

    def __init__(  # noqa: PLR0913 - the composition root passes each part
        self,
        broker: Broker,
        topics: Topics,
        processor: LineProcessor,
        templates_version: str,
        metrics: Metrics,
        config: IngestConfig,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._topics = topics
        self._processor = processor
        self._version = templates_version
        self._metrics = metrics
        self._config = config
        self._now = now
        self._clocks = PartitionClocks(now, config.speed)
        self._dead = DeadWatch(config.dead)
        self._from: dict[int, int] = {}  # first offset to emit, per partition; before it only memory is rebuilt
        self._position: dict[int, int] = {}
        self._last_read: set[int] = set()  # partitions with messages since the last tick
        self._frames_to = broker.partitions(topics.logs_events)
        self._buffer = PartitionBuffer(config.batch_lines, now)
        self._fetched: dict[int, int] = {}  # offset behind what the consumer has given, per assigned partition
        self._paused: set[int] = set()
        self._outbox = Outbox(broker.producer())
        self._consumer: Consumer | None = None
        self._lost = False

    def run(self, stop: threading.Event) -> None:
        """Read and write until ``stop`` is set, then deliver what is on its way and commit.

        Raises:
            FatalError: a message could not be delivered, or too many lines cannot be understood.
        """
        consumer = self._consumer = self._broker.consumer(group_of(self._topics))
        consumer.subscribe(
            [self._topics.logs_raw], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._forget
        )
        tick_at = commit_at = self._now()
        try:
            while not stop.is_set():
                wait = 0.0 if self._buffer.more else HELD_WAIT_S if len(self._buffer) else self._config.batch_s
                messages = consumer.consume(self._config.batch_lines, wait)
                if messages or len(self._buffer):
                    self._take(consumer, messages)
                if self._now() - tick_at >= self._config.tick_s:
                    tick_at = self._now()
                    self._tick(consumer)
                if self._now() - commit_at >= COMMIT_S:
                    commit_at = self._now()
                    self._commit(consumer, self._outbox.delivered(), wait=False)
            self._commit(consumer, self._outbox.drain(TIMEOUT_S), wait=True)
        finally:
            consumer.close()

    def _take(self, consumer: Consumer, messages: list[Message]) -> None:
        started = self._now()
        good = [message for message in messages if message.error() is None]
        for message in messages:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public constant
                _raise_if_fatal(error, self._topics.logs_raw)
        raw = self._align(consumer, raw_batch_of_messages(good))
        if not len(raw):
            return
        for partition in np.unique(raw.partitions).tolist():
            mine = raw.partitions == partition
            self._position[partition] = int(raw.offsets[mine][-1]) + 1
            self._last_read.add(partition)
            self._clocks.heard(partition, int(raw.arrived[mine].max()))
        raw = self._rebuild_memory(raw)
        if len(raw):
            processed = self._processor.process(raw, clocks=self._clocks.read())
            self._send(raw, processed)
            self._count(raw, processed)
        self._metrics.batch_seconds.labels(ROLE).observe(self._now() - started)

    def _align(self, consumer: Consumer, new: RawBatch) -> RawBatch:
        """What may be worked on now, by the broker's time; a partition of which too much waits is paused."""
        for partition in np.unique(new.partitions).tolist():
            self._fetched[partition] = int(new.offsets[new.partitions == partition][-1]) + 1
        topic = self._topics.logs_raw
        unread = {p: _more_behind(consumer, TopicPartition(topic, p), o) for p, o in self._fetched.items()}
        ready = self._buffer.release(new, unread)
        held = self._buffer.buffered()
        ahead = {p for p, count in held.items() if count > MAX_BUFFERED}
        behind = {p for p in self._paused if held.get(p, 0) < MAX_BUFFERED // 2}
        if ahead - self._paused:
            consumer.pause([TopicPartition(topic, p) for p in ahead - self._paused])
        if behind:
            consumer.resume([TopicPartition(topic, p) for p in behind])
        self._paused = (self._paused | ahead) - behind
        return ready

    def _rebuild_memory(self, raw: RawBatch) -> RawBatch:
        """Decode what lies before the committed offset for its effect on memory alone; return the rest."""
        begin = np.full(int(raw.partitions.max()) + 1, 0, np.int64)
        for partition, offset in self._from.items():
            if partition < len(begin):
                begin[partition] = offset
        old = raw.offsets < begin[raw.partitions]
        if not old.any():
            return raw
        self._processor.decoder.decode(select(raw, np.flatnonzero(old)))
        return select(raw, np.flatnonzero(~old))

    def _send(self, raw: RawBatch, processed: Processed) -> None:
        partitions = np.unique(raw.partitions).tolist()
        self._outbox.begin({p: self._position[p] for p in partitions})
        for reject in processed.logs.rejects:
            origin = (self._topics.logs_raw, int(raw.partitions[reject.row]), int(raw.offsets[reject.row]))
            self._outbox.send(self._topics.logs_dead, dead_letter(reject, raw.values[reject.row], *origin))
        for template in processed.new:
            name = f"{template.id:016x}"
            record = {"schema": TEMPLATE_SCHEMA, "id": name, "text": template.text, "service": template.service}
            self._outbox.send(self._topics.templates, orjson.dumps(record), name.encode())
        self._send_frames(split_frame(processed.frame, self._frames_to))
        self._outbox.end()

    def _send_frames(self, cut: Mapping[int, EventFrame]) -> None:
        for partition, frame in cut.items():
            self._outbox.send(self._topics.logs_events, frames.encode(frame, self._version), partition=partition)
            self._metrics.frames.labels("out").inc()

    def _count(self, raw: RawBatch, processed: Processed) -> None:
        reasons: dict[str, int] = {}
        for reject in processed.logs.rejects:
            reasons[reject.reason] = reasons.get(reject.reason, 0) + 1
        self._metrics.count_lines(
            LineCount(
                received=len(raw),
                events=processed.events,
                continuations=processed.continuations,
                dead=reasons,
                dropped=processed.logs.drops,
                notes=processed.logs.notes,
            )
        )
        self._metrics.new_templates.inc(len(processed.new))
        self._metrics.template_overflow.inc(processed.overflow)
        self._dead.count(len(raw), len(processed.logs.rejects))

    def _tick(self, consumer: Consumer) -> None:
        """Tell every partition of ``logs.events`` how far the raw partitions have been read."""
        for partition in set(self._position) - self._last_read:
            if _at_end(consumer, TopicPartition(self._topics.logs_raw, partition), self._position[partition]):
                self._clocks.quiet(partition)
        self._last_read.clear()
        self._measure_lag(consumer)
        clocks = self._clocks.read()
        if not clocks:
            return
        empty = EventFrame.empty({p: RawSpan(0, -1, clock) for p, clock in clocks.items()})
        self._outbox.begin({})
        self._send_frames(dict.fromkeys(range(self._frames_to), empty))
        self._outbox.end()

    def _measure_lag(self, consumer: Consumer) -> None:
        """Set how many lines lie behind the last one taken, as far as the last fetch or question has told."""
        topic = self._topics.logs_raw
        for partition, position in self._position.items():
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            if end >= 0:
                self._metrics.lag_messages.labels(topic, str(partition)).set(max(end - position, 0))

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Start each partition as far back as its memory needs."""
        for known in consumer.committed(partitions, TIMEOUT_S):
            low, _ = watermarks_of(consumer, known.topic, known.partition)
            begin = max(known.offset, low)
            back = max(low, self._processor.decoder.replay_from(known.partition, begin))
            self._from[known.partition] = begin
            self._fetched[known.partition] = back
            self._position[known.partition] = back
            for partition in partitions:
                if partition.partition == known.partition:
                    partition.offset = back
        consumer.assign(partitions)
        log.info("ingest reads partitions %s", sorted(p.partition for p in partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._commit(consumer, self._outbox.drain(TIMEOUT_S), wait=True)
        self._forget(consumer, partitions)

    def _forget(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._processor.decoder.forget(each.partition)
            self._clocks.forget(each.partition)
            self._from.pop(each.partition, None)
            self._position.pop(each.partition, None)
            self._fetched.pop(each.partition, None)
            self._buffer.forget(each.partition)
            self._paused.discard(each.partition)
            self._last_read.discard(each.partition)
            # Another worker tells it from now on.
            self._metrics.lag_messages.remove(self._topics.logs_raw, str(each.partition))

    def _commit(self, consumer: Consumer, offsets: Mapping[int, int], *, wait: bool) -> None:
        """Commit; a commit that a rebalance or an outage refuses is no loss: the lines are read again."""
        wanted = [TopicPartition(self._topics.logs_raw, p, o) for p, o in offsets.items() if p in self._position]
        if not wanted:
            return
        try:
            if wait:
                consumer.commit(offsets=wanted, asynchronous=False)
            else:
                consumer.commit(offsets=wanted, asynchronous=True)
        except KafkaException as error:
            log.warning("%s", translate(error.args[0], "commit what ingest has read"))
            return
        self._metrics.commits.labels(ROLE).inc()


def group_of(topics: Topics) -> str:
    """Consumer group of the role."""
    return f"{topics.prefix}{ROLE}"


def _at_end(consumer: Consumer, partition: TopicPartition, position: int) -> bool:
    """Whether the broker confirms, now, that nothing lies beyond what was read."""
    try:
        marks = consumer.get_watermark_offsets(partition, 1.0, cached=False)
    except KafkaException:
        return False
    return marks is not None and marks[1] <= position


def _more_behind(consumer: Consumer, partition: TopicPartition, position: int) -> bool:
    """Whether more was there to read when the broker last answered; it is asked where it has not answered yet."""
    _, high = consumer.get_watermark_offsets(partition, cached=True) or (-1, -1)
    return high > position if high >= 0 else not _at_end(consumer, partition, position)


def _raise_if_fatal(error: KafkaError, topic: str) -> None:
    cause = translate(error, f"read {topic}")
    if error.fatal():
        raise cause
    log.warning("%s", cause)
