"""Values: numbers inside lines that are far larger than training ever showed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors import value_limits as values
from models.detectors.value_limits import FEW, MOST, Values, ValueSamples
from models.features.usual_pace import PaceSamples
from models.features.window_features import WindowFeatures
from models.findings import FindingKind
from models.records import VALUES
from models.rfc3339 import SECOND
from tests.models.bundles import START, Window
from tests.models.detectors import normal
from tests.models.detectors.normal import (
    COMPUTE,
    FRESH,
    HEARTBEAT,
    NORMAL,
    PLUGGED,
    STARTED,
    UNSEEN,
    VOCABULARY,
    facts,
    name,
    score,
    sentences_of,
)
from tests.models.features.test_usual_pace import FLOORS, minutes

FLOATS = npt.NDArray[np.floating[Any]]
NAN = float("nan")


def fitted(source: WindowFeatures = NORMAL, template: str = "") -> Values:
    """Fit to all rows of these windows, whose messages have this template."""
    collected = ValueSamples(len(VOCABULARY))
    collected.add(source, np.arange(len(source.tokens)))
    return collected.fit(lambda _: template)


DETECTOR = fitted()
LIMIT = float(DETECTOR.arrays()["limit"][normal.token(STARTED), 0])


def lines(*numbers: float, template: int = STARTED) -> Window:
    """Make a window with a line per number, and one without."""
    return Window((HEARTBEAT,) + (template,) * len(numbers), COMPUTE, values=(NAN, *numbers))


def test_normal_values_are_below_their_limit() -> None:
    """One line in two hundred may lie above, and then by little."""
    scores = DETECTOR.score(FRESH)
    assert (scores == 0).mean() > 0.95
    assert scores.max() < 2.0


def test_what_takes_ten_times_as_long_scores() -> None:
    """The excess is summed over lines, and that of one line is limited."""
    usual, slow, slower, twice, forever = score(
        DETECTOR, lines(5.0), lines(50.0), lines(500.0), lines(50.0, 50.0), lines(1e30)
    )
    assert usual == 0.0
    assert slow > max(DETECTOR.score(FRESH))
    assert slower == forever == MOST
    assert twice == pytest.approx(min(2 * slow, 2 * MOST), abs=2e-3)


@given(st.floats(0, 1e30), st.floats(0, 1e30))
@settings(max_examples=60, deadline=None)
def test_a_larger_value_never_scores_less(one: float, other: float) -> None:
    """The score rises with the value, from nothing at the limit."""
    low, high = score(DETECTOR, lines(min(one, other)), lines(max(one, other)))
    assert low <= high
    assert low == 0.0 or np.float32(min(one, other)) > LIMIT


def test_small_missing_and_endless_numbers_are_nothing() -> None:
    """Below the limit, no number, negative: silent; what no double can hold is as large as can be."""
    assert score(DETECTOR, lines(0.0), lines(NAN), lines(-3.0), lines(float("-inf")), lines(float("inf"))) == [
        0.0,
        0.0,
        0.0,
        0.0,
        MOST,
    ]


def test_places_seen_too_seldom_have_no_limit() -> None:
    """Templates whose numbers were not met often enough, and unseen templates, may show any number."""
    few, enough = (fitted(facts(*[lines(n % 2, template=PLUGGED) for n in range(count)])) for count in (FEW - 1, FEW))
    assert score(few, lines(1e6, template=PLUGGED)) == [0.0]
    assert score(enough, lines(1e6, template=PLUGGED)) == [MOST]
    assert score(DETECTOR, lines(1e6, template=UNSEEN), lines(1e6, template=PLUGGED)) == [0.0, 0.0]


def test_without_any_number_it_is_silent() -> None:
    """Logs without numbers can be learnt from."""
    silent = fitted(facts(Window((HEARTBEAT,), COMPUTE)))
    assert score(silent, lines(1e6)) == [0.0]
    assert ValueSamples(len(VOCABULARY)).fit().score(FRESH).max() == 0.0


def test_each_place_in_a_line_has_its_own_limit() -> None:
    """A large second number is strange where the first may be as large."""
    source = facts(*[lines(1000.0 - n % 2) for n in range(2 * FEW)])
    source.windows.values[:, 1] = np.arange(len(source.tokens)) // 2 % 2
    detector = fitted(source, "len: <*> queue: <*>")
    shown = facts(lines(1000.0), lines(1000.0))
    shown.windows.values[:, 1] = [NAN, 1.0, NAN, 900.0]
    assert detector.score(shown).tolist() == [0.0, MOST]
    (sentence,) = sentences_of(detector, shown, 1)
    assert "has a value of 900 (usually below 1)" in sentence


def test_it_tells_how_many_what_like_and_what_is_usual() -> None:
    """Of the template that stands out most; nothing of a usual window."""
    shown = facts(lines(5.0, 50.0, 60.0, 70.0), lines(5.0))
    assert sentences_of(DETECTOR, shown, 0) == [
        f"`{name(STARTED)}` has a value of 60 in 3 lines (usually below {LIMIT:.3g})",
    ]
    assert sentences_of(DETECTOR, shown, 1) == []


WORKERS, HOSTS = 4, 3


def counter(rng: np.random.Generator, n: int) -> FLOATS:
    """Requests served, some of them by messages that were not logged."""
    return np.asarray(100.0 + np.cumsum(rng.integers(1, 4, n)), np.float64)


def interleaved(rng: np.random.Generator, n: int) -> FLOATS:
    """Each of several processes counts its own requests."""
    worker = rng.integers(0, WORKERS, n)
    counts = np.stack([np.cumsum(worker == number) + 50 * number for number in range(WORKERS)])
    return np.asarray(counts[worker, np.arange(n)], np.float64)


def restarted(rng: np.random.Generator, n: int) -> FLOATS:
    """A counter that begins again at 1 now and then."""
    starts = np.sort(rng.integers(0, n, 1 + n // 150))
    index = np.arange(n)
    begun = starts[np.searchsorted(starts, index, "right") - 1] * (index >= starts[0])
    return np.asarray(index - begun + 1.0, np.float64)


def log_position(rng: np.random.Generator, n: int) -> FLOATS:
    """Bytes of a log: grows by what was written."""
    return np.asarray(1e6 + np.cumsum(np.round(rng.lognormal(8, 1.5, n))), np.float64)


def slow_counter(rng: np.random.Generator, n: int) -> FLOATS:
    """Grows every fiftieth line."""
    return 40.0 + (np.arange(n) + rng.integers(50)) // 50


def noisy_drift(rng: np.random.Generator, n: int) -> FLOATS:
    """A gauge that grows by several of its spreads."""
    return 1000.0 + np.arange(n) / 20 + rng.normal(0, 5, n)


def clock(rng: np.random.Generator, n: int) -> FLOATS:
    """Milliseconds since 1970; the lines are a second apart."""
    return (START / SECOND + np.arange(n) + rng.random(n)) * 1e3


def process_ids(rng: np.random.Generator, n: int) -> FLOATS:
    """Four workers; after a restart in the middle of the whole others, with larger numbers."""
    return np.asarray(rng.choice([6831.0, 6832.0, 6833.0, 6840.0], n) + 20_000 * (np.arange(n) >= TRAINED))


def ports(rng: np.random.Generator, n: int) -> FLOATS:
    """Ports of clients."""
    return rng.integers(32_768, 61_000, n).astype(np.float64)


def random_ids(rng: np.random.Generator, n: int) -> FLOATS:
    """Thirty-two random bits."""
    return rng.integers(0, 2**32, n).astype(np.float64)


def constant_id(rng: np.random.Generator, n: int) -> FLOATS:
    """A single process, restarted after training."""
    return rng.integers(1, 99) + 9000.0 * (np.arange(n) >= TRAINED)


def uptime(rng: np.random.Generator, n: int) -> FLOATS:
    """Seconds that each of several hosts has been up."""
    return np.asarray(5000.0 * rng.integers(0, HOSTS, n) + np.arange(n), np.float64)


NO_MEASURES = {
    counter: ("", "request <*> done", "<*> bytes in total"),
    interleaved: ("", "[pid: <*>|app: <*>|req: <*>]", "served <*> requests"),
    restarted: ("", "seq <*>"),
    log_position: ("", "LSN <*>", "at <*> bytes"),
    slow_counter: ("", "generation <*>", "<*> files"),
    noisy_drift: ("", "<*> MB"),
    clock: ("", "sent at <*> ms", "time: <*>"),
    process_ids: ("", "pid: <*>"),
    ports: ("", "port <*>"),
    random_ids: ("", "xid=<*>"),
    constant_id: ("", "worker <*>"),
    uptime: ("", "uptime: <*> seconds"),
}
"""What soon leaves any range that training saw, and templates that it may stand in."""

TRAINED = 900
"""Lines that are trained on: fifteen minutes at a line a second."""


def series(values: FLOATS, start: int = 0) -> WindowFeatures:
    """One window with a line for each number, a second apart."""
    seconds = tuple(map(float, range(start, start + len(values))))
    return facts(Window((STARTED,) * len(values), COMPUTE, seconds=seconds, values=tuple(values.tolist())))


@pytest.mark.parametrize(
    ("kind", "template"), [(kind, template) for kind, templates in NO_MEASURES.items() for template in templates]
)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_what_is_no_measure_never_scores(
    kind: Callable[[np.random.Generator, int], FLOATS], template: str, seed: int
) -> None:
    """Counters, ids, ports, clocks: for nine times as long as they were trained on, and with any label."""
    numbers = kind(np.random.default_rng(seed), 10 * TRAINED)
    detector = fitted(series(numbers[:TRAINED]), template)
    assert detector.score(series(numbers[TRAINED:], TRAINED)).tolist() == [0.0]


def milliseconds(rng: np.random.Generator, n: int) -> FLOATS:
    """Whole numbers that often come again."""
    return np.round(rng.lognormal(3, 0.6, n))


def seconds(rng: np.random.Generator, n: int) -> FLOATS:
    """Durations that differ all."""
    return rng.lognormal(-2, 0.5, n)


def sizes(rng: np.random.Generator, n: int) -> FLOATS:
    """Bytes, all different."""
    return np.round(rng.lognormal(12, 1.0, n))


def statuses(rng: np.random.Generator, n: int) -> FLOATS:
    """Codes of HTTP, none of them an error."""
    return rng.choice([200.0, 202.0, 204.0], n)


def queue(rng: np.random.Generator, n: int) -> FLOATS:
    """Length of a queue."""
    return rng.poisson(3.0, n).astype(np.float64)


@pytest.mark.parametrize(
    ("kind", "template"),
    [
        (milliseconds, "generated in <*> msecs"),
        (milliseconds, ""),
        (seconds, "time: <*>"),
        (seconds, ""),
        (sizes, "<*> bytes"),
        (statuses, '"GET <*> HTTP<*>" <*>'),
        (statuses, ""),
        (queue, "queue: <*>"),
        (queue, ""),
    ],
)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_measures_are_watched(kind: Callable[[np.random.Generator, int], FLOATS], template: str, seed: int) -> None:
    """Durations, sizes, codes and counts that are a hundred times as large score; an error status does."""
    numbers = kind(np.random.default_rng(seed), TRAINED)
    detector = fitted(series(numbers), template)
    assert detector.score(series(np.full(20, 503.0) if kind is statuses else numbers[-20:] * 100 + 90))[0] > MOST


def test_of_very_many_values_a_fair_part_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and the limit stays about what it was."""
    monkeypatch.setattr(values, "_KEPT", 200)
    collected = ValueSamples(len(VOCABULARY))
    for part in range(8):
        batch = facts(*normal.normal(part, 40))
        collected.add(batch, np.arange(len(batch.tokens)))
    assert 50 < len(collected) <= 200
    limit = float(collected.fit().arrays()["limit"][normal.token(STARTED), 0])
    assert limit == pytest.approx(LIMIT, rel=0.3)
    assert collected.fit().arrays()["limit"].shape == (len(VOCABULARY), VALUES)


