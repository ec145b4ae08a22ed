"""Sequences: windows as token chunks of fixed shapes."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features.sequences import (
    CHUNK,
    CONTEXT,
    GAPS,
    LENGTHS,
    SHARED,
    Sequences,
    build,
    gap_bucket,
    kind_number,
    kind_numbers,
    unique_rows,
)
from models.features.vocabulary import END, PAD, START, Vocabulary
from models.records import ALL_SOURCES, KeyKind, WindowBatch
from tests.models.bundles import TEMPLATES, UNSEEN, Window, windows

VOCABULARY = Vocabulary(TEMPLATES)
ROWS = st.lists(st.sampled_from([*TEMPLATES, UNSEEN]), max_size=3 * CHUNK).map(tuple)
SESSIONS = ROWS.map(lambda rows: Window(rows, key="req-1", kind=KeyKind.SESSION))
SOURCES = st.tuples(ROWS, st.integers(0, 200), st.integers(0, 200), st.sampled_from(["nova@c1", ALL_SOURCES])).map(
    lambda parts: Window(
        parts[0],
        key=parts[3],
        fresh=min(parts[1], len(parts[0])),
        context=min(parts[2], len(parts[0]) - min(parts[1], len(parts[0]))),
    )
)
BATCHES = st.lists(SESSIONS | SOURCES, min_size=1, max_size=6)


def expected(batch: WindowBatch) -> dict[int, tuple[list[int], int]]:
    """Where each target stands in the flat output, with the tokens before it (at most as many as count) and itself.

    Written out one event at a time.
    """
    tokens = VOCABULARY.encode(batch.template).tolist()
    out: dict[int, tuple[list[int], int]] = {}
    for i in range(len(batch)):
        if batch.keys[i] == ALL_SOURCES:
            continue
        stop = int(batch.splits[i + 1])
        first = stop - int(batch.new_rows[i])
        context = min(int(batch.context[i]), CONTEXT)
        session = batch.kinds[i] == KeyKind.SESSION
        line = [START, *tokens[first - context : stop], *([END] if session else [])]
        for n in range(1 + context, len(line)):
            chunk = (n - 1 - context) // CHUNK
            begin = max(0, 1 + context + chunk * CHUNK - CONTEXT)
            position = first + n - 1 - context if line[n] != END else len(batch.time) + i
            out[position] = (line[begin:n], line[n])
    return out


@given(BATCHES)
@settings(max_examples=80, deadline=None)
def test_every_fresh_event_is_one_target_behind_what_precedes_it(chosen: list[Window]) -> None:
    """And so is the end of every session; nothing else is scored, whatever the padding."""
    batch = windows(chosen)
    found: dict[int, tuple[list[int], int]] = {}
    for sequences in build(batch, VOCABULARY):
        assert sequences.inputs.shape[1] in LENGTHS
        for n, column in np.argwhere(sequences.position >= 0).tolist():
            before = sequences.inputs[n, : column + 1, 0].tolist()
            position = int(sequences.position[n, column])
            assert position not in found
            found[position] = (before, int(sequences.targets[n, column]))
    assert found == expected(batch)


@given(BATCHES)
@settings(max_examples=40, deadline=None)
def test_chunks_are_padded_to_the_shortest_length_that_holds_them(chosen: list[Window]) -> None:
    """What is padded is PAD in all columns, and each target is the input that comes next."""
    for sequences in build(windows(chosen), VOCABULARY):
        length = sequences.inputs.shape[1]
        shorter = max((each for each in LENGTHS if each < length), default=0)
        padding = sequences.inputs[:, :, 0] == PAD
        used = length - padding.sum(axis=1)
        assert (used > shorter).all()
        assert (np.argsort(padding, axis=1, kind="stable") == np.arange(length)).all()
        assert (sequences.inputs[padding] == 0).all()
        assert (sequences.targets[padding] == PAD).all()
        assert (sequences.position[padding] == -1).all()
        inside = ~padding[:, 1:]
        assert (sequences.targets[:, :-1][inside] == sequences.inputs[:, 1:, 0][inside]).all()


def only(chosen: Window) -> Sequences:
    """The one group of chunks of a window."""
    (sequences,) = build(windows([chosen]), VOCABULARY)
    return sequences


def test_an_event_brings_its_gap_level_and_kind() -> None:
    """The time since the event before it; the first of a chain has none."""
    a, b = TEMPLATES[:2]
    window = Window((a, b, a), "volume:1", KeyKind.SESSION, seconds=(0, 1, 31), levels=(2, 4, 3))
    inputs = only(window).inputs[0]
    second, half_minute = gap_bucket(np.array([1_000_000, 30_000_000])).tolist()
    assert inputs[:4, 1].tolist() == [0, 0, second, half_minute]
    assert inputs[:4, 2].tolist() == [0, 2, 4, 3]
    assert inputs[:4, 3].tolist() == [3, 3, 3, 3]


def test_gaps_never_reach_from_one_window_into_the_next() -> None:
    """The first event of each window has no gap, whatever the batch."""
    a, b = TEMPLATES[:2]
    late = Window((a, b), seconds=(50, 51))
    (together,) = build(windows([Window((a, b)), late, Window((), fresh=0), late]), VOCABULARY)
    alone = only(late)
    assert together.inputs[-1].tolist() == alone.inputs[0].tolist()


@given(st.lists(st.integers(-10, 10**9), min_size=2, max_size=20).map(sorted))
def test_longer_gaps_have_no_smaller_bucket(gaps: list[int]) -> None:
    """From below a millisecond to minutes; what goes back in time counts as none."""
    buckets = gap_bucket(np.array(gaps))
    assert (np.diff(buckets) >= 0).all()
    assert buckets.min() >= 0
    assert buckets.max() < GAPS
    assert gap_bucket(np.array([-5, 0, 999, 1_000, 10_000, 60_000_000])).tolist() == [0, 0, 0, 1, 3, 10]


@pytest.mark.parametrize(
    ("kind", "key", "number"),
    [
        (KeyKind.SOURCE, "nova-compute@c1", 0),
        (KeyKind.SOURCE, "req-x", 0),
        (KeyKind.SOURCE, ALL_SOURCES, SHARED),
        (KeyKind.SESSION, ALL_SOURCES, 5),
        (KeyKind.SESSION, "req-1", 1),
        (KeyKind.SESSION, "instance:1", 2),
        (KeyKind.SESSION, "insta", 5),
        (KeyKind.SESSION, "volume:1", 3),
        (KeyKind.SESSION, "port:1", 4),
        (KeyKind.SESSION, "portal", 5),
        (KeyKind.SESSION, "", 5),
        (KeyKind.SESSION, "0af7651916cd43dd8448eb211c80319c", 5),
    ],
)
def test_the_kind_of_a_window_is_told_by_its_key(kind: KeyKind, key: str, number: int) -> None:
    """Calibration and groups are kept by these numbers."""
    assert kind_number(kind, key) == number
    assert kind_numbers(windows([Window((TEMPLATES[0],), key, kind)])).tolist() == [number]


@given(BATCHES)
@settings(max_examples=40, deadline=None)
def test_equal_chunks_are_found_once(chosen: list[Window]) -> None:
    """Each chunk is the one that it is said to be, and no two of those are equal."""
    for sequences in build(windows([*chosen, *chosen]), VOCABULARY):
        index, inverse = unique_rows(sequences)
        scored = sequences.position >= 0
        assert (sequences.inputs[index][inverse] == sequences.inputs).all()
        assert (sequences.targets[index][inverse] == sequences.targets).all()
        assert (scored[index][inverse] == scored).all()
        different = {
            sequences.inputs[i].tobytes() + sequences.targets[i].tobytes() + scored[i].tobytes()
            for i in range(len(sequences))
        }
        assert len(different) == len(index)


def test_windows_without_fresh_rows_and_empty_batches_have_no_sequence() -> None:
    """Nothing to score, no chunk."""
    assert build(windows([]), VOCABULARY) == []
    assert build(windows([Window(tuple(TEMPLATES), fresh=0, context=2)]), VOCABULARY) == []
    assert build(windows([Window(tuple(TEMPLATES), ALL_SOURCES)]), VOCABULARY) == []


def test_context_and_chunk_fill_the_longest_length() -> None:
    """A full chunk behind a full context is run as it is; one event more makes another chunk."""
    assert LENGTHS[-1] == CONTEXT + CHUNK
    sizes: dict[int, int] = defaultdict(int)
    for fresh in (CHUNK, CHUNK + 1):
        rows = (TEMPLATES[0],) * (CONTEXT + fresh)
        for sequences in build(windows([Window(rows, fresh=fresh, context=CONTEXT)]), VOCABULARY):
            sizes[sequences.inputs.shape[1]] += len(sequences)
    assert sizes == {64: 2, 12: 1}
