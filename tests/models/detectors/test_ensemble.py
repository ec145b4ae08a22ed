"""DetectorSet: the detectors beside the LSTM as one part of a bundle, and what they know of templates."""

import dataclasses
import io

import numpy as np
import pytest

from models.detectors.ensemble import SCORE_SCALE, DetectorSet
from models.detectors.novelty import REMARK, Novelty
from models.detectors.signs import Sign, SignEvidence, Signs
from models.detectors.silence import Silence
from models.errors import InvalidError
from models.features.window_features import WindowFeatures
from models.records import ALL_SOURCES, Level, RowFlag, source_id
from tests.models.bundles import Window
from tests.models.detectors import normal
from tests.models.detectors.normal import (
    API,
    CLAIM,
    COMPUTE,
    GROUPS,
    HEARTBEAT,
    STRANGER,
    SYNCED,
    UNSEEN,
    at,
    detector_set,
    facts,
)

ALL = detector_set()


def test_every_detector_reads_back_and_says_the_same() -> None:
    """Names, order, scores of fresh windows, groups, rarity and homes survive the bytes."""
    again = DetectorSet.from_bytes(ALL.to_bytes())
    first, second = ALL.score(normal.FRESH), again.score(normal.FRESH)
    assert list(first) == list(second) == [detector.name for detector in ALL.detectors]
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert again.groups.services == GROUPS.services
    assert again.rarity.tolist() == ALL.rarity.tolist()
    assert again.usual_service.tolist() == ALL.usual_service.tolist()


def test_the_same_detectors_give_the_same_bytes() -> None:
    """A bundle's identity is a hash of them."""
    assert detector_set().to_bytes() == ALL.to_bytes()
    assert DetectorSet.from_bytes(ALL.to_bytes()).to_bytes() == ALL.to_bytes()


WEIGHING = dataclasses.replace(
    ALL,
    detectors=tuple(
        Novelty(normal.tokens_of_groups(normal.NORMAL), Level.INFO) if detector.name == "novelty" else detector
        for detector in ALL.detectors
    ),
    weak_level=Level.INFO,
)


def with_news(level: Level) -> tuple[WindowFeatures, WindowFeatures]:
    """Windows of a service and of everything with a new text behind each line, and the same without."""
    rows = [(second, HEARTBEAT) for second in range(0, 60, 10)]
    noisy = [row for second, _ in rows for row in ((second, HEARTBEAT), (second + 1, UNSEEN), (second + 2, UNSEEN))]
    levels = (Level.INFO, level, level) * len(rows)
    keys = (COMPUTE, ALL_SOURCES)
    return facts(*(at(noisy, key, levels=levels) for key in keys)), facts(*(at(rows, key) for key in keys))


@pytest.mark.parametrize("level", [Level.DEBUG, Level.INFO])
def test_new_texts_of_little_weight_change_no_other_score(level: Level) -> None:
    """All but novelty judge the windows as if these were not there; whole windows by the part that is known."""
    noisy, quiet = (WEIGHING.score(features) for features in with_news(level))
    part = {"sets", "counts"} if level == Level.INFO else set()
    for name in noisy.keys() - {"novelty"} - part:
        np.testing.assert_array_equal(noisy[name], quiet[name], name)
    for name in part:
        np.testing.assert_allclose(noisy[name], quiet[name] / 3)
    assert noisy["novelty"].tolist() == [REMARK * (level == Level.INFO)] * 2
    assert np.flatnonzero(WEIGHING.passed_over(with_news(level)[0])).tolist() == [i for i in range(36) if i % 3]


def test_without_a_level_all_new_texts_count() -> None:
    """As in bundles of older versions, which have none; the level is kept."""
    noisy, quiet = with_news(Level.DEBUG)
    assert ALL.score(noisy)["sets"][0] > ALL.score(quiet)["sets"][0]
    assert not ALL.passed_over(noisy).any()
    assert DetectorSet.from_bytes(ALL.to_bytes()).weak_level == Level.UNKNOWN
    assert DetectorSet.from_bytes(WEIGHING.to_bytes()).weak_level == Level.INFO


