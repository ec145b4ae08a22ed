"""Signs: what is bad news in any cloud, unless this one showed the same in training."""

from dataclasses import replace
from typing import Final

import numpy as np
import pytest

from models.detectors.signs import BURST, REFUSED, STARTS, Sign, SignEvidence, Signs
from models.findings import FindingKind
from models.records import ALL_SOURCES, Level, RowFlag, source_id
from tests.models.bundles import Window
from tests.models.detectors import normal
from tests.models.detectors.normal import (
    API,
    CLAIM,
    COMPUTE,
    DONE,
    ELSEWHERE,
    HEARTBEAT,
    STRANGER,
    SYNCED,
    UNSEEN,
    at,
    facts,
    score,
    sentences_of,
)

USUAL: Final = replace(
    normal.NO_TROUBLE,
    errors=np.array([CLAIM], np.uint64),
    criticals=np.array([CLAIM], np.uint64),
    refused=np.array([SYNCED], np.uint64),
    most_refused=np.array([3], np.int64),
    started=np.array([DONE], np.uint64),
    most_started=np.array([1], np.int64),
)
DETECTOR: Final = Signs(USUAL, SignEvidence({}, 1200.0))
ERROR, CRITICAL, INFO = int(Level.ERROR), int(Level.CRITICAL), int(Level.INFO)


def errors(count: int, key: str = COMPUTE, template: int = UNSEEN, level: int = ERROR) -> Window:
    """Make a window of a usual line and so many of this level."""
    rows = [(0.0, HEARTBEAT), *((1.0 + 0.1 * n, template) for n in range(count))]
    return at(rows, key, levels=(INFO, *(level,) * count))


def marked(count: int, mark: RowFlag, apart: float = 0.1, key: str = COMPUTE, template: int = UNSEEN) -> Window:
    """Make a window of INFO lines with a mark, so many seconds apart."""
    return at([(apart * n, template) for n in range(count)], key, levels=(INFO,) * count, marks=(int(mark),) * count)


def signs(*chosen: Window, detector: Signs = DETECTOR) -> list[Sign]:
    """What each window shows."""
    return [Sign(int(raw)) for raw in score(detector, *chosen)]


@pytest.mark.parametrize("key", [COMPUTE, API, STRANGER, ALL_SOURCES])
def test_a_first_error_is_a_sign_wherever_it_is(key: str) -> None:
    """Also of a service that training never met: it may write only when something is wrong."""
    assert signs(errors(1, key), errors(0, key)) == [Sign.ERROR, Sign(0)]


def test_sessions_have_no_signs() -> None:
    """Their lines are in the windows of their sources, too."""
    assert np.isnan(score(DETECTOR, errors(1, "req-1"))).all()


def test_what_training_saw_as_an_error_is_no_sign() -> None:
    """Nor is a new one of a source that writes some every day."""
    noisy = Signs(replace(USUAL, noisy=np.array([source_id(COMPUTE)], np.uint32)), SignEvidence({}, 1200.0))
    assert signs(errors(1, template=CLAIM)) == [Sign(0)]
    assert signs(errors(1), errors(1, API), detector=noisy) == [Sign(0), Sign.ERROR]


def test_a_critical_line_is_a_sign_even_of_a_noisy_source() -> None:
    """Unless training saw the same one."""
    noisy = Signs(replace(USUAL, noisy=np.array([source_id(COMPUTE)], np.uint32)), SignEvidence({}, 1200.0))
    lines = errors(1, level=CRITICAL), errors(1, level=CRITICAL, template=CLAIM)
    assert signs(*lines, detector=noisy) == [Sign.CRITICAL, Sign(0)]


@pytest.mark.parametrize(
    ("mark", "level", "sign"),
    [
        (RowFlag.SERVER_FAULT, Level.INFO, Sign.ERROR),
        (RowFlag.FAILURE, Level.WARNING, Sign.ERROR),
        (RowFlag.FAILURE, Level.UNKNOWN, Sign.ERROR),
        (RowFlag.CRASH, Level.UNKNOWN, Sign.ERROR | Sign.CRITICAL),
        (RowFlag.FAILURE, Level.DEBUG, Sign(0)),
        (RowFlag.CRASH, Level.DEBUG, Sign(0)),
        (RowFlag.CLIENT_FAULT, Level.INFO, Sign(0)),
        (RowFlag.START, Level.INFO, Sign(0)),
    ],
)
def test_texts_are_bad_news_at_any_level(mark: RowFlag, level: Level, sign: Sign) -> None:
    """An answer 503 is written as INFO; what somebody debugs is not."""
    assert signs(at([(1, UNSEEN)], levels=(int(level),), marks=(int(mark),))) == [sign]


