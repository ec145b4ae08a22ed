"""What is to be sent to one sink: the alerts that wait, what is known to stand there, and what may be committed.

A pure state machine; time as an argument, in seconds.  Per incident the newest alert wins: the ones before it that were
not yet sent are covered by it.  An alert is known by its digest, so one that comes twice is sent once.  A muted
incident is not told, but what has been opened at the sink is always ended there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from alerts.delivery.rate_limit import backoff
from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.delivery_receipt import DeliveryReceipt, SendState
from alerts.routing.decision import Decision
from alerts.sinks.base import Remote, digest_of

KNOWN: Final = 64
"""Digests that are remembered per incident."""

REMEMBERED: Final = 5_000
"""Incidents that are remembered per sink; the resolved ones that were touched first are forgotten first."""


class Taken(StrEnum):
    """What became of an alert when it was read."""

    PENDING = "pending"
    DUPLICATE = "duplicate"
    MUTED = "muted"


@dataclass(frozen=True, slots=True)
class SinkDecision:
    """What the rules say of an alert for this sink: whether it is told, as how bad, and whether it may wake anyone."""

    severity: Severity
    wanted: bool = True
    page: bool = True

    @classmethod
    def by(cls, decision: Decision, sink: str) -> "SinkDecision":
        """Return what a decision means for a sink; ``alertmanager.host`` is a member of ``alertmanager``."""
        wanted = decision.goes_to(sink) or decision.goes_to(sink.partition(".")[0])
        return cls(decision.severity, wanted, decision.page)


@dataclass(frozen=True, slots=True)
class Pending:
    """An alert that waits; ``first`` is the offset of the oldest one that it covers, and so what holds the commit."""

    alert: Alert
    """As it is told: how bad, and whether it may wake anyone, is what the rules say."""
    original: Alert
    """As it stands on the topic, which its receipt is of."""
    digest: str
    partition: int
    offset: int
    first: int
    at: float
    """When the broker stored it."""
    superseded: tuple[str, ...] = ()
    attempts: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class SinkState:
    """What is known of one incident at the sink."""

    remote: Remote = field(default_factory=dict)
    status: str = ""
    """Of the alert that was settled last."""
    known: tuple[str, ...] = ()
    settled: tuple[int, int] = (-1, -1)
    """Partition and offset of the alert that was settled last: what stands before it there is older."""
    doubtful: bool = False
    """A send was cut off, or its answer lost: it may have been done."""
    parked: str = ""
    """Why the last alert was given up; "" if it was not."""
    pending: Pending | None = None

    @property
    def open(self) -> bool:
        """Whether something was begun at the sink that is not ended yet."""
        return bool(self.remote) and self.status != Status.RESOLVED.value


class DeliveryQueue:
    """Everything known of one sink."""

    def __init__(self) -> None:
        self._standings: dict[str, SinkState] = {}
        self._waiting: dict[str, Pending] = {}
        self._read: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self.again: dict[int, int] = {}
        """Where to read again: alerts that were given up because of a setting that may have been mended."""

    @classmethod
    def restore(cls, receipts: Iterable[DeliveryReceipt]) -> "DeliveryQueue":
        """Rebuild what stands at the sink from its receipts, oldest first."""
        ledger = cls()
        mendable: dict[str, DeliveryReceipt] = {}
        for receipt in receipts:
            ledger._recall(receipt)
            mendable.pop(receipt.incident_id, None)
            if receipt.mendable:
                mendable[receipt.incident_id] = receipt
        for receipt in mendable.values():
            first = ledger.again.get(receipt.alert.partition, receipt.alert.offset)
            ledger.again[receipt.alert.partition] = min(first, receipt.alert.offset)
        return ledger

    @property
    def pending(self) -> int:
        """Number of alerts that wait."""
        return len(self._waiting)

    @property
    def parked(self) -> int:
        """Number of incidents whose newest alert was given up."""
        return sum(bool(standing.parked) for standing in self._standings.values())

    @property
    def remotes(self) -> dict[str, Remote]:
        """What stands at the sink, by incident."""
        return {name: standing.remote for name, standing in self._standings.items() if standing.remote}

    @property
    def quiet(self) -> dict[str, Remote]:
        """What stands at the sink, but for incidents of which a newer alert waits: it may be there already."""
        return {n: each.remote for n, each in self._standings.items() if each.remote and each.pending is None}

    def standing(self, incident_id: str) -> SinkState:
        """Return what is known of an incident."""
        return self._standings[incident_id]

    def take(self, alert: Alert, partition: int, offset: int, at: float, decision: SinkDecision) -> tuple[Taken, int]:
        """Read one alert and what the rules say of it; returns what it became, and how many it covers anew."""
        self._read[partition] = offset + 1
        standing = self._standings.setdefault(alert.incident_id, SinkState())
        digest = digest_of(alert)
        waiting = standing.pending
        again = waiting is not None and digest in (waiting.digest, *waiting.superseded)
        if again or digest in standing.known or (partition, offset) <= standing.settled:
            return Taken.DUPLICATE, 0
        ends = alert.status is Status.RESOLVED and (standing.open or waiting is not None or standing.doubtful)
        if not decision.wanted and not ends:
            return Taken.MUTED, 0
        # A page that a newer state has covered is still to be heard.
        page = (alert.page and decision.page) or (waiting is not None and waiting.alert.page)
        told = replace(alert, severity=decision.severity, page=page)
        fresh = Pending(told, alert, digest, partition, offset, offset, at)
        if waiting is not None:
            covers = (*waiting.superseded, waiting.digest)[-KNOWN:]
            fresh = replace(fresh, first=waiting.first, superseded=covers, attempts=0, not_before=waiting.not_before)
        self._hold(alert.incident_id, fresh)
        return Taken.PENDING, int(waiting is not None)

    def skip(self, partition: int, offset: int) -> None:
        """Read what is no alert."""
        self._read[partition] = offset + 1

    def due(self, now: float) -> Pending | None:
        """Return what to send next: first what nobody has heard of, the worst first, then all else by age."""
        ready = [pending for pending in self._waiting.values() if pending.not_before <= now]
        return min(ready, key=self._urgency, default=None)

    def wait(self, now: float, longest: float) -> float:
        """Return the seconds until something is due, at most ``longest``."""
        return min((max(p.not_before - now, 0.0) for p in self._waiting.values()), default=longest)

    def step_done(self, pending: Pending, remote: Remote) -> None:
        """Take note that a step is done."""
        self._standings[pending.alert.incident_id].remote = remote

    def certain(self, pending: Pending) -> None:
        """Take note that what was in doubt had not been done."""
        self._standings[pending.alert.incident_id].doubtful = False

    def delivered(self, pending: Pending) -> None:
        """Take note that the sink stands where the alert is."""
        standing = self._drop(pending)
        standing.status = pending.alert.status.value
        standing.parked = ""
        standing.doubtful = False

    def park(self, pending: Pending, reason: str) -> None:
        """Take note that the alert is given up."""
        self._drop(pending).parked = reason

    def failed(self, pending: Pending, now: float, chance: float, doubt: Remote | None, *, maybe_done: bool) -> None:
        """Take note that it has to be tried again; ``doubt`` is what may stand there if the answer was lost."""
        incident = pending.alert.incident_id
        standing = self._standings[incident]
        if maybe_done:
            standing.doubtful = True
            standing.remote = standing.remote if doubt is None else doubt
        attempts = pending.attempts + 1
        self._hold(incident, replace(pending, attempts=attempts, not_before=now + backoff(attempts, chance)))

    def commits(self) -> dict[int, int]:
        """Return the offsets that may be committed and were not yet told: before them nothing waits."""
        offsets = dict(self._read)
        for pending in self._waiting.values():
            offsets[pending.partition] = min(offsets[pending.partition], pending.first)
        fresh = {p: offset for p, offset in offsets.items() if self._committed.get(p) != offset}
        self._committed |= fresh
        return fresh

    def _recall(self, receipt: DeliveryReceipt) -> None:
        standing = self._standings.pop(receipt.incident_id, None) or SinkState()
        self._standings[receipt.incident_id] = standing
        standing.remote = receipt.remote
        if receipt.sent is SendState.SENDING:
            standing.doubtful = True
        if receipt.sent is SendState.DELIVERED:
            standing.status = receipt.status
            standing.parked = ""
            standing.doubtful = False
        if receipt.sent is SendState.PARKED:
            standing.parked = receipt.reason
        if receipt.sent is SendState.DELIVERED or (receipt.sent is SendState.PARKED and not receipt.mendable):
            standing.known = (*standing.known, *receipt.covers, receipt.alert.digest)[-KNOWN:]
            standing.settled = (receipt.alert.partition, receipt.alert.offset)
        self._forget()

    def _hold(self, incident: str, pending: Pending) -> None:
        self._standings[incident].pending = pending
        self._waiting[incident] = pending

    def _drop(self, pending: Pending) -> SinkState:
        incident = pending.alert.incident_id
        # What was touched last stands last.
        standing = self._standings.pop(incident)
        self._standings[incident] = standing
        standing.known = (*standing.known, *pending.superseded, pending.digest)[-KNOWN:]
        standing.settled = (pending.partition, pending.offset)
        standing.pending = None
        del self._waiting[incident]
        self._forget()
        return standing

    def _forget(self) -> None:
        if len(self._standings) <= REMEMBERED:
            return
        for name, standing in self._standings.items():
            if standing.pending is None and not standing.open:
                del self._standings[name]
                return

    def _urgency(self, pending: Pending) -> tuple[int, int, int]:
        unheard = not self._standings[pending.alert.incident_id].remote
        firing = pending.alert.status is not Status.RESOLVED
        worst = Severity.CRITICAL - pending.alert.severity
        return (0, worst, pending.first) if unheard and firing else (1, 0, pending.first)
