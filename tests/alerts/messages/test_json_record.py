"""Records as JSON: order, names, forms, versions, and refusals."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from alerts.messages.alert import Severity, SeverityLabel
from alerts.messages.json_record import JsonName, JsonRecord, Seconds, Time
from models.errors import InvalidError
from models.rfc3339 import SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A record with one field of each form."""

    name: str
    when: Time
    ended: Time | None = None
    moments: tuple[Time, ...] = ()
    sent: Seconds = 0.0
    severity: SeverityLabel = Severity.ERROR
    number: Annotated[int, JsonName("count")] = 0


def _first_version(record: dict[str, Any]) -> dict[str, Any]:
    return record | {"when": record["moment"]}


RECORD = JsonRecord(Sample, "sample/2", "not a sample", "look again", {"sample/1": _first_version})
SAMPLE = Sample(name="a", when=SECOND, moments=(0, SECOND), sent=1.5, severity=Severity.CRITICAL, number=3)
JSON = (
    b'{"schema":"sample/2","name":"a","when":"1970-01-01T00:00:01.000Z","ended":null,'
    b'"moments":["1970-01-01T00:00:00.000Z","1970-01-01T00:00:01.000Z"],"sent":"1970-01-01T00:00:01.500Z",'
    b'"severity":"critical","count":3}'
)


def test_fields_are_written_in_their_order_under_their_json_names() -> None:
    """Times as text, a severity as its name; and all of it is read again."""
    assert RECORD.to_json(SAMPLE) == JSON
    assert RECORD.from_json(JSON) == SAMPLE


def test_a_field_with_a_default_may_be_missing() -> None:
    """A version that did not know the field is read all the same."""
    assert RECORD.from_json(b'{"schema":"sample/2","name":"a","when":"1970-01-01T00:00:01Z","new":1}') == Sample(
        name="a", when=SECOND
    )


def test_an_older_version_is_brought_up_to_date() -> None:
    """By the function of its schema."""
    old = b'{"schema":"sample/1","name":"a","moment":"1970-01-01T00:00:01Z"}'
    assert RECORD.from_json(old) == Sample(name="a", when=SECOND)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"schema":"sample/3","name":"a","when":"1970-01-01T00:00:01Z"}',
        b'{"schema":["sample/2"],"name":"a","when":"1970-01-01T00:00:01Z"}',
        b'{"schema":"sample/1","name":"a"}',
        b'{"schema":"sample/2","name":"a"}',
        b'{"schema":"sample/2","name":5,"when":"1970-01-01T00:00:01Z"}',
        b'{"schema":"sample/2","name":"a","when":"yesterday"}',
        b'{"schema":"sample/2","name":"a","when":null}',
        b'{"schema":"sample/2","name":"a","when":"1970-01-01T00:00:01Z","severity":"dire"}',
        b'{"schema":"sample/2","name":"a","when":"1970-01-01T00:00:01Z","count":"3"}',
    ],
)
def test_what_is_no_record_is_refused(data: bytes) -> None:
    """Another version, a missing field, a value of another type or form: with what it was meant to be."""
    with pytest.raises(InvalidError, match=r"not a sample .*; look again"):
        RECORD.from_json(data)