def test_every_detector_has_a_unit() -> None:
    """Calibration asks by how much a score must rise to mean something; signs of failure have rates instead."""
    assert {*(detector.name for detector in ALL.detectors), "lstm"} == {*SCORE_SCALE, Signs.name}


def test_the_lines_that_signs_are_read_from_weigh_most() -> None:
    """A process says as INFO that it starts, and new texts of that level have no weight of their own."""
    starts = (0, *(int(RowFlag.START),) * 5)
    shown = facts(at([(0, SYNCED), *((10 + 10 * n, UNSEEN) for n in range(5))], levels=(2,) * 6, marks=starts))
    assert WEIGHING.weights(shown).tolist() == [5.0, *(12.0,) * 5]
    without = dataclasses.replace(WEIGHING, detectors=WEIGHING.detectors[:-1])
    assert without.weights(shown).tolist() == [5.0, *(0.0,) * 5]


def test_what_training_knows_of_signs_is_at_hand() -> None:
    """Bundles of older versions know nothing of them."""
    assert ALL.evidence == SignEvidence(dict.fromkeys(Sign, 0), 3600.0)
    assert dataclasses.replace(ALL, detectors=ALL.detectors[:-1]).evidence is None


def damaged(**changed: object) -> bytes:
    """Write them with arrays replaced (None: left out)."""
    with np.load(io.BytesIO(ALL.to_bytes())) as stored:
        arrays = {name: stored[name] for name in stored.files}
    kept = {name: array for name, array in {**arrays, **changed}.items() if array is not None}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **kept)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing of ours",
        ALL.to_bytes()[:-100],
        ALL.to_bytes()[:200] + bytes(100) + ALL.to_bytes()[300:],
        damaged(rarity=None),
        damaged(groups=None),
        damaged(**{"levels|rate": None, "levels|other": np.zeros(3)}),
        damaged(**{"unheard-of|x": np.zeros(3)}),
        damaged(**{"followups|step": np.zeros(0)}),
    ],
    ids=["empty", "other", "cut", "zeros", "rarity", "groups", "rate", "detector", "step"],
)
def test_what_is_damaged_is_refused(data: bytes) -> None:
    """With advice, not with a traceback."""
    with pytest.raises(InvalidError, match="train the bundle again"):
        DetectorSet.from_bytes(data)


def test_rare_and_unseen_templates_and_errors_weigh_most() -> None:
    """Where no sequence says which lines matter."""
    rows = (HEARTBEAT, UNSEEN, SYNCED, HEARTBEAT)
    shown = facts(at([(1, CLAIM)]), Window(rows, ALL_SOURCES, levels=(2, 2, 2, int(Level.ERROR))))
    assert ALL.weights(shown)[1:].tolist() == [1.0, 12.0, 5.0, 7.0]


def test_a_window_speaks_of_its_own_service_and_everything_of_those_that_weigh_most() -> None:
    """A session names all that it went through; services unheard of and templates of no service name none."""
    rows = [(1, SYNCED), (2, CLAIM), (3, HEARTBEAT), (4, CLAIM)]
    shown = facts(*(at(rows, key) for key in (COMPUTE, API, ALL_SOURCES, "req-1", STRANGER)))
    first = int(shown.windows.splits[2])
    last = int(shown.windows.splits[4]) - 1
    heaviest = [np.array([first, first + 3, first + 2, first + 1])] * 3 + [np.array([last])] * 2
    services = [where.services for where in ALL.whereabouts(shown, heaviest, {})]
    assert services[:3] == [("nova-compute",), ("nova-api",), ("nova-compute", "nova-api")]
    assert services[3:] == [("nova-compute", "nova-api"), ()]


