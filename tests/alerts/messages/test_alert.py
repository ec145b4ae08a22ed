"""Alert, anomaly and incident records: round trips, the published schema, refusals."""

from dataclasses import replace
from typing import Any

import jsonschema
import orjson
import pytest

from alerts.incidents.incident import Incident, IncidentState, incident_id
from alerts.incidents.kept import FINDINGS
from alerts.incidents.signal import Signal
from alerts.messages.alert import Alert, Severity, Status, alert_schema
from alerts.messages.anomaly import Anomaly
from models.errors import InvalidError
from models.findings import Finding, FindingKind
from models.records import Verdict
from models.rfc3339 import SECOND, parse_time, time_text
from models.verdicts import to_json

NOON = parse_time("2026-01-01T12:00:00Z")

INCIDENT = Incident(
    tenant="default",
    service="nova-compute",
    kind="errors",
    services=("nova-compute", "neutron"),
    opened=NOON,
    first=NOON - 30 * SECOND,
    last=NOON + 90 * SECOND,
    severity=Severity.ERROR,
    importance=0.93,
    windows=("w1", "w2", "w3"),
    window_places=("nova-compute@compute-1", "nova-compute@compute-1", "neutron"),
    count=3,
    seen=NOON + 100 * SECOND,
    state=IncidentState.OPEN,
    located=True,
    witnesses=2,
    ids=("req-1", "port:2"),
    templates=("00ff" * 4,),
    top_templates=("00ff" * 4,),
    reasons=("2 error lines, usually 0",),
    last_status=Status.FIRING,
    published=NOON,
    last_severity=2,
    paged=2,
    pages=(NOON,),
    since=NOON + SECOND,
    suppressed=4,
    split_off=("glance",),
    into="",
    parts=("ab" * 16,),
    ordered=("resolve/1/jo/",),
    findings=(Finding(FindingKind.SLOW, template="GET /servers", value=2.6, usual=0.74, unit="s", moment=NOON),),
    signals=(
        Signal(service="nova-compute", host="compute-1", kind="errors", first=NOON, last=NOON, importance=0.93),
        Signal(
            service="neutron",
            kind="values",
            first=NOON,
            last=NOON,
            importance=0.6,
            names=("keystone",),
            named=NOON,
            templates=("00ff" * 4,),
            why="so",
        ),
    ),
)
OVER = replace(INCIDENT, state=IncidentState.RESOLVED)

WINDOW: dict[str, Any] = {
    "id": "w1",
    "tenant": "default",
    "key": "nova-compute@compute-1",
    "kind": "source",
    "start": "2026-01-01T11:59:00.000Z",
    "end": "2026-01-01T12:00:00.000Z",
    "events": 12,
    "score": 3.2,
    "importance": 0.97,
    "fired": True,
    "parts": {"sequence": 3.2},
    "lines": [],
}


def validate(alert: Alert, **change: Any) -> None:
    """Check an alert's JSON, with fields changed, against the published schema."""
    jsonschema.Draft202012Validator(alert_schema()).validate(orjson.loads(alert.to_json()) | change)


def test_alerts_survive_the_topic() -> None:
    """What is written is what is read, in every status."""
    firing = INCIDENT.alert()
    resolved = OVER.alert()
    enriched = replace(firing, status=Status.ENRICHED, diagnosis={"cause": "disk"}, links={"review": "http://x/"})
    for alert in (firing, resolved, enriched):
        assert Alert.from_json(alert.to_json()) == alert


def test_alerts_fit_the_published_schema() -> None:
    """Others rely on alert.schema.json."""
    firing = INCIDENT.alert()
    validate(firing)
    validate(OVER.alert(note="muted", acknowledged="jo"))
    validate(replace(firing, status=Status.ENRICHED, diagnosis={"cause": "disk"}, links={"review": "http://x/"}))


@pytest.mark.parametrize(
    "change",
    [
        {"incident_id": "short"},
        {"ended": time_text(NOON)},
        {"services": ["nova", "nova"]},
        {"status": Status.RESOLVED},
        {"schema": "tocsin.alert/2"},
        {"windows": ["a", "a"]},
    ],
)
def test_the_schema_refuses_what_is_no_alert(change: dict[str, Any]) -> None:
    """A schema that lets everything through would prove nothing."""
    with pytest.raises(jsonschema.ValidationError):
        validate(INCIDENT.alert(), **change)


