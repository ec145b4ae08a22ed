"""Entries, the story of a request, and the first bad hop."""

import polars as pl

from index.evidence.request_trace import Bounds, first_failure, follow, traceback_of
from index.evidence.severity import TimeSpan, add_severity
from index.lines.entries import tracebacks, with_entries
from index.lines.shared_ids import shared_ids
from models.rfc3339 import SECOND
from tests.index.cloud import INSTANCE, NOON, OTHER, PORT, REQUEST, line, material, traceback


def heads(values: list[bytes], start: float = 0, end: float = 60) -> pl.DataFrame:
    """Weighed records."""
    span = TimeSpan(NOON + round(start * SECOND), NOON + round(end * SECOND))
    return add_severity(with_entries(material(values).lines), span, (), None)


def bad_of(values: list[bytes]) -> str:
    """Message of the first bad record."""
    table = heads(values)
    at = first_failure(table, NOON)
    return "" if at is None else str(table.filter(pl.col("line_number") == at)["message"][0])


def test_tracebacks_belong_to_their_own_records_where_two_are_interleaved() -> None:
    """Two services that fail in the same millisecond keep their lines apart."""
    one = traceback(0, "nova-api", "KeyError: 'a'", ["nova/a.py:1:f"])
    two = traceback(0, "cinder-api", "ValueError: b", ["cinder/b.py:2:g"], OTHER)
    mixed = [each for pair in zip(one, two, strict=True) for each in pair]
    lines = with_entries(material(mixed).lines)
    found = tracebacks(lines)
    assert sorted(texts[-1] for texts in found["texts"].to_list()) == ["KeyError: 'a'", "ValueError: b"]
    assert set(found["entry"].to_list()) == set(lines.filter(~pl.col("follows"))["line_number"].to_list())


def test_a_story_follows_ids_across_services() -> None:
    """Request → instance → port, and back to other requests on the same instance; others' lines stay out."""
    values = [
        line(0, "nova-api", f"POST /servers for instance {INSTANCE}", request=REQUEST),
        line(1, "nova-compute", f"[instance: {INSTANCE}] Creating port {PORT}"),
        line(2, "neutron-server", f"Port {PORT.upper()} is bound", request=OTHER),
        line(3, "nova-compute", "Something else", request="req-33333333-3333-4333-8333-333333333333"),
    ]
    told = follow(shared_ids(heads(values)), [0])
    assert told.records == (0, 1, 2)
    assert {REQUEST, OTHER, INSTANCE, PORT} <= set(told.ids)


def test_images_and_networks_bind_nothing() -> None:
    """What half the cloud shares tells no story."""
    image = "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
    values = [line(at, "nova-compute", f"Fetching image {image}", request=f"req-{at}{REQUEST[5:]}") for at in range(3)]
    assert follow(shared_ids(heads(values)), [0]).records == (0,)


def test_a_story_is_bounded() -> None:
    """An id in more records than a hub has is not followed, and no more records than the bound are taken."""
    values = [line(at, "nova-compute", f"Instance {INSTANCE} step {at}") for at in range(30)]
    ids = shared_ids(heads(values))
    assert follow(ids, [0], Bounds(hub=29)).records == (0,)
    assert len(follow(ids, [0], Bounds(records=10)).records) == 10


def test_of_services_that_fail_together_the_one_that_is_called_failed_first() -> None:
    """Clocks of two hosts may differ by a second."""
    values = [
        line(1.0, "nova-compute", "Cannot allocate network", "ERROR", request=REQUEST),
        line(1.4, "neutron-server", "Cannot reach its own database", "ERROR", request=OTHER),
    ]
    assert bad_of(values) == "Cannot reach its own database"
    assert bad_of([values[0], line(9, "neutron-server", "Much later", "ERROR")]) == "Cannot allocate network"


def test_who_only_tells_of_anothers_answer_did_not_fail_first() -> None:
    """A client's error behind a server's is the consequence."""
    values = [
        line(1.0, "glance-api", "ClientException: internal error (HTTP 500)", "ERROR"),
        line(1.2, "cinder-api", "Broken here", "ERROR"),
    ]
    assert bad_of(values) == "Broken here"
    assert bad_of(values[:1]).startswith("ClientException")


def test_an_answer_is_a_symptom_where_an_error_says_why() -> None:
    """The access line may be written first; alone it is all there is."""
    values = [
        line(1.0, "nova-api", '10.0.0.1 "GET / HTTP/1.1" status: 503 len: 9 time: 0.1'),
        line(4.0, "nova-api", "The queue is gone", "ERROR"),
    ]
    assert bad_of(values) == "The queue is gone"
    assert "503" in bad_of(values[:1])


def test_a_quiet_cloud_has_no_first_bad_hop() -> None:
    """INFO lines that were there before are nothing bad."""
    values = [line(at, "nova-api", "All is well") for at in (-100, -50, 5)]
    assert bad_of(values) == ""


def test_the_traceback_of_an_error_may_stand_in_the_layer_above() -> None:
    """It is found by service and request; another request's is not taken."""
    said = line(1, "nova-compute", "Cannot reboot", "ERROR", request=REQUEST)
    above = traceback(2, "nova-compute", "KeyError: 'a'", ["nova/a.py:1:f"])
    table = heads([said, *above])
    assert traceback_of(table, 0) == 1
    assert (
        traceback_of(heads([said, *traceback(2, "nova-compute", "KeyError: 'a'", ["nova/a.py:1:f"], OTHER)]), 0) is None
    )
    assert traceback_of(heads(above), 0) == 0
