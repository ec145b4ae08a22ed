"""The queue: what is sent next, what may be committed, and that every incident ends where its last alert is."""

from dataclasses import dataclass, field
from random import Random

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.delivery.queue import KNOWN, DeliveryQueue, Pending, SinkDecision, Taken
from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.delivery_receipt import AlertPosition, DeliveryReceipt, SendState
from alerts.routing.decision import Decision
from alerts.sinks.base import Absent, Delivered, GivenUp, Retry, digest_of
from tests.sink_servers.sample_alerts import enriched, fired, grown, life, resolved

TELL = SinkDecision(Severity.ERROR)
MUTE = SinkDecision(Severity.ERROR, wanted=False)


def receipt(pending: Pending, sent: SendState, at: float = 0.0, *, mendable: bool = False) -> DeliveryReceipt:
    """Return the receipt of a send."""
    return DeliveryReceipt(
        incident_id=pending.alert.incident_id,
        sink="x",
        sent=sent,
        status=pending.alert.status.value,
        alert=AlertPosition(partition=pending.partition, offset=pending.offset, digest=pending.digest),
        attempt=pending.attempts + 1,
        time=at,
        mendable=mendable,
        covers=pending.superseded,
        remote={"told": pending.digest},
    )


def due(queue: DeliveryQueue, now: float = 0.0) -> Pending:
    """Return what is to be sent, which there must be."""
    pending = queue.due(now)
    assert pending is not None
    return pending


def deliver(queue: DeliveryQueue, now: float = 0.0) -> Pending:
    """Send what is due, and succeed."""
    pending = due(queue, now)
    assert queue.on_outcome(pending, Delivered({"told": pending.digest}), now, 0.0) is SendState.DELIVERED
    return pending


def test_the_newest_state_wins_and_holds_the_commit_at_the_oldest_it_covers() -> None:
    """Two are read, one is sent; nothing is committed past the first until then."""
    queue = DeliveryQueue()
    assert queue.take(fired(), 0, 10, 0.0, TELL) == (Taken.PENDING, 0)
    assert queue.take(grown(fired(), 2), 0, 11, 0.0, TELL) == (Taken.PENDING, 1)
    assert queue.commits() == {0: 10}
    assert deliver(queue).alert.summary == grown(fired(), 2).summary
    assert queue.commits() == {0: 12}
    assert queue.commits() == {}


def test_what_a_newer_alert_waits_to_replace_is_not_to_be_repeated() -> None:
    """It may have been taken already; once it is settled it is repeated itself, and others are all the while."""
    queue = DeliveryQueue()
    for n, alert in enumerate([fired(1), fired(2)]):
        queue.take(alert, 0, n, 0.0, TELL)
    first, other = deliver(queue), deliver(queue)
    assert queue.settled_remotes == queue.remotes == {p.alert.incident_id: {"told": p.digest} for p in (first, other)}
    queue.take(resolved(first.alert), 0, 2, 0.0, TELL)
    queue.on_outcome(due(queue), Retry("lost", maybe_done=True), 0.0, 0.0)
    assert queue.settled_remotes == {other.alert.incident_id: {"told": other.digest}}
    last = deliver(queue, 100.0)
    assert queue.settled_remotes[first.alert.incident_id] == {"told": last.digest}


def test_what_comes_twice_is_known_whether_it_was_sent_covered_or_waits() -> None:
    """Also after a restart, from the receipts."""
    queue = DeliveryQueue()
    states = [fired(), grown(fired(), 2), resolved(grown(fired(), 2))]
    for n, state in enumerate(states):
        queue.take(state, 0, n, 0.0, TELL)
    assert [queue.take(s, 0, 3 + n, 0.0, TELL)[0] for n, s in enumerate(states)] == [Taken.DUPLICATE] * 3
    done = receipt(deliver(queue), SendState.DELIVERED)
    again = DeliveryQueue.restore([done])
    assert [again.take(s, 0, 6 + n, 0.0, TELL)[0] for n, s in enumerate(states)] == [Taken.DUPLICATE] * 3


def test_an_old_alert_that_is_read_again_does_not_undo_a_newer_one() -> None:
    """Even where no receipt knows its digest."""
    queue = DeliveryQueue()
    queue.take(resolved(fired()), 0, 5, 0.0, TELL)
    again = DeliveryQueue.restore([receipt(deliver(queue), SendState.DELIVERED)])
    assert again.take(grown(fired(), 2), 0, 4, 0.0, TELL)[0] is Taken.DUPLICATE
    assert again.take(grown(fired(), 3), 0, 6, 0.0, TELL)[0] is Taken.PENDING


