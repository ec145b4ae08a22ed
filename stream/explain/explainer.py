"""Explanations beside the alerts: lines around an incident → evidence → diagnosis, in threads of their own.

An alert never waits for any of this: explanations come back to the role through ``poll``.  The first one is made from
the lines alone as soon as an incident opens; a later, *deep* one may ask a language model.
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
from alerts.messages.alert import Severity
from index.diagnosis.known_failures import KnownFailures
from index.diagnosis.renewal import Basis
from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis, Mode
from index.evidence.fired_windows import FiredWindow
from index.evidence.types import Change, Evidence
from index.explain.escalation import Outcome
from index.explain.similar_incident import Twin, TwinOf, find_twin
from index.incident import explain_incident
from index.lines.log_lines import LogLines
from index.search.documents import Filter, Similar
from index.search.past_incidents import DIAGNOSIS, add_incidents
from index.search.search_index import SearchIndex
from models.decode.decoder import Decoder
from models.errors import InvalidError, TocsinError
from models.records import Pointer
from models.rfc3339 import SECOND
from models.templates.matcher import TemplateMatcher
from stream.explain.incident_signals import evidence_scope, own_findings, resumed
from stream.explain.schedule import ExplainPolicy, Schedule, Task
from stream.explain.surrounding_lines import Reach, raw_around
from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.topics.changes import Announcement, read_changes

log = logging.getLogger(__name__)

CHANGES_BEFORE_S: Final = 3_600
"""Seconds before an incident from which on a change is suspected: a judgement, an hour."""

KEPT_WINDOWS: Final = 4_096
"""Anomalous windows kept, the newest: a judgement, those of a day and more."""

MAX_WINDOWS: Final = 32
"""Windows that one explanation looks at, the newest and the highest scores: a judgement, to bound the lines."""

NEWEST_WINDOWS: Final = 8
"""How many of them are the newest, which tell what goes on: a judgement, two minutes of one place."""

MAX_SIMILAR: Final = 5
"""Similar incidents and runbooks that evidence names: a judgement, as many as people read."""

_QUERY_LINES: Final = 8
"""Lines of evidence whose templates the memory is searched by: a judgement, the first ones weigh most."""


class DeepExplain(Protocol):
    """Turns a first diagnosis into the best one that can be had: by a past twin, by a language model, or unchanged."""

    def __call__(
        self, episode: str, evidence: Evidence, base: Diagnosis, twin: TwinOf, cancelled: Callable[[], bool]
    ) -> Outcome:
        """Return the diagnosis and what it cost; never raises for what a provider does."""


@dataclass(frozen=True, slots=True)
class LineReader:
    """How lines are read again."""

    make_tools: Callable[[], tuple[Decoder, TemplateMatcher]]
    """Makes a decoder and a matcher; neither may be shared by threads."""
    known: frozenset[int]
    """Ids of the templates that training saw."""
    reach: Reach = field(default_factory=Reach)


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation of an incident."""

    incident_id: str
    tenant: str
    outcome: Outcome
    record: dict[str, Any]
    """The diagnosis with its evidence, as alerts carry it."""
    basis: Basis | None = None
    """What it stands on."""

    @property
    def severity(self) -> Severity | None:
        """Return how bad the incident is by the explanation; None where it says nothing of that."""
        return Severity[self.outcome.severity.upper()] if self.outcome.severity else None

    def facts(self) -> dict[str, Any]:
        """Return what the log says of it."""
        diagnosis = self.outcome.diagnosis
        return {
            "incident": self.incident_id,
            "tenant": self.tenant,
            "mode": diagnosis.mode.value,
            "seconds": diagnosis.seconds,
            "cost_usd": round(diagnosis.cost_usd, 6),
            "evidence_lines": len(self.record["evidence"]),
        }


