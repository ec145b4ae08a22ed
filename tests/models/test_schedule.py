"""Windows of one batch that different bundles judge: each says what it says alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import pytest

from models.records import BOOL, I64, NO_TIME, WindowBatch
from models.rfc3339 import SECOND
from models.schedule import OneScorer, decide_by_schedule
from models.scorer import Scorer
from models.verdicts import to_json
from models.windows.batches import take
from tests.models.bundles import START, TEMPLATES, UNSEEN, Window, bundle, windows

FIRST, SECOND_ONE = Scorer(bundle(seed=1)), Scorer(bundle(seed=2))
BATCH = windows(
    [Window((TEMPLATES[n % 4], UNSEEN, TEMPLATES[(n + 1) % 4]), key=f"nova/nova-compute@{n}") for n in range(6)]
)
CHANGE = START + 30 * SECOND
given_up: list[tuple[Scorer, Exception]] = []


@dataclass(frozen=True)
class OneChange:
    """A schedule in which the second bundle is due from CHANGE on."""

    def due(self, times: I64) -> Sequence[tuple[Scorer, BOOL]]:
        """Return both, each with its times."""
        return [(FIRST, times < CHANGE), (SECOND_ONE, times >= CHANGE)]

    def before(self, scorer: Scorer) -> Scorer | None:
        """Return the first one for the second."""
        return FIRST if scorer is SECOND_ONE else None

    def give_up(self, scorer: Scorer, error: Exception) -> None:
        """Remember the error."""
        given_up.append((scorer, error))


def never(version: str) -> I64:
    """No event was read with other templates."""
    return np.full(len(BATCH), NO_TIME, np.int64)


def said(scorer: Scorer, batch: WindowBatch) -> list[bytes]:
    """Verdicts on a batch by one bundle."""
    return [orjson.dumps(to_json(verdict)) for verdict in scorer.decide(batch).verdicts()]


def test_each_window_is_judged_by_the_bundle_that_is_due_at_its_time() -> None:
    """The moment itself belongs to the new one; what windows share a batch changes nothing."""
    times = np.array([CHANGE - 1, CHANGE, CHANGE + 1, CHANGE - 1, CHANGE, 0], np.int64)
    decided = decide_by_schedule(OneChange(), BATCH, times, never)
    (first, old), (second, new) = decided.parts
    assert (old.tolist(), new.tolist()) == ([0, 3, 5], [1, 2, 4])
    assert (first.bundle, second.bundle) == (FIRST.bundle, SECOND_ONE.bundle)
    assert [orjson.dumps(to_json(verdict)) for verdict in first.verdicts()] == said(FIRST, take(BATCH, old))
    assert [orjson.dumps(to_json(verdict)) for verdict in second.verdicts()] == said(SECOND_ONE, take(BATCH, new))
    assert said(FIRST, take(BATCH, new)) != said(SECOND_ONE, take(BATCH, new))


def test_a_batch_of_one_bundle_goes_through_whole() -> None:
    """Nothing is copied, and the numbers are those of the batch."""
    decided = decide_by_schedule(OneChange(), BATCH, np.zeros(len(BATCH), np.int64), never)
    ((decisions, numbers),) = decided.parts
    assert decisions.windows is BATCH
    assert numbers.tolist() == list(range(6))
    alone = decide_by_schedule(OneScorer(FIRST), BATCH, np.zeros(len(BATCH), np.int64), never)
    assert alone.surprise.tobytes() == decided.surprise.tobytes()


def test_a_later_bundle_goes_by_the_surprise_of_an_event_that_an_earlier_one_judged() -> None:
    """An event is new in one window only: what came of it there is what the next window of its key sees."""
    both = windows([Window(tuple(TEMPLATES[:3])), Window(tuple(TEMPLATES[:3]), fresh=0)])
    shared = both.row_ids.copy()
    shared[3:] = shared[:3]
    batch = WindowBatch(**{name: getattr(both, name) for name in both.__slots__} | {"row_ids": shared})
    times = np.array([0, CHANGE], np.int64)
    decided = decide_by_schedule(OneChange(), batch, times, lambda _: np.full(2, NO_TIME, np.int64))
    first = FIRST.decide(take(batch, np.array([0]))).surprise
    assert not np.isnan(first).any()
    assert decided.surprise.tolist() == [*first.tolist(), *first.tolist()]


def test_of_windows_with_events_of_other_templates_only_errors_count() -> None:
    """By window, and by the version of the bundle that judges it."""

    def foreign(version: str) -> I64:
        return np.full(len(BATCH), START if version == SECOND_ONE.templates_version else NO_TIME, np.int64)

    times = np.full(len(BATCH), CHANGE, np.int64)
    decided = decide_by_schedule(OneChange(), BATCH, times, foreign)
    assert decided.parts[0][0].score.tolist() == SECOND_ONE.decide(BATCH, START).score.tolist()
    assert decided.parts[0][0].score.tolist() != SECOND_ONE.decide(BATCH).score.tolist()


def test_the_bundle_before_decides_where_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its own windows, and the schedule hears why; the first one has nobody before it."""
    error = RuntimeError("Non-zero status code returned while running LSTM node")
    fails = failing(error)
    given_up.clear()
    times = np.array([CHANGE - 1, CHANGE, CHANGE + 1, CHANGE - 1, CHANGE, 0], np.int64)
    monkeypatch.setattr(SECOND_ONE, "decide", fails)
    decided = decide_by_schedule(OneChange(), BATCH, times, never)
    assert [part.bundle for part, _ in decided.parts] == [FIRST.bundle, FIRST.bundle]
    assert given_up == [(SECOND_ONE, error)]
    monkeypatch.setattr(FIRST, "decide", fails)
    for schedule in (OneChange(), OneScorer(FIRST)):
        with pytest.raises(RuntimeError, match="Non-zero status"):
            decide_by_schedule(schedule, BATCH, times, never)
    assert given_up == [(SECOND_ONE, error)]


def failing(error: Exception) -> Callable[..., object]:
    """What raises an error, whatever it is asked."""

    def fail(*_: object) -> object:
        raise error

    return fail