def test_elsewhere_a_harmless_template_stays_harmless_and_no_source_is_noisy() -> None:
    """A host and service of the same names in another cloud are others, and how often signs come there is not known."""
    noisy = Signs(replace(USUAL, noisy=np.array([source_id(COMPUTE)], np.uint32)), SignEvidence({Sign.ERROR: 3}, 1e6))
    windows = (errors(1, template=CLAIM), errors(1))
    assert signs(*windows, detector=noisy) == [Sign(0), Sign(0)]
    assert signs(*windows, detector=noisy.elsewhere()) == [Sign(0), Sign.ERROR]
    assert noisy.elsewhere().evidence == SignEvidence({}, 0.0)


def test_many_first_errors_are_a_burst() -> None:
    """A single failed request writes up to three lines of them."""
    assert signs(errors(BURST - 1), errors(BURST)) == [Sign.ERROR, Sign.ERROR | Sign.BURST]


def test_far_more_known_errors_than_ever_are_a_burst() -> None:
    """Four times as many as in any window of training, and ten at least."""
    most = USUAL.most_errors.copy()
    most[normal.SERVICE] = 8
    busy = Signs(replace(USUAL, most_errors=most), SignEvidence({}, 1200.0))
    windows = errors(9, API, CLAIM), errors(10, API, CLAIM), errors(31, COMPUTE, CLAIM), errors(32, COMPUTE, CLAIM)
    assert signs(*windows, detector=busy) == [Sign(0), Sign.BURST, Sign(0), Sign.BURST]


def test_errors_of_several_sources_at_once_are_a_sign() -> None:
    """Only in windows over everything: others have one source."""
    window = facts(errors(3, ALL_SOURCES))
    origin = window.windows.origin.copy()
    origin[1:] = [source_id(name) for name in ("a", "b", "c")]
    spread = replace(window, windows=replace(window.windows, origin=origin))
    assert [int(raw) for raw in DETECTOR.score(spread)] == [Sign.ERROR | Sign.SPREAD]
    assert signs(errors(3, ALL_SOURCES)) == [Sign.ERROR]


def test_refused_requests_are_a_sign_when_they_are_many() -> None:
    """Of a new kind a few, of one that training saw far more than it saw; of an unknown service nobody can tell."""
    refused = RowFlag.CLIENT_FAULT
    assert signs(marked(REFUSED - 1, refused), marked(REFUSED, refused)) == [Sign(0), Sign.REFUSALS]
    known = marked(11, refused, template=SYNCED), marked(12, refused, template=SYNCED)
    assert signs(*known) == [Sign(0), Sign.REFUSALS]
    assert signs(marked(50, refused, key=STRANGER)) == [Sign(0)]


def test_a_process_that_starts_again_and_again_is_a_sign() -> None:
    """Workers of one start write at the same time; that it once started in training does not hide a loop."""
    start = RowFlag.START
    assert signs(marked(8, start, apart=0.2)) == [Sign(0)]
    assert signs(marked(STARTS - 1, start, 10.0), marked(STARTS, start, 10.0)) == [Sign(0), Sign.RESTARTS]
    assert signs(marked(3, start, 10.0, template=DONE), marked(4, start, 10.0, template=DONE)) == [
        Sign(0),
        Sign.RESTARTS,
    ]


def test_it_tells_of_whom_and_how_long_there_was_none() -> None:
    """The number first; with a service where it is known."""
    shown = facts(
        errors(1, level=CRITICAL),
        errors(5, STRANGER),
        marked(8, RowFlag.CLIENT_FAULT, key=API),
        marked(4, RowFlag.START, 10.0),
        errors(0),
    )
    assert [sentences_of(DETECTOR, shown, i) for i in range(5)] == [
        [
            "1 critical line of nova-compute (none like this in 20 minutes of training)",
            "1 error line of nova-compute (none like this in 20 minutes of training)",
        ],
        ["5 error lines of unheard-of (none like these in 20 minutes of training)"],
        ["8 requests to nova-api refused in 60 s (answers 4xx, far more than usual)"],
        ["4 starts of nova-compute in 60 s"],
        [],
    ]


def test_windows_over_everything_name_the_service_that_wrote() -> None:
    """By the source, where training met it."""
    window = facts(errors(2, ALL_SOURCES, ELSEWHERE))
    origin = np.full(3, source_id(API), np.uint32)
    shown = replace(window, windows=replace(window.windows, origin=origin))
    (finding,) = normal.findings_of(DETECTOR, shown, 0)
    assert (finding.kind, finding.service, finding.value) == (FindingKind.FIRST_ERRORS, "nova-api", 2.0)


def test_the_lines_that_tell_are_known() -> None:
    """First errors, and refused requests where they are a burst."""
    window = at(
        [(1, HEARTBEAT), (2, UNSEEN), *((3 + n, SYNCED) for n in range(12))],
        levels=(INFO, ERROR, *(INFO,) * 12),
        marks=(0, 0, *(int(RowFlag.CLIENT_FAULT),) * 12),
    )
    assert DETECTOR.telling(facts(window)).tolist() == [False, *(True,) * 13]
    assert not DETECTOR.telling(facts(marked(REFUSED - 1, RowFlag.CLIENT_FAULT))).any()
