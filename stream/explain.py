"""Explanations beside the alerts: lines around an incident → evidence → diagnosis, in threads of their own.

An alert never waits for any of this: what is found comes back to the role through ``poll``.  The first explanation is
made from the lines alone as soon as an incident opens; a later one may ask a language model.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import orjson

from alerts.incident import Incident
from alerts.times import SECOND, from_text
from index.diagnose import diagnose
from index.diagnosis import Diagnosis, Mode
from index.documents import Filter
from index.evidence import Change, Evidence, Similar
from index.fired import Fired
from index.gather import gather
from index.incidents import DIAGNOSIS, remember
from index.material import Material
from index.store import Memory
from models.decode import Decoder
from models.errors import TocsinError
from models.records import Pointer
from models.templates import TemplateMatcher
from stream.broker.clients import Broker
from stream.broker.reading import read_range
from stream.context import Reach, raw_around
from stream.explaining import ExplainPolicy, Schedule, Task
from stream.topics import Topics

log = logging.getLogger(__name__)

CHANGES_BEFORE_MS: Final = 3_600_000
"""A change is a suspect for an hour."""

SIMILAR: Final = 5
_QUERY_LINES: Final = 8


class Deepen(Protocol):
    """Makes the best explanation that can be had of a first one: a past twin, a language model, or what is there."""

    def __call__(self, task: Task, evidence: Evidence, base: Diagnosis, cancelled: Callable[[], bool]) -> Diagnosis:
        """Return the diagnosis; never raises for what a provider does."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How lines are read again: a decoder and a matcher of one's own, and the templates that training saw."""

    tools: Callable[[], tuple[Decoder, TemplateMatcher]]
    known: frozenset[int]
    reach: Reach = field(default_factory=Reach)


@dataclass(frozen=True, slots=True)
class Explained:
    """What was found out about an incident: the record that alerts carry."""

    incident_id: str
    diagnosis: Diagnosis
    record: dict[str, Any]


