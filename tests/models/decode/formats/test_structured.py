"""Lines that are data themselves: JSON objects and logfmt."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.records import Level
from tests.models.decode.formats.lines import read, utc

NOON = utc(2026, 3, 3, 12)


def inner(**fields: object) -> str:
    """Return a record whose line is itself JSON, as containers write it."""
    return json.dumps({"log": json.dumps(fields)})


@pytest.mark.parametrize(
    "fields",
    [
        {"time": "2026-03-03T12:00:00Z", "level": "error", "msg": "no space", "logger": "disk", "trace_id": "t-1"},
        {"ts": 1772539200, "severity": "ERROR", "message": "no space", "name": "disk", "traceId": "t-1"},
        {"timestamp": 1772539200000, "levelname": "ERROR", "event": "no space", "component": "disk", "req_id": "t-1"},
        {
            "@timestamp": "2026-03-03T13:00:00+01:00",
            "log.level": 40,
            "text": " no space ",
            "caller": "disk",
            "trace": "t-1",
        },
    ],
)
def test_the_names_of_many_libraries_are_known(fields: dict[str, object]) -> None:
    """Time, level, message, logger and trace of a JSON line."""
    (found,) = read(inner(**fields))
    assert (found.time, found.level, found.logger, found.message) == (NOON, Level.ERROR, "disk", "no space")
    assert found.row["trace"] == "t-1"


@pytest.mark.parametrize("fields", [{"msg": "alone"}, {"level": "error"}, {"a": 1}, {"msg": None, "time": 3}])
def test_an_object_that_is_no_record_is_a_message(fields: dict[str, object]) -> None:
    """A message alone, or none: the line stays what it is."""
    (found,) = read(inner(**fields))
    assert found.message == json.dumps(fields)
    assert found.level == Level.UNKNOWN


def test_fields_of_other_types_do_no_harm() -> None:
    """A message that is data is told as data; a logger or level that is none is left out."""
    (found,) = read(inner(time="not a time", level=["x"], msg={"a": 1}, logger=7, trace_id=9))
    assert (found.time, found.level, found.logger, found.message) == (None, Level.UNKNOWN, "", '{"a":1}')
    assert found.row["trace"] is None


def test_logfmt_is_read() -> None:
    """Quoted values with quotes in them too."""
    (found,) = read(r'time=2026-03-03T12:00:00Z level=warn msg="he said \"no\"" logger=api request_id=r-1 empty=')
    assert (found.time, found.level, found.logger) == (NOON, Level.WARNING, "api")
    assert found.message == 'he said "no"'
    assert found.row["trace"] == "r-1"


def test_words_with_an_equals_sign_are_no_logfmt() -> None:
    """Without a level or a time the line is a message."""
    (found,) = read("a=1 b=2 c=3")
    assert found.message == "a=1 b=2 c=3"


def test_a_line_that_only_looks_like_json_is_a_message() -> None:
    """Cut off, or followed by something else."""
    texts = ['{"time": "2026-03-03T12:00:00Z", "msg": "cut', '{"time": 1, "msg": "x"} and more']
    found = read(*(json.dumps({"log": text}) for text in texts))
    assert [each.message for each in found] == texts


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
)
NAMES = st.sampled_from(["time", "ts", "level", "severity", "msg", "message", "logger", "trace_id", "x"])


@given(st.dictionaries(NAMES, VALUES, max_size=6))
@settings(max_examples=100, deadline=None)
def test_any_object_is_read_as_one_line_or_refused(fields: dict[str, object]) -> None:
    """Nothing raises, and a line is never two."""
    assert len(read(inner(**fields), "after")) in {1, 2}
