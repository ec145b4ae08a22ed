"""Line formats from the configuration."""

import pytest

from models.decode.decoder import DecodeConfig
from models.decode.formats import FormatSpec
from models.decode.formats.user import compile_format
from models.errors import InvalidError
from models.records import Level
from tests.models.decode.formats.lines import Read, read, utc

MOMENT = utc(2026, 3, 3, 12, 0, 0, 250_000)


def own(pattern: str, *lines: str, time_format: str = "iso", zone: str = "UTC") -> list[Read]:
    """Read lines with one format of one's own."""
    spec = FormatSpec("mine", pattern, time_format)
    return read(*lines, config=DecodeConfig(zone=zone, formats=(spec,)))


@pytest.mark.parametrize(
    ("time_format", "stamp"),
    [
        ("iso", "2026-03-03T12:00:00.250Z"),
        ("iso", "2026-03-03 13:00:00,250 +0100"),
        ("epoch", "1772539200.25"),
        ("epoch", "1772539200250"),
        ("%d.%m.%Y %H:%M:%S%.f", "03.03.2026 12:00:00.25"),
        ("%d.%m.%Y %H:%M", "03.03.2026 12:00"),
        ("%Y%m%d %H%M%S%.f %z", "20260303 140000.25 +0200"),
    ],
)
def test_times_are_read_as_the_format_says(time_format: str, stamp: str) -> None:
    """ISO in any spelling, epoch numbers, or a pattern of strftime with or without zone."""
    (found,) = own(r"^(?P<time>[^|]+)\|(?P<message>.*)$", f"{stamp}|hello", time_format=time_format)
    assert found.time == (MOMENT if "25" in stamp else MOMENT.replace(microsecond=0))
    assert found.message == "hello"


def test_a_naive_time_is_of_the_configured_zone() -> None:
    """As with the known formats."""
    pattern = r"^(?P<time>[^|]+)\|(?P<message>.*)$"
    (found,) = own(pattern, "03.03.2026 13:00:00.25|x", time_format="%d.%m.%Y %H:%M:%S%.f", zone="Europe/Rome")
    assert found.time == MOMENT


def test_groups_say_what_is_what() -> None:
    """Level, logger, request and message; the pattern begins at the line's begin though it does not say so."""
    pattern = r"(?P<level>\w+) (?P<logger>\w+) (?P<request>[a-f0-9]+) (?P<message>.*)$"
    first, second = own(pattern, "ERROR disk 0af7 no space", "- not this one")
    assert (first.level, first.logger, first.message) == (Level.ERROR, "disk", "no space")
    assert first.row["request"] == "0af7"
    assert second.message == "- not this one"


@pytest.mark.parametrize("time_format", ["iso", "epoch", "%d.%m.%Y %H:%M"])
def test_a_line_whose_time_cannot_be_read_is_left_to_other_formats(time_format: str) -> None:
    """The pattern fits, the stamp does not."""
    pattern = r"^\[?(?P<time>[^|\]]+)[|\]] ?(?P<message>.*)$"
    (found,) = own(pattern, "[2026-13-33 12:00:00] x", time_format=time_format)
    assert found.time is None
    assert found.message == "[2026-13-33 12:00:00] x"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (FormatSpec("mine", r"(?P<time>\d+)"), "format 'mine': no group 'message'; allowed are .*message is required"),
        (FormatSpec("mine", r"(?P<host>\d+) (?P<message>.*)"), "format 'mine': unknown group 'host'"),
        (FormatSpec("mine", r"(?P<time>\d+) (?P<message>.*)", "local"), "time_format must be iso, epoch or a strftime"),
        (FormatSpec("mine", r"(?P<message>.*)(?=x)"), "format 'mine': "),
        (FormatSpec("mine", r"(?P<message>(.*)"), "format 'mine': "),
        (FormatSpec("mine", r"(?P<time>\S+) (?P<message>.*)", "%Q"), "format 'mine': .*'%Q'"),
        (FormatSpec("mine", r"(?P<time>\S+) (?P<message>.*)", "%d.%m. %H:%M"), "is no whole time; it needs all from"),
    ],
    ids=["no message", "unknown group", "time format", "look-ahead", "bracket", "strftime", "no year"],
)
def test_a_wrong_format_is_refused_by_its_name(spec: FormatSpec, message: str) -> None:
    """When it is configured, not when the first line comes."""
    with pytest.raises(InvalidError, match=message):
        compile_format(spec)
