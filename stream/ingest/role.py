"""The ingest role: ``logs.raw`` → frames on ``logs.events``, dead letters, and texts of new templates.

A plain confluent-kafka loop in a thread of its own.  Its output is a function of its input: after a crash it rebuilds
its memory (heads of records, known duplicates) from before the committed offset, so a frame that is sent twice holds
the same events, and detect recognises them by their raw offsets.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import orjson

from alerts.monitoring.health import LoopHealth
from alerts.monitoring.line_count import LineCount
from alerts.monitoring.metrics import Metrics
from models.arrays import unique
from models.bundle import Bundle
from models.pipeline import LineProcessor, Processed
from models.records import NO_TIME, EventFrame, RawBatch, RawSpan
from models.rfc3339 import SECOND
from models.windows import frame_codec
from models.windows.keys import split_frame
from stream.heartbeat import Heartbeat
from stream.ingest.clock_watch import ClockWatch
from stream.ingest.held_frames import HeldFrames
from stream.ingest.partition_buffer import MAX_BUFFERED, PartitionBuffer, runs, select
from stream.ingest.partition_clocks import PartitionClocks
from stream.ingest.reading import Reading
from stream.ingest.service_watch import BundleServices, ServiceWatch
from stream.ingest.unread_events import UnreadEvents
from stream.kafka.clients import TIMEOUT_S, Broker, watermarks_of
from stream.kafka.consuming import (
    Consumer,
    Message,
    TopicPartition,
    cached_end,
    confirmed_end,
    good_messages,
    try_commit,
)
from stream.kafka.outbox import Outbox
from stream.kafka.topic_specs import Topics
from stream.topics.dead_letters import DeadLimit, DeadWatch, dead_letter
from stream.topics.raw_logs import raw_batch_of_messages

log = logging.getLogger(__name__)

ROLE: Final = "ingest"
TEMPLATE_SCHEMA: Final = "tocsin.template/1"

COMMIT_INTERVAL_S: Final = 1.0
"""A judgement: a crash makes ingest read about this much again; more commits would load the broker for nothing."""

BUFFERED_WAIT_S: Final = 0.01
"""How long to wait for messages while lines are buffered: paused partitions give none, so a batch does not fill."""


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """How much is read at once.

    Attributes:
        batch_lines: Most messages of one poll.
        batch_s: Seconds that a poll waits for them; a batch costs 15 to 20 ms, however few lines it has.
        tick_s: Seconds between two messages of the recorded clock to every partition of ``logs.events``.
        speed: Simulated seconds per real second; 1 but for a simulation.
        dead: Share of dead letters at which the role stops.
        services: Services of the bundle.
        bundle_at: The bundle that is due at a time (microseconds); None where it never changes.
        health: Told when the loop goes on and when partitions come and go.
    """

    batch_lines: int = 20_000
    batch_s: float = 1.0
    tick_s: float = 1.0
    speed: float = 1.0
    dead: DeadLimit = field(default_factory=DeadLimit)
    services: BundleServices = field(default_factory=BundleServices)
    bundle_at: Callable[[int], Bundle] | None = None
    health: LoopHealth = field(default_factory=LoopHealth)


class Ingest:
    """One ingest worker; ``run`` blocks until its event is set."""

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
        self._unread = UnreadEvents(metrics)
        self._config = config
        self._now = now
        self._clocks = PartitionClocks(now, config.speed)
        self._clock_watch = ClockWatch(metrics)
        self._dead = DeadWatch(config.dead)
        self._services = ServiceWatch(config.services, metrics)
        self._bundle: Bundle | None = None  # the one that was adopted last
        self._outbox = Outbox(broker.producer())
        self._heartbeat = Heartbeat(ROLE, log, now=now)
        self._heartbeat.add(lines=0, events=0, dead_letters=0, frames=0)
        self._events_partitions = broker.partitions(topics.logs_events)
        self._buffer = PartitionBuffer(config.batch_lines, now)
        self._frames = HeldFrames(self._events_partitions)
        self._paused: set[int] = set()
        # Offsets per assigned partition of logs.raw:
        self._emit_from: dict[int, int] = {}  # first one to emit; before it only memory is rebuilt
        self._fetched: dict[int, int] = {}  # behind the last message that the consumer gave
        self._position: dict[int, int] = {}  # behind the last message that left the buffer
        self._active: set[int] = set()  # partitions with messages since the last tick
        self._ticked: set[int] = set()  # partitions of logs.events that got the recorded clock since the last tick

    def run(self, stop: threading.Event) -> None:
        """Read and write until ``stop`` is set, then deliver what is on its way and commit.

        Raises:
            FatalError: a message could not be delivered, or too many lines cannot be decoded.
        """
        consumer = self._broker.consumer(group_of(self._topics))
        consumer.subscribe(
            [self._topics.logs_raw], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._forget
        )
        ticked_at = committed_at = self._now()
        try:
            while not stop.is_set():
                self._config.health.turned(ROLE)
                messages = consumer.consume(self._config.batch_lines, self._poll_wait_s())
                if messages or len(self._buffer):
                    self._take(consumer, messages)
                # While there is a backlog more lines come at once, and larger frames are cheaper.
                if self._frames.is_worth_sending or (
                    len(messages) < self._config.batch_lines and not self._buffer.more
                ):
                    self._send_held()
                if self._now() - ticked_at >= self._config.tick_s:
                    ticked_at = self._now()
                    self._tick(consumer)
                if self._now() - committed_at >= COMMIT_INTERVAL_S:
                    committed_at = self._now()
                    self._commit(consumer, self._outbox.delivered(), wait=False)
            self._send_held()
            self._commit(consumer, self._outbox.drain(TIMEOUT_S), wait=True)
        finally:
            consumer.close()

    def _poll_wait_s(self) -> float:
        if self._buffer.more:
            return 0.0
        return BUFFERED_WAIT_S if len(self._buffer) else self._config.batch_s

    def _take(self, consumer: Consumer, messages: list[Message]) -> None:
        """Decode what the buffer releases, and send what comes of it."""
        started = self._now()
        good = good_messages(messages, f"read {self._topics.logs_raw}")
        raw = self._align(consumer, raw_batch_of_messages(good))
        if not len(raw):
            return
        for partition in unique(raw.partitions).tolist():
            rows = raw.partitions == partition
            self._position[partition] = int(raw.offsets[rows][-1]) + 1
            self._active.add(partition)
            self._clocks.observe(partition, int(raw.arrived[rows].max()))
        for part in runs(raw):
            fresh = self._rebuild_memory(part)
            if len(fresh):
                self._adopt(int(fresh.arrived.max()))
                processed = self._processor.process(fresh, clocks=self._read_until())
                self._send(fresh, processed)
                self._count(fresh, processed)
        self._metrics.batch_seconds.labels(ROLE).observe(self._now() - started)

    def _adopt(self, moment: int) -> None:
        """Read lines as the bundle does that is due at a time (microseconds)."""
        if self._config.bundle_at is None or (bundle := self._config.bundle_at(moment)) is self._bundle:
            return
        # What was read with the other templates goes out under their version.
        self._send_held()
        self._bundle, reading = bundle, Reading(bundle)
        self._processor.adopt(bundle.table, bundle.masks, reading.judged_services)
        self._version = bundle.templates_version
        self._services = ServiceWatch(reading.services, self._metrics)
        log.info("lines are read for another bundle", extra={"bundle": bundle.id, "templates": self._version})

    def _align(self, consumer: Consumer, new: RawBatch) -> RawBatch:
        """Return what may be processed now, by the broker's time; pause partitions of which too much is buffered."""
        for partition in unique(new.partitions).tolist():
            offsets = new.offsets[new.partitions == partition]
            if offsets[0] < self._fetched.get(partition, 0):
                # The consumer goes back only where its offset is none of the partition's any more.
                log.warning("%s [%d] begins again at offset %d", self._topics.logs_raw, partition, offsets[0])
                self._emit_from[partition] = int(offsets[0])
            self._fetched[partition] = int(offsets[-1]) + 1
        topic = self._topics.logs_raw
        unread = {
            partition: _has_more(consumer, topic, partition, offset) for partition, offset in self._fetched.items()
        }
        released = self._buffer.release(new, unread)
        buffered = self._buffer.buffered()
        full = {partition for partition, count in buffered.items() if count > MAX_BUFFERED}
        drained = {partition for partition in self._paused if buffered.get(partition, 0) < MAX_BUFFERED // 2}
        if full - self._paused:
            consumer.pause([TopicPartition(topic, partition) for partition in full - self._paused])
        if drained:
            consumer.resume([TopicPartition(topic, partition) for partition in drained])
        self._paused = (self._paused | full) - drained
        return released

    def _rebuild_memory(self, raw: RawBatch) -> RawBatch:
        """Decode what lies before the committed offset, for its effect on memory alone; return the rest."""
        emit_from = np.full(int(raw.partitions.max()) + 1, 0, np.int64)
        for partition, offset in self._emit_from.items():
            if partition < len(emit_from):
                emit_from[partition] = offset
        is_old = raw.offsets < emit_from[raw.partitions]
        if not is_old.any():
            return raw
        self._processor.remember(select(raw, np.flatnonzero(is_old)))
        return select(raw, np.flatnonzero(~is_old))

    def _send(self, raw: RawBatch, processed: Processed) -> None:
        """Send dead letters and new templates, and hold the events; nothing is committed before they are sent."""
        if not self._frames.fits(processed.frame):
            self._send_held()
        self._outbox.begin({})
        for reject in processed.logs.rejects:
            origin = (self._topics.logs_raw, int(raw.partitions[reject.row]), int(raw.offsets[reject.row]))
            self._outbox.send(self._topics.logs_dead, dead_letter(reject, raw.values[reject.row], *origin))
        for template in processed.new:
            name = f"{template.id:016x}"
            record = {"schema": TEMPLATE_SCHEMA, "id": name, "text": template.text, "service": template.service}
            self._outbox.send(self._topics.templates, orjson.dumps(record), name.encode())
        self._outbox.end()
        self._frames.add(processed.frame)

    def _send_held(self) -> None:
        """Send the events that are held, if any, as one batch of the outbox."""
        if not len(self._frames):
            return
        frame = self._frames.take()
        # As far as these events go, and not as far as has been read: what comes behind them is not sent yet.
        covered = {number: span.last + 1 for number, span in frame.raw.items() if span.last >= span.first}
        self._outbox.begin({number: end for number, end in covered.items() if number in self._position})
        self._send_frames(split_frame(frame, self._events_partitions))
        self._outbox.end()

    def _send_frames(self, frames: Mapping[int, EventFrame]) -> None:
        for partition, frame in frames.items():
            value = frame_codec.encode(frame, self._version)
            self._outbox.send(self._topics.logs_events, value, partition=partition)
            self._metrics.frames.labels("out").inc()
        self._ticked.update(frames)
        self._heartbeat.add(frames=len(frames))

    def _count(self, raw: RawBatch, processed: Processed) -> None:
        """Count the batch.

        Raises:
            FatalError: too many of the last lines were dead letters.
        """
        rejects = processed.logs.rejects
        self._metrics.count_lines(
            LineCount(
                received=len(raw),
                events=processed.events,
                continuations=processed.continuations,
                dead=Counter(reject.reason for reject in rejects),
                dropped=processed.logs.drops,
                notes=processed.logs.notes,
            )
        )
        self._unread.count(processed.logs)
        self._metrics.new_templates.inc(len(processed.new))
        self._metrics.unknown_lines.inc(int(processed.is_unknown.sum()))
        self._metrics.template_overflow.inc(processed.overflow)
        self._services.count(dict(processed.logs.lines["service"].value_counts().iter_rows()), self._now())
        self._heartbeat.add(lines=len(raw), events=processed.events, dead_letters=len(rejects))
        self._dead.count(len(raw), len(rejects))

    def _tick(self, consumer: Consumer) -> None:
        """Send the recorded clock, how far each raw partition has been read, to every partition of ``logs.events``.

        Those that got it with events a moment ago wait for the next tick.
        """
        self._send_held()
        for partition in set(self._position) - self._active:
            # While the brokers are away each of these questions takes its time.
            self._config.health.turned(ROLE)
            end = confirmed_end(consumer, self._topics.logs_raw, partition)
            if end is not None and end <= self._position[partition]:
                self._clocks.mark_idle(partition)
        self._active.clear()
        self._services.tell(self._now(), self._position)
        self._heartbeat.tick(partitions=len(self._position), lag=self._measure_lag(consumer))
        self._clock_watch.update(self._processor.clocks.off())
        clocks = self._read_until()
        if not clocks:
            return
        for partition, clock in clocks.items():
            if clock != NO_TIME:
                self._metrics.read_until.labels(str(partition)).set(clock / SECOND)
        empty = EventFrame.empty({partition: RawSpan(0, -1, clock) for partition, clock in clocks.items()})
        self._outbox.begin({})
        self._send_frames(dict.fromkeys(set(range(self._events_partitions)) - self._ticked, empty))
        self._outbox.end()
        self._ticked.clear()

    def _read_until(self) -> dict[int, int]:
        """Return the clock of every assigned partition; of one that nothing is known of yet, that it has none.

        Without it detect would take what the others show for all that there is.
        """
        clocks = self._clocks.read()
        return {partition: clocks.get(partition, NO_TIME) for partition in self._position} if clocks else {}

    def _measure_lag(self, consumer: Consumer) -> int:
        """Return how many lines are not yet processed, as the broker's last answer says; set the gauge."""
        topic = self._topics.logs_raw
        total = 0
        for partition, position in self._position.items():
            end = cached_end(consumer, topic, partition)
            if end is not None:
                lag = max(end - position, 0)
                self._metrics.lag_messages.labels(topic, str(partition)).set(lag)
                total += lag
        return total

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Start each partition as far back as its memory needs."""
        offsets = {}
        for committed in consumer.committed(partitions, TIMEOUT_S):
            low, _ = watermarks_of(consumer, committed.topic, committed.partition)
            emit_from = max(committed.offset, low)
            offset = max(low, self._processor.decoder.replay_from(committed.partition, emit_from))
            self._emit_from[committed.partition] = emit_from
            self._fetched[committed.partition] = offset
            self._position[committed.partition] = offset
            offsets[committed.partition] = offset
        for partition in partitions:
            partition.offset = offsets.get(partition.partition, partition.offset)
        consumer.assign(partitions)
        self._config.health.ready(ROLE)
        log.info("partitions assigned", extra={"role": ROLE, "partitions": sorted(offsets)})

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._send_held()
        self._commit(consumer, self._outbox.drain(TIMEOUT_S), wait=True)
        self._forget(consumer, partitions)

    def _forget(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._config.health.waits(ROLE)
        numbers = [partition.partition for partition in partitions]
        for partition in numbers:
            self._processor.decoder.forget(partition)
            self._clocks.forget(partition)
            self._emit_from.pop(partition, None)
            self._position.pop(partition, None)
            self._fetched.pop(partition, None)
            self._buffer.forget(partition)
            self._paused.discard(partition)
            self._active.discard(partition)
            # Another worker reports it from now on.
            self._metrics.lag_messages.remove(self._topics.logs_raw, str(partition))
            # `read_until` stays: who reads the partition from now on says more, and if nobody does, that is to be seen.
        log.info("partitions revoked", extra={"role": ROLE, "partitions": sorted(numbers)})

    def _commit(self, consumer: Consumer, offsets: Mapping[int, int], *, wait: bool) -> None:
        owned = {partition: offset for partition, offset in offsets.items() if partition in self._position}
        if owned and try_commit(consumer, self._topics.logs_raw, owned, "commit what ingest has read", wait=wait):
            self._metrics.commits.labels(ROLE).inc()


def group_of(topics: Topics) -> str:
    """Return the consumer group of the role."""
    return topics.group(ROLE)


def _has_more(consumer: Consumer, topic: str, partition: int, position: int) -> bool:
    """Return whether the partition holds more than was read; True when the broker does not answer."""
    end = cached_end(consumer, topic, partition)
    if end is None:
        end = confirmed_end(consumer, topic, partition)
    return end is None or end > position
