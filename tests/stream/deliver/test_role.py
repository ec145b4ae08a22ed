"""The deliver role against servers that enforce the services' rules."""

import http.client
import logging
import threading
import time
from dataclasses import replace
from functools import partial
from urllib.parse import urlencode

import orjson
import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from alerts.delivery.synthetic_alert import SYNTHETIC_ID
from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.delivery_receipt import SendState
from alerts.messages.feedback import Feedback, Opinion
from alerts.messages.signed_receipt import Signer
from alerts.monitoring.metrics import Metrics
from alerts.routing.decision import Decision
from alerts.sinks.alertmanager import AlertmanagerSink
from alerts.sinks.file import FileSink
from alerts.sinks.pagerduty import PagerDutySink
from alerts.sinks.slack.bot import SlackSink
from alerts.sinks.slack.interactions import sign
from alerts.sinks.slack.webhook import SlackWebhookSink
from stream.cli import tocsin
from stream.deliver.role import Deliver, DeliverConfig, VotesConfig
from stream.deliver.sink_worker import SinkWorkerConfig
from stream.deliver.votes_server import PATH
from stream.kafka.reader import read_range
from tests.alerts.laden import laden
from tests.index.redaction.planted import plant
from tests.ports import held_port
from tests.sink_servers import pagerduty, slack
from tests.sink_servers.base import Call, Fault
from tests.sink_servers.sample_alerts import enriched, fired, grown, resolved
from tests.stream.deliver.delivering import HASTE_S, Place, everywhere, idle, reconciles, settled
from tests.waiting import PATIENCE_S, until

SECRET = "only-for-tests"  # noqa: S105 - signs receipts


def test_an_incident_is_told_at_every_sink_from_its_beginning_to_its_end(place: Place) -> None:
    """One message, one page, one alert; updated in place; ended everywhere; with a receipt of each send."""
    first = fired()
    worse = replace(enriched(grown(first, 2, Severity.CRITICAL)), page=True)
    with place.running():
        place.send(first)
        everywhere(place, 1)
        assert len(place.alertmanager.firing()) == 1
        assert place.pagerduty.pages[0].events[0]["payload"]["severity"] == "error"
        place.send(worse)
        everywhere(place, 2)
        assert [alert["annotations"]["severity"] for alert in place.alertmanager.firing()] == ["critical"]
        place.send(resolved(worse))
        everywhere(place, 3)
        until(lambda: all(reconciles(place, sink.name) for sink in place.sinks()))
    assert place.slack.problems == []
    [message] = place.slack.incidents
    assert "RESOLVED" in message.texts[-1]
    assert "@here" not in message.texts[-1]
    # What an update hides is said aloud, and the diagnosis stands in the thread.
    assert next(m.texts[0] for m in place.slack.messages.values() if m.thread) == "Now critical"
    assert len(place.slack.messages) == 3
    assert [page.resolved for page in place.pagerduty.pages] == [True, True]
    assert place.pagerduty.pages[1].events[0]["payload"]["severity"] == "critical"
    assert place.pagerduty.refused == []
    assert place.alertmanager.firing() == []
    assert place.alertmanager.refused == []
    lines = [orjson.loads(line) for line in place.file.read_bytes().splitlines()]
    assert [line["status"] for line in lines] == ["firing", "enriched", "resolved"]
    assert [alert["status"] for alert in place.receiver.seen.values()] == ["firing", "enriched", "resolved"]
    assert place.receiver.forged == 0


def test_what_was_delivered_is_not_sent_again_by_the_next_process(place: Place) -> None:
    """The receipts say what stands where; an alert that comes twice is a duplicate."""
    first = fired()
    with place.running():
        place.send(first)
        everywhere(place, 1)
    with place.running():
        place.send(first, grown(first, 2))
        everywhere(place, 2)
        until(lambda: place.value("tocsin_deliveries_total", sink="webhook", outcome="duplicate") >= 1)
    assert len(place.slack.incidents) == 1
    assert len(place.slack.incidents[0].texts) == 2
    assert place.receiver.repeated == 0
    assert len(place.receiver.seen) == 2
    assert len(place.pagerduty.pages) == 1
    assert len(place.file.read_bytes().splitlines()) == 2


def test_a_sink_that_is_away_holds_up_no_other_and_is_told_the_newest(place: Place) -> None:
    """While one refuses connections, the others are told; then it hears the newest state only."""
    place.receiver.fail(Fault.REFUSE)
    first = fired()
    with place.running():
        place.send(first)
        until(settled(place, "file", 1))
        place.send(grown(first, 2))
        until(settled(place, "file", 2))
        until(lambda: place.value("tocsin_deliveries_total", sink="webhook", outcome="superseded") == 1)
        until(lambda: place.value("tocsin_delivery_pending", sink="webhook") == 1)
        until(lambda: reconciles(place, "webhook"))
        place.receiver.fail(Fault.NONE)
        until(settled(place, "webhook", 1))
    assert [alert["summary"] for alert in place.receiver.seen.values()] == [grown(first, 2).summary]


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.ERROR, Fault.BUSY, Fault.SLOW])
def test_a_lost_answer_makes_no_second_message(place: Place, fault: Fault) -> None:
    """Slack may have posted it: it is asked first."""
    place.slack.fail(fault)
    alerts = [fired(n) for n in range(4)]
    haste = HASTE_S if fault is Fault.HANG else PATIENCE_S
    with place.running(SlackSink(slack.TOKEN, slack.CHANNEL, api=place.slack.api), timeout_s=haste):
        place.send(*alerts)
        until(lambda: place.slack.calls >= 4)
        place.slack.fail(Fault.NONE)
        until(settled(place, "slack", 4))
    assert len(place.slack.incidents) == 4
    assert len({message.mark for message in place.slack.incidents}) == 4