def services(detectors: DetectorSet, features: WindowFeatures, row: int) -> tuple[str, ...]:
    """The services of one window in which a row weighs most."""
    (where,) = detectors.whereabouts(features, [np.array([row])], {})
    return where.services


def places(detectors: DetectorSet, features: WindowFeatures, reported: set[str]) -> list[tuple[str, ...]]:
    """The places of windows that are unusual by these detectors."""
    n = len(features.windows)
    where = detectors.whereabouts(
        features, [np.zeros(0, np.int64)] * n, {name: np.ones(n, np.bool_) for name in reported}
    )
    return [of_window.places for of_window in where]


def test_who_wrote_a_line_counts_more_than_who_mostly_does() -> None:
    """The source says it, on whatever host, where training saw its service; else the template does."""
    rows = [(1, CLAIM), (2, UNSEEN), (3, CLAIM), (4, CLAIM)]
    shown = facts(at(rows, "req-1"))
    origins = [source_id(key) for key in ("nova-api@controller", "nova-compute", "nova-api@other", "strange@host")]
    windows = dataclasses.replace(shown.windows, origin=np.array(origins, np.uint32))
    named = dataclasses.replace(shown, windows=windows)
    first = int(windows.splits[0])
    assert services(ALL, named, first) == ("nova-api", "nova-compute")
    assert services(ALL, named, first + 2) == ("nova-api", "nova-compute")
    assert services(ALL, named, first + 3) == ("nova-compute", "nova-api")


def test_the_places_of_a_window_are_those_that_wrote_what_makes_it_unusual() -> None:
    """The loudest first; one whose name is unknown is called after what else it wrote; one source has no places."""
    rows = [(1, HEARTBEAT), (2, UNSEEN), (3, CLAIM), (4, UNSEEN), (5, UNSEEN), (6, CLAIM)]
    levels = tuple(int(level) for level in (2, 2, Level.ERROR, 2, 2, 2))
    shown = facts(at(rows, ALL_SOURCES, levels=levels), at(rows, COMPUTE, levels=levels))
    watched = Silence(("neutron-server@h1",), np.zeros(1), np.ones(1))
    some = dataclasses.replace(ALL, detectors=(*(d for d in ALL.detectors if d.name != "silence"), watched))
    writers = ["nova-compute@h1", "nova-api@h1", "neutron-server@h1", "nova-api@h1", "unheard-of@h9", "unheard-of@h9"]
    origin = np.array([source_id(key) for key in writers * 2], np.uint32)
    named = dataclasses.replace(shown, windows=dataclasses.replace(shown.windows, origin=origin))
    assert places(some, named, {"novelty"})[0] == ("nova-api@h1", "nova-compute")
    assert places(some, named, {"levels"})[0] == ("neutron-server@h1",)
    assert places(some, named, {"levels", "novelty"})[0] == ("nova-api@h1", "neutron-server@h1", "nova-compute")
    assert places(some, named, {"counts"})[0] == ()
    assert places(some, named, {"levels", "novelty"})[1] == ()


def test_a_place_has_its_host_also_where_no_silence_is_expected_there() -> None:
    """One who writes too seldom to be missed is known by name since training."""
    shown = facts(at([(1, HEARTBEAT), (2, CLAIM)], ALL_SOURCES, levels=(2, int(Level.ERROR))))
    origin = np.array([source_id("nova-api@ctl"), source_id("nova-compute@cmp7")], np.uint32)
    named = dataclasses.replace(shown, windows=dataclasses.replace(shown.windows, origin=origin))
    (signs,) = (detector for detector in ALL.detectors if isinstance(detector, Signs))
    knowing = Signs.from_arrays({**signs.arrays(), "sources": np.array(["nova-compute@cmp7"])})
    known = tuple(knowing if detector is signs else detector for detector in ALL.detectors)
    assert places(ALL, named, {"levels"})[0] == ("nova-compute",)
    assert places(dataclasses.replace(ALL, detectors=known), named, {"levels"})[0] == ("nova-compute@cmp7",)
