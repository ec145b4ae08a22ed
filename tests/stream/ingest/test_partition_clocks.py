"""The recorded clock: moved by messages, by confirmed quiet, and never back."""

from models.rfc3339 import SECOND
from stream.ingest.partition_clocks import MARGIN_S, PartitionClocks

START = 1_700_000_000 * SECOND


class Now:
    """A clock that stands until it is moved; in seconds."""

    def __init__(self) -> None:
        """Start at an arbitrary moment, as a monotonic clock does."""
        self.at = 500.0

    def __call__(self) -> float:
        """Return the time."""
        return self.at


def test_a_partition_has_the_time_of_its_latest_message() -> None:
    """Time stamps move the clock of their own partition, and an earlier one does not put it back."""
    clocks = PartitionClocks(Now())
    clocks.observe(0, START)
    clocks.observe(1, START + 5 * SECOND)
    clocks.observe(0, START - 9 * SECOND)
    assert clocks.read() == {0: START, 1: START + 5 * SECOND}


def test_a_message_without_a_time_stamp_moves_nothing() -> None:
    """A broker may give none; then nothing is known."""
    clocks = PartitionClocks(Now())
    clocks.observe(0, -1)
    assert clocks.read() == {}


def test_quiet_moves_a_clock_by_the_time_that_passed_less_a_margin() -> None:
    """A partition that was asked and holds nothing new is as late as now, but for messages on their way."""
    now = Now()
    clocks = PartitionClocks(now)
    clocks.observe(0, START)
    now.at += 30.0
    clocks.mark_idle(0)
    assert clocks.read() == {0: START + round((30 - MARGIN_S) * SECOND)}


def test_quiet_right_after_a_message_does_not_put_the_clock_back() -> None:
    """The margin never undoes what a time stamp has said."""
    now = Now()
    clocks = PartitionClocks(now)
    clocks.observe(0, START)
    now.at += MARGIN_S / 2
    clocks.mark_idle(0)
    assert clocks.read() == {0: START}


def test_nobody_is_quiet_before_any_time_is_known() -> None:
    """Without one time stamp of the broker its clock cannot be told, so nothing closes."""
    now = Now()
    clocks = PartitionClocks(now)
    now.at += 1000.0
    clocks.mark_idle(0)
    assert clocks.read() == {}


def test_a_partition_that_never_had_a_message_takes_the_time_of_the_others() -> None:
    """All partitions are stamped by one clock."""
    now = Now()
    clocks = PartitionClocks(now)
    clocks.observe(0, START)
    now.at += 10.0
    clocks.mark_idle(1)
    assert clocks.read() == {0: START, 1: START + round((10 - MARGIN_S) * SECOND)}


def test_the_newest_of_all_messages_says_what_time_it_is() -> None:
    """Old messages of a backlog, read late, do not make the broker's clock late."""
    now = Now()
    clocks = PartitionClocks(now)
    clocks.observe(0, START)
    now.at += 10.0
    clocks.observe(1, START - 3600 * SECOND)
    clocks.mark_idle(1)
    assert clocks.read()[1] == START + round((10 - MARGIN_S) * SECOND)


def test_simulated_time_passes_at_its_speed() -> None:
    """A second of a simulation forty times as fast is forty seconds, and so is the margin."""
    now = Now()
    clocks = PartitionClocks(now, speed=40.0)
    clocks.observe(0, START)
    now.at += 3.0
    clocks.mark_idle(0)
    assert clocks.read() == {0: START + round((3 - MARGIN_S) * 40 * SECOND)}


def test_a_partition_that_went_away_is_forgotten_alone() -> None:
    """Its clock is told by whoever reads it now; forgetting an unknown one is harmless."""
    clocks = PartitionClocks(Now())
    clocks.observe(0, START)
    clocks.observe(1, START)
    clocks.forget(0)
    clocks.forget(7)
    assert clocks.read() == {1: START}


def test_what_is_read_is_a_copy() -> None:
    """A caller that holds on to the clocks does not see or make changes."""
    clocks = PartitionClocks(Now())
    clocks.observe(0, START)
    clocks.read()[0] = 0
    assert clocks.read() == {0: START}
