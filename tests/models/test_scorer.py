"""The LSTM detector and the scorer: decisions are a function of each window alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import Bundle
from models.calibration.fusion import Fusion
from models.calibration.sign_rates import SignRates
from models.calibration.tails import Calibration
from models.detectors.error_rate import errors_of
from models.detectors.lstm import COMMON, NEW_SURPRISE, LstmDetector, reduce
from models.detectors.sentences import sentence
from models.detectors.signs import SignEvidence, Signs
from models.detectors.template_rates import Rates
from models.features.normal_samples import Samples
from models.features.sequences import SHARED
from models.features.window_features import WindowFeatures
from models.findings import FindingKind
from models.records import ALL_SOURCES, KeyKind, Pointer, Verdict, WindowBatch
from models.scorer import Scorer
from models.templates.matcher import template_id
from tests.models.bundles import TEMPLATES, TEXTS, UNSEEN, Window, bundle, windows
from tests.models.detectors.normal import NO_TROUBLE

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
        old = int(batch.splits[i + 1] - batch.new_rows[i]) - int(batch.splits[i])
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


def test_of_windows_that_another_bundle_may_have_read_only_errors_count() -> None:
    """Their template ids are foreign; what begins behind them counts in full."""
    batch = windows([Window((UNSEEN,) * 20), Window((UNSEEN,) * 20, levels=(5,) * 20)])
    start = int(batch.start[0])
    full, errors = SCORER.decide(batch, start - 1), SCORER.decide(batch, start)
    assert full.score.tolist() == SCORER.decide(batch).score.tolist()
    assert errors.score[0] == SCORER.decide(windows([Window((TEMPLATES[0],))])).score[0]
    assert errors.score[1] <= full.score[1]
    assert errors.parts["lstm"].tolist() == full.parts["lstm"].tolist()


def test_a_network_that_has_no_say_is_not_asked() -> None:
    """No event surprises, and the detectors that are calibrated decide."""
    parts = {name: part for name, part in BUNDLE.calibration.parts.items() if name != "lstm"}
    silent = replace(BUNDLE, calibration=replace(BUNDLE.calibration, parts=parts), onnx=b"no network")
    decided = Scorer(silent).decide(windows([Window((UNSEEN,) * 3)]))
    assert np.isnan(decided.surprise).all()
    assert "lstm" not in decided.parts


def test_no_windows_give_no_decisions() -> None:
    """An empty batch is fine."""
    decided = SCORER.decide(windows([]))
    assert decided.verdicts() == []
    assert len(decided.surprise) == 0


EVERY_KIND = (0, 1, 6)
USUAL = (TEMPLATES[0], TEMPLATES[1], TEMPLATES[2])


def counting() -> Bundle:
    """One that also counts: windows of the service and of everything hold three templates, once each."""
    known = bundle()
    groups = known.detectors.groups
    facts = WindowFeatures.of(windows([Window(USUAL), Window(USUAL, ALL_SOURCES)] * 30), known.vocabulary, groups)
    samples = Samples(15.0)
    samples.add(facts, errors_of(facts), np.arange(60))
    rates = Rates.fit(samples, (SHARED, len(groups) - 1))
    companions = replace(known.detectors, detectors=(*known.detectors.detectors, rates))
    tail = next(iter(known.calibration.parts["lstm"].tails.values()))
    extremes = next(iter(known.calibration.fused.values()))
    calibration = Fusion(
        dict.fromkeys(("lstm", "novelty", "levels", "rates"), Calibration(dict.fromkeys(EVERY_KIND, tail))),
        dict.fromkeys(EVERY_KIND, extremes),
    )
    return replace(known, detectors=companions, calibration=calibration)


COUNTS = counting()
COUNTING = Scorer(COUNTS, 700.0)


def verdict(window: Window) -> Verdict:
    """What is said of one window."""
    (said,) = COUNTING.decide(windows([window])).verdicts()
    return said


def test_a_window_that_fires_says_why_strongest_first() -> None:
    """Sentences of the detectors that found it strange, with the text of each template."""
    text = next(text for text in TEXTS if template_id(text) == TEMPLATES[0])
    unseen = tuple(template_id(f"odd thing of sort {n}") for n in "abcdefgh")
    said = verdict(Window((*USUAL, *(TEMPLATES[0],) * 40, *unseen), levels=(2,) * 45 + (4,) * 6))
    assert said.fired
    assert sorted(said.reasons) == [
        "6 error lines (usually 0.01)",
        "8 new message types (never seen in training)",
        f"`{text}` comes 41 times in 60 s (usually at most 1)",
    ]
    assert [sentence(finding) for finding in said.findings] == list(said.reasons)
    detectors = {FindingKind.NEW_MESSAGE: "novelty", FindingKind.RATE_HIGH: "rates", FindingKind.ERRORS: "levels"}
    strengths = [said.parts[detectors[finding.kind]] for finding in said.findings]
    assert strengths == sorted(strengths, reverse=True)


def test_detectors_that_found_nothing_strange_say_nothing() -> None:
    """Only what has at least the strength of one window in ten is told."""
    said = verdict(Window(USUAL * 60, levels=(2,) * 180))
    assert said.fired
    assert said.parts["rates"] > 1.0
    assert said.findings
    assert {finding.kind for finding in said.findings} == {FindingKind.RATE_HIGH}


def test_reasons_are_few_and_different() -> None:
    """Five at most, none twice, whatever there is to tell."""
    said = verdict(Window((TEMPLATES[3],) * 30 + (UNSEEN,) * 20, levels=(5,) * 50, continuations=3))
    assert 1 < len(said.reasons) <= 5
    assert len(set(said.reasons)) == len(said.reasons)


@pytest.mark.parametrize(
    ("key", "kind", "services"),
    [
        ("nova/nova-compute@c1", KeyKind.SOURCE, ("nova/nova-compute",)),
        ("unheard-of@c1", KeyKind.SOURCE, ()),
        ("req-1", KeyKind.SESSION, ("nova/nova-compute",)),
        (ALL_SOURCES, KeyKind.SOURCE, ("nova/nova-compute",)),
    ],
)
def test_a_window_that_fires_names_the_services_that_it_speaks_of(
    key: str, kind: KeyKind, services: tuple[str, ...]
) -> None:
    """Its own; of everything those that write the lines that weigh most; of a session all that it went through."""
    said = verdict(Window((TEMPLATES[0],) * 40 + (UNSEEN,) * 9, key, kind, levels=(4,) * 49))
    assert said.fired
    assert said.services == services
    assert bool(said.places) == (len(services) > 0 and not key.endswith("@c1"))
    assert set(said.templates) == {f"{TEMPLATES[0]:016x}", f"{UNSEEN:016x}"}


def test_a_first_error_fires_at_a_budget_of_one_a_day_and_is_the_first_reason(tmp_path: Path) -> None:
    """After a quarter of an hour of training, in a service that was trained on and in one that was not."""
    known = COUNTS
    usual = replace(NO_TROUBLE, most_errors=np.zeros(len(known.detectors.groups), np.int64))
    evidence = SignEvidence({}, 900.0)
    companions = replace(known.detectors, detectors=(*known.detectors.detectors, Signs(usual, evidence)))
    calibration = replace(known.calibration, signs=SignRates.of(evidence))
    replace(known, detectors=companions, calibration=calibration).write(tmp_path / "bundle")
    scorer = Scorer(Bundle.load(tmp_path / "bundle"), 1.0)
    chosen = [
        Window((*USUAL, UNSEEN), key, levels=(2, 2, 2, level))
        for key in ("nova/nova-compute", "stranger")
        for level in (2, 4, 5)
    ]
    said = scorer.decide(windows(chosen)).verdicts()
    assert [verdict.fired for verdict in said] == [False, True, True] * 2
    assert all(0.5 <= said[i].importance < 0.7 and said[i + 1].importance > 0.95 for i in (1, 4))
    assert [verdict.reasons[0] for verdict in said if verdict.fired] == [
        f"1 {kind} line of {service} (none like this in 15 minutes of training)"
        for service in ("nova/nova-compute", "stranger")
        for kind in ("error", "critical")
    ]
    assert said[1].parts["signs"] > 3.0


def test_a_window_that_does_not_fire_gives_no_reasons() -> None:
    """Most windows do not, and a sentence costs more than a score."""
    said = verdict(Window(USUAL))
    assert not said.fired
    assert (said.services, said.reasons, said.templates) == ((), (), ())


def test_of_a_torn_window_only_what_is_there_counts() -> None:
    """Lines were dropped: what is missing means nothing, but what is new and wrong does."""
    missing = (TEMPLATES[0],) * 3
    whole, torn = verdict(Window(missing)), verdict(Window(missing, whole=False))
    assert whole.parts["rates"] > 0
    assert "rates" not in torn.parts
    assert torn.score < whole.score
    rows = (*missing, UNSEEN, UNSEEN)
    said = verdict(Window(rows, whole=False, levels=(4,) * 5))
    assert said.parts["novelty"] > 0
    assert said.parts["levels"] > 0


def test_lines_of_everything_are_the_rarest_and_the_errors() -> None:
    """No sequence says how surprising they are."""
    rows = (TEMPLATES[0],) * 12 + (UNSEEN,) + (TEMPLATES[0],) * 3
    said = verdict(Window(rows, ALL_SOURCES, levels=(2,) * 14 + (4, 2)))
    assert {line.offset for line in said.lines[:2]} == {12, 14}
    assert len(said.lines) == 10


def test_verdicts_can_be_made_of_some_windows_only() -> None:
    """The few that matter, in the order asked for."""
    decided = COUNTING.decide(windows([Window(USUAL, tenant=name) for name in "abc"]))
    assert [said.tenant for said in decided.verdicts([2, 0])] == ["c", "a"]
    assert decided.verdicts([]) == []


@given(st.lists(st.sampled_from([USUAL, (*USUAL, *(TEMPLATES[0],) * 40), (UNSEEN, TEMPLATES[1]) * 20]), max_size=6))
@settings(max_examples=30, deadline=None)
def test_a_storm_is_told_as_its_windows_one_by_one(contents: list[tuple[int, ...]]) -> None:
    """Reasons, services, places and lines are worked out for all at once, and are the same."""
    keys = ("nova-compute", ALL_SOURCES, "req-1")
    chosen = [
        Window(rows, key, KeyKind.SESSION if key == "req-1" else KeyKind.SOURCE, levels=(2,) * (len(rows) - 1) + (4,))
        for rows in contents
        for key in keys
    ]
    decided = COUNTING.decide(windows(chosen))
    one_by_one = [said for i in range(len(chosen)) for said in decided.verdicts([i])]
    assert decided.verdicts() == one_by_one
    assert all(bool(said.reasons) == said.fired for said in one_by_one)
