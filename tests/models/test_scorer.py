"""The LSTM detector and the scorer: decisions are a function of each window alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors.lstm import COMMON, NEW_SURPRISE, LstmDetector, reduce
from models.records import KeyKind, Pointer, WindowBatch
from models.scorer import Scorer
from tests.models.bundles import TEMPLATES, UNSEEN, Window, bundle, windows

BUNDLE = bundle()
SCORER = Scorer(BUNDLE)

ROWS = st.lists(st.sampled_from([*TEMPLATES, UNSEEN]), min_size=1, max_size=150).map(tuple)
SESSIONS = ROWS.map(lambda rows: Window(rows, key="req-1", kind=KeyKind.SESSION))
SOURCES = ROWS.flatmap(
    lambda rows: st.integers(1, len(rows)).flatmap(
        lambda fresh: st.integers(0, len(rows) - fresh).map(
            lambda context: Window(rows, fresh=fresh, context=context, surprise=(0.5,) * len(rows))
        )
    )
)
WINDOWS = SESSIONS | SOURCES


def scores(batch: WindowBatch) -> list[tuple[float, bytes]]:
    """Score and surprise of each window, every digit of them."""
    decided = SCORER.decide(batch)
    low, high = batch.splits[:-1].tolist(), batch.splits[1:].tolist()
    return [
        (score, decided.surprise[a:b].tobytes()) for score, a, b in zip(decided.score.tolist(), low, high, strict=True)
    ]


@given(st.lists(WINDOWS, min_size=1, max_size=12), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_window_scores_the_same_in_any_company(chosen: list[Window], random: object) -> None:
    """Alone, in another order or among others: score and surprise are equal to the last bit, without the cache too."""
    together = scores(windows(chosen))
    order = list(range(len(chosen)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = scores(windows([chosen[i] for i in order]))
    assert [together[i] for i in order] == shuffled
    fresh = Scorer(BUNDLE).decide(windows(chosen[:1]))
    assert fresh.score.tolist() == [together[0][0]]
    assert fresh.surprise.tobytes() == together[0][1]


@given(st.lists(WINDOWS, min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_every_fresh_event_is_scored_and_older_ones_keep_theirs(chosen: list[Window]) -> None:
    """No surprise is missing or negative; rows that are not fresh keep the value that they came with."""
    batch = windows(chosen)
    before = batch.surprise.copy()
    surprise = SCORER.decide(batch).surprise
    assert np.isfinite(surprise).all()
    assert (surprise >= 0).all()
    for i, window in enumerate(chosen):
        old = int(batch.splits[i + 1] - batch.fresh[i]) - int(batch.splits[i])
        if window.kind == KeyKind.SOURCE:
            assert (surprise[batch.splits[i] : batch.splits[i] + old] == 0.5).all()
    assert batch.surprise.tobytes() == before.tobytes()


def test_an_event_is_scored_behind_its_context_and_no_more() -> None:
    """Rows before the context change nothing; rows of the context do."""
    a, b, c, d = TEMPLATES
    known = (0.0,) * 4

    def surprise(*rows: int, context: int) -> float:
        window = Window(rows, fresh=1, context=context, surprise=known)
        return float(SCORER.decide(windows([window])).surprise[-1])

    assert surprise(a, b, c, d, context=2) == surprise(b, b, c, d, context=2)
    assert surprise(a, b, c, d, context=2) != surprise(a, b, a, d, context=2)


def test_a_session_is_judged_by_its_end_too() -> None:
    """The end of a session adds what it surprises above what is common; a source has no end."""
    session, source = (Window(tuple(TEMPLATES[:1]), key="x", kind=kind) for kind in (KeyKind.SESSION, KeyKind.SOURCE))
    batch = windows([session, source])
    silent = np.zeros(len(batch.time), np.float32)
    raw = reduce(batch, silent, np.array([10.0, 10.0], np.float32))
    assert raw.tolist() == [10.0 - COMMON[5], 0.0]
    ends = LstmDetector(BUNDLE.onnx, BUNDLE.vocabulary).score(windows([session])).raw
    assert ends[0] > 0


def test_an_unseen_template_is_at_least_as_surprising_as_said() -> None:
    """The floor holds for an event that training did not know."""
    surprise = SCORER.decide(windows([Window((TEMPLATES[0], UNSEEN, TEMPLATES[1]))])).surprise
    assert surprise[1] >= NEW_SURPRISE


def test_more_unseen_events_rank_higher_without_end() -> None:
    """The score goes on rising far beyond calibration; importance stays within its bounds."""
    decided = SCORER.decide(windows([Window((UNSEEN,) * n, fresh=n) for n in (1, 2, 4, 16, 64, 256)]))
    assert (np.diff(decided.score) > 0).all()
    assert ((decided.importance >= 0) & (decided.importance <= 1)).all()


@pytest.mark.parametrize("budget", [0.01, 1.0, 100.0])
def test_what_fires_is_what_the_budget_allows(budget: float) -> None:
    """A window fires exactly if at most the budget of such windows a day is expected."""
    chosen = [Window((UNSEEN,) * n + (TEMPLATES[0],) * 3) for n in range(8)]
    decided = Scorer(BUNDLE, budget).decide(windows(chosen))
    assert decided.fired.tolist() == (10.0**-decided.score <= budget * (1 + 1e-6)).tolist()
    assert any(decided.fired) or budget < 100.0


def test_a_verdict_points_to_the_most_surprising_lines() -> None:
    """Lines come most surprising first, ten at most, ties in the order of the lines."""
    rows = (TEMPLATES[0],) * 5 + (UNSEEN,) + (TEMPLATES[0],) * 20
    decided = SCORER.decide(windows([Window(rows)]))
    (verdict,) = decided.verdicts()
    assert verdict.lines[0] == Pointer(0, 5)
    assert len(verdict.lines) == 10
    ordered = sorted(range(len(rows)), key=lambda i: (-decided.surprise[i], i))[:10]
    assert [line.offset for line in verdict.lines] == ordered
    assert verdict.events == len(rows)


def test_no_windows_give_no_decisions() -> None:
    """An empty batch is fine."""
    decided = SCORER.decide(windows([]))
    assert decided.verdicts() == []
    assert len(decided.surprise) == 0