def test_a_muted_incident_is_not_told_but_what_was_opened_is_ended() -> None:
    """Muted from the start: never. Muted meanwhile: its end only."""
    queue = DeliveryQueue()
    assert queue.take(fired(1), 0, 0, 0.0, MUTE)[0] is Taken.MUTED
    assert queue.take(resolved(fired(1)), 0, 1, 0.0, MUTE)[0] is Taken.MUTED
    queue.take(fired(2), 0, 2, 0.0, TELL)
    deliver(queue)
    assert queue.take(grown(fired(2), 2), 0, 3, 0.0, MUTE)[0] is Taken.MUTED
    assert queue.take(resolved(grown(fired(2), 2)), 0, 4, 0.0, MUTE)[0] is Taken.PENDING
    assert deliver(queue).alert.status is Status.RESOLVED
    assert queue.pending == 0


def test_what_nobody_has_heard_of_goes_first_the_worst_before_all() -> None:
    """Then the rest by age."""
    queue = DeliveryQueue()
    queue.take(fired(1), 0, 0, 0.0, SinkDecision(Severity.WARNING))
    deliver(queue)
    queue.take(grown(fired(1), 2), 0, 1, 0.0, SinkDecision(Severity.WARNING))
    queue.take(fired(2), 0, 2, 0.0, SinkDecision(Severity.WARNING))
    queue.take(resolved(fired(3)), 0, 3, 0.0, SinkDecision(Severity.CRITICAL))
    queue.take(fired(4), 0, 4, 0.0, SinkDecision(Severity.CRITICAL))
    order = [deliver(queue).offset for _ in range(4)]
    assert order == [4, 2, 1, 3]


def test_a_failure_waits_and_lets_others_pass() -> None:
    """The incident's own wait; the next one is due at once."""
    queue = DeliveryQueue()
    queue.take(fired(1), 0, 0, 0.0, TELL)
    queue.take(fired(2), 0, 1, 0.0, TELL)
    first = due(queue)
    queue.on_outcome(first, Retry("away"), 0.0, 1.0)
    assert due(queue).offset == 1
    assert deliver(queue).offset == 1
    assert queue.due(0.0) is None
    assert 0 < queue.wait(0.0, 9.0) < 1
    assert due(queue, 1.0).attempts == 1


def test_a_lost_answer_leaves_a_doubt_until_it_is_settled() -> None:
    """And what may stand there; a newer state inherits both."""
    queue = DeliveryQueue()
    queue.take(fired(), 0, 0, 0.0, TELL)
    queue.on_outcome(due(queue), Retry("lost", maybe_done=True), 0.0, 1.0, remote_if_lost={"keys": ["k"]})
    queue.take(resolved(fired()), 0, 1, 0.0, MUTE)
    pending = due(queue, 99.0)
    assert queue.state_of(pending.alert.incident_id).doubtful
    assert queue.state_of(pending.alert.incident_id).remote == {"keys": ["k"]}
    deliver(queue, 99.0)
    assert not queue.state_of(fired().incident_id).doubtful


def test_a_step_leaves_the_alert_in_the_queue_and_an_absent_one_is_no_doubt() -> None:
    """What stands at the sink after a step is where the next one starts."""
    queue = DeliveryQueue()
    queue.take(fired(), 0, 0, 0.0, TELL)
    assert queue.on_outcome(due(queue), Retry("lost", maybe_done=True), 0.0, 0.0) is SendState.RETRY
    assert queue.on_outcome(due(queue, 9.0), Absent(), 9.0, 0.0) is None
    assert not queue.state_of(fired().incident_id).doubtful
    assert queue.on_outcome(due(queue, 9.0), Delivered({"ts": "1"}), 9.0, 0.0, complete=False) is SendState.STEP
    assert (queue.pending, queue.state_of(fired().incident_id).remote) == (1, {"ts": "1"})


def test_a_send_that_was_begun_and_not_finished_is_in_doubt_after_a_restart() -> None:
    """By its receipt."""
    queue = DeliveryQueue()
    queue.take(fired(), 0, 0, 0.0, TELL)
    again = DeliveryQueue.restore([receipt(due(queue), SendState.SENDING)])
    assert again.state_of(fired().incident_id).doubtful
    assert again.take(fired(), 0, 0, 0.0, TELL)[0] is Taken.PENDING


def test_what_a_setting_kept_back_is_read_again_and_what_is_wrong_is_not() -> None:
    """Until something newer of the incident has been settled."""
    queue = DeliveryQueue()
    queue.take(fired(1), 0, 3, 0.0, TELL)
    kept = receipt(due(queue), SendState.PARKED, mendable=True)
    queue.on_outcome(due(queue), GivenUp("channel_not_found"), 0.0, 0.0)
    assert queue.parked == 1
    queue.take(fired(2), 0, 4, 0.0, TELL)
    wrong = receipt(due(queue), SendState.PARKED)
    again = DeliveryQueue.restore([kept, wrong])
    assert again.again == {0: 3}
    assert again.take(fired(1), 0, 3, 0.0, TELL)[0] is Taken.PENDING
    assert again.take(fired(2), 0, 4, 0.0, TELL)[0] is Taken.DUPLICATE
    assert DeliveryQueue.restore([kept, receipt(deliver(again), SendState.DELIVERED)]).again == {}


