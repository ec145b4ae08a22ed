"""Everything that the pages show, in bounded memory: written by the threads that read topics, read by requests."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from alerts.incidents.annotations import Annotations
from alerts.messages.alert import Alert
from alerts.messages.anomaly import Anomaly
from alerts.messages.delivery_receipt import DeliveryReceipt
from alerts.messages.feedback import Action, Feedback
from alerts.sinks.base import CHANGE, SYNTHETIC
from models.rfc3339 import time_text
from stream.topics.changes import Announcement
from stream.ui.memory.incident_log import STEPS, IncidentHead, IncidentLog, Said, pack
from stream.ui.memory.window_columns import WindowColumns

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: judgements, measured by ``tests/bench/bench_ui.py`` to stay below 400 MB."""

    incidents: int = 12_000
    windows: int = 200_000
    changes: int = 2_000


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the memory can be trusted; times in microseconds by the wall clock."""

    troubles: tuple[str, ...] = ()
    """What cannot be read at this moment, and what to do."""
    since: int = 0
    """When the first of them began; 0: there is none."""
    reading: tuple[str, ...] = ()
    """Topics that have not been read to their end yet."""
    proven: int = 0
    """Event time of the newest test alert; 0: there was none."""


class Memory:
    """Incidents, what was said of them, windows and changes; every method may be called by any thread."""

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.time) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._lock = threading.RLock()
        self._logs: dict[str, IncidentLog] = {}
        self._said: dict[str, Said] = {}
        self._states: dict[str, bytes] = {}
        self._windows = WindowColumns(self._limits.windows)
        self._changes: deque[Announcement] = deque(maxlen=self._limits.changes)
        self._troubles: dict[str, tuple[str, int]] = {}
        self._reading: set[str] = set()
        self._proven = 0
        self._version = 0

    @property
    def version(self) -> int:
        """Return a number that grows with every change."""
        return self._version

    def take_alert(self, alert: Alert) -> None:
        """Take the next alert."""
        with self._lock:
            self._version += 1
            if alert.kind == SYNTHETIC:
                self._proven = max(self._proven, alert.updated)
            elif alert.kind == CHANGE:
                return
            elif (log := self._logs.get(alert.incident_id)) is None:
                log = IncidentLog.begin(alert)
                log.state = self._states.pop(alert.incident_id, b"")
                self._logs[alert.incident_id] = log
                self._forget_oldest()
            else:
                log.add(alert)

    def take_state(self, incident_id: str, record: bytes | None) -> None:
        """Take the record of an incident on ``incidents``; None for one that is deleted there."""
        with self._lock:
            log = self._logs.get(incident_id)
            if log is not None:
                log.state = pack(record) if record else b""
                self._version += 1
            elif record:
                _put(self._states, incident_id, pack(record), self._limits.incidents)
            else:
                self._states.pop(incident_id, None)

    def take_feedback(self, said: Feedback) -> None:
        """Take what somebody said of an incident."""
        with self._lock:
            self._version += 1
            before = self._said.get(said.incident_id, Said())
            orders = before.orders
            if said.action in {Action.RESOLVE, Action.MERGE, Action.SPLIT} and (line := _order(said)) not in orders:
                orders = (*orders, line)[-STEPS:]
            self._keep(
                said.incident_id, replace(before, annotations=before.annotations.with_feedback(said), orders=orders)
            )

    def take_receipt(self, receipt: DeliveryReceipt) -> None:
        """Take the receipt of a send."""
        with self._lock:
            self._version += 1
            before = self._said.get(receipt.incident_id, Said())
            self._keep(receipt.incident_id, replace(before, receipts=(*before.receipts, receipt)[-STEPS:]))

    def take_change(self, change: Announcement) -> None:
        """Take a deployment or a changed configuration."""
        with self._lock:
            self._version += 1
            self._changes.append(change)

    def take_window(self, window: Anomaly) -> None:
        """Take a window of the topic ``anomalies``."""
        with self._lock:
            self._version += 1
            names = dict.fromkeys(service for service, _ in window.hosts) or dict.fromkeys(window.services)
            for name in names:
                if name:
                    self._windows.add(window.end, name, window.importance)

    def trouble(self, what: str, text: str) -> None:
        """Note that something cannot be read, with the words for people; "" when it can again."""
        with self._lock:
            before = self._troubles.get(what)
            if text and (before is None or before[0] != text):
                self._troubles[what] = (text, before[1] if before else int(self._clock() * 1e6))
                self._version += 1
            elif not text and before is not None:
                del self._troubles[what]
                self._version += 1

    def reading(self, topic: str, *, until_now: bool) -> None:
        """Note that a topic is being read, or has been read to its end for the first time."""
        with self._lock:
            if until_now and topic in self._reading:
                self._reading.discard(topic)
                self._version += 1
            elif not until_now:
                self._reading.add(topic)

    def health(self) -> Freshness:
        """Return how far the memory can be trusted."""
        with self._lock:
            texts = tuple(dict.fromkeys(text for text, _ in self._troubles.values()))
            since = min((moment for _, moment in self._troubles.values()), default=0)
            return Freshness(texts, since, tuple(sorted(self._reading)), self._proven)

    def heads(self) -> list[IncidentHead]:
        """Return the heads of all incidents, as people changed them, in the order in which they came."""
        with self._lock:
            return [self._head(log) for log in self._logs.values()]

    def find(self, name: str) -> list[str]:
        """Return the ids that begin so."""
        with self._lock:
            return [name] if name in self._logs else [key for key in self._logs if key.startswith(name)]

    def log(self, incident_id: str) -> IncidentLog | None:
        """Return a copy of what is kept of an incident, None where there is none of that id."""
        with self._lock:
            log = self._logs.get(incident_id)
            return None if log is None else IncidentLog(self._head(log), log.alert, log.state, list(log.steps))

    def said(self, incident_id: str) -> Said:
        """Return what people and sinks said of an incident."""
        with self._lock:
            return self._said.get(incident_id, Said())

    def annotations(self, names: Iterable[str]) -> dict[str, Annotations]:
        """Return what people said of several incidents."""
        with self._lock:
            return {name: self._said[name].annotations for name in names if name in self._said}

    def changes(self) -> list[Announcement]:
        """Return the newest changes."""
        with self._lock:
            return list(self._changes)

    def windows(self) -> WindowColumns:
        """Return the windows; a snapshot, cheap to take."""
        with self._lock:
            return self._windows.snapshot()

    def _head(self, log: IncidentLog) -> IncidentHead:
        said = self._said.get(log.head.id)
        if said is None or said.annotations.ack is None:
            return log.head
        return replace(log.head, acknowledged=said.annotations.acknowledged)

    def _keep(self, incident_id: str, said: Said) -> None:
        self._said.pop(incident_id, None)
        _put(self._said, incident_id, said, 2 * self._limits.incidents)

    def _forget_oldest(self) -> None:
        """Drop the oldest tenth of the resolved incidents when there are too many; then the oldest of all."""
        excess = len(self._logs) - self._limits.incidents
        if excess <= 0:
            return
        wanted = excess + self._limits.incidents // 10
        order = sorted(self._logs.values(), key=lambda log: (log.head.is_open, log.head.updated))
        for log in order[:wanted]:
            del self._logs[log.head.id]
            self._said.pop(log.head.id, None)


def _order(said: Feedback) -> str:
    """Return an order on an incident in words."""
    what = {Action.MERGE: f"merged it into {said.into[:6]}", Action.SPLIT: f"split off {', '.join(said.services)}"}
    return f"{time_text(said.time)} {said.by} {what.get(said.action, 'resolved it')}"


def _put(store: dict[str, V], name: str, value: V, most: int) -> None:
    store[name] = value
    if len(store) > most:
        del store[next(iter(store))]
