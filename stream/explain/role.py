"""The explain role: ``anomalies`` → incidents → ``alerts``, and what the incidents are put down to.

The state lives in the compact topic ``incidents`` and is read from there at each start.  Alerts are sent before the
state that remembers them, and the offset is committed behind both: a crash repeats alerts, which carry the same
content, and loses none.  The topic ``feedback`` is read from its start at each start of the role, and then as it comes;
explanations are made beside this loop (``stream.explain.explainer``) and published when they are there.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Final

from alerts.incidents.grouping import IncidentGrouper, IncidentPolicy, Step
from alerts.incidents.incident import IncidentState
from alerts.messages.anomaly import Anomaly
from alerts.messages.feedback import Feedback
from alerts.messages.signed_receipt import Signer
from alerts.monitoring.health import LoopHealth
from alerts.monitoring.metrics import Metrics
from index.diagnosis.types import Mode
from index.explain.escalation import Outcome
from models.errors import InvalidError
from models.rfc3339 import SECOND
from stream.explain.explainer import KEPT_WINDOWS, Explainer
from stream.heartbeat import Heartbeat
from stream.kafka.clients import TIMEOUT_S, Broker
from stream.kafka.consuming import Consumer, Message, TopicPartition, good_messages, try_commit
from stream.kafka.outbox import Outbox
from stream.kafka.reader import read_newest, read_range
from stream.kafka.topic_specs import Topics
from stream.topics.feedback import FeedbackReader
from stream.topics.templates import TemplateNames

log = logging.getLogger(__name__)

ROLE: Final = "explain"
POLL_S: Final = 0.2
"""Seconds to wait for anomalies: a judgement, so long may feedback and explanations lie unread."""

TICK_S: Final = 1.0
"""Seconds between looks at which incidents have ended: a judgement, small against their timeouts of minutes."""

BATCH: Final = 500
"""Anomalies taken at once, at most: a judgement; their offsets are committed together, behind all they caused."""


def wall_clock() -> int:
    """Return microseconds since 1970."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class ExplainConfig:
    """How incidents are made of anomalies."""

    policy: IncidentPolicy = field(default_factory=IncidentPolicy)
    clock: Callable[[], int] = wall_clock
    """Microseconds since 1970; resolves quiet incidents."""
    signer: Signer = field(default_factory=lambda: Signer(""))
    """Puts receipts on the alerts."""
    health: LoopHealth = field(default_factory=LoopHealth)
    """Told when the loop goes on and when the partition comes and goes."""