class Explainer:
    """Explains incidents; ``joined``, ``ended`` and ``poll`` belong to one thread."""

    def __init__(  # noqa: PLR0913 - the composition root passes each part
        self,
        broker: Broker,
        topics: Topics,
        reading: Reading,
        memory: Memory | None,
        deepen: Deepen | None,
        policy: ExplainPolicy,
        workers: int = 4,
    ) -> None:
        self._broker = broker
        self._topics = topics
        self._reading = reading
        self._memory = memory
        self._deepen = deepen
        self._schedule = Schedule(policy)
        self._found: queue.SimpleQueue[tuple[Task, Explained | None]] = queue.SimpleQueue()
        # The quick ones have a thread of their own: a slow provider holds up no first explanation.
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="explain")
        self._deep = ThreadPoolExecutor(workers, thread_name_prefix="explain-deep")
        self._own = threading.local()
        self._open: set[str] = set()
        self._halt = False

    def joined(self, incident: Incident, window: bytes | None, now: int) -> None:
        """Note a window (record of ``anomalies``) that joined an open incident; None for one found open at a start."""
        self._open.add(incident.id)
        self._schedule.joined(incident, None if window is None else Fired.from_record(orjson.loads(window)), now)

    def ended(self, incident_id: str) -> None:
        """Note that an incident is over: what is being found out about it is cancelled."""
        self._open.discard(incident_id)
        self._schedule.ended(incident_id)

    def poll(self, now: int) -> list[Explained]:
        """Begin the explanations whose time has come; return those that were made since the last call."""
        for task in self._schedule.due(now):
            pool = self._deep if task.deep and self._deepen is not None else self._quick
            pool.submit(self._run, task)
        made = []
        while not self._found.empty():
            task, explained = self._found.get()
            better = self._deepen is None or (task.deep and explained and explained.diagnosis.mode != Mode.DETERMINISTIC)
            if self._schedule.done(task, now, final=task.deep and bool(better)) and explained is not None:
                made.append(explained)
        return made

    def remember(self, records: Iterable[tuple[str, bytes | None]]) -> None:
        """Take records of ``incidents`` into the memory, in the background."""
        if self._memory is not None:
            memory, taken = self._memory, [(key, value) for key, value in records if value is not None]
            self._quick.submit(lambda: remember(memory, taken))

    def close(self) -> None:
        """Cancel what is being found out, and wait for the threads."""
        self._halt = True
        for pool in (self._quick, self._deep):
            pool.shutdown(cancel_futures=True)

    def _run(self, task: Task) -> None:
        try:
            explained: Explained | None = self._explain(task)
        except TocsinError as error:
            log.warning("incident %s is not explained: %s", task.incident_id, error)
            explained = None
        except Exception:
            # A defect in explaining must not end the role that rings.
            log.exception("incident %s is not explained", task.incident_id)
            explained = None
        self._found.put((task, explained))

    def _explain(self, task: Task) -> Explained:
        started = time.monotonic()
        evidence = self._evidence(task)
        diagnosis = diagnose(evidence)
        if task.deep and self._deepen is not None:
            diagnosis = self._deepen(task, evidence, diagnosis, lambda: self._cancelled(task))
        diagnosis = replace(diagnosis, seconds=round(time.monotonic() - started, 3))
        return Explained(task.incident_id, diagnosis, diagnosis.to_record(evidence))

    def _cancelled(self, task: Task) -> bool:
        return self._halt or task.incident_id not in self._open

    def _evidence(self, task: Task) -> Evidence:
        material = self._material(task)
        changes = read_changes(self._broker, self._topics.changes, task)
        evidence = gather(material, task.fired, known=self._reading.known, changes=changes)
        return replace(evidence, similar=self._similar(task, evidence))

    def _material(self, task: Task) -> Material:
        pointers = [Pointer(*place) for window in task.fired for place in window.pointers]
        raw = raw_around(self._broker, self._topics.logs_raw, pointers, self._reading.reach)
        if not hasattr(self._own, "tools"):
            self._own.tools = self._reading.tools()
        decoder, matcher = self._own.tools
        return Material.of(raw, decoder.anew().decode(raw), matcher, self._topics.logs_raw).scope(task.tenant)

    def _similar(self, task: Task, evidence: Evidence) -> tuple[Similar, ...]:
        if self._memory is None or not len(self._memory):
            return ()
        return similar_to(self._memory, evidence, task.incident_id)


def similar_to(memory: Memory, evidence: Evidence, incident_id: str = "") -> tuple[Similar, ...]:
    """Return what the memory holds that resembles the evidence, the incident itself left out."""
    text = "\n".join([*evidence.reasons, *(line.template for line in evidence.lines[:_QUERY_LINES])])
    hits = memory.search(text, SIMILAR + 2, Filter(tenant=evidence.tenant))
    own = {incident_id, incident_id + DIAGNOSIS}
    return tuple(
        Similar(
            hit.document.id,
            hit.document.kind.value,
            hit.document.title,
            hit.document.text,
            hit.score,
            hit.document.source,
        )
        for hit in hits
        if hit.document.id not in own
    )[:SIMILAR]


def read_changes(broker: Broker, topic: str, task: Task) -> Sequence[Change]:
    """Return the changes of the tenant in the hour before the incident's first window, as the topic holds them.

    A record is a JSON object: ``time`` (RFC 3339), ``text``, and where known ``service`` and ``tenant``; others are
    left out.
    """
    first = min((window.start for window in task.fired), default=0) // 1000
    last = max((window.end for window in task.fired), default=0)
    found = []
    for record in read_range(broker, topic):
        try:
            change = orjson.loads(record.value or b"")
            moment = from_text(change["time"])
            told = Change(moment, str(change.get("service", "")), str(change["text"]))
            mine = change.get("tenant") in (None, task.tenant)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if mine and (first - CHANGES_BEFORE_MS) * (SECOND // 1000) <= moment <= last:
            found.append(told)
    return found
