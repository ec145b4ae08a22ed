"""The detect role: a Faust agent over ``logs.events`` that keeps windows, scores them and publishes what fired.

Faust brings frames and spreads partitions over workers.  Work runs in one executor thread, off the event loop.  Nothing
is acknowledged to Faust: every few seconds the states of the partitions are committed, once Kafka has confirmed the
verdicts up to there.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import cast

import faust
from faust.sensors.prometheus import FaustMetrics, PrometheusMonitor
from faust.types import TP, EventT
from prometheus_client import CollectorRegistry

from alerts.monitoring.health import LoopHealth
from alerts.monitoring.metrics import Metrics
from models.calibration.service_state import describe_service
from models.errors import InvalidError, TransientError
from models.features.window_features import service_of
from models.records import I64, NO_TIME, EventFrame
from models.rfc3339 import SECOND
from models.schedule import ScorerSchedule
from models.scorer import KIND_NAMES, Decisions
from models.windows import frame_codec as frames
from models.windows.config import WindowConfig
from models.windows.store import WindowCounts
from stream.detect.partition_state import PartitionCheckpoint, PartitionWindows, ReadFrame, decide
from stream.heartbeat import Heartbeat
from stream.kafka.clients import TIMEOUT_S, Broker
from stream.kafka.faust_app import create_app, serve
from stream.kafka.faust_transport import commit, committed, end_of
from stream.kafka.outbox import Outbox
from stream.kafka.topic_specs import Topics
from stream.topics.anomalies import anomaly

log = logging.getLogger(__name__)

ROLE = "detect"
COMMIT_S = 2.0
"""Seconds between commits; a judgement: after a crash at most so much is read again."""

TURN_S = 5.0
"""Seconds between two signs of life of the event loop; a judgement: many fit into `health.STUCK_S`."""

MOST_WARNED = 1000
"""Services that are logged as not known well enough; a judgement: it bounds memory and log."""

GATHER_S = 0.05
"""Seconds for which the first frame waits for others, because ingest writes to all partitions at once; a judgement."""

WAITING = 32
"""Frames that may wait for their turn; what waits together is scored together.  A judgement."""


@dataclass(frozen=True, slots=True)
class DetectConfig:
    """``publish_all`` sends every window to ``anomalies``, fired or not: for tests and comparisons.

    ``count`` is told the decisions on each batch, and the numbers of the windows among them that are published.
    """

    windows: WindowConfig
    publish_all: bool = False
    count: Callable[[Decisions, I64], None] = lambda _decided, _due: None
    health: LoopHealth = field(default_factory=LoopHealth)


class Detect:
    """One detect worker; ``run`` serves until the event is set."""

    def __init__(  # noqa: PLR0913 - the composition root passes each part
        self,
        broker: Broker,
        topics: Topics,
        schedule: ScorerSchedule,
        metrics: Metrics,
        config: DetectConfig,
        registry: CollectorRegistry,
    ) -> None:
        self._broker = broker
        self._topics = topics
        self._schedule = schedule
        self._metrics = metrics
        self._config = config
        self._registry = registry
        self._partitions: dict[TP, PartitionWindows] = {}
        self._counted: dict[TP, WindowCounts] = {}
        self._outbox = Outbox(broker.producer(), limit=1_000_000)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=ROLE)
        self._heartbeat = Heartbeat(ROLE, log)
        self._heartbeat.add(frames=0, windows=0, fired=0)
        self._warned_versions: set[tuple[str, str]] = set()  # templates of frames and of the bundle that were logged
        self._limited: set[str] = set()  # services logged as being in shadow or learning
        self._failure: Exception | None = None
        self._working = asyncio.Lock()  # held while frames are taken
        self._waiting: asyncio.Queue[EventT[bytes]] = asyncio.Queue(WAITING)

    async def run(self, stop: asyncio.Event) -> None:
        """Read frames until ``stop`` is set, then commit and leave the group."""
        app = create_app(self._topics.group(ROLE), self._broker)
        app.monitor = PrometheusMonitor(metrics=FaustMetrics.create(self._registry, f"faust_{ROLE}"))
        topic = app.topic(self._topics.logs_events, value_serializer="raw", key_serializer="raw", acks=False)
        app.on_partitions_assigned.connect(self._assigned)  # type: ignore[arg-type]
        app.on_partitions_revoked.connect(self._revoked)  # type: ignore[arg-type]

        @app.agent(topic, name=f"{self._topics.group(ROLE)}-agent")
        async def frames_in(stream: faust.StreamT[bytes]) -> None:
            async for event in cast("faust.Stream[bytes]", stream).noack().events():
                await self._waiting.put(event)

        @app.task  # type: ignore[untyped-decorator]
        async def windows() -> None:
            while self._failure is None and not stop.is_set():
                events = await self._next()
                try:
                    async with self._working:
                        # What is taken behind the last commit would be told once more, perhaps by another bundle.
                        if not stop.is_set():
                            await self._take(app, events)
                except Exception as error:  # noqa: BLE001 - Faust would go on without these frames
                    self._failure = error
                    stop.set()

        @app.timer(COMMIT_S)  # type: ignore[untyped-decorator]
        async def commit_states() -> None:
            await self._commit(app)
            self._heartbeat.tick(partitions=len(self._partitions))

        async def drain() -> None:
            async with self._working:
                await self._commit(app)

        await self._turn()
        app.timer(TURN_S)(self._turn)
        try:
            await serve(app, stop, drain)
        finally:
            self._thread.shutdown()
        if self._failure is not None:
            raise self._failure

    async def _turn(self) -> None:
        # The event loop goes on.  Commits do not count: they wait for as long as the brokers are away.
        self._config.health.turned(ROLE)

    async def _assigned(self, _: object, partitions: Iterable[TP], *__: object, **___: object) -> None:
        self._reset(partitions)
        self._config.health.ready(ROLE)

    async def _revoked(self, _: object, partitions: Iterable[TP], *__: object, **___: object) -> None:
        self._config.health.waits(ROLE)
        self._reset(partitions)

    def _reset(self, partitions: Iterable[TP]) -> None:
        """Forget the partitions' windows: frames come again from the committed offset."""
        for tp in partitions:
            self._partitions.pop(tp, None)
            self._counted.pop(tp, None)
            # The worker that has the partition from now on reports its lag.
            self._metrics.lag_messages.remove(tp.topic, str(tp.partition))

    async def _next(self) -> list[EventT[bytes]]:
        """All frames that wait, at least one."""
        events = [await self._waiting.get()]
        await asyncio.sleep(GATHER_S)
        while not self._waiting.empty():
            events.append(self._waiting.get_nowait())
        return events

    async def _take(self, app: faust.App, events: list[EventT[bytes]]) -> None:
        """Work through frames, those of different partitions together."""
        frames: dict[TP, deque[tuple[PartitionWindows, int, int, bytes]]] = {}
        for message in (event.message for event in events):
            if message.generation_id == app.consumer_generation_id:
                partition = self._partitions.get(message.tp) or await self._open(app, message.tp)
                end = end_of(app, message.tp)
                if end is not None and end < partition.reach:
                    partition = self._begin_anew(message.tp, partition.reach)
                frames.setdefault(message.tp, deque()).append(
                    (partition, message.offset, round(message.timestamp * SECOND), message.value or b"")
                )
        loop = asyncio.get_running_loop()
        while frames:
            turn = {tp: waiting.popleft() for tp, waiting in frames.items()}
            frames = {tp: waiting for tp, waiting in frames.items() if waiting}
            with self._config.health.working(f"{ROLE}.frames"):
                self._heartbeat.add(**await loop.run_in_executor(self._thread, self._work, turn))

    async def _open(self, app: faust.App, tp: TP) -> PartitionWindows:
        offset, metadata = (await committed(app, [tp]))[tp]
        partition = PartitionWindows(self._config.windows, PartitionCheckpoint.restore(offset, metadata))
        self._partitions[tp] = partition
        self._counted[tp] = WindowCounts()
        return partition

    def _begin_anew(self, tp: TP, before: int) -> PartitionWindows:
        """Forget a partition that ends before what was read of it: its topic was deleted and made anew."""
        log.warning(
            "%s [%d] was made anew: its offsets begin again after %d; of windows that were open only new frames count",
            tp.topic,
            tp.partition,
            before - 1,
        )
        self._partitions[tp] = PartitionWindows(self._config.windows, None)
        self._counted[tp] = WindowCounts()
        return self._partitions[tp]

    def _work(self, turn: Mapping[TP, tuple[PartitionWindows, int, int, bytes]]) -> dict[str, int]:
        """Take one frame each of some partitions; return what was done, for the log."""
        started = time.perf_counter()
        taken: list[tuple[PartitionWindows, ReadFrame]] = []
        for tp, (partition, offset, stored, value) in turn.items():
            if offset < partition.next:
                continue
            if offset > partition.next > 0:
                log.warning("%s [%d]: frames %d to %d are gone", tp.topic, tp.partition, partition.next, offset - 1)
            taken.append((partition, self._decode(tp, offset, stored, value)))
        decided = decide(self._schedule, taken, self._metrics.score_seconds.time) if taken else []
        if decided:
            self._publish(decided)
        for decisions, due in decided:
            self._count_windows(decisions, due)
            self._config.count(decisions, due)
            self._warn_foreign(decisions.bundle.templates_version, taken)
        self._metrics.batch_seconds.labels(ROLE).observe(time.perf_counter() - started)
        self._metrics.frames.labels("in").inc(len(taken))
        self._metrics.frame_rows.inc(sum(len(read.frame.rows) for _, read in taken))
        for tp, (partition, _, _, _) in turn.items():
            self._count_rows(tp, partition.counts)
        windows = sum(len(due) for _, due in decided)
        fired = sum(int(decisions.fired[due].sum()) for decisions, due in decided)
        return {"frames": len(taken), "windows": windows, "fired": fired}

    def _decode(self, tp: TP, offset: int, stored: int, value: bytes) -> ReadFrame:
        try:
            frame, version = frames.decode(value)
        except InvalidError as error:
            # Only ingest writes here, so this is a foreign or a future message: log where it is and go on.
            log.error("%s [%d] offset %d: %s", tp.topic, tp.partition, offset, error)  # noqa: TRY400 - no trace needed
            return ReadFrame(offset, stored, EventFrame.empty({}))
        return ReadFrame(offset, stored, frame, version)

    def _warn_foreign(self, version: str, taken: Iterable[tuple[PartitionWindows, ReadFrame]]) -> None:
        """Log once that frames were made with other templates than those of the bundle that judges."""
        for _, read in taken:
            if (
                len(read.frame.rows)
                and read.version != version
                and (read.version, version) not in self._warned_versions
            ):
                self._warned_versions.add((read.version, version))
                log.warning(
                    "frames were made with templates %s, the bundle has %s: of their windows only errors count",
                    read.version,
                    version,
                )

    def _publish(self, decided: Iterable[tuple[Decisions, I64]]) -> None:
        """Publish verdicts on those of the windows that are due which fired."""
        self._outbox.begin({})
        for decisions, due in decided:
            chosen = due if self._config.publish_all else due[decisions.fired[due]]
            for verdict in decisions.verdicts(chosen.tolist()):
                key, record = anomaly(verdict, decisions.bundle.id)
                self._outbox.send(self._topics.anomalies, record, key)
        self._outbox.end()
        self._outbox.delivered()

    def _count_rows(self, tp: TP, now: WindowCounts) -> None:
        metrics, before = self._metrics, self._counted.get(tp, WindowCounts())
        metrics.late_rows.inc(now.late - before.late)
        metrics.overflow_rows.inc(now.overflow - before.overflow)
        metrics.duplicate_rows.inc(now.duplicates - before.duplicates)
        if now.restarts > before.restarts:
            metrics.raw_restarts.inc(now.restarts - before.restarts)
            log.warning(
                "%s was made anew: the offsets of %d partitions began again, as %s [%d] shows; all lines count",
                self._topics.logs_raw,
                now.restarts - before.restarts,
                tp.topic,
                tp.partition,
            )
        self._counted[tp] = replace(now)

    def _count_windows(self, decided: Decisions, due: I64) -> None:
        metrics = self._metrics
        for kind, name in KIND_NAMES.items():
            of_kind = due[decided.windows.kinds[due] == kind]
            metrics.windows.labels(name).inc(len(of_kind))
            metrics.windows_fired.labels(name).inc(int(decided.fired[of_kind].sum()))
            importance = metrics.importance.labels(name)
            for value in decided.importance[of_kind].tolist():
                importance.observe(value)
        detectors = decided.bundle.detectors
        for i in due[decided.errors_only[due]].tolist():
            metrics.limited_windows.labels(decided.state(i)).inc()
            service = service_of(decided.windows.keys[i])
            # Where no service is known, the start has said so.
            if service not in self._limited and len(self._limited) < MOST_WARNED and not decided.bundle.is_general:
                self._limited.add(service)
                log.warning(
                    "%s",
                    describe_service(detectors.groups, detectors.windows_seen, service, decided.bundle.windows.step),
                )

    def _measure_lag(self, app: faust.App) -> None:
        """Set how many frames lie behind the last one taken, as far as the last fetch says."""
        for tp, partition in self._partitions.items():
            end = end_of(app, tp)
            if end is not None:
                self._metrics.lag_messages.labels(tp.topic, str(tp.partition)).set(max(end - partition.next, 0))

    async def _commit(self, app: faust.App) -> None:
        """Commit every partition's state, once all its verdicts so far are delivered."""
        if self._failure is not None:
            return
        self._measure_lag(app)
        partitions = dict(self._partitions)
        loop = asyncio.get_running_loop()
        states = await loop.run_in_executor(self._thread, self._states, partitions)
        # A partition that was dropped meanwhile belongs to an old assignment, and so does its state.
        current = {tp: state for tp, state in states.items() if self._partitions.get(tp) is partitions[tp]}
        offsets = {tp: (state.mark.offset, state.metadata()) for tp, state in current.items()}
        if not offsets:
            return
        try:
            done = await commit(app, offsets)
        except TransientError as error:
            log.warning("%s", error)
            return
        self._metrics.commits.labels(ROLE).inc(len(done))

    def _states(self, partitions: dict[TP, PartitionWindows]) -> dict[TP, PartitionCheckpoint]:
        states = {tp: partition.state() for tp, partition in partitions.items()}
        self._outbox.drain(TIMEOUT_S)
        self._metrics.window_keys.set(sum(len(partition.store) for partition in partitions.values()))
        self._metrics.open_windows.set(sum(partition.store.open_rows for partition in partitions.values()))
        clocks = [partition.store.clock for partition in partitions.values() if partition.store.clock != NO_TIME]
        if clocks:
            self._metrics.last_frame_clock.set(min(clocks) / SECOND)
        return {tp: state for tp, state in states.items() if state is not None}
