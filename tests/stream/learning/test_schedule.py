"""When a worker without a bundle learns, and from what."""

from dataclasses import replace

import pytest

from models.records import NO_TIME
from models.rfc3339 import SECOND, parse_time
from stream.learning.schedule import (
    DAILY,
    HOUR,
    LONGEST,
    MARGIN,
    LearningProgress,
    left_out,
    next_lesson,
    share,
    stretch,
)

MINUTE = 60 * SECOND
AFTER = 20 * MINUTE
FIRST = parse_time("2026-11-30T15:20:00Z")


def test_nothing_is_due_before_the_first_line() -> None:
    """A cloud that ships nothing teaches nothing."""
    assert next_lesson(LearningProgress(), AFTER) == NO_TIME


def test_the_first_lesson_comes_twenty_minutes_after_the_first_line() -> None:
    """However long the worker itself runs."""
    assert next_lesson(LearningProgress(since=FIRST), AFTER) == parse_time("2026-11-30T15:40:00Z")


@pytest.mark.parametrize(
    ("known", "due"),
    [
        (AFTER, 2 * HOUR),
        (3 * AFTER, 2 * HOUR),
        (2 * HOUR, 12 * HOUR),
        (5 * HOUR, 12 * HOUR),
        (12 * HOUR, 12 * HOUR + DAILY),
        (40 * HOUR, 40 * HOUR + DAILY),
    ],
)
def test_later_lessons_follow_the_logs_that_are_known(known: int, due: int) -> None:
    """After two hours, after twelve, then daily; what began with hours of logs skips what these hold."""
    progress = LearningProgress(since=FIRST).succeeded(FIRST + known, "bundle-1")
    assert progress.known_us == known
    assert next_lesson(progress, AFTER) == FIRST + due


def test_every_lesson_that_succeeds_on_time_makes_the_next_one_later() -> None:
    """A week of lessons, each taken when it is due."""
    progress, moments = LearningProgress(since=FIRST), []
    for number in range(8):
        due = next_lesson(progress, AFTER)
        moments.append((due - FIRST) // MINUTE)
        progress = progress.succeeded(due, f"bundle-{number}")
    assert moments == [20, 120, 720, 720 + 1440, 720 + 2880, 720 + 4320, 720 + 5760, 720 + 7200]


def test_a_first_lesson_that_is_set_beyond_two_hours_leaves_out_what_comes_before() -> None:
    """The setting is a least span."""
    progress = LearningProgress(since=FIRST)
    assert next_lesson(progress, 3 * HOUR) == FIRST + 3 * HOUR
    assert next_lesson(progress.succeeded(FIRST + 3 * HOUR, "bundle-1"), 3 * HOUR) == FIRST + 12 * HOUR


def test_a_lesson_that_failed_is_tried_again_as_long_after_as_the_first_one_takes() -> None:
    """Not at once, which would train for ever; and a bundle that is there stays known."""
    progress = LearningProgress(since=FIRST).failed(FIRST + AFTER, "too few lines")
    assert next_lesson(progress, AFTER) == FIRST + 2 * AFTER
    later = progress.succeeded(FIRST + 2 * AFTER, "bundle-1").failed(FIRST + 2 * HOUR, "the disk is full")
    assert later.known_us == 2 * AFTER
    assert next_lesson(later, AFTER) == FIRST + 2 * HOUR + AFTER


def test_a_lesson_learns_from_all_that_the_topic_keeps() -> None:
    """From the first line on, but no further back than lines are kept."""
    progress = LearningProgress(since=FIRST)
    assert stretch(progress, FIRST + AFTER) == (FIRST, FIRST + AFTER)
    assert stretch(progress, FIRST + 2 * LONGEST) == (FIRST + LONGEST, FIRST + 2 * LONGEST)


def test_windows_that_fired_are_left_out_with_a_margin_and_joined() -> None:
    """Overlapping windows of one fault are one stretch, whatever their order; what lies outside is none."""
    span = (FIRST, FIRST + HOUR)
    begin = FIRST + 10 * MINUTE
    fired = [(begin + MINUTE, begin + 2 * MINUTE), (begin, begin + MINUTE), (FIRST + 30 * MINUTE, FIRST + 31 * MINUTE)]
    parts = left_out([*fired, (FIRST - HOUR, FIRST - HOUR + MINUTE)], span)
    assert parts == (
        (begin - MARGIN, begin + 2 * MINUTE + MARGIN),
        (FIRST + 30 * MINUTE - MARGIN, FIRST + 31 * MINUTE + MARGIN),
    )
    assert share(parts, span) == pytest.approx(7 / 60)
    assert left_out([], span) == ()


def test_what_is_left_out_never_passes_the_span() -> None:
    """A fault at the begin and one that still lasts."""
    span = (FIRST, FIRST + HOUR)
    parts = left_out([(FIRST, FIRST + MINUTE), (span[1] - MINUTE, span[1])], span)
    assert (parts[0][0], parts[-1][1]) == span
    assert share([span], span) == 1.0


def test_an_older_problem_is_forgotten_with_the_next_success() -> None:
    """So that nobody is told of it any more."""
    progress = replace(LearningProgress(since=FIRST), problem="noise").succeeded(FIRST + AFTER, "bundle-1")
    assert progress.problem == ""