def test_the_schema_itself_is_valid() -> None:
    """It is a schema of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(alert_schema())


def test_an_incident_survives_the_topic() -> None:
    """Open and resolved, to the last field."""
    for incident in (INCIDENT, OVER, replace(INCIDENT, state=IncidentState.MERGED, into="f" * 32, last_status=None)):
        assert Incident.from_json(incident.to_json()) == incident


def test_an_incident_of_the_version_before_is_read() -> None:
    """It keeps its id, so that what is open at an upgrade is resolved and not told anew."""
    old = {
        "schema": "tocsin.incident/1",
        "incident_id": "any",
        "state": "open",
        "tenant": "default",
        "services": ["nova-compute", "neutron"],
        "opened": time_text(NOON),
        "first": time_text(NOON),
        "last": time_text(NOON),
        "severity": "error",
        "importance": 0.93,
        "windows": ["w1"],
        "count": 1,
        "published": time_text(NOON),
        "seen": time_text(NOON),
    }
    incident = Incident.from_json(orjson.dumps(old))
    assert incident.id == incident_id("default", "nova-compute", NOON)
    assert (incident.state, incident.service, incident.last_status, incident.paged) == (
        IncidentState.OPEN,
        "nova-compute",
        "firing",
        2,
    )
    over = Incident.from_json(orjson.dumps(old | {"state": "resolved"}))
    assert (over.state, over.last_status) == (IncidentState.RESOLVED, "resolved")


def test_the_id_is_made_from_tenant_service_kind_and_episode_only() -> None:
    """Every run gives the same id, and neighbours differ."""
    assert INCIDENT.id == incident_id("default", "nova-compute", NOON, "errors")
    assert replace(INCIDENT, count=9, last=NOON, services=("nova-compute",), ids=()).id == INCIDENT.id
    changes: list[dict[str, Any]] = [
        {"service": "neutron"},
        {"tenant": "x"},
        {"opened": NOON + SECOND},
        {"kind": "silence"},
        {"kind": ""},
    ]
    assert len({INCIDENT.id, *(replace(INCIDENT, **change).id for change in changes)}) == 6


def test_the_id_keeps_tenant_and_service_apart() -> None:
    """Names that run together are still two names."""
    assert incident_id("ab", "c", NOON) != incident_id("a", "bc", NOON)


def test_the_summary_says_what_is_wrong_where_and_since_when() -> None:
    """One line for people, with the state once it is over."""
    assert INCIDENT.alert().summary == (
        "nova-compute: GET /servers takes 2.6 s (usually below 0.74 s). Also affected: neutron. 11:59 UTC, 2 min"
    )
    assert OVER.alert().summary.endswith(". 11:59 UTC, 2 min, resolved")
    merged = replace(INCIDENT, state=IncidentState.MERGED, into="f" * 32)
    assert merged.summary().endswith(", merged into ffffff")


def test_findings_of_the_most_important_window_come_first_and_each_subject_once() -> None:
    """The number that stays is that of the more important window; what is new is kept as far as there is room."""
    errors = Finding(FindingKind.ERRORS, value=2.0, usual=0.01)
    weak = Anomaly("w1", "blue", ("nova",), NOON, 0.6, key="nova@host", findings=(errors,))
    slow = Finding(FindingKind.SLOW, template="GET /servers", value=2.6, usual=0.74, unit="s")
    worse = replace(errors, value=9.0)
    strong = replace(weak, id="w2", importance=0.9, findings=(slow, worse))
    later = replace(weak, id="w3", importance=0.7, findings=(replace(slow, value=1.0), replace(slow, service="glance")))
    incident = Incident.of(weak, 0).joined(strong, 0, 9).joined(later, 0, 9)
    at_nova = tuple(replace(finding, service="nova", host="host") for finding in (slow, worse))
    assert incident.findings == (*at_nova, replace(slow, service="glance"))
    many = tuple(Finding(FindingKind.NEW_HERE, template=str(number)) for number in range(2 * FINDINGS))
    assert len(incident.joined(replace(weak, id="w4", findings=many), 0, 9).findings) == FINDINGS


def test_a_finding_of_a_kind_that_is_not_known_is_left_out() -> None:
    """A newer version wrote it; and one that wrote none at all is read."""
    record = orjson.loads(INCIDENT.to_json())
    record["findings"].append({"kind": "later"})
    assert Incident.from_json(orjson.dumps(record)) == INCIDENT
    del record["findings"]
    assert Incident.from_json(orjson.dumps(record)) == replace(INCIDENT, findings=())


@pytest.mark.parametrize(
    ("change", "services"),
    [
        ({}, ("nova-compute",)),
        ({"key": "nova-compute"}, ("nova-compute",)),
        ({"key": "@host"}, ("@host",)),
        ({"key": "*"}, ("",)),
        ({"kind": "session", "key": "req-1/x"}, ("",)),
        ({"kind": "session", "services": ["nova-api", "neutron", "nova-api"]}, ("nova-api", "neutron")),
        ({"kind": "session", "services": []}, ("",)),
    ],
)
def test_a_window_belongs_to_a_service(change: dict[str, Any], services: tuple[str, ...]) -> None:
    """A source by its key without host, a session by the services it names."""
    window = Anomaly.from_json(orjson.dumps(WINDOW | change))
    assert (window.id, window.tenant, window.services, window.end) == ("w1", "default", services, NOON)
    assert (window.importance, window.fired, window.start) == (0.97, True, NOON - 60 * SECOND)
    assert window.located == bool(services[0])


def test_a_window_over_everything_guesses() -> None:
    """Its services are those of telling lines, which may be anybody's."""
    assert not Anomaly.from_json(orjson.dumps(WINDOW | {"key": "*", "services": ["nova"]})).located


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ({}, "odd"),
        ({"unheard-of": 9.0}, "odd"),
        ({"lstm": 2.0}, "sequence"),
        ({"lstm": 9.0, "levels": 2.0}, "errors"),
        ({"lstm": 50.0, "novelty": 4.0}, "sequence"),
        ({"values": 3.0, "followups": 4.0}, "missing"),
        ({"silence": 3.0, "rates": 3.0}, "silence"),
    ],
)
def test_the_strongest_detector_names_the_kind_of_failure(parts: dict[str, float], kind: str) -> None:
    """Those that only say that something is odd must be far stronger."""
    assert Anomaly.from_json(orjson.dumps(WINDOW | {"parts": parts})).kind == kind


