"""The worker of one sink: it sends the alerts of a topic there, with a receipt of every send on ``deliveries``.

What stands at the sink is rebuilt from the receipts at each start; an offset is committed when nothing before it waits
and all receipts are stored.  Where people would see a repetition, a send is announced by a receipt that is stored
before it, so a crash leaves one send in doubt, and the next process asks first.  A service that recognises a repetition
is sent it again.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from alerts.delivery.queue import DeliveryQueue, Pending, SinkDecision, Taken
from alerts.delivery.rate_limit import RateLimiter
from alerts.delivery.redact_alerts import AlertRedactor
from alerts.delivery.synthetic_alert import SYNTHETIC_ID
from alerts.messages.alert import Alert
from alerts.messages.delivery_receipt import AlertPosition, DeliveryReceipt, SendState
from alerts.monitoring.health import LoopHealth
from alerts.monitoring.metrics import Metrics
from alerts.routing.decision import Decision
from alerts.sinks.base import (
    CHANGE,
    SYNTHETIC,
    Absent,
    Delivered,
    GivenUp,
    Outcome,
    Remote,
    Request,
    Retry,
    SendFailure,
    Sink,
    failed,
)
from alerts.sinks.http_transport import Transport
from models.errors import InvalidError
from stream.heartbeat import Heartbeat
from stream.kafka.clients import TIMEOUT_S, Broker, retry_until_known, watermarks_of
from stream.kafka.consuming import Consumer, Message, TopicPartition, good_messages, try_commit
from stream.kafka.errors import kafka_errors
from stream.kafka.outbox import Outbox
from stream.kafka.reader import offsets_at, read_range
from stream.kafka.topic_specs import Topics

log = logging.getLogger(__name__)

POLL_S: Final = 0.2
"""Longest wait for a message, in seconds; a judgement: a stop, and a retry that falls due, wait no longer."""

TURN_S: Final = 0.25
"""Seconds of sending before the topic is read again; a judgement: a newer alert supersedes what still waits."""

PATIENCE_POLLS: Final = 25
"""Polls without a message (5 s of ``POLL_S``) after which offsets that were announced are taken to hold none: those of
transaction marks and of what compaction removed never come."""

BATCH: Final = 500
"""Messages taken at once, at most: a judgement, a fraction of a second of reading."""

RECEIPTS: Final = 100
"""Receipts on their way to Kafka at once, at most: what a crash can lose is sent or asked for again."""

MILLIS: Final = 1000
"""Milliseconds in a second: Kafka's timestamps are milliseconds."""

_RESULTS: Final = {Delivered: "ok", Retry: "retry", GivenUp: "parked", Absent: "absent"}


@dataclass(frozen=True, slots=True)
class SinkWorkerConfig:
    """What the rules say of an alert, what of it may leave, limits in seconds, clocks, chance and health."""

    decide: Callable[[Alert], Decision] = lambda alert: Decision(alert.severity)
    outgoing: Callable[[Alert, Alert], Alert] = field(default_factory=AlertRedactor)
    timeout_s: float = 10.0
    give_up_s: float = 86_400.0
    history_s: float = 3600.0
    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    health: LoopHealth = field(default_factory=LoopHealth)


@dataclass(frozen=True, slots=True)
class AlertSource:
    """A topic, and how its records are read as alerts (InvalidError for what is none)."""

    topic: str
    read: Callable[[bytes], Alert] = Alert.from_json


def group_of(topics: Topics, sink: str) -> str:
    """Return the consumer group of a sink."""
    return f"{topics.prefix}deliver.{sink}"