def test_what_no_retry_mends_is_parked_and_a_mended_setting_is_tried_again(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong channel: parked with the reason; the next process, with the right one, sends it."""
    caplog.set_level(logging.DEBUG)
    alert = fired()
    with place.running(SlackSink(slack.TOKEN, "C0WRONG", api=place.slack.api)):
        place.send(alert)
        until(lambda: place.value("tocsin_delivery_parked", sink="slack") == 1)
        until(lambda: reconciles(place, "slack"))
    [*_, receipt] = place.receipts()
    assert receipt.sent is SendState.PARKED
    assert "channel_not_found" in receipt.reason
    assert slack.TOKEN not in receipt.to_json().decode()
    assert "channel_not_found" in caplog.text
    assert slack.TOKEN not in caplog.text
    assert "chat.postMessage" not in caplog.text
    with place.running(SlackSink(slack.TOKEN, slack.CHANNEL, api=place.slack.api)):
        until(settled(place, "slack", 1))
        until(lambda: place.value("tocsin_delivery_parked", sink="slack") == 0)
    assert len(place.slack.incidents) == 1


def test_an_incident_muted_meanwhile_is_still_ended(place: Place) -> None:
    """Opened, then muted: no update comes, but the end does; one that was muted from the start is never told."""
    known, other = fired(1), fired(2)
    muted: set[str] = {other.incident_id}

    def decide(alert: Alert) -> Decision:
        return Decision(alert.severity, muted="known" if alert.incident_id in muted else "")

    sink = PagerDutySink(pagerduty.KEY, place.pagerduty.url)
    with place.running(sink, decide=decide):
        place.send(known, other)
        until(settled(place, "pagerduty", 1))
        muted.add(known.incident_id)
        place.send(grown(known, 2), resolved(grown(known, 2)), resolved(other))
        until(settled(place, "pagerduty", 2))
        until(lambda: place.value("tocsin_deliveries_total", sink="pagerduty", outcome="muted") == 3)
    [page] = place.pagerduty.pages
    assert page.resolved
    assert len(page.events) == 2


def test_the_test_alert_reaches_every_sink_and_calls_nobody(place: Place) -> None:
    """A change for PagerDuty, one message for Slack, an alert of its own name for Alertmanager; the metric moves."""
    began = time.time()

    def proven(sink: str) -> bool:
        return place.value("tocsin_synthetic_last_success_seconds", sink=sink) >= began - 1

    # A slot so long that none ends while the test runs.
    with place.running(synthetic_s=1e9):
        for sink in place.sinks():
            until(settled(place, sink.name, 1))
            until(partial(proven, sink.name))
    assert place.pagerduty.pages == []
    assert len(place.pagerduty.changes) == 1
    assert [alert["labels"]["alertname"] for alert in place.alertmanager.firing()] == ["TocsinSynthetic"]
    assert {receipt.incident_id for receipt in place.receipts()} == {SYNTHETIC_ID}


def test_alertmanager_is_told_again_while_it_fires_and_after_it_ended(place: Place) -> None:
    """It forgets what is not repeated; the end is repeated too, because a restarted one remembers the beginning."""
    alert = fired()
    with place.running(AlertmanagerSink(place.alertmanager.url, refresh_s=3.0)):
        place.send(alert)
        until(settled(place, "alertmanager", 1))
        place.alertmanager.alerts.clear()
        until(place.alertmanager.firing)
        place.send(resolved(alert))
        until(settled(place, "alertmanager", 2))
        place.alertmanager.alerts.clear()
        until(lambda: len(place.alertmanager.alerts) == 1)
        assert place.alertmanager.firing() == []


def test_without_a_sink_the_role_waits_and_says_so(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """It is no error: alerts stay on their topic."""
    role = Deliver(place.broker, place.topics, Metrics.on(CollectorRegistry()), DeliverConfig())
    stop = threading.Event()
    thread = threading.Thread(target=role.run, args=(stop,))
    thread.start()
    try:
        until(lambda: "no sink is set" in caplog.text)
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_a_click_on_a_button_becomes_a_vote_on_the_topic(place: Place) -> None:
    """By the endpoint that the role serves."""
    port = held_port()
    votes = VotesConfig("127.0.0.1", port, "only-for-tests")
    config = DeliverConfig((FileSink(str(place.file)),), SinkWorkerConfig(), 0.0, votes)
    role = Deliver(place.broker, place.topics, Metrics.on(CollectorRegistry()), config)
    stop = threading.Event()
    thread = threading.Thread(target=role.run, args=(stop,))
    thread.start()
    click = {"action_id": "tocsin_vote_noise", "value": fired().incident_id}
    payload = {"type": "block_actions", "user": {"id": "U1"}, "team": {"id": "T1"}, "actions": [click]}
    body = urlencode({"payload": orjson.dumps(payload).decode()}).encode()
    stamp = str(int(time.time()))
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": sign(votes.secret, stamp, body)}

    def clicked() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            connection.request("POST", PATH, body, headers)
            return connection.getresponse().status == 200
        except ConnectionRefusedError:
            return False
        finally:
            connection.close()

    try:
        until(clicked)
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    [record] = read_range(place.broker, place.topics.feedback)
    vote = Feedback.from_json(record.value or b"")
    assert record.key == vote.key.encode()
    assert (vote.incident_id, vote.opinion, vote.by) == (fired().incident_id, Opinion.NOISE, "slack:T1/U1")


def test_what_rules_have_changed_is_verified_where_it_was_delivered(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command finds the receipts in order, of what was regraded and of what was left as it was."""
    plain, louder = (Signer(SECRET, "rules-1").sign(fired(n)) for n in (1, 2))

    def decide(alert: Alert) -> Decision:
        worse = alert.incident_id == louder.incident_id
        return Decision(Severity.CRITICAL if worse else alert.severity, page=not worse)

    with place.running(FileSink(str(place.file)), decide=decide, receipt_key=SECRET):
        place.send(plain, louder)
        until(settled(place, "file", 2))
    told = {alert.incident_id: alert for alert in map(Alert.from_json, place.file.read_bytes().splitlines())}
    assert (told[louder.incident_id].severity, told[louder.incident_id].page) == (Severity.CRITICAL, False)
    assert told[plain.incident_id].severity is plain.severity
    monkeypatch.setenv("TOCSIN_RECEIPT_KEY", SECRET)
    result = CliRunner().invoke(tocsin, ["receipt", "verify", str(place.file)])
    assert (result.exit_code, result.output.count("ok ")) == (0, 2)
    place.file.write_bytes(place.file.read_bytes().replace(b'"critical"', b'"warning"'))
    assert CliRunner().invoke(tocsin, ["receipt", "verify", str(place.file)]).exit_code == 2


def test_what_is_no_alert_is_passed_over(place: Place) -> None:
    """A foreign record on the topic is counted, and the next alert arrives."""
    producer = place.broker.producer()
    producer.produce(place.topics.alerts, b"{}", b"x")
    assert producer.flush(PATIENCE_S) == 0
    with place.running(FileSink(str(place.file))):
        place.send(fired())
        until(settled(place, "file", 1))
        until(lambda: place.value("tocsin_deliveries_total", sink="file", outcome="invalid") == 1)
        until(lambda: reconciles(place, "file"))
    assert orjson.loads(place.file.read_bytes())["status"] == Status.FIRING.value


def test_no_secret_leaves_by_any_sink(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Alerts full of secrets: none in what any service hears, in the file, in the receipts, or in our own log."""
    caplog.set_level(logging.DEBUG)
    heard: list[Call] = []
    for service in (place.slack, place.pagerduty, place.alertmanager, place.receiver):
        service.heard = heard
    planted = plant(11, 60)
    alerts = [laden(planted[start : start + 20], start) for start in range(0, 60, 20)]
    webhook = SlackWebhookSink(place.slack.url + "/services/T0/B0/secret", name="slack-webhook")
    sinks = (*place.sinks(), webhook)
    with place.running(*sinks):
        place.send(*alerts, *(resolved(alert) for alert in alerts))
        for sink in sinks:
            until(partial(idle, place, sink.name))
            until(settled(place, sink.name, 3))
        # Alertmanager is told again from what the receipts say.
        until(lambda: sum(call.path == "/api/v2/alerts" for call in heard) > 6)
    receipts = [record.value or b"" for record in read_range(place.broker, place.topics.deliveries)]
    inside = b"".join(record.value or b"" for record in read_range(place.broker, place.topics.alerts)).decode()
    outside = {
        "services": b"\n".join(call.body for call in heard).decode(),
        "paths": "\n".join(call.path for call in heard),
        "file": place.file.read_text(encoding="utf-8"),
        "receipts": b"\n".join(receipts).decode(),
        "log": caplog.text,
    }
    values = {part for each in planted for part in each.parts}
    assert [name for name, text in outside.items() for value in values if value in text] == []
    assert "_1>" in outside["services"]
    assert sum(any(part in inside for part in each.parts) for each in planted) > 50
    for alert in alerts:
        assert alert.incident_id in outside["services"]
    assert place.receiver.forged == 0
    assert place.slack.problems + place.alertmanager.refused == []
    assert place.pagerduty.refused == []