def test_thinning_keeps_the_values_of_a_line_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each line has two numbers, the second has a limit after it as the first has."""
    monkeypatch.setattr(values, "_KEPT", 300)
    source = facts(*[lines(1000.0)] * 151)
    source.windows.values[:, 1] = np.where(source.tokens == normal.token(STARTED), 1.0, NAN)
    limit = fitted(source, "len: <*> queue: <*>").arrays()["limit"][normal.token(STARTED), :2]
    assert limit.tolist() == [1000.0, 1.0]


def slow_minutes() -> tuple[Values, WindowFeatures]:
    """A detector of a quarter of an hour of calls, and a usual and a slow minute."""
    rng = np.random.default_rng(1)
    seen = minutes([0.5 * np.exp(rng.normal(0, 0.5, 5)) for _ in range(15)])
    paces = PaceSamples(FLOORS)
    paces.add(seen, np.arange(len(seen.tokens)))
    collected = ValueSamples(len(VOCABULARY))
    collected.add(seen, np.arange(len(seen.tokens)))
    detector = collected.fit(lambda _: "Took <*> seconds", paces.fit())
    limit = float(detector.arrays()["limit"][normal.token(STARTED), 0])
    return Values.from_arrays(detector.arrays()), minutes([[0.5] * 4, [limit] * 40, [20.0] * 4])


def test_a_slow_minute_has_a_rate_of_false_alarms_of_its_own() -> None:
    """Without any calibration; detectors of older bundles have none."""
    detector, shown = slow_minutes()
    usual, slower, slow = detector.log_per_day(shown)
    assert slow < 0 < usual
    assert slow < slower
    assert np.isnan(DETECTOR.log_per_day(shown)).all()


def test_a_pace_is_named_where_no_single_value_is_beyond_its_limit() -> None:
    """All calls are slow, and none is slower than the slowest that training saw."""
    detector, shown = slow_minutes()
    assert detector.score(shown)[1] == 0
    (slow,) = normal.findings_of(detector, shown, 1, lambda _: "Took <*> seconds")
    assert (slow.kind, slow.unit, slow.count) == (FindingKind.SLOW, "s", 40)
    assert slow.value is not None
    assert slow.usual is not None
    assert slow.value > slow.usual
    assert normal.findings_of(detector, shown, 0, lambda _: "Took <*> seconds") == []
