"""Raw partitions side by side: by time, each in its order, nothing lost, nobody waited for without end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.records import RawBatch
from stream.ingest.partition_buffer import PATIENCE_S, PartitionBuffer, runs


def batch(*messages: tuple[int, int, int]) -> RawBatch:
    """Messages as (partition, offset, arrived)."""
    columns = np.array(messages, np.int64).reshape(-1, 3).T
    values = [f"{p}/{o}".encode() for p, o, _ in messages]
    return RawBatch(values, columns[0].astype(np.int32), columns[1], columns[2])


NOTHING = batch()
MESSAGES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50)), max_size=60)


@given(MESSAGES, st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_all_come_out_once_and_each_partition_in_its_order(sent: list[tuple[int, int]], sizes: list[int]) -> None:
    """However they are fetched; times that fall back change nothing in a partition's order."""
    counts = [0, 0, 0]
    messages = []
    for partition, arrived in sent:
        messages.append((partition, counts[partition], arrived))
        counts[partition] += 1
    aligner = PartitionBuffer(1000, lambda: 0.0)
    out: list[bytes] = []
    start, turn = 0, 0
    while start < len(messages):
        size = sizes[turn % len(sizes)]
        out += aligner.release(batch(*messages[start : start + size]), dict.fromkeys(range(3), True)).values
        start, turn = start + size, turn + 1
    out += aligner.release(NOTHING, dict.fromkeys(range(3), False)).values
    assert sorted(out) == sorted(f"{p}/{o}".encode() for p, o, _ in messages)
    for partition in range(3):
        mine = [value for value in out if value.startswith(f"{partition}/".encode())]
        assert mine == [f"{partition}/{n}".encode() for n in range(counts[partition])]
    assert len(aligner) == 0


def test_what_is_ahead_waits_for_who_has_more_to_read() -> None:
    """Lines of the partition that was fetched first come no earlier than those of the other."""
    aligner = PartitionBuffer(1000, lambda: 0.0)
    assert aligner.release(batch((0, 0, 10), (0, 1, 30)), {0: True, 1: True}).values == []
    assert aligner.buffered() == {0: 2}
    assert aligner.release(batch((1, 0, 5), (1, 1, 20)), {0: True, 1: True}).values == [b"1/0", b"0/0", b"1/1"]
    assert aligner.release(NOTHING, {0: False, 1: False}).values == [b"0/1"]


def test_a_partition_that_has_been_read_is_not_waited_for() -> None:
    """Quiet partitions hold up nobody."""
    assert len(PartitionBuffer(1000, lambda: 0.0).release(batch((0, 0, 10)), {0: True, 1: False})) == 1


def test_patience_ends() -> None:
    """A partition that gives nothing, though it has more, delays the others for a while only."""
    time = [0.0]
    aligner = PartitionBuffer(1000, lambda: time[0])
    assert len(aligner.release(batch((0, 0, 10)), {0: True, 1: True})) == 0
    time[0] = PATIENCE_S + 0.1
    assert len(aligner.release(NOTHING, {0: True, 1: True})) == 1


def test_no_more_than_a_batch_goes_on_at_once() -> None:
    """The earliest first; that there is more is said."""
    aligner = PartitionBuffer(2, lambda: 0.0)
    assert aligner.release(batch((0, 0, 10), (0, 1, 30), (1, 0, 20)), {}).values == [b"0/0", b"1/0"]
    assert aligner.more
    assert aligner.release(NOTHING, {}).values == [b"0/1"]
    assert not aligner.more


def test_a_revoked_partition_is_forgotten() -> None:
    """Its lines will be read by another worker."""
    aligner = PartitionBuffer(1000, lambda: 0.0)
    aligner.release(batch((0, 0, 10), (2, 0, 50)), {0: True, 1: True, 2: True})
    aligner.forget(0)
    assert aligner.release(NOTHING, {}).values == [b"2/0"]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([(0, 1), (1, 1), (0, 2), (1, 2)], [4]),
        ([(0, 8), (1, 1), (0, 9), (0, 0), (1, 2), (0, 1)], [3, 3]),
        ([(0, 8), (1, 5), (0, 0), (1, 0), (1, 1)], [2, 1, 2]),
        ([(0, 8)], [1]),
    ],
)
def test_a_batch_is_cut_where_offsets_begin_again(places: list[tuple[int, int]], expected: list[int]) -> None:
    """In no stretch do those of a partition go back."""
    partitions, offsets = (np.array(column) for column in zip(*places, strict=True))
    raw = RawBatch([b""] * len(places), partitions.astype(np.int32), offsets.astype(np.int64), offsets * 0)
    parts = list(runs(raw))
    assert [len(part) for part in parts] == expected
    assert np.concatenate([part.offsets for part in parts]).tolist() == offsets.tolist()
