"""Fitting the detectors beside the LSTM."""

from dataclasses import replace

import numpy as np
import pytest

from models.detectors.ensemble import DetectorSet
from models.detectors.novelty import REMARK
from models.features.sequences import SHARED
from models.features.vocabulary import NEW, SPECIAL
from models.features.window_features import WindowFeatures
from models.records import ALL_SOURCES, WindowBatch
from tests.models.bundles import Window, windows
from tests.models.detectors import normal
from tests.models.detectors.normal import (
    API,
    CLAIM,
    COMPUTE,
    ELSEWHERE,
    FRESH,
    GROUPS,
    HEARTBEAT,
    STARTED,
    SYNCED,
    UNSEEN,
    VOCABULARY,
    at,
    facts,
    token,
)
from training.datasets import select
from training.fit_detectors import DetectorTrainer

NAMES = [
    *("sets", "counts", "novelty", "levels", "onset", "transitions", "rates", "followups", "values", "silence"),
    "signs",
]
CHOSEN = normal.normal(1, 200)


def batch(chosen: list[Window]) -> WindowBatch:
    """Windows that end a step after each other, so that all of them differ."""
    made = windows(chosen)
    made.end[:] += np.arange(len(made)) * 15_000_000
    return made


def learn(*batches: WindowBatch, keep: slice = slice(None)) -> DetectorSet:
    """Fit to the windows of each batch that are kept."""
    learner = DetectorTrainer(VOCABULARY, GROUPS, normal.STEP)
    for each in batches:
        chosen = np.zeros(len(each), np.bool_)
        chosen[keep] = True
        learner.add(WindowFeatures.of(each, VOCABULARY, GROUPS), chosen)
    return learner.fit()


def test_all_detectors_are_fitted_and_silent_on_normal_windows() -> None:
    """Each has its say, and hardly any on windows like those that it was fitted on."""
    scores = learn(batch(CHOSEN)).score(FRESH)
    assert list(scores) == NAMES
    for name, raw in scores.items():
        assert np.isfinite(raw).any(), name
        assert np.nanquantile(raw, 0.9) < 0.05, name


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("sets", at([(1, STARTED)], ALL_SOURCES)),
        ("counts", at([(n, CLAIM) for n in range(50)])),
        ("novelty", at([(1, UNSEEN)], "instance:1", levels=(3,))),
        ("levels", Window((HEARTBEAT,) * 9, COMPUTE, levels=(4,) * 9)),
        ("onset", Window((HEARTBEAT,), ALL_SOURCES, seconds=(59.9995,), levels=(4,))),
        ("transitions", at([(1, STARTED), (2, STARTED)], "req-1")),
        ("rates", at([(1, CLAIM)])),
        ("followups", at([(2, HEARTBEAT), (5, CLAIM)])),
        ("values", Window((STARTED,), COMPUTE, values=(1e6,))),
        ("signs", Window((UNSEEN,), API, levels=(5,))),
    ],
)
def test_each_detector_finds_what_it_is_there_for(name: str, window: Window) -> None:
    """An oddity of its own scores above all that is normal."""
    fitted = learn(batch(CHOSEN))
    assert fitted.score(facts(window))[name][0] > np.nanquantile(fitted.score(FRESH)[name], 0.99)


def test_how_windows_were_read_changes_nothing() -> None:
    """One batch or many: the same bytes, and so the same bundle."""
    whole = batch(CHOSEN)
    parts = [select(whole, part) for part in np.array_split(np.arange(len(whole)), 7)]
    assert learn(*parts).to_bytes() == learn(whole).to_bytes()


def test_windows_that_were_not_chosen_teach_nothing() -> None:
    """Held-back windows are not learnt from, whatever they hold."""
    odd = [
        Window((ELSEWHERE, SYNCED), COMPUTE, levels=(5, 5), values=(9e9, 9e9)),
        at([(1, ELSEWHERE)], "req-9"),
        at([(1, ELSEWHERE)], API),
    ]
    with_odd = learn(batch([*CHOSEN, *odd]), keep=slice(len(CHOSEN)))
    assert with_odd.to_bytes() == learn(batch(CHOSEN)).to_bytes()


def test_values_are_learnt_once_a_line() -> None:
    """From the newest step of the source that wrote it: not again from later windows, sessions or everything."""
    lines = [Window((STARTED,) * 2, COMPUTE, fresh=1, values=(9e9, n % 2)) for n in range(40)]
    shared = [replace(lines[0], key=ALL_SOURCES, fresh=2)] * 40
    fitted = learn(batch([*lines, *shared]))
    limit = next(detector for detector in fitted.detectors if detector.name == "values").arrays()["limit"]
    assert limit[token(STARTED), 0] == 1.0


def test_a_template_is_rare_where_few_windows_over_everything_hold_it() -> None:
    """In nats; one that training never saw is the rarest."""
    often, seldom = [at([(1, HEARTBEAT)], ALL_SOURCES)] * 90, [at([(1, HEARTBEAT), (2, CLAIM)], ALL_SOURCES)] * 10
    rarity = learn(batch([*often, *seldom, *[at([(1, STARTED)])] * 50])).rarity
    assert rarity[token(HEARTBEAT)] == pytest.approx(np.log(101 / 100.5), abs=1e-6)
    assert rarity[token(CLAIM)] == pytest.approx(np.log(101 / 10.5), abs=1e-6)
    assert rarity[token(STARTED)] == rarity[token(ELSEWHERE)] == pytest.approx(np.log(101 / 0.5), abs=1e-6)


def test_without_windows_over_everything_those_of_sources_tell_what_is_rare() -> None:
    """A setting leaves them out."""
    rarity = learn(batch([at([(1, HEARTBEAT)])] * 30)).rarity
    assert rarity[token(HEARTBEAT)] < rarity[token(CLAIM)]


def test_the_home_of_a_template_is_the_service_that_writes_it_most() -> None:
    """Sessions and everything are no home; what no service wrote has none, nor have unseen templates."""
    compute, api = (
        at([(1, CLAIM), (2, CLAIM), (3, HEARTBEAT), (4, UNSEEN)]),
        at([(1, CLAIM), (2, HEARTBEAT), (3, HEARTBEAT)], API),
    )
    rest = [at([(n, SYNCED) for n in range(9)], key) for key in (ALL_SOURCES, "req-1")]
    home = learn(batch([compute, api, *rest])).usual_service
    numbers = {name: GROUPS.services.index(name) + SHARED + 1 for name in GROUPS.services}
    assert home[token(CLAIM)] == numbers["nova-compute"]
    assert home[token(HEARTBEAT)] == numbers["nova-api"]
    assert home[token(SYNCED)] == home[NEW] == home[SPECIAL - 1] == -1


def test_nothing_chosen_gives_detectors_that_are_silent() -> None:
    """Training on too little fails elsewhere, with advice; here nothing does."""
    fitted = learn(batch(CHOSEN), keep=slice(0))
    shown = facts(at([(1, CLAIM)]), at([(1, UNSEEN)], levels=(3,)), at([(1, UNSEEN)], levels=(2,)))
    scores = fitted.score(shown)
    assert list(scores) == NAMES
    assert scores["novelty"].tolist() == [0.0, 1.0, REMARK]
    assert DetectorSet.from_bytes(fitted.to_bytes()).to_bytes() == fitted.to_bytes()