class Explainer:
    """Explains incidents; all methods belong to one thread."""

    def __init__(  # noqa: PLR0913 - the composition root passes each part
        self,
        broker: Broker,
        topics: Topics,
        reader: Callable[[], LineReader],
        failures: KnownFailures,
        open_memory: Callable[[], SearchIndex | None],
        deepen: DeepExplain | None,
        policy: ExplainPolicy,
        workers: int = 4,
    ) -> None:
        """Call ``open_memory`` in the background: loading an encoder takes seconds.

        ``reader`` says how lines are read now; it gives the same one as long as nothing changes.

        Without ``deepen`` all explanations are made by rules alone; at most ``workers`` deep ones run at once.
        """
        self._broker = broker
        self._topics = topics
        self._reader = reader
        self._failures = failures
        self._deepen = deepen
        self._schedule = Schedule(policy)
        self._quiet = round(policy.quiet_s * SECOND)
        self._windows: OrderedDict[str, FiredWindow] = OrderedDict()
        self._results: queue.SimpleQueue[tuple[Task, Explained | None]] = queue.SimpleQueue()
        # The quick ones have a thread of their own: a slow provider holds up no first explanation.
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="explain")
        self._deep = ThreadPoolExecutor(workers, thread_name_prefix="explain-deep")
        self._remembering = ThreadPoolExecutor(1, thread_name_prefix="explain-memory")
        self._memory: Future[SearchIndex | None] = self._remembering.submit(open_memory)
        self._per_thread = threading.local()
        self._confirmed: frozenset[str] = frozenset()
        self._closing = False

    def on_window(self, record: bytes) -> None:
        """Keep a window (record of ``anomalies``): one of the next incidents may be made of it.

        Raises:
            InvalidError: the record is none of ``anomalies``.
        """
        try:
            window = orjson.loads(record)
            name = str(window["id"])
        except (orjson.JSONDecodeError, TypeError, KeyError) as error:
            raise InvalidError(f"not a record of anomalies ({error!r})", "see what writes to the topic") from error
        self._windows[name] = FiredWindow.from_record(window)
        while len(self._windows) > KEPT_WINDOWS:
            self._windows.popitem(last=False)

    def on_incident(self, name: str, incident: Incident | None, now: int) -> None:
        """Note what became of an incident; one that is no longer open is not explained any more."""
        if incident is not None and incident.state is IncidentState.OPEN and incident.last_status is not None:
            self._schedule.open(incident, now)
        else:
            self._schedule.over(name)

    def on_vote(self, incident_id: str, *, right: bool) -> None:
        """Note that somebody has said of a past incident whether its cause is right: only then it serves as a twin."""
        voted = frozenset({incident_id})
        self._confirmed = self._confirmed | voted if right else self._confirmed - voted

    def poll(self, now: int) -> list[Explained]:
        """Start the explanations that are due; return those that were made since the last call."""
        for due in self._schedule.due(now):
            known = [self._windows[name] for name in dict.fromkeys(due.incident.windows) if name in self._windows]
            task = replace(due, since=max(due.since, resumed(known, self._quiet)))
            pool = self._deep if task.deep and self._deepen is not None else self._quick
            pool.submit(self._run, task, _chosen(known, task.since))
        made = []
        while not self._results.empty():
            task, explained = self._results.get()
            final = task.deep and explained is not None and explained.outcome.diagnosis.mode is not Mode.DETERMINISTIC
            basis = None if explained is None else explained.basis
            is_news = self._schedule.done(task.incident.id, now, final=final, basis=basis)
            if is_news and explained is not None:
                made.append(explained)
        return made

    def remember(self, key: str, record: bytes) -> None:
        """Take a record of ``incidents`` into the memory, in the background."""
        self._remembering.submit(self._remember, [(key, record)])

    def close(self) -> None:
        """Cancel what is under way, and wait for the threads."""
        self._closing = True
        for pool in (self._quick, self._deep, self._remembering):
            pool.shutdown(cancel_futures=True)

    def _remember(self, records: Sequence[tuple[str, bytes]]) -> None:
        memory = self._memory.result()
        if memory is not None:
            add_incidents(memory, records)

    def _run(self, task: Task, fired: Sequence[FiredWindow]) -> None:
        """Explain an incident in a thread of a pool; whatever happens there, ``poll`` hears that it has ended."""
        explained: Explained | None = None
        try:
            explained = self._explain(task, fired)
        except TocsinError as error:
            log.warning("incident %s is not explained: %s", task.incident.id, error)
        except Exception:
            # A bug in explaining must not stop the role: it raises the alerts.
            log.exception("incident %s is not explained", task.incident.id)
        self._results.put((task, explained))

    def _explain(self, task: Task, fired: Sequence[FiredWindow]) -> Explained:
        started = time.monotonic()
        incident = task.incident
        evidence, diagnosis = self._diagnosed(task, fired)
        outcome = Outcome(diagnosis)
        if task.deep and self._deepen is not None:
            base = outcome.diagnosis
            outcome = self._deepen(incident.id, evidence, base, self._twin, lambda: self._is_cancelled(task))
        diagnosis = replace(outcome.diagnosis, seconds=round(time.monotonic() - started, 3))
        outcome = replace(outcome, diagnosis=diagnosis)
        basis = Basis.of(evidence, diagnosis)
        return Explained(incident.id, incident.tenant, outcome, diagnosis.to_record(evidence), basis)

    def _twin(self, evidence: Evidence) -> Twin | None:
        memory, confirmed = self._memory.result(), self._confirmed
        return None if memory is None else find_twin(memory, evidence, confirmed.__contains__)

    def _is_cancelled(self, task: Task) -> bool:
        return self._closing or task.incident.id not in self._schedule

    def _diagnosed(self, task: Task, fired: Sequence[FiredWindow]) -> tuple[Evidence, Diagnosis]:
        """Return the evidence of an incident and what the rules put it down to."""
        incident = task.incident
        signals = evidence_scope(incident, fired, task.since)
        evidence, diagnosis = explain_incident(
            signals,
            self._lines_around(fired).scope(incident.tenant),
            fired=own_findings(fired, signals.services),
            known=self._reader().known,
            failures=self._failures,
            changes=suspects(read_changes(self._broker, self._topics.changes), incident),
        )
        if not evidence.lines:
            # What it points to is gone from the topic: what detection said is all that there is.
            evidence = replace(evidence, tenant=incident.tenant, services=incident.services)
        # A first explanation does not wait for the memory, which may still be loading.
        may_wait = task.deep
        memory = self._memory.result() if may_wait or self._memory.done() else None
        if memory is not None:
            evidence = replace(evidence, similar=similar_to(memory, evidence, incident.id))
        elif evidence.lines:
            return evidence, diagnosis
        return evidence, diagnose(evidence, self._failures)

    def _lines_around(self, fired: Iterable[FiredWindow]) -> LogLines:
        reader = self._reader()
        raw = raw_around(self._broker, self._topics.logs_raw, _pointers(fired), reader.reach)
        if getattr(self._per_thread, "reader", None) is not reader:
            self._per_thread.reader, self._per_thread.tools = reader, reader.make_tools()
        tools: tuple[Decoder, TemplateMatcher] = self._per_thread.tools
        decoder, matcher = tools
        return LogLines.of(raw, decoder.fresh_copy().decode(raw), matcher, self._topics.logs_raw)


