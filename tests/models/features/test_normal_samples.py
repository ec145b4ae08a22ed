"""Samples: which windows of normal operation are kept to fit detectors on."""

import numpy as np
import pytest

from models.detectors.error_rate import errors_of
from models.features import normal_samples as samples
from models.features.normal_samples import Samples, join
from models.features.sequences import SHARED
from models.features.window_features import TokenCounts, WindowFeatures
from models.records import ALL_SOURCES, F64
from tests.models.bundles import Window
from tests.models.detectors import normal
from tests.models.detectors.normal import API, CLAIM, COMPUTE, HEARTBEAT, STRANGER, at, facts

SERVICE = facts(at([(1, CLAIM)])).group[0].item()


def collected(*batches: list[Window]) -> Samples:
    """Collect all windows of each batch in turn."""
    out = Samples(normal.STEP)
    for number, batch in enumerate(batches):
        shown = distinct(facts(*batch), number * 1000)
        out.add(shown, errors_of(shown), np.arange(len(batch)))
    return out


def distinct(shown: WindowFeatures, first: int) -> WindowFeatures:
    """Windows that end a step after each other: which are kept depends on what is in them and when they end."""
    shown.windows.end[:] += (first + np.arange(len(shown.group))) * 15_000_000
    return shown


def contents(found: Samples, group: int) -> list[tuple[bytes, int]]:
    """What the kept windows of a group hold, and their errors, in any order."""
    sample = found.of(group)
    assert sample is not None
    return sorted((_bytes(sample.tally, i), int(sample.errors[i])) for i in range(len(sample)))


def _bytes(tally: TokenCounts, i: int) -> bytes:
    one = tally.take(np.array([i]))
    return one.token.tobytes() + one.count.tobytes()


def test_windows_are_kept_by_group_with_their_parts() -> None:
    """What they hold, in their oldest step, before their newest, and how many errors they have."""
    window = Window((HEARTBEAT, CLAIM, CLAIM), COMPUTE, seconds=(1, 20, 50), levels=(4, 2, 2))
    found = collected([window, at([(1, HEARTBEAT)], ALL_SOURCES)])
    assert found.groups() == [SHARED, SERVICE]
    sample = found.of(SERVICE)
    assert sample is not None
    assert [part.count.tolist() for part in (sample.tally, sample.begun, sample.early)] == [[1, 2], [1, 1], [1]]
    assert sample.errors.tolist() == [1]
    assert len(sample) == 1


def test_unsound_unknown_and_unchosen_windows_are_left_out() -> None:
    """Torn ones, those of services unheard of, and those not named."""
    shown = facts(at([(1, CLAIM)], whole=False), at([(1, CLAIM)], STRANGER), at([(1, CLAIM)], API))
    found = Samples(normal.STEP)
    found.add(shown, errors_of(shown), np.array([0, 1]))
    assert found.groups() == []
    assert found.of(SERVICE) is None


@pytest.mark.parametrize("limit", [10, 1000])
def test_what_is_kept_does_not_depend_on_how_windows_were_read(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """The same windows in one batch or in many keep the same ones, at most so many of each group."""
    monkeypatch.setattr(samples, "LIMIT", limit)
    chosen = normal.normal(4, 60)
    shown = distinct(facts(*chosen), 0)
    whole = Samples(normal.STEP)
    whole.add(shown, errors_of(shown), np.arange(len(chosen)))
    parts = Samples(normal.STEP)
    for part in np.array_split(np.random.default_rng(1).permutation(len(chosen)), 12):
        parts.add(shown, errors_of(shown), part)
    for group in (1, SHARED, SERVICE):
        assert contents(whole, group) == contents(parts, group)
        assert len(contents(whole, group)) == min(limit, 60)


def test_what_is_kept_favours_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many windows about as many are kept of the first half as of the second."""
    monkeypatch.setattr(samples, "LIMIT", 400)
    halves = [[Window((template,), COMPUTE)] * 1000 for template in (CLAIM, HEARTBEAT)]
    sample = collected(*halves).of(SERVICE)
    assert sample is not None
    share: F64 = np.bincount(sample.tally.token).astype(np.float64) / len(sample)
    assert len(sample) == 400
    assert 0.4 < share.max() < 0.6


def test_joined_tallies_stand_one_behind_the_other() -> None:
    """Windows keep their order and what they hold."""
    one, two = (
        facts(at([(1, CLAIM)])).token_counts,
        facts(at([(1, HEARTBEAT), (2, HEARTBEAT)]), at([(1, CLAIM)])).token_counts,
    )
    whole = join([one, two])
    assert len(whole) == 3
    assert [_bytes(whole, i) for i in range(3)] == [_bytes(one, 0), _bytes(two, 0), _bytes(two, 1)]
