"""What every detector must hold, the LSTM too: one suite over all of them."""

import pickle
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Self

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors.base import Arrays, Detector, TemplateText
from models.detectors.ensemble import SCORE_SCALE
from models.detectors.lstm import LstmDetector
from models.detectors.silence import SilenceSamples
from models.features.window_features import WindowFeatures
from models.findings import Finding
from models.records import ALL_SOURCES, F64, I64, KeyKind, Level, WindowBatch, source_id
from models.rfc3339 import SECOND
from models.windows.all_sources import last_seen_entries
from tests.models.bundles import Window, network, windows
from tests.models.detectors import normal
from tests.models.detectors.normal import (
    ACCEPTED,
    API,
    CLAIM,
    COMPUTE,
    DONE,
    GROUPS,
    HEARTBEAT,
    STARTED,
    STRANGER,
    SYNCED,
    UNSEEN,
    VOCABULARY,
    at,
    text,
)


class Lstm:
    """The LSTM as the others are: its network is all that it learnt."""

    name = "lstm"

    def __init__(self, onnx: bytes) -> None:
        self._onnx = onnx
        self._detector = LstmDetector(onnx, VOCABULARY)

    def score(self, features: WindowFeatures) -> F64:
        """Raw scores."""
        return self._detector.score(features.windows).raw

    def findings(self, features: WindowFeatures, windows: I64, text: TemplateText) -> list[list[Finding]]:
        """None: the lines that surprise it are its explanation."""
        del features, text
        return [[] for _ in windows]

    def arrays(self) -> Arrays:
        """The bytes of the network."""
        return {"onnx": np.frombuffer(self._onnx, np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """A detector that remembers nothing yet."""
        return cls(arrays["onnx"].tobytes())


def features(*chosen: Window) -> WindowFeatures:
    """What detectors are shown of these windows; those over everything know who wrote last: one of two sources."""
    return remembered(windows(list(chosen)))


def one_after_the_other(*chosen: Window) -> WindowFeatures:
    """The same of windows of which those over everything follow each other."""
    made = windows(list(chosen))
    later = np.cumsum([key == ALL_SOURCES for key in made.keys]) * 60 * SECOND
    time = made.time + np.repeat(later, np.diff(made.splits))
    return remembered(replace(made, start=made.start + later, end=made.end + later, time=time))


def remembered(made: WindowBatch) -> WindowFeatures:
    """What detectors are shown of these windows, with who wrote last."""
    window = np.repeat(np.arange(len(made)), np.diff(made.splits))
    origin = np.where(made.template == SYNCED, source_id(API), source_id(COMPUTE)).astype(np.uint32)
    everything = np.array([key == ALL_SOURCES for key in made.keys], np.bool_)
    last = last_seen_entries(
        window, origin, made.time, np.arange(len(made)), made.splits[1:], made.start, everything, 15 * SECOND
    )
    return WindowFeatures.of(replace(made, origin=origin, last_seen=last), VOCABULARY, GROUPS)


def fitted() -> Mapping[str, Detector]:
    """All detectors by their names, fitted on normal operation."""
    silences = SilenceSamples(60.0)
    seen = one_after_the_other(*normal.normal(1, 300))
    silences.add(seen, np.arange(len(seen.group)))
    detectors = {detector.name: detector for detector in normal.detector_set().detectors}
    return {**detectors, "silence": silences.fit(), "lstm": Lstm(network(len(VOCABULARY)))}


DETECTORS: Final = fitted()

FRESH: Final = features(*normal.normal(2, 100))
"""Normal windows that no detector was fitted on."""

ANOMALIES: Final[Mapping[str, Window]] = {
    "sets": at([(1, SYNCED)]),
    "counts": at([(n, HEARTBEAT) for n in range(50)]),
    "novelty": at([(1, UNSEEN)]),
    "levels": at([(n, HEARTBEAT) for n in range(6)], levels=(int(Level.ERROR),) * 6),
    "onset": at([(59.9995, HEARTBEAT)], ALL_SOURCES, levels=(int(Level.ERROR),)),
    "transitions": at([(0, DONE), (1, ACCEPTED)], "req-1"),
    "rates": at([(n, HEARTBEAT) for n in range(50)]),
    "followups": at([*((10 * n, HEARTBEAT) for n in range(6)), (5, CLAIM)]),
    "values": at([(1, STARTED)], values=(500.0,)),
    "silence": at([(1, HEARTBEAT), *((2 * n, SYNCED) for n in range(1, 30))], ALL_SOURCES),
    "lstm": at([(n, UNSEEN) for n in range(50)]),
    "signs": at([(1, UNSEEN)], levels=(int(Level.ERROR),)),
}
"""For each detector a window that it is there to detect."""

EVERY: Final = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)
_COUNTING: Final = sorted(DETECTORS.keys() - {"lstm"})
COUNTING: Final = pytest.mark.parametrize("detector", [DETECTORS[name] for name in _COUNTING], ids=_COUNTING)


def again(detector: Detector) -> Detector:
    """A copy, so that nothing is remembered of earlier calls."""
    return type(detector).from_arrays(detector.arrays())


def same(first: F64, second: F64) -> bool:
    """Whether scores are equal to the last bit."""
    return first.tobytes() == second.tobytes()


def test_every_detector_is_checked() -> None:
    """Those that calibration knows: who adds one adds it here.  Signs of failure have rates in place of tails."""
    assert set(DETECTORS) == set(ANOMALIES) == set(SCORE_SCALE) | {"signs"}


@EVERY
def test_high_is_anomalous(detector: Detector) -> None:
    """What it is there to detect scores higher than all normal windows that it was not fitted on."""
    (score,) = detector.score(features(ANOMALIES[detector.name]))
    assert score > np.nanmax(detector.score(FRESH))


@EVERY
@given(normal.BATCHES)
@settings(max_examples=30, deadline=None)
def test_batches_do_not_matter(detector: Detector, batch: tuple[list[Window], list[int]]) -> None:
    """A window has the same score and findings alone, among others and in another order, met before or not."""
    chosen, order = batch
    together = features(*chosen)
    scores = detector.score(together)
    assert same(again(detector).score(features(*(chosen[i] for i in order))), scores[order])
    fresh = again(detector)
    for i, window in enumerate(chosen):
        alone = features(window)
        assert same(fresh.score(alone), scores[i : i + 1])
        assert normal.findings_of(fresh, alone, 0, text) == normal.findings_of(detector, together, i, text)


@EVERY
def test_unknown_templates_and_services_survive(detector: Detector) -> None:
    """Windows of nothing that training saw: a score or NaN, and findings that make sentences."""
    shown = features(*(at([(n, UNSEEN) for n in range(9)], key) for key in (COMPUTE, STRANGER, ALL_SOURCES, "req-1")))
    scores = detector.score(shown)
    assert scores.shape == (4,)
    assert not np.isinf(scores).any()
    assert all(len(said) < 200 for i in range(4) for said in normal.sentences_of(detector, shown, i))


@EVERY
def test_no_windows_have_no_scores(detector: Detector) -> None:
    """An empty batch is no special case for who calls."""
    scores = detector.score(features())
    assert scores.shape == (0,)
    assert scores.dtype == np.float64


@EVERY
@pytest.mark.parametrize("key", [COMPUTE, STRANGER, ALL_SOURCES, "req-1"])
def test_windows_without_rows_survive(detector: Detector, key: str) -> None:
    """All lines of a window may be continuation lines of one before it."""
    empty = Window((), key, KeyKind.SESSION if key == "req-1" else KeyKind.SOURCE)
    full = at([(1, HEARTBEAT), (2, SYNCED)], key)
    shown = features(empty, full, empty)
    scores = detector.score(shown)
    assert same(scores[[0, 2]], detector.score(features(empty, empty)))
    assert same(scores[1:2], detector.score(features(full)))
    assert normal.findings_of(detector, shown, 0, text) == normal.findings_of(detector, shown, 2, text)


@EVERY
@given(normal.ANY)
@settings(max_examples=15, deadline=None)
def test_input_is_not_changed(detector: Detector, chosen: list[Window]) -> None:
    """Detectors share the features: none may write into them, nor into what it learnt."""
    shown = features(*chosen)
    before, learnt = pickle.dumps(shown), pickle.dumps(dict(detector.arrays()))
    detector.score(shown)
    for i in range(len(chosen)):
        normal.findings_of(detector, shown, i, text)
    assert pickle.dumps(shown) == before
    assert pickle.dumps(dict(detector.arrays())) == learnt


@EVERY
@given(normal.ANY)
@settings(max_examples=15, deadline=None)
def test_what_is_learnt_reads_back(detector: Detector, chosen: list[Window]) -> None:
    """As arrays of numbers and text: the same name, scores and findings."""
    arrays: dict[str, np.ndarray[Any, Any]] = {name: np.array(array) for name, array in detector.arrays().items()}
    assert arrays
    assert not any(array.dtype.hasobject for array in arrays.values())
    copied = type(detector).from_arrays(arrays)
    shown = features(*chosen)
    assert copied.name == detector.name
    assert same(copied.score(shown), detector.score(shown))
    for i in range(len(chosen)):
        assert normal.findings_of(copied, shown, i, text) == normal.findings_of(detector, shown, i, text)


def standing_for_others(window: Window, counts: list[int]) -> tuple[Window, Window]:
    """A window whose rows stand for some lines each, and the same with each of these lines as a row."""
    rows = range(len(window.templates))
    times = tuple(counts[row % len(counts)] for row in rows)

    def spread(column: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        return column and tuple(value for value, count in zip(column, times, strict=True) for _ in range(count))

    shown = replace(window, seconds=window.seconds or tuple(map(float, rows)))
    columns: dict[str, Any] = {
        name: spread(getattr(shown, name)) for name in ("templates", "seconds", "levels", "values", "marks")
    }
    return replace(shown, counts=times), replace(shown, **columns)


@COUNTING
@given(normal.ANY, st.lists(st.integers(1, 7), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None)
def test_rows_that_stand_for_many_lines_count_as_many(
    detector: Detector, chosen: list[Window], counts: list[int]
) -> None:
    """Windows over everything score as if each of their lines were a row."""
    everything = [replace(window, key=ALL_SOURCES, kind=KeyKind.SOURCE, fresh=None, surprise=None) for window in chosen]
    folded, lines = zip(*(standing_for_others(window, counts) for window in everything), strict=True)
    assert same(again(detector).score(features(*folded)), again(detector).score(features(*lines)))


@EVERY
def test_the_same_input_has_the_same_score(detector: Detector) -> None:
    """Twice by one detector, once by another of the same arrays."""
    first = detector.score(FRESH)
    assert same(detector.score(FRESH), first)
    assert same(again(detector).score(FRESH), first)
