"""``tocsin rules``: check a file, and try it on history."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from alerts.incidents.backtest import replay
from alerts.incidents.policy import IncidentPolicy
from alerts.messages.anomaly import Anomaly
from alerts.messages.feedback import Opinion, vote
from models.bundle import Bundle
from models.registry.folder_objects import FolderObjects
from models.templates.matcher import template_id
from stream.cli import tocsin
from stream.gate.labels import LabelledIncident, LabelStore
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.writer import write
from stream.topics.feedback import send
from stream.wiring.core import DEMO_BUNDLE

FILE = """
version: 1
routes: [{name: storage, match: {service: "cinder-*"}, sinks: [pagerduty]}]
suppressions:
  - name: old
    reason: "never seen"
    sample: "1 template never seen in training"
    why: upgrade
    owner: ops
    expires: 2026-01-01
  - name: dnsmasq
    template: "Respawning dnsmasq for uuid <*>"
    sample: "Respawning dnsmasq for uuid 7d3"
    why: BUG-9
    owner: net
    expires: 2026-12-31
budget: {pages: 1, per: day}
"""


def line(name: str, minute: int, service: str, importance: float, template: str = "x") -> bytes:
    """Return a window object."""
    at = f"2026-03-02T{minute // 60:02d}:{minute % 60:02d}:00.000Z"
    record = {
        "id": name,
        "tenant": "default",
        "key": f"{service}@host",
        "kind": "source",
        "start": at,
        "end": at,
        "importance": importance,
        "fired": importance >= 0.5,
        "parts": {"novelty": 4.0},
        "services": [service],
        "reasons": ["1 template never seen in training"],
        "templates": [f"{template_id(template):016x}"],
    }
    return orjson.dumps(record)


HISTORY = (
    line("a", 0, "nova-api", 0.955),
    line("b", 100, "cinder-volume", 0.99),
    line("c", 200, "neutron-dhcp-agent", 0.97, "Respawning dnsmasq for uuid <*>"),
    line("d", 300, "glance", 0.96),
    line("e", 400, "glance", 0.3),
    line("f", 500, "swift", 0.6),
)


NEXT_DAY = (*HISTORY, line("g", 24 * 60 - 30, "nova-api", 0.97).replace(b"2026-03-02", b"2026-03-03"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with rules and history."""
    monkeypatch.chdir(tmp_path)
    Path("rules.yaml").write_text(FILE)
    Path("windows.jsonl").write_bytes(b"\n".join((*HISTORY, b"no window", b"")))


def run(*arguments: str, status: int = 0) -> Result:
    """Run ``tocsin rules``."""
    result = CliRunner().invoke(tocsin, ["rules", *arguments])
    assert result.exit_code == status, (result.output, result.exception)
    return result


def test_a_file_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its path or by the setting; what has expired says so."""
    told = run("check", "rules.yaml")
    assert told.stdout.startswith(
        "1 routes, 2 suppressions and maintenance windows, 0 severities, at most 1 page a day"
    )
    assert "old has expired at 2026-01-02T00:00:00.000Z" in told.stderr
    monkeypatch.setenv("TOCSIN_RULES", "rules.yaml")
    assert run("check").stdout == told.stdout


def test_a_wrong_sample_is_refused_with_the_reason() -> None:
    """In one line, exit status 2."""
    Path("rules.yaml").write_text(FILE.replace("uuid 7d3", "port 7d3"))
    told = run("check", "rules.yaml", status=2)
    assert told.stderr.startswith("tocsin: rules.yaml: dnsmasq: its sample does not match its template: it has no ")
    assert told.stderr.count("\n") == 1


def test_no_file_is_told() -> None:
    """With the setting that would name one."""
    assert "set TOCSIN_RULES" in run("check", status=2).stderr
    assert "none.yaml cannot be read" in run("check", "none.yaml", status=2).stderr
    assert "none.jsonl cannot be read" in run("try", "rules.yaml", "--windows", "none.jsonl", status=2).stderr


def test_rules_are_tried_on_windows_of_a_file() -> None:
    """Incidents, not windows, are counted; the threshold that keeps the budget is told."""
    result = run("try", "rules.yaml", "--windows", "windows.jsonl", "--json")
    assert orjson.loads(result.stdout) == {
        "incidents": 4,
        "muted": 1,
        "pages": 3,
        "most_pages_a_day": 3,
        "rules": {"old (expired 2026-01-02T00:00:00.000Z)": 4, "storage": 1, "dnsmasq": 1},
        "sinks": {"every sink": 2, "pagerduty": 1},
        "budget": "1 page a day",
        "threshold": 0.99,
        "pages_within_budget": 1,
        "walk_forward": [],
        "most_pages_unseen": None,
        "budget_kept_unseen": None,
        "real": 0,
        "real_tickets": [],
        "pages_by_team": {"storage": 1},
    }
    assert "windows.jsonl, line 7: not a record of anomalies" in result.stderr
    text = run("try", "rules.yaml", "--windows", "windows.jsonl").stdout
    assert "threshold: 0.99" in text
    assert "walk forward: one day of pages cannot tell whether a threshold holds on the next" in text
    assert "       1  storage" in text


def test_rules_are_tried_on_the_topic(embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands on anomalies is history; each day is judged by those before it."""
    embedded.create_topic("tocsin.anomalies", 1)
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", embedded.bootstrap)
    for each in NEXT_DAY:
        write(Broker(embedded.bootstrap), "tocsin.anomalies", each, b"k")
    record = orjson.loads(run("try", "rules.yaml", "--json").stdout)
    assert (record["incidents"], record["real"]) == (5, 0)
    assert record["walk_forward"] == [{"day": "2026-03-03", "threshold": 0.99, "pages": 0}]
    assert record["budget_kept_unseen"] is True


