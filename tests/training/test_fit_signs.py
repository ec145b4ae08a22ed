"""What training takes for usual of bad news, and how often signs of failure would have been new in it."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.detectors.signs import Sign, Signs
from models.features.window_features import WindowFeatures
from models.records import ALL_SOURCES, Level, RowFlag, WindowBatch
from tests.models.bundles import Window, windows
from tests.models.detectors.normal import (
    API,
    CLAIM,
    COMPUTE,
    ELSEWHERE,
    GROUPS,
    HEARTBEAT,
    PLUGGED,
    STARTED,
    SYNCED,
    UNSEEN,
    VOCABULARY,
    at,
)
from training.fit_signs import SignSamples

ERROR, INFO = int(Level.ERROR), int(Level.INFO)
QUIET = at([(1, HEARTBEAT)])
BLOCK, MINUTE = 600_000_000, 60_000_000


def bad(template: int, count: int = 1, key: str = COMPUTE, level: int = ERROR) -> Window:
    """Make a window of errors."""
    return at([(n * 0.1, template) for n in range(count)], key, levels=(level,) * count)


def fitted(blocks: Sequence[Sequence[Window]]) -> Signs:
    """Fit to windows of successive stretches of ten minutes, one a minute."""
    samples = SignSamples()
    for number, block in enumerate(blocks):
        batch = windows(list(block))
        batch.end[:] = 1000 * BLOCK + number * BLOCK + (1 + np.arange(len(block))) * MINUTE
        samples.add(WindowFeatures.of(batch, VOCABULARY, GROUPS), np.arange(len(block)))
    return samples.fit(len(GROUPS))


def shown(signs: Signs, window: Window) -> Sign:
    """What a window shows."""
    return Sign(int(signs.score(WindowFeatures.of(windows([window]), VOCABULARY, GROUPS))[0]))


def counts(blocks: Sequence[Sequence[Window]]) -> dict[Sign, int]:
    """In how many stretches each sign was new, those that were in none left out."""
    return {sign: count for sign, count in fitted(blocks).evidence.counts.items() if count}


def test_quiet_logs_teach_that_there_is_nothing() -> None:
    """Only for how long: as many minutes as have a line."""
    signs = fitted([[QUIET] * 7, [QUIET] * 3])
    assert (sum(signs.evidence.counts.values()), signs.evidence.seconds) == (0, 600.0)
    assert shown(signs, bad(UNSEEN)) == Sign.ERROR


def test_an_error_of_training_is_known_and_was_once_a_first_one() -> None:
    """The second time in another stretch it was not new."""
    once = [[QUIET, bad(UNSEEN)], [QUIET], [QUIET]]
    assert counts(once) == {Sign.ERROR: 1}
    assert shown(fitted(once), bad(UNSEEN, key=API)) == Sign(0)
    assert counts([[QUIET, bad(UNSEEN)], [QUIET, bad(UNSEEN)]]) == {}


def test_a_source_that_writes_an_error_a_day_is_noisy() -> None:
    """Its next one is no sign; that of another source is."""
    signs = fitted([[bad(CLAIM)], [bad(PLUGGED)], [QUIET]])
    assert (shown(signs, bad(UNSEEN)), shown(signs, bad(UNSEEN, key=API))) == (Sign(0), Sign.ERROR)


def test_errors_of_different_sources_were_each_a_first_one() -> None:
    """So that three unlucky ones in training tell how often the next comes."""
    begin = [at([(1, HEARTBEAT)], key) for key in (COMPUTE, API)]
    assert counts([[*begin, bad(CLAIM, key=COMPUTE)], [bad(PLUGGED, key=API)], [QUIET]]) == {Sign.ERROR: 2}


def test_errors_at_the_start_of_a_source_are_no_evidence_of_rates() -> None:
    """What three services write while they come up is known from there, and their first error later is one."""
    start = [bad(CLAIM, key=key, level=level) for key, level in ((COMPUTE, ERROR), (API, int(Level.CRITICAL)))]
    signs = fitted([[*start, QUIET], [QUIET]])
    assert not any(signs.evidence.counts.values())
    assert shown(signs, bad(CLAIM)) == Sign(0)
    assert shown(signs, bad(PLUGGED)) == Sign.ERROR


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (bad(UNSEEN, 5), {Sign.ERROR: 1, Sign.BURST: 1}),
        (bad(UNSEEN, level=int(Level.CRITICAL)), {Sign.ERROR: 1, Sign.CRITICAL: 1}),
        (at([(n, SYNCED) for n in range(5)], marks=(int(RowFlag.CLIENT_FAULT),) * 5), {Sign.REFUSALS: 1}),
        (at([(10 * n, STARTED) for n in range(3)], marks=(int(RowFlag.START),) * 3), {Sign.RESTARTS: 1}),
        (at([(n, SYNCED) for n in range(3)], marks=(int(RowFlag.CLIENT_FAULT),) * 3), {}),
    ],
)
def test_each_sign_is_counted_where_it_was_new(window: Window, expected: dict[Sign, int]) -> None:
    """A burst, a crash, refusals and restarts, each in one stretch."""
    assert counts([[QUIET, window], [QUIET]]) == expected


def test_known_bursts_are_usual() -> None:
    """What comes in two stretches is nothing new in the third, and the limit stands above it."""
    refused = at([(n, SYNCED) for n in range(9)], marks=(int(RowFlag.CLIENT_FAULT),) * 9)
    signs = fitted([[refused], [refused], [QUIET]])
    assert (shown(signs, refused), sum(signs.evidence.counts.values())) == (Sign(0), 0)


def test_lines_are_counted_once() -> None:
    """Those of the newest step of their source: not again from windows over everything, nor from later ones."""
    old = Window((UNSEEN, HEARTBEAT), COMPUTE, fresh=1, levels=(ERROR, INFO))
    over = bad(UNSEEN, key=ALL_SOURCES)
    assert counts([[QUIET, old, over], [QUIET]]) == {}


def test_how_windows_were_read_changes_nothing() -> None:
    """One batch or many, and tenants in any order: the same arrays."""
    both = [Window((ELSEWHERE,), COMPUTE, tenant=tenant, levels=(ERROR,)) for tenant in ("a", "b")]
    made: list[WindowBatch] = [windows(both), windows(both[::-1]), windows(both[:1]), windows(both[1:])]
    every = [WindowFeatures.of(batch, VOCABULARY, GROUPS) for batch in made]
    out = []
    for order in ((0,), (1,), (2, 3), (3, 2)):
        samples = SignSamples()
        for i in order:
            samples.add(every[i], np.arange(len(every[i].windows)))
        out.append({name: array.tolist() for name, array in samples.fit(len(GROUPS)).arrays().items()})
    assert out[1:] == out[:-1]
