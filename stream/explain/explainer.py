"""Explanations beside the alerts: lines around an incident → evidence → diagnosis, in threads of their own.

An alert never waits for any of this: what is found comes back to the role through ``poll``.  The first explanation is
made from the lines alone as soon as an incident opens; a later one may ask a language model.
"""

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import orjson

from alerts.incidents.incident import Incident, IncidentState
from index.diagnosis.known_failures import KnownFailures
from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis, Mode
from index.evidence.fired_windows import FiredWindow
from index.evidence.gather import gather
from index.evidence.types import Change, Evidence
from index.explain.escalation import Outcome
from index.explain.similar_incident import Twin, TwinOf, find_twin
from index.lines.log_lines import LogLines
from index.search.documents import Filter, Similar
from index.search.past_incidents import DIAGNOSIS, remember
from index.search.search_index import SearchIndex
from models.decode.decoder import Decoder
from models.errors import InvalidError, TocsinError
from models.records import Pointer
from models.rfc3339 import SECOND
from models.templates.matcher import TemplateMatcher
from stream.explain.schedule import ExplainPolicy, Schedule, Task
from stream.explain.surrounding_lines import Reach, raw_around
from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.topics.changes import Announcement, read_changes

log = logging.getLogger(__name__)

CHANGES_BEFORE_S: Final = 3_600
"""A change is a suspect for an hour."""

WINDOWS: Final = 4_096
"""Anomalous windows kept, the newest: those of a day and more."""

MOST: Final = 32
"""Windows that an explanation looks at, those of the highest scores."""

SIMILAR: Final = 5
_QUERY_LINES: Final = 8


class DeepExplain(Protocol):
    """Makes the best explanation that can be had of a first one: a past twin, a language model, or what is there."""

    def __call__(
        self, episode: str, evidence: Evidence, base: Diagnosis, twin: TwinOf, cancelled: Callable[[], bool]
    ) -> Outcome:
        """Return the diagnosis and what it cost; never raises for what a provider does."""


@dataclass(frozen=True, slots=True)
class LineReader:
    """How lines are read again: a decoder and a matcher of one's own, and the templates that training saw."""

    tools: Callable[[], tuple[Decoder, TemplateMatcher]]
    known: frozenset[int]
    reach: Reach = field(default_factory=Reach)


@dataclass(frozen=True, slots=True)
class Explained:
    """What was found out about an incident: the record that alerts carry."""

    incident_id: str
    tenant: str
    outcome: Outcome
    record: dict[str, Any]


