"""The wire form of frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidError
from models.records import NO_TIME, EventFrame, RawSpan
from models.windows import frame_codec as frames
from tests.models.windows.test_keys import keyed


def test_round_trip_keeps_everything() -> None:
    """What goes in comes out: keys, rows, spans and the version."""
    frame = keyed({"request": "req-a"}, {"message": "x", "time": NO_TIME})
    back, version = frames.decode(frames.encode(frame, "v1"))
    assert version == "v1"
    assert back.raw == frame.raw
    assert back.keys.equals(frame.keys)
    assert back.rows.equals(frame.rows)


def test_tick_carries_only_clocks() -> None:
    """A frame without rows is small and keeps its spans."""
    tick = EventFrame.empty({3: RawSpan(0, -1, 1_700_000_000_000_000)})
    message = frames.encode(tick, "v")
    assert len(message) < 200
    assert frames.decode(message)[0].raw == tick.raw


@given(st.binary(max_size=300))
def test_other_bytes_are_refused(data: bytes) -> None:
    """Whatever else stands on the topic is an InvalidError, never a crash."""
    with pytest.raises(InvalidError):
        frames.decode(data)


@given(st.integers(0, 4000), st.integers(1, 255))
def test_a_damaged_frame_is_refused(place: int, change: int) -> None:
    """A changed byte, wherever it is, never passes for a frame."""
    message = bytearray(frames.encode(keyed({"request": "req-a"}), "v1"))
    message[place % len(message)] ^= change
    with pytest.raises(InvalidError):
        frames.decode(bytes(message))


def test_when_a_stretch_began_to_come_is_kept_and_may_lack() -> None:
    """Frames of earlier versions do not say it."""
    raw = {0: RawSpan(0, 4, 1_700_000_000_000_000, 1_600_000_000_000_000), 1: RawSpan(7, 9, NO_TIME)}
    decoded, _ = frames.decode(frames.encode(EventFrame.empty(raw), "v"))
    assert decoded.raw == raw