class ExplainRole:
    """One worker of the role; ``anomalies`` has one partition, so one works and others stand by."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        metrics: Metrics,
        config: ExplainConfig,
        explainer: Explainer | None = None,
    ) -> None:
        self._broker = broker
        self._topics = topics
        self._metrics = metrics
        self._config = config
        self._explainer = explainer
        self._outbox = Outbox(broker.producer())
        self._feedback = FeedbackReader(broker, topics.feedback)
        self._template_names = TemplateNames(broker, topics.templates)
        self._signer = config.signer
        self._heartbeat = Heartbeat(ROLE, log)
        self._heartbeat.add(windows=0, feedback=0, explained=0)
        self._gauged: set[tuple[str, ...]] = set()
        """Labels under which the metric of open incidents has a value."""
        self._incidents: IncidentGrouper | None = None
        """None while another worker has the partition."""

    def run(self, stop: threading.Event) -> None:
        """Group anomalies until ``stop`` is set."""
        consumer = self._broker.consumer(self._topics.group(ROLE))
        consumer.subscribe([self._topics.anomalies], on_assign=self._assigned, on_revoke=self._revoked)
        tick_at = time.monotonic()
        try:
            while not stop.is_set():
                self._config.health.turned(ROLE)
                self._take(consumer, consumer.consume(BATCH, POLL_S))
                self._read_feedback()
                self._publish_explained()
                if time.monotonic() - tick_at >= TICK_S:
                    tick_at = time.monotonic()
                    self._tick()
                self._heartbeat.tick(
                    standby=self._incidents is None, incidents_open=self._incidents.open if self._incidents else 0
                )
            self._outbox.drain(TIMEOUT_S)
        finally:
            consumer.close()
            self._feedback.close()
            if self._explainer is not None:
                self._explainer.close()

    def _take(self, consumer: Consumer, messages: list[Message]) -> None:
        good = good_messages(messages, f"read {self._topics.anomalies}")
        if self._incidents is None or not good:
            return
        # What a window's new messages say stood on its topic before the window was decided.
        self._template_names.refresh()
        self._outbox.begin({})
        for message in good:
            try:
                window = Anomaly.from_json(message.value() or b"").with_names(self._template_names.of)
                self._remember_window(message.value() or b"", message.offset() or 0)
            except InvalidError as error:
                position = f"{message.topic()} [{message.partition()}] offset {message.offset()}"
                log.error("%s: %s", position, error)  # noqa: TRY400 - the message says it all
                continue
            self._do(self._incidents.on_window(window, self._config.clock()))
        self._outbox.end()
        self._outbox.drain(TIMEOUT_S)
        self._heartbeat.add(windows=len(good))
        offsets = {message.partition() or 0: (message.offset() or 0) + 1 for message in good}
        if try_commit(consumer, self._topics.anomalies, offsets, "commit what explain has read", wait=True):
            self._metrics.commits.labels(ROLE).inc()

    def _read_feedback(self) -> None:
        records = self._feedback.fresh() if self._incidents is not None else []
        if not records or self._incidents is None:
            return
        self._outbox.begin({})
        for feedback in records:
            self._metrics.feedback.labels(feedback.action.value).inc()
            self._learn(feedback)
            self._do(self._incidents.on_feedback(feedback, self._config.clock()))
        self._outbox.end()
        self._outbox.delivered()
        self._heartbeat.add(feedback=len(records))

    def _learn(self, feedback: Feedback) -> None:
        """Let a vote on a cause decide whether its incident may serve as a twin."""
        if self._explainer is not None and feedback.cause is not None:
            self._explainer.on_vote(feedback.incident_id, right=feedback.cause)

    def _tick(self) -> None:
        if self._incidents is None:
            return
        self._outbox.begin({})
        self._do(self._incidents.tick(self._config.clock()))
        self._outbox.end()
        self._outbox.delivered()

    def _publish_explained(self) -> None:
        if self._incidents is None or self._explainer is None:
            return
        self._outbox.begin({})
        for explained in self._explainer.poll(self._config.clock()):
            now = self._config.clock()
            self._do(self._incidents.diagnosed(explained.incident_id, explained.record, explained.severity, now))
            self._metrics.explain_seconds.observe(explained.outcome.diagnosis.seconds)
            count_outcome(self._metrics, explained.outcome, explained.tenant)
            self._heartbeat.add(explained=1)
            log.info("incident explained", extra=explained.facts())
        self._outbox.end()
        self._outbox.delivered()

    def _remember_window(self, record: bytes, offset: int) -> None:
        """Keep what receipts and explanations need of a window."""
        self._signer.saw(record, offset)
        if self._explainer is not None:
            self._explainer.on_window(record)

    def _do(self, step: Step) -> None:
        """Send the alerts of a step, then the state that remembers them, and go on from that state."""
        for alert in map(self._signer.sign, step.alerts):
            self._outbox.send(self._topics.alerts, alert.to_json(), alert.incident_id.encode())
            self._metrics.alerts.labels(alert.status.value).inc()
        for name, incident in step.changed.items():
            if incident is not None and self._incidents is not None and (before := self._incidents.find(name)):
                self._metrics.hushed_windows.inc(max(0, incident.suppressed - before.suppressed))
            value = None if incident is None else incident.to_json()
            self._outbox.send(self._topics.incidents, value, name.encode())
            if self._explainer is not None:
                self._explainer.on_incident(name, incident, self._config.clock())
                if incident is not None and incident.resolved and value is not None:
                    self._explainer.remember(name, value)
        for name, record in step.records.items():
            self._outbox.send(self._topics.incidents, record, name.encode())
        self._incidents = step.incidents
        self._metrics.incidents_open.set(step.incidents.open)
        self._update_gauges(step.incidents)

    def _update_gauges(self, incidents: IncidentGrouper) -> None:
        """Set since when each kind of incident is open; remove those of which none is open any more."""
        since: dict[tuple[str, ...], float] = {}
        for incident in incidents.all():
            if incident.state is IncidentState.OPEN:
                labels = (incident.tenant, incident.service, incident.kind, incident.severity.label)
                since[labels] = min(incident.first / SECOND, since.get(labels, inf))
        for name in self._gauged - since.keys():
            self._metrics.incident_since.remove(*name)
        for name, moment in since.items():
            self._metrics.incident_since.labels(*name).set(moment)
        self._gauged = set(since)

    def _assigned(self, _: Consumer, __: list[TopicPartition]) -> None:
        records = read_range(self._broker, self._topics.incidents)
        pairs = (((record.key or b"").decode(), record.value or None) for record in records)
        now = self._config.clock()
        self._incidents = IncidentGrouper.restore(self._config.policy, pairs, now)
        self._outbox.begin({})
        backlog = self._feedback.backlog()
        for feedback in backlog:
            self._learn(feedback)
        self._do(self._incidents.replay_feedback(backlog, now))
        self._outbox.end()
        log.info("state restored", extra={"role": ROLE, "incidents_open": self._incidents.open})
        for record in read_newest(self._broker, self._topics.anomalies, KEPT_WINDOWS):
            with suppress(InvalidError):
                self._remember_window(record.value or b"", record.offset)
        if self._explainer is not None:
            for incident in self._incidents.all():
                self._explainer.on_incident(incident.id, incident, now)
        self._config.health.ready(ROLE)

    def _revoked(self, _: Consumer, __: list[TopicPartition]) -> None:
        self._outbox.drain(TIMEOUT_S)
        self._feedback.close()
        self._incidents = None
        self._config.health.waits(ROLE)


def count_outcome(metrics: Metrics, outcome: Outcome, tenant: str) -> None:
    """Add one diagnosis to the metrics."""
    diagnosis = outcome.diagnosis
    metrics.diagnoses.labels(diagnosis.mode.value).inc()
    if diagnosis.mode is Mode.LLM:
        metrics.diagnosis_groundedness.observe(diagnosis.groundedness)
    for call in outcome.calls:
        metrics.llm_calls.labels(call.model, call.outcome).inc()
        metrics.llm_cost.labels(tenant).inc(call.cost_usd)
    for why, dollars in outcome.saved.items():
        metrics.llm_saved.labels(why).inc(dollars)