class Explainer:
    """Explains incidents; all methods belong to one thread."""

    def __init__(  # noqa: PLR0913 - the composition root passes each part
        self,
        broker: Broker,
        topics: Topics,
        reading: LineReader,
        failures: KnownFailures,
        memory: Callable[[], SearchIndex | None],
        deepen: DeepExplain | None,
        policy: ExplainPolicy,
        workers: int = 4,
    ) -> None:
        """``memory`` is opened in the background: loading an encoder takes seconds."""
        self._broker = broker
        self._topics = topics
        self._reading = reading
        self._failures = failures
        self._deepen = deepen
        self._schedule = Schedule(policy)
        self._windows: OrderedDict[str, FiredWindow] = OrderedDict()
        self._found: queue.SimpleQueue[tuple[Task, Explained | None]] = queue.SimpleQueue()
        # The quick ones have a thread of their own: a slow provider holds up no first explanation.
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="explain")
        self._deep = ThreadPoolExecutor(workers, thread_name_prefix="explain-deep")
        self._remembering = ThreadPoolExecutor(1, thread_name_prefix="explain-memory")
        self._memory: Future[SearchIndex | None] = self._remembering.submit(memory)
        self._own = threading.local()
        self._confirmed: frozenset[str] = frozenset()
        self._halt = False

    def on_window(self, record: bytes) -> None:
        """Keep a window (record of ``anomalies``): one of the next incidents may be made of it.

        Raises InvalidError for what is none.
        """
        try:
            window = orjson.loads(record)
            name = str(window["id"])
        except (orjson.JSONDecodeError, TypeError, KeyError) as error:
            raise InvalidError(f"not a record of anomalies ({error!r})", "see what writes to the topic") from error
        self._windows[name] = FiredWindow.from_record(window)
        while len(self._windows) > WINDOWS:
            self._windows.popitem(last=False)

    def on_incident(self, name: str, incident: Incident | None, now: int) -> None:
        """Note what became of an incident; one that is no longer open is not explained any more."""
        if incident is not None and incident.state is IncidentState.OPEN and incident.last_status is not None:
            self._schedule.open(incident, now)
        else:
            self._schedule.over(name)

    def on_vote(self, incident_id: str, *, right: bool) -> None:
        """Note that somebody has said of a past incident whether its cause is right: only then it serves as a twin."""
        one = frozenset({incident_id})
        self._confirmed = self._confirmed | one if right else self._confirmed - one

    def poll(self, now: int) -> list[Explained]:
        """Begin the explanations whose time has come; return those that were made since the last call."""
        for task in self._schedule.due(now):
            pool = self._deep if task.deep and self._deepen is not None else self._quick
            pool.submit(self._run, task, self._fired(task.incident))
        made = []
        while not self._found.empty():
            task, explained = self._found.get()
            best = task.deep and explained is not None and explained.outcome.diagnosis.mode is not Mode.DETERMINISTIC
            if self._schedule.done(task.incident.id, now, final=best) and explained is not None:
                made.append(explained)
        return made

    def remember(self, key: str, record: bytes) -> None:
        """Take a record of ``incidents`` into the memory, in the background."""
        self._remembering.submit(self._remember, [(key, record)])

    def close(self) -> None:
        """Cancel what is being found out, and wait for the threads."""
        self._halt = True
        for pool in (self._quick, self._deep, self._remembering):
            pool.shutdown(cancel_futures=True)

    def _fired(self, incident: Incident) -> list[FiredWindow]:
        windows = [self._windows[name] for name in incident.windows if name in self._windows]
        return sorted(windows, key=lambda window: (-window.score, window.start, window.key))[:MOST]

    def _remember(self, records: Sequence[tuple[str, bytes]]) -> None:
        memory = self._memory.result()
        if memory is not None:
            remember(memory, records)

    def _run(self, task: Task, fired: Sequence[FiredWindow]) -> None:
        try:
            explained: Explained | None = self._explain(task, fired)
        except TocsinError as error:
            log.warning("incident %s is not explained: %s", task.incident.id, error)
            explained = None
        except Exception:
            # A defect in explaining must not end the role that rings.
            log.exception("incident %s is not explained", task.incident.id)
            explained = None
        self._found.put((task, explained))

    def _explain(self, task: Task, fired: Sequence[FiredWindow]) -> Explained:
        started = time.monotonic()
        evidence = self._evidence(task, fired)
        outcome = Outcome(diagnose(evidence, self._failures))
        if task.deep and self._deepen is not None:
            name, base = task.incident.id, outcome.diagnosis
            outcome = self._deepen(name, evidence, base, self._twin, lambda: self._cancelled(task))
        diagnosis = replace(outcome.diagnosis, seconds=round(time.monotonic() - started, 3))
        told = replace(outcome, diagnosis=diagnosis)
        return Explained(task.incident.id, task.incident.tenant, told, diagnosis.to_record(evidence))

    def _twin(self, evidence: Evidence) -> Twin | None:
        memory, confirmed = self._memory.result(), self._confirmed
        return None if memory is None else find_twin(memory, evidence, confirmed.__contains__)

    def _cancelled(self, task: Task) -> bool:
        return self._halt or task.incident.id not in self._schedule

    def _evidence(self, task: Task, fired: Sequence[FiredWindow]) -> Evidence:
        raw = raw_around(self._broker, self._topics.logs_raw, _pointers(fired), self._reading.reach)
        if not hasattr(self._own, "tools"):
            self._own.tools = self._reading.tools()
        decoder, matcher = self._own.tools
        material = LogLines.of(raw, decoder.fresh_copy().decode(raw), matcher, self._topics.logs_raw)
        changes = suspects(read_changes(self._broker, self._topics.changes), task.incident)
        evidence = gather(material.scope(task.incident.tenant), fired, known=self._reading.known, changes=changes)
        if not evidence.lines:
            # What it points to is gone from the topic: what detection said is all that there is.
            evidence = replace(evidence, tenant=task.incident.tenant, services=task.incident.services)
        # The memory may still be loading: a first explanation does not wait for it.
        memory = self._memory.result() if task.deep else self._memory.result() if self._memory.done() else None
        return evidence if memory is None else replace(evidence, similar=similar_to(memory, evidence, task.incident.id))


def _pointers(fired: Iterable[FiredWindow]) -> list[Pointer]:
    return [Pointer(*place) for window in fired for place in window.pointers]


def similar_to(memory: SearchIndex, evidence: Evidence, incident_id: str = "") -> tuple[Similar, ...]:
    """Return what the memory holds that resembles the evidence, the incident itself left out."""
    text = "\n".join([*evidence.reasons, *(line.template for line in evidence.lines[:_QUERY_LINES])])
    hits = memory.search(text, SIMILAR + 2, Filter(tenant=evidence.tenant))
    own = {incident_id, incident_id + DIAGNOSIS}
    return tuple(hit.similar for hit in hits if hit.document.id not in own)[:SIMILAR]


def suspects(changes: Iterable[Announcement], incident: Incident) -> list[Change]:
    """Return the changes of an incident's cloud from an hour before it to its last window."""
    since = incident.first - CHANGES_BEFORE_S * SECOND
    return [
        Change(change.time, change.service, change.text)
        for change in changes
        if change.tenant in {None, incident.tenant} and since <= change.time <= incident.last
    ]
