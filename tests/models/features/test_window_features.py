"""Facts of windows: groups, tallies and the parts of a window that detectors compare."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features.passing_over import judged
from models.features.sequences import SHARED
from models.features.vocabulary import NEW
from models.features.window_features import UNKNOWN, Groups, TokenCounts, WindowFeatures, service_of
from models.records import ALL_SOURCES, LastSeen, Level, WindowBatch
from models.templates.matcher import template_id
from tests.models.bundles import Window, windows
from tests.models.detectors import normal
from tests.models.detectors.normal import CLAIM, COMPUTE, HEARTBEAT, STARTED, STRANGER, UNSEEN, at, facts, token

ENTRIES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 11)), max_size=60)


def tally(entries: list[tuple[int, int]], count: int = 6) -> TokenCounts:
    """Count (window, token) pairs."""
    window = np.array([w for w, _ in entries], np.int64)
    return TokenCounts.of(count, window, np.array([t for _, t in entries], np.int64), 12)


def as_counters(counted: TokenCounts) -> list[dict[int, int]]:
    """The same as plain dictionaries."""
    ends = zip(counted.splits[:-1].tolist(), counted.splits[1:].tolist(), strict=True)
    return [dict(zip(counted.token[a:b].tolist(), counted.count[a:b].tolist(), strict=True)) for a, b in ends]


@given(ENTRIES)
@settings(max_examples=80)
def test_a_tally_counts_what_a_counter_counts(entries: list[tuple[int, int]]) -> None:
    """Tokens ascend within a window, no count is zero, and windows without rows are there."""
    counted = tally(entries)
    assert as_counters(counted) == [Counter(t for w, t in entries if w == window) for window in range(6)]
    assert all(list(each) == sorted(each) for each in as_counters(counted))
    assert len(counted) == 6
    assert counted.window.tolist() == [w for w, _ in sorted(set(entries))]


@given(ENTRIES, st.lists(st.integers(0, 5), max_size=8))
@settings(max_examples=60)
def test_some_windows_of_a_tally_are_those_windows(entries: list[tuple[int, int]], at_windows: list[int]) -> None:
    """In the order asked for, and as often."""
    counted = tally(entries)
    taken = counted.take(np.array(at_windows, np.int64))
    assert as_counters(taken) == [as_counters(counted)[i] for i in at_windows]
    assert taken.hashes().tolist() == [counted.hashes()[i] for i in at_windows]


@given(ENTRIES)
@settings(max_examples=80)
def test_hashes_are_equal_exactly_where_tallies_are(entries: list[tuple[int, int]]) -> None:
    """So what was worked out of one window may be used for another that holds the same."""
    counted = tally(entries)
    contents, hashes = as_counters(counted), counted.hashes().tolist()
    for i, content in enumerate(contents):
        assert [each == content for each in contents] == [each == hashes[i] for each in hashes]


def test_groups_do_not_depend_on_the_order_of_services() -> None:
    """Numbers are kept in bundles: the fixed kinds first, then services by name."""
    groups = Groups(["nova-compute", "cinder-api", "nova-compute"])
    assert groups.services == ("cinder-api", "nova-compute")
    assert len(groups) == 9
    names = [groups.name(number) for number in range(1, 9)]
    assert names == ["requests", "instances", "volumes", "ports", "sessions", "*", "cinder-api", "nova-compute"]


def test_windows_are_compared_with_their_like() -> None:
    """Sources of a service on any host, sessions by what they are about, and everything by itself."""
    keys = [COMPUTE, "nova-compute", STRANGER, ALL_SOURCES, "req-1", "instance:1"]
    found = facts(*(at([(1, HEARTBEAT)], key) for key in keys)).group.tolist()
    service = normal.GROUPS.services.index("nova-compute") + SHARED + 1
    assert found == [service, service, UNKNOWN, SHARED, 1, 2]


@pytest.mark.parametrize(("key", "service"), [("nova-api@h1", "nova-api"), ("nova-api", "nova-api"), ("a@b@c", "a")])
def test_the_key_of_a_source_names_its_service(key: str, service: str) -> None:
    """Before the first mark; without a host the key is the service."""
    assert service_of(key) == service


def test_early_and_begun_leave_out_what_came_later() -> None:
    """The oldest step of a source, all but its newest; of a session, which is over, the whole."""
    rows = [(0, HEARTBEAT), (14.9, CLAIM), (15, STARTED), (44.9, STARTED), (45, CLAIM)]
    shown = facts(at(rows), at(rows, "req-1"))
    whole = {token(HEARTBEAT): 1, token(CLAIM): 2, token(STARTED): 2}
    assert as_counters(shown.first_step(15.0)) == [{token(HEARTBEAT): 1, token(CLAIM): 1}, whole]
    assert as_counters(shown.before_last_step(15.0)) == [{**whole, token(CLAIM): 1}, whole]
    assert as_counters(shown.token_counts) == [whole, whole]


def test_unseen_templates_are_told_apart_though_they_share_a_token() -> None:
    """Two different ones count two, one that comes twice counts one, windows are kept apart."""
    other = template_id("disk on fire")
    shown = facts(at([(1, UNSEEN), (2, other), (3, UNSEEN)]), at([(1, CLAIM)]), at([(1, UNSEEN), (2, CLAIM)]))
    assert as_counters(shown.unseen()) == [{NEW: 2}, {}, {NEW: 1}]
    assert as_counters(shown.token_counts)[0] == {NEW: 3}


def test_torn_windows_are_unsound() -> None:
    """What counts in them means nothing."""
    assert facts(at([(1, CLAIM)]), at([(1, CLAIM)], whole=False)).complete.tolist() == [True, False]


def test_an_empty_batch_has_empty_facts() -> None:
    """No window, no group, no entry."""
    shown = facts()
    assert (len(shown.group), len(shown.token_counts), len(shown.unseen())) == (0, 0, 0)


def test_windows_are_left_as_they_came() -> None:
    """Nothing is written into the batch."""
    chosen: list[Window] = normal.normal(5, 3)
    before, batch = windows(chosen), windows(chosen)
    shown = WindowFeatures.of(batch, normal.VOCABULARY, normal.GROUPS)
    shown.first_step(15.0), shown.before_last_step(15.0), shown.unseen()
    for name in ("splits", "time", "template", "level", "values"):
        assert getattr(batch, name).tobytes() == getattr(before, name).tobytes()


@pytest.mark.parametrize("level", [Level.UNKNOWN, Level.INFO])
def test_one_window_of_a_batch_is_as_if_it_had_come_alone(level: Level) -> None:
    """In every column, also after rows of little weight were left out."""
    chosen = [at([(1, UNSEEN), (2, CLAIM)], key) for key in (COMPUTE, ALL_SOURCES, STRANGER, "req-1")]
    chosen = [*normal.normal(6, 3), *chosen]
    together = judged(facts(*chosen), level)
    for i, window in enumerate(chosen):
        only, alone = together.take(np.array([i])), judged(facts(window), level)
        for name in (*(field.name for field in dataclasses.fields(WindowBatch)), "kinds", "tokens"):
            if name not in {"last_seen", "row_ids", "offset"}:
                got, wanted = (getattr(either, name, getattr(either.windows, name, None)) for either in (only, alone))
                np.testing.assert_array_equal(got, wanted, name)
        assert as_counters(only.token_counts) == as_counters(alone.token_counts)
        assert only.window.tolist() == alone.window.tolist()


def test_one_window_keeps_who_wrote_when_before_it_ended() -> None:
    """The entries of that window alone."""
    seen = LastSeen(*(np.array(column) for column in ([5, 6], [0, 1, 3], [7, 8, 9], [50, 60, 70])))
    both = dataclasses.replace(windows([at([(1, CLAIM)]), at([(1, CLAIM)])]), last_seen=seen)
    only = WindowFeatures.of(both, normal.VOCABULARY, normal.GROUPS).take(np.array([1])).windows.last_seen
    columns = (only.floor, only.splits, only.origin, only.time)
    assert [column.tolist() for column in columns] == [[6], [0, 2], [8, 9], [60, 70]]
