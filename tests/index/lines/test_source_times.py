"""When sources are quiet, and when they are started again."""

from index.lines.source_times import Pause, source_times
from models.rfc3339 import SECOND
from tests.index.cloud import NOON, line, material


def us(at: float) -> int:
    """Microseconds of a time in seconds after noon."""
    return NOON + round(at * SECOND)


def of(pid: int, at: float, service: str = "nova-compute") -> bytes:
    """A line of a process."""
    return line(at, service, f"Beat {at}").replace(b" 7 INFO ", f" {pid} INFO ".encode())


def test_pauses_that_overlap_the_stretch_are_told() -> None:
    """Short ones, and those that were over before it, are not; one at its end goes on."""
    values = [of(7, at) for at in (-300, -200, -190, -5, 20, 100, 110)]
    (times,) = source_times(material(values).lines, us(0), us(200))
    assert (times.service, times.host) == ("nova-compute", "node-1")
    assert times.pauses == (Pause(us(20), us(100)), Pause(us(110), us(200), goes_on=True))
    assert times.pauses[0].seconds == 80
    assert times.pauses[0].holds(us(60))
    assert not times.pauses[0].holds(us(105))


def test_a_source_that_wrote_nothing_before_was_quiet_since_lines_were_read() -> None:
    """What was before them is not known."""
    values = [of(7, -60, "nova-api"), of(7, 40)]
    times = {one.service: one for one in source_times(material(values).lines, us(0), us(45))}
    assert times["nova-compute"].pauses == (Pause(us(-60), us(40)),)


def test_another_process_in_its_place_is_a_restart() -> None:
    """It is told with the last line before; lines without a process say nothing of it."""
    values = [of(7, -20), of(7, -10), line(0, "rabbitmq", "x"), of(9, 80), of(9, 90)]
    times = {one.service: one for one in source_times(material(values).lines, us(-5), us(100))}
    assert times["nova-compute"].restart == Pause(us(-10), us(80))
    assert times["rabbitmq"].restart is None


def test_one_of_several_workers_is_no_restart() -> None:
    """The others go on."""
    values = [of(7, -20), of(8, -15), of(9, 10), of(8, 20)]
    (times,) = source_times(material(values).lines, us(-5), us(30))
    assert times.restart is None
