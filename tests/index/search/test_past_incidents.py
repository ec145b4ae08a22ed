"""Records of past incidents become documents, and the topic rebuilds the memory."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from alerts.incidents.incident import LABEL_SCHEMA, Incident, IncidentState
from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.anomaly import Anomaly
from index.embedding.hashing_embedder import HashedEmbedder
from index.search.documents import SHARED, Document, DocumentKind
from index.search.past_incidents import add_incidents, read_records, rebuild, record_documents
from index.search.search_index import SearchIndex
from models.errors import InvalidError
from models.records import NO_TIME

EVIDENCE = [{"text": "ERROR No valid host was found", "offset": 7}, "WARNING Filter RamFilter returned 0 hosts"]
DIAGNOSIS = {
    "summary": "no host has memory left",
    "cause": "RAM of all hosts is used up",
    "actions": ["add hosts", "lower the reservation"],
    "evidence": [{"text": "ERROR No valid host was found"}],
}


def record(name: str, **fields: Any) -> dict[str, Any]:
    """A record as it stands on ``incidents``."""
    return {
        "schema": "tocsin.incident/1",
        "incident_id": name,
        "tenant": "blue",
        "services": ["nova-scheduler", "nova-api"],
        "opened": "2026-01-01T00:00:00.001Z",
        **fields,
    }


def value(name: str, **fields: Any) -> bytes:
    """The same as a message carries it."""
    return orjson.dumps(record(name, **fields))


def test_an_incident_tells_what_was_seen_and_what_it_was_put_down_to() -> None:
    """Two documents of one incident; a line that is evidence twice stands there once."""
    seen, said = record_documents(record("i1", reasons=["a new template"], evidence=EVIDENCE, diagnosis=DIAGNOSIS))
    assert seen == Document(
        "i1",
        DocumentKind.INCIDENT,
        "a new template\nERROR No valid host was found\nWARNING Filter RamFilter returned 0 hosts",
        "nova-scheduler, nova-api: no host has memory left",
        "blue",
        ("nova-scheduler", "nova-api"),
        1_767_225_600_001_000,
        "i1",
    )
    assert (said.id, said.kind, said.source) == ("i1/diagnosis", DocumentKind.DIAGNOSIS, "i1")
    assert said.text == "RAM of all hosts is used up\nadd hosts\nlower the reservation"


def test_records_of_our_topics_are_read_as_they_are_written() -> None:
    """An incident is found by its reasons, an enriched alert by its evidence too."""
    window = Anomaly("w1", "blue", ("nova-api",), 5_000, 0.9, reasons=("2 error lines",), key="nova-api")
    incident = replace(Incident.of(window, 5_000), state=IncidentState.OPEN)
    (found,) = record_documents(orjson.loads(incident.to_json()))
    assert (found.text, found.services) == ("2 error lines", ("nova-api",))
    alert = Alert(
        incident_id="i1",
        episode="e",
        status=Status.ENRICHED,
        severity=Severity.ERROR,
        tenant="blue",
        services=("nova-api",),
        summary="s",
        started=5_000,
        updated=6_000,
        diagnosis=DIAGNOSIS,
    )
    seen, said = record_documents(orjson.loads(alert.to_json()))
    assert (seen.text, seen.time) == ("ERROR No valid host was found", 5_000)
    assert said.tenant == "blue"


def test_what_nobody_has_heard_of_is_not_remembered() -> None:
    """Weak signals, links of services, and labels stand on the same topic."""
    window = Anomaly("w1", "blue", ("nova-api",), 5_000, 0.6, reasons=("2 error lines",), key="nova-api")
    weak = Incident.of(window, 5_000)
    links = b'{"schema":"tocsin.topology/1","tenant":"blue","links":[["neutron","nova-api"]]}'
    label = weak.to_json(LABEL_SCHEMA)
    reading = read_records([(weak.id, weak.to_json()), ("topology/blue", links), ("label/1", label)])
    assert (reading.documents, reading.silent, reading.broken) == ({}, 0, ())


def test_any_object_with_a_text_is_an_incident_of_the_past() -> None:
    """What is known of it is kept; the id follows from the text where there is none."""
    (plain,) = record_documents({"text": "disk of node 7 broke"})
    assert (plain.kind, plain.tenant, plain.services, plain.time) == (DocumentKind.INCIDENT, SHARED, (), NO_TIME)
    assert [plain] == record_documents({"text": "disk of node 7 broke"})
    (told,) = record_documents(
        {"id": 4, "kind": "diagnosis", "text": "x", "service": "a", "time": "1970-01-01 00:00:01", "tenant": "t"}
    )
    assert told == Document("4", DocumentKind.DIAGNOSIS, "x", "", "t", ("a",), 1_000_000, "4")
    (number,) = record_documents({"text": "x", "services": ["a", "b"], "time": 1.5})
    assert (number.services, number.time) == (("a", "b"), 1_500_000)


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {},
        {"text": " "},
        {"text": 5},
        {"text": "x", "kind": "page"},
        {"text": "x", "time": "yesterday"},
        {"schema": "tocsin.alert/1"},
        record("i1", opened="never"),
        record("i1", diagnosis=5),
        record("i1", evidence=5),
        record("i1", services=None),
    ],
)
def test_what_is_none_is_refused(wrong: Any) -> None:
    """With a reason, and as the error that its caller knows."""
    with pytest.raises(InvalidError, match=r"not an incident|must be a JSON object"):
        record_documents(wrong)


def test_the_newest_record_counts_and_null_deletes() -> None:
    """A newer record that is silent does not unsay an older one."""
    reading = read_records(
        [
            ("i1", value("i1", evidence=["old"], diagnosis=DIAGNOSIS)),
            ("i2", value("i2", evidence=["gone"])),
            ("i3", value("i3")),
            ("i4", b"{"),
            ("i1", value("i1", evidence=["new"])),
            ("i2", None),
            ("i5", value("i5", evidence=["first"])),
            ("i5", None),
            ("i5", value("i5", evidence=["again"])),
        ]
    )
    assert {name: document.text.splitlines()[0] for name, document in reading.documents.items()} == {
        "i1": "new",
        "i1/diagnosis": "RAM of all hosts is used up",
        "i5": "again",
    }
    assert {"i2", "i2/diagnosis"} <= reading.gone
    assert reading.silent == 1
    (broken,) = reading.broken
    assert broken.startswith("i4: ")


def test_the_topic_rebuilds_the_memory() -> None:
    """The same incidents as if they had been remembered one by one; runbooks stay, what the topic forgot is gone."""
    page = Document("r1", DocumentKind.RUNBOOK, "add hosts")
    records = [
        ("i1", value("i1", evidence=EVIDENCE)),
        ("i2", value("i2", evidence=["volume lost"])),
        ("i1", value("i1", evidence=EVIDENCE, diagnosis=DIAGNOSIS)),
        ("i2", None),
        ("i3", value("i3", evidence=["port down"])),
    ]
    step_by_step = SearchIndex(HashedEmbedder())
    step_by_step.add([page])
    for each in records:
        add_incidents(step_by_step, [each])
    rebuilt = SearchIndex(HashedEmbedder())
    rebuilt.add(
        [
            page,
            Document("stale", DocumentKind.INCIDENT, "forgotten"),
            Document("i2", DocumentKind.INCIDENT, "volume lost"),
        ]
    )
    rebuild(rebuilt, iter(records))
    assert set(rebuilt.documents()) == set(step_by_step.documents())
    assert {document.id for document in rebuilt.documents()} == {"r1", "i1", "i1/diagnosis", "i3"}
    assert rebuilt.search("no valid host", 1) == step_by_step.search("no valid host", 1)