def test_what_the_detectors_publish_can_be_grouped() -> None:
    """The window object of ``anomalies`` holds all that grouping reads."""
    verdict = Verdict(
        "w1",
        "default",
        "source",
        "nova@compute-1",
        NOON - 60 * SECOND,
        NOON,
        3,
        2.5,
        0.9,
        fired=True,
        parts={"levels": 4.0},
        lines=(),
        reasons=("4 error lines, usually 0",),
        templates=("00ff",),
    )
    assert Anomaly.from_json(orjson.dumps(to_json(verdict))) == Anomaly(
        "w1",
        "default",
        ("nova",),
        NOON,
        0.9,
        start=NOON - 60 * SECOND,
        key="nova@compute-1",
        parts={"levels": 4.0},
        reasons=("4 error lines, usually 0",),
        templates=("00ff",),
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        orjson.dumps({k: v for k, v in WINDOW.items() if k != "id"}),
        orjson.dumps(WINDOW | {"end": "2026-01-01T12:00:00"}),
        orjson.dumps(WINDOW | {"end": "9999-12-31T23:59:59-23:00"}),
        orjson.dumps(WINDOW | {"importance": None}),
        orjson.dumps(WINDOW | {"key": ""}),
        orjson.dumps(WINDOW | {"tenant": 5}),
        orjson.dumps(WINDOW | {"services": 5}),
        orjson.dumps(WINDOW | {"parts": [1]}),
        orjson.dumps(WINDOW | {"templates": [7]}),
    ],
)
def test_a_broken_window_is_refused(data: bytes) -> None:
    """One bad record is a dead letter, not a crash."""
    with pytest.raises(InvalidError, match="not a record of anomalies"):
        Anomaly.from_json(data)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"schema": "tocsin.alert/9"}', b'{"schema": "tocsin.alert/1"}'])
def test_broken_alerts_and_incidents_are_refused(data: bytes) -> None:
    """Another version is not read as this one."""
    with pytest.raises(InvalidError):
        Alert.from_json(data)
    with pytest.raises(InvalidError):
        Incident.from_json(data)


def test_times_have_milliseconds_and_a_zone() -> None:
    """Text and number agree; parts of a millisecond are cut off, also before 1970."""
    assert time_text(parse_time("2026-01-01T13:00:00.123+01:00")) == "2026-01-01T12:00:00.123Z"
    assert time_text(1_999) == "1970-01-01T00:00:00.001Z"
    assert time_text(-1) == "1969-12-31T23:59:59.999Z"