class SinkWorker:
    """One sink's worker; of several processes one works, because the topic has one partition, and others stand by."""

    def __init__(  # noqa: PLR0913 - one argument a component
        self,
        broker: Broker,
        topics: Topics,
        metrics: Metrics,
        sink: Sink,
        source: AlertSource,
        config: SinkWorkerConfig,
    ) -> None:
        self.sink = sink
        self._source = source
        self._broker = broker
        self._topics = topics
        self._metrics = metrics
        self._config = config
        # Waiting for more receipts to go together only makes the next send late.
        self._outbox = Outbox(broker.producer(linger_ms=0), limit=RECEIPTS)
        self._limiter = RateLimiter(sink.rate, config.steady(), config.chance)
        self._loop = f"deliver.{sink.name}"
        self._heartbeat = Heartbeat(self._loop, log, now=config.steady)
        self._heartbeat.add(read=0, delivered=0, parked=0)
        self._queue: DeliveryQueue | None = None  # None while another process has the topic
        self._refreshed = 0.0
        self._closing = False
        self._empty_polls = 0
        self._catch_up_to: dict[int, int] = {}
        """Where the topic ended at the start: all before that is read before anything is sent, or an alert that had
        been passed over for a newer one could be sent behind it."""

    def run(self, stop: threading.Event) -> None:
        """Deliver until ``stop`` is set."""
        consumer = self._broker.consumer(group_of(self._topics, self.sink.name))
        consumer.subscribe([self._source.topic], on_assign=self._assigned, on_revoke=self._revoked)
        with Transport(self._config.timeout_s) as transport:
            try:
                while not stop.is_set():
                    self._config.health.turned(self._loop)
                    self._read(consumer)
                    self._send(transport, stop)
                    self._refresh(transport)
                    self._commit(consumer)
                    self._heartbeat.tick()
                self._outbox.drain(TIMEOUT_S)
            finally:
                self._closing = True
                consumer.close()

    def _read(self, consumer: Consumer) -> None:
        # `consume` waits for its number of messages; `poll` returns with the first.
        first = consumer.poll(self._idle())
        if first is None:
            self._empty_polls += 1
            return
        self._empty_polls = 0
        for message in good_messages((first, *consumer.consume(BATCH, 0)), f"read {self._source.topic}"):
            if self._queue is not None:
                self._take(message, self._queue)
        self._gauges()

    def _idle(self) -> float:
        if self._queue is None or not self._queue.pending:
            return POLL_S
        now = self._config.steady()
        return min(max(self._queue.wait(now, POLL_S), self._limiter.wait(now)), POLL_S)

    def _take(self, message: Message, queue: DeliveryQueue) -> None:
        name = self.sink.name
        self._metrics.delivery_alerts.labels(name).inc()
        self._heartbeat.add(read=1)
        partition, offset = message.partition() or 0, message.offset() or 0
        if offset + 1 >= self._catch_up_to.get(partition, 0):
            self._catch_up_to.pop(partition, None)
        try:
            alert = self._source.read(message.value() or b"")
        except InvalidError as error:
            log.error("%s [%d] offset %d: %s", message.topic(), partition, offset, error)  # noqa: TRY400 - it says all
            self._metrics.deliveries.labels(name, "invalid").inc()
            queue.skip(partition, offset)
            return
        # Rules are about incidents: a test alert proves the way to every sink, and a change is none.
        unruled = alert.kind in {SYNTHETIC, CHANGE}
        decision = Decision(alert.severity) if unruled else self._config.decide(alert)
        stored = message.timestamp()[1] / MILLIS
        taken, superseded = queue.take(alert, partition, offset, stored, SinkDecision.by(decision, name))
        self._metrics.deliveries.labels(name, "superseded").inc(superseded)
        if taken is not Taken.PENDING:
            self._metrics.deliveries.labels(name, taken.value).inc()

    def _send(self, transport: Transport, stop: threading.Event) -> None:
        if not self._knows_all():
            return
        until = self._config.steady() + TURN_S
        while self._queue is not None and not stop.is_set() and (now := self._config.steady()) < until:
            if self._limiter.wait(now) > 0 or (pending := self._queue.due(now)) is None:
                return
            self._step(transport, self._queue, pending)
            self._gauges()

    def _knows_all(self) -> bool:
        """Say whether all that stood on the topic at the start has been read."""
        return not self._catch_up_to or self._empty_polls >= PATIENCE_POLLS

    def _step(self, transport: Transport, queue: DeliveryQueue, pending: Pending) -> None:
        """Do the next step of an alert, or first ask whether it has been done."""
        state = queue.state_of(pending.alert.incident_id)
        request = self._render(pending, state.remote)
        if request is None:
            self._conclude(queue, pending, Delivered(state.remote), receipt=False)
        elif state.doubtful and request.dedup_check is not None:
            outcome = self._ask(transport, request.dedup_check, state.remote)
            # A check that is refused for good proves nothing: sent twice is better than not at all.
            absent = isinstance(outcome, Absent | GivenUp)
            self._conclude(queue, pending, Absent() if absent else outcome, request.remote_if_lost)
        else:
            if request.dedup_check is not None or request.remote_if_lost is not None:
                self._receipt(pending, SendState.SENDING, request.remote_if_lost or state.remote)
            outcome = self._ask(transport, request, state.remote)
            self._conclude(queue, pending, outcome, request.remote_if_lost)

    def _render(self, pending: Pending, remote: Remote) -> Request | None:
        """Return what to send next: the only place where a sink gets an alert, and it never gets a secret."""
        return self.sink.render(self._config.outgoing(pending.alert, pending.original), remote, self._config.wall())

    def _ask(self, transport: Transport, request: Request, remote: Remote) -> Outcome:
        self._limiter.take(self._config.steady())
        answer = transport.send(request)
        outcome = failed(answer) if isinstance(answer, SendFailure) else self.sink.classify(request, answer, remote)
        self._metrics.delivery_requests.labels(self.sink.name, _RESULTS[type(outcome)]).inc()
        if isinstance(outcome, Retry):
            if self._limiter.failures == 0:
                log.warning("%s: %s; it is tried again", self.sink.name, outcome.reason)
            self._limiter.failed(self._config.steady(), outcome.after)
        else:
            if self._limiter.failures:
                log.info("%s answers again after %d failures", self.sink.name, self._limiter.failures)
            self._limiter.worked()
        return outcome

    def _conclude(
        self,
        queue: DeliveryQueue,
        pending: Pending,
        outcome: Outcome,
        remote_if_lost: Remote | None = None,
        *,
        receipt: bool = True,
    ) -> None:
        """Tell the queue what came of a step, store the receipt, and count."""
        age_s = self._config.wall() - pending.stored
        if isinstance(outcome, Retry) and age_s >= self._config.give_up_s:
            outcome = GivenUp(f"given up after {age_s:.0f} s: {outcome.reason}", mendable=True)
        state = queue.state_of(pending.alert.incident_id)
        sent = queue.on_outcome(
            pending,
            outcome,
            self._config.steady(),
            self._config.chance(),
            complete=isinstance(outcome, Delivered) and self._render(pending, outcome.remote) is None,
            remote_if_lost=remote_if_lost,
        )
        if sent is not None and receipt:
            reason = outcome.reason if isinstance(outcome, Retry | GivenUp) else ""
            mendable = isinstance(outcome, GivenUp) and outcome.mendable
            self._receipt(pending, sent, state.remote, reason, mendable=mendable)
        if sent is SendState.DELIVERED:
            self._count_delivered(pending, age_s)
        elif isinstance(outcome, GivenUp):
            log.error(
                "%s does not take %s: %s; see `tocsin doctor`",
                self.sink.name,
                pending.alert.incident_id,
                outcome.reason,
            )
            self._metrics.deliveries.labels(self.sink.name, "parked").inc()
            self._heartbeat.add(parked=1)

    def _count_delivered(self, pending: Pending, age_s: float) -> None:
        name = self.sink.name
        self._metrics.deliveries.labels(name, "delivered").inc()
        self._heartbeat.add(delivered=1)
        self._metrics.delivery_seconds.labels(name).observe(max(age_s, 0.0))
        if pending.alert.kind == SYNTHETIC:
            self._metrics.synthetic_last_success.labels(name).set(self._config.wall())

    def _receipt(
        self, pending: Pending, sent: SendState, remote: Remote, reason: str = "", *, mendable: bool = False
    ) -> None:
        receipt = DeliveryReceipt(
            incident_id=pending.alert.incident_id,
            sink=self.sink.name,
            sent=sent,
            status=pending.alert.status.value,
            alert=AlertPosition(partition=pending.partition, offset=pending.offset, digest=pending.digest),
            attempt=pending.attempts + 1,
            time=self._config.wall(),
            reason=reason,
            mendable=mendable,
            covers=pending.superseded,
            remote=remote,
        )
        self._outbox.begin({})
        self._outbox.send(self._topics.deliveries, receipt.to_json(), receipt.incident_id.encode())
        self._outbox.end()
        if sent is SendState.SENDING:
            self._outbox.drain(TIMEOUT_S)
        else:
            self._outbox.delivered()

    def _refresh(self, transport: Transport) -> None:
        """Repeat what a service forgets; no receipt, because nothing changes there.

        Of an incident whose newer alert waits nothing is repeated: it may have been taken before an answer was lost or
        a process killed, and what is over would fire again.
        """
        if self._queue is None or not self._knows_all():
            return
        now = self._config.steady()
        if now - self._refreshed < self.sink.refresh_s or self._limiter.wait(now) > 0:
            return
        self._refreshed = now
        if (request := self.sink.refresh(self._queue.settled_remotes, self._config.wall())) is not None:
            self._ask(transport, request, {})

    def _commit(self, consumer: Consumer) -> None:
        if self._queue is None or not (offsets := self._queue.commits()):
            return
        self._outbox.drain(TIMEOUT_S)
        # The next commit takes the place of a refused one.
        if try_commit(consumer, self._source.topic, offsets, f"commit what {self.sink.name} was sent", wait=True):
            self._metrics.commits.labels("deliver").inc()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._closing:
            # An assignment that arrives while the consumer closes: it cannot answer questions any more.
            return
        self._queue = DeliveryQueue.restore(self._receipts())
        doing = f"find where {self.sink.name} was"
        committed = retry_until_known(lambda: consumer.committed(partitions, timeout=TIMEOUT_S), doing)
        with kafka_errors(doing):
            offsets = {partition.partition: partition.offset for partition in committed}
            unseen = [partition for partition, offset in offsets.items() if offset < 0]
            if unseen:
                # Committed at once: a crash before the first delivery must not move the beginning.
                offsets |= self._beginning(unseen)
                begin = [TopicPartition(self._source.topic, partition, offsets[partition]) for partition in unseen]
                consumer.commit(offsets=begin, asynchronous=False)
            self._catch_up_to = {}
            for partition in partitions:
                number = partition.partition
                partition.offset = min(offsets[number], self._queue.again.get(number, offsets[number]))
                end = watermarks_of(consumer, self._source.topic, number)[1]
                if end > partition.offset:
                    self._catch_up_to[number] = end
            consumer.assign(partitions)
        log.info("%s: %d incidents known", self.sink.name, len(self._queue.remotes))
        self._gauges()
        self._config.health.ready(self._loop)

    def _receipts(self) -> Iterable[DeliveryReceipt]:
        last_proof = self._config.wall()
        own_name = b'"sink":"%s"' % self.sink.name.encode()
        for record in read_range(self._broker, self._topics.deliveries):
            # The topic holds those of all sinks for a month: most need not be decoded.
            if own_name not in (record.value or b""):
                continue
            try:
                receipt = DeliveryReceipt.from_json(record.value or b"")
            except InvalidError as error:
                log.warning("deliveries offset %d: %s", record.offset, error)
                continue
            if receipt.sink == self.sink.name:
                if receipt.incident_id == SYNTHETIC_ID and receipt.sent is SendState.DELIVERED:
                    last_proof = receipt.time
                yield receipt
        if self._source.topic == self._topics.alerts:
            self._metrics.synthetic_last_success.labels(self.sink.name).set(last_proof)

    def _beginning(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the offsets where a sink begins that was never sent anything: not with the alerts of a month."""
        since = int((self._config.wall() - self._config.history_s) * MILLIS)
        offsets = offsets_at(self._broker, self._source.topic, max(since, 0))
        return {partition: offsets[partition] for partition in partitions}

    def _revoked(self, _: Consumer, __: list[TopicPartition]) -> None:
        # Who takes over reads them.
        self._outbox.drain(TIMEOUT_S)
        self._queue = None
        self._config.health.waits(self._loop)

    def _gauges(self) -> None:
        if self._queue is not None:
            self._metrics.delivery_pending.labels(self.sink.name).set(self._queue.pending)
            self._metrics.delivery_parked.labels(self.sink.name).set(self._queue.parked)