def test_what_people_called_real_and_would_have_been_a_ticket_is_told(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its team, and with the reason."""
    for topic in ("tocsin.anomalies", "tocsin.incidents", "tocsin.feedback"):
        embedded.create_topic(topic, 1)
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", embedded.bootstrap)
    broker = Broker(embedded.bootstrap)
    incidents, _ = replay(map(Anomaly.from_json, NEXT_DAY), IncidentPolicy())
    for each in NEXT_DAY:
        write(broker, "tocsin.anomalies", each, b"k")
    (storage,) = (one for one in incidents if "cinder-volume" in one.services)
    weak = next(one for one in incidents if one.importance < 0.99 and "nova-api" in one.services)
    for one in (storage, weak):
        write(broker, "tocsin.incidents", one.to_json(), one.id.encode())
        send(broker, "tocsin.feedback", vote(one.id, Opinion.REAL, "anna", one.first))
    record = orjson.loads(run("try", "rules.yaml", "--json").stdout)
    assert record["real"] == 2
    (ticket,) = record["real_tickets"]
    assert (ticket["incident_id"], ticket["team"]) == (weak.id, "no route")
    assert ticket["why"] == "a ticket: importance is below 0.97, where pages begin"
    assert "tickets: 1 of 2 incidents that people called real" in run("try", "rules.yaml").stdout


def test_votes_that_the_store_keeps_count_for_windows_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a name, and nobody asks a broker."""
    (weak, *_), _ = replay(map(Anomaly.from_json, HISTORY[:1]), IncidentPolicy())
    real = LabelledIncident.of(weak, vote(weak.id, Opinion.REAL, "anna", weak.first))
    LabelStore(FolderObjects(tmp_path / "store"), "nova").put(real, b"lines")
    monkeypatch.setenv("TOCSIN_MODELS", (tmp_path / "store").as_uri())
    arguments = ("try", "rules.yaml", "--windows", "windows.jsonl", "--json")
    (ticket,) = orjson.loads(run(*arguments, "--labels", "nova").stdout)["real_tickets"]
    assert ticket["incident_id"] == weak.id
    assert orjson.loads(run(*arguments, "--labels", "cinder").stdout)["real"] == 0


def test_a_sink_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sinks are set; without any, rules may be of another machine."""
    assert "no sink" not in run("check", "rules.yaml").stderr
    monkeypatch.setenv("TOCSIN_ALERT_FILE", "alerts.jsonl")
    assert "storage names pagerduty, which is no sink; there are file" in run("check", "rules.yaml").stderr


def test_a_template_that_no_line_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the whole one, where only its begin was given."""
    assert "template" not in run("check", "rules.yaml").stderr
    monkeypatch.setenv("TOCSIN_BUNDLE", str(DEMO_BUNDLE))
    assert "dnsmasq has a template that is none of the bundle's" in run("check", "rules.yaml").stderr
    table = Bundle.load(DEMO_BUNDLE).table
    texts = [table.text(number) or "" for number in table]
    whole = next(text for text in texts if "'" not in text and '"' not in text and text.count(" ") > 4)
    text = FILE.replace("Respawning dnsmasq for uuid <*>", whole.rpartition(" ")[0])
    text = text.replace("Respawning dnsmasq for uuid 7d3", whole)
    Path("rules.yaml").write_text(text)
    assert f"did you mean the whole of {whole!r}" in run("check", "rules.yaml").stderr


def test_a_file_without_a_window_is_refused() -> None:
    """After each line's own complaint."""
    Path("garbage").write_text("no window\n\nnone either\n")
    told = run("try", "rules.yaml", "--windows", "garbage", status=2).stderr
    assert "none of the 2 lines of garbage is a window" in told