def test_rules_name_sinks_and_mute() -> None:
    """What a decision means for one sink."""
    assert SinkDecision.by(Decision(Severity.CRITICAL, page=False), "x") == SinkDecision(Severity.CRITICAL, page=False)
    assert SinkDecision.by(Decision(Severity.CRITICAL, frozenset({"y"})), "x").wanted is False
    assert SinkDecision.by(Decision(Severity.CRITICAL, muted="known"), "x").wanted is False


def test_a_page_that_was_covered_by_an_update_is_still_heard() -> None:
    """The newest state is sent, and it pages; unless the rules say that it may wake nobody."""
    queue = DeliveryQueue()
    queue.take(fired(1), 0, 0, 0.0, TELL)
    queue.take(grown(fired(1), 2), 0, 1, 0.0, TELL)
    assert deliver(queue).alert.page
    queue.take(fired(2), 0, 2, 0.0, SinkDecision(Severity.ERROR, page=False))
    assert not deliver(queue).alert.page


def test_a_receipt_of_who_signed_makes_no_other_alert() -> None:
    """The digest leaves it out: after a crash it may name fewer windows."""
    alert = fired()
    signed = Alert.from_json(orjson.dumps({**orjson.loads(alert.to_json()), "receipt": {"x": 1}}))
    assert digest_of(signed) == digest_of(alert)
    assert digest_of(enriched(alert)) != digest_of(alert)


@dataclass
class Sim:
    """A broker's log, a sink, and a worker that may be killed at any moment."""

    log: list[Alert]
    rng: Random
    receipts: list[DeliveryReceipt] = field(default_factory=list)
    committed: int = 0
    produced: int = 1
    stands: dict[str, list[Alert]] = field(default_factory=dict)
    doubled: int = 0

    def live(self) -> bool:
        """Work until all is told, or death; says whether all is."""
        queue = DeliveryQueue.restore(self.receipts)
        place, now = self.committed, 0.0
        # As a worker does: what was there at its start is read before anything is sent.
        behind = self.produced
        while place < len(self.log) or queue.pending:
            now += 1.0
            self.produced = max(min(self.produced + self.rng.randint(0, 1), len(self.log)), place)
            if self.rng.random() < 0.05:
                return False
            if place < self.produced and self.rng.random() < 0.7:
                queue.take(self.log[place], 0, place, now, TELL)
                place += 1
            pending = queue.due(now) if place >= behind else None
            if pending is not None and not self.send(queue, pending, now):
                return False
            if self.rng.random() < 0.5:
                self.committed = queue.commits().get(0, self.committed)
        self.committed = queue.commits().get(0, self.committed)
        return True

    def send(self, queue: DeliveryQueue, pending: Pending, now: float) -> bool:
        """Send once; False for death in the middle."""
        if self.rng.random() < 0.3:
            queue.on_outcome(pending, Retry("away"), now, self.rng.random())
            return True
        sent = self.stands.setdefault(pending.alert.incident_id, [])
        if sent and sent[-1].summary == pending.alert.summary:
            self.doubled += 1
        sent.append(pending.alert)
        if self.rng.random() < 0.05:
            return False
        self.receipts.append(receipt(pending, SendState.DELIVERED))
        queue.on_outcome(pending, Delivered({"told": pending.digest}), now, 0.0)
        return True


@settings(deadline=None)
@given(seed=st.integers(min_value=0, max_value=10**9), incidents=st.integers(min_value=1, max_value=6))
def test_whatever_dies_every_incident_ends_where_its_last_alert_is(seed: int, incidents: int) -> None:
    """Killed at any moment, blocks of alerts sent twice: in order, complete, and doubled only by deaths in a send."""
    rng = Random(seed)
    lives = [[replaced(alert) for alert in life(n, rng)] for n in range(incidents)]
    log: list[Alert] = []
    todo = [list(states) for states in lives]
    while any(todo):
        states = rng.choice([states for states in todo if states])
        log.append(states.pop(0))
        if rng.random() < 0.2:
            log += log[-rng.randint(1, 4) :]
    sim = Sim(log, rng)
    deaths = 0
    while not sim.live():
        deaths += 1
        assert deaths < 500
    assert sim.committed == len(log)
    assert sim.doubled <= deaths
    for states in lives:
        sent = sim.stands[states[0].incident_id]
        assert sent[-1].summary == states[-1].summary
        places = [[state.summary for state in states].index(alert.summary) for alert in sent]
        assert places == sorted(places)


def replaced(alert: Alert) -> Alert:
    """Return the alert at the one severity that the rules of this test give."""
    return Alert.from_json(orjson.dumps({**orjson.loads(alert.to_json()), "severity": "error"}))


def test_memory_of_digests_is_bounded() -> None:
    """An incident that grows for ever does not."""
    queue = DeliveryQueue()
    for n in range(3 * KNOWN):
        queue.take(grown(fired(), n), 0, n, 0.0, TELL)
        deliver(queue)
    assert len(queue.state_of(fired().incident_id).known) == KNOWN
