"""What is to be sent to one sink: the alerts that wait, what is known to stand there, and what may be committed.

A pure state machine; time as an argument, in seconds.  Per incident the newest alert wins: the ones before it that were
not yet sent are superseded by it.  An alert is known by its digest, so one that comes twice is sent once.  A muted
incident is not sent, but what has been opened at the sink is always ended there.

The worker asks ``due`` for the next alert, does one step of it, and reports what came of it to ``on_outcome``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from alerts.delivery.rate_limit import backoff
from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.delivery_receipt import DeliveryReceipt, SendState
from alerts.routing.decision import Decision
from alerts.sinks.base import Absent, Delivered, GivenUp, Outcome, Remote, Retry, digest_of

KNOWN: Final = 64
"""Digests that are remembered per incident: a judgement, far more alerts than come twice after a crash."""

REMEMBERED: Final = 5_000
"""Incidents that are remembered per sink; the resolved ones that were touched first are forgotten first.  A judgement:
some weeks of incidents, at a few kB each."""


class Taken(StrEnum):
    """What became of an alert when it was read."""

    PENDING = "pending"
    DUPLICATE = "duplicate"
    MUTED = "muted"


@dataclass(frozen=True, slots=True)
class SinkDecision:
    """What the rules say of an alert for a sink: whether it is sent, its severity, and whether it may wake anyone."""

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
    """An alert that waits; ``first`` is the offset of the oldest one that it supersedes, which holds the commit."""

    alert: Alert
    """As it is sent: severity and page are what the rules say."""
    original: Alert
    """As it stands on the topic, which its receipt is of."""
    digest: str
    partition: int
    offset: int
    first: int
    stored: float
    """When the broker stored it, in seconds since the epoch."""
    superseded: tuple[str, ...] = ()
    """Digests of the alerts that it takes the place of."""
    attempts: int = 0
    not_before: float = 0.0
    """Seconds by the clock that ``due`` is asked with."""


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
        self._states: dict[str, SinkState] = {}
        self._waiting: dict[str, Pending] = {}
        self._read: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self.again: dict[int, int] = {}
        """Where to read again: alerts that were given up because of a setting that may have been mended."""

    @classmethod
    def restore(cls, receipts: Iterable[DeliveryReceipt]) -> "DeliveryQueue":
        """Rebuild what stands at the sink from its receipts, oldest first."""
        queue = cls()
        mendable: dict[str, DeliveryReceipt] = {}
        for receipt in receipts:
            queue._replay(receipt)
            mendable.pop(receipt.incident_id, None)
            if receipt.mendable:
                mendable[receipt.incident_id] = receipt
        for receipt in mendable.values():
            first = queue.again.get(receipt.alert.partition, receipt.alert.offset)
            queue.again[receipt.alert.partition] = min(first, receipt.alert.offset)
        return queue

    @property
    def pending(self) -> int:
        """Number of alerts that wait."""
        return len(self._waiting)

    @property
    def parked(self) -> int:
        """Number of incidents whose newest alert was given up."""
        return sum(bool(state.parked) for state in self._states.values())

    @property
    def remotes(self) -> dict[str, Remote]:
        """What stands at the sink, by incident."""
        return {incident_id: state.remote for incident_id, state in self._states.items() if state.remote}

    @property
    def settled_remotes(self) -> dict[str, Remote]:
        """What stands at the sink, without incidents of which a newer alert waits: that may be there already."""
        states = self._states.items()
        return {incident_id: state.remote for incident_id, state in states if state.remote and state.pending is None}

    def state_of(self, incident_id: str) -> SinkState:
        """Return what is known of an incident."""
        return self._states[incident_id]

    def take(
        self, alert: Alert, partition: int, offset: int, stored: float, decision: SinkDecision
    ) -> tuple[Taken, int]:
        """Read one alert and what the rules say of it; return what became of it, and how many it supersedes anew."""
        self._read[partition] = offset + 1
        state = self._states.setdefault(alert.incident_id, SinkState())
        digest = digest_of(alert)
        waiting = state.pending
        repeated = waiting is not None and digest in (waiting.digest, *waiting.superseded)
        if repeated or digest in state.known or (partition, offset) <= state.settled:
            return Taken.DUPLICATE, 0
        ends = alert.status is Status.RESOLVED and (state.open or waiting is not None or state.doubtful)
        if not decision.wanted and not ends:
            return Taken.MUTED, 0
        # A page that a newer state has superseded has still to be heard.
        page = (alert.page and decision.page) or (waiting is not None and waiting.alert.page)
        routed = replace(alert, severity=decision.severity, page=page)
        pending = Pending(routed, alert, digest, partition, offset, offset, stored)
        if waiting is not None:
            superseded = (*waiting.superseded, waiting.digest)[-KNOWN:]
            pending = replace(
                pending, first=waiting.first, superseded=superseded, attempts=0, not_before=waiting.not_before
            )
        self._put(pending)
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

    def on_outcome(  # noqa: PLR0913 - what the outcome is, and when
        self,
        pending: Pending,
        outcome: Outcome,
        now: float,
        chance: float,
        *,
        complete: bool = True,
        remote_if_lost: Remote | None = None,
    ) -> SendState | None:
        """Draw the conclusions from one step of an alert, and return what its receipt has to say.

        ``Delivered``: the sink stands at ``remote``; the alert leaves the queue if that is all there is to do
        (``complete``).  ``Absent``: what was in doubt had not been done; the step is sent next, and there is no
        receipt.  ``Retry``: the alert waits; if the step may have been done, the sink may stand at ``remote_if_lost``.
        ``GivenUp``: the alert leaves the queue, and is counted as parked.
        """
        state = self._states[pending.alert.incident_id]
        match outcome:
            case Delivered(remote):
                state.remote = remote
                if not complete:
                    return SendState.STEP
                self._remove(pending)
                state.status = pending.alert.status.value
                state.parked = ""
                state.doubtful = False
                return SendState.DELIVERED
            case Absent():
                state.doubtful = False
                return None
            case Retry(maybe_done=maybe_done):
                if maybe_done:
                    state.doubtful = True
                    state.remote = state.remote if remote_if_lost is None else remote_if_lost
                attempts = pending.attempts + 1
                self._put(replace(pending, attempts=attempts, not_before=now + backoff(attempts, chance)))
                return SendState.RETRY
            case GivenUp(reason):
                self._remove(pending)
                state.parked = reason
                return SendState.PARKED

    def commits(self) -> dict[int, int]:
        """Return the offsets that may be committed and were not returned before: nothing waits in front of them."""
        offsets = dict(self._read)
        for pending in self._waiting.values():
            offsets[pending.partition] = min(offsets[pending.partition], pending.first)
        changed = {p: offset for p, offset in offsets.items() if self._committed.get(p) != offset}
        self._committed |= changed
        return changed

    def _replay(self, receipt: DeliveryReceipt) -> None:
        # What was touched last stands last.
        state = self._states.pop(receipt.incident_id, None) or SinkState()
        self._states[receipt.incident_id] = state
        state.remote = receipt.remote
        if receipt.sent is SendState.SENDING:
            state.doubtful = True
        if receipt.sent is SendState.DELIVERED:
            state.status = receipt.status
            state.parked = ""
            state.doubtful = False
        if receipt.sent is SendState.PARKED:
            state.parked = receipt.reason
        if receipt.sent is SendState.DELIVERED or (receipt.sent is SendState.PARKED and not receipt.mendable):
            state.known = (*state.known, *receipt.covers, receipt.alert.digest)[-KNOWN:]
            state.settled = (receipt.alert.partition, receipt.alert.offset)
        self._forget_one()

    def _put(self, pending: Pending) -> None:
        incident_id = pending.alert.incident_id
        self._states[incident_id].pending = pending
        self._waiting[incident_id] = pending

    def _remove(self, pending: Pending) -> None:
        incident_id = pending.alert.incident_id
        # What was touched last stands last.
        state = self._states[incident_id] = self._states.pop(incident_id)
        state.known = (*state.known, *pending.superseded, pending.digest)[-KNOWN:]
        state.settled = (pending.partition, pending.offset)
        state.pending = None
        del self._waiting[incident_id]
        self._forget_one()

    def _forget_one(self) -> None:
        if len(self._states) <= REMEMBERED:
            return
        for incident_id, state in self._states.items():
            if state.pending is None and not state.open:
                del self._states[incident_id]
                return

    def _urgency(self, pending: Pending) -> tuple[int, int, int]:
        is_new = not self._states[pending.alert.incident_id].remote
        firing = pending.alert.status is not Status.RESOLVED
        worst = Severity.CRITICAL - pending.alert.severity
        return (0, worst, pending.first) if is_new and firing else (1, 0, pending.first)