def _chosen(known: Iterable[FiredWindow], since: int) -> list[FiredWindow]:
    """Return those windows to look at that end at ``since`` (microseconds) or later, the highest scores first."""
    windows = sorted((one for one in known if one.end >= since), key=lambda one: (-one.end, one.start, one.key))
    newest, others = windows[:NEWEST_WINDOWS], sorted(windows[NEWEST_WINDOWS:], key=_rank)
    return sorted((*newest, *others[: MAX_WINDOWS - NEWEST_WINDOWS]), key=_rank)


def _rank(window: FiredWindow) -> tuple[float, int, str]:
    return -window.score, window.start, window.key


def _pointers(fired: Iterable[FiredWindow]) -> list[Pointer]:
    return [Pointer(*pointer) for window in fired for pointer in window.pointers]


def similar_to(memory: SearchIndex, evidence: Evidence, incident_id: str = "") -> tuple[Similar, ...]:
    """Return what the memory holds that resembles the evidence, the incident itself left out."""
    text = "\n".join([*evidence.reasons, *(line.template for line in evidence.lines[:_QUERY_LINES])])
    own = {incident_id, incident_id + DIAGNOSIS}
    hits = memory.search(text, MAX_SIMILAR + len(own), Filter(tenant=evidence.tenant))
    return tuple(hit.similar for hit in hits if hit.document.id not in own)[:MAX_SIMILAR]


def suspects(changes: Iterable[Announcement], incident: Incident) -> list[Change]:
    """Return the changes of an incident's cloud from an hour before it to its last window."""
    since = incident.first - CHANGES_BEFORE_S * SECOND
    return [
        Change(change.time, change.service, change.text)
        for change in changes
        if change.tenant in {None, incident.tenant} and since <= change.time <= incident.last
    ]
