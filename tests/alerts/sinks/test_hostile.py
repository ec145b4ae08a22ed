"""A hundred hostile lines in every text of an alert: no sink is made to call, to link or to calm down by them."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from alerts.delivery.redact_alerts import AlertRedactor
from alerts.messages.alert import Alert
from alerts.sinks.alertmanager import AlertmanagerSink
from alerts.sinks.base import Delivered, Remote, Response, Sink
from alerts.sinks.file import FileSink
from alerts.sinks.pagerduty import PagerDutySink
from alerts.sinks.slack.bot import SlackSink
from alerts.sinks.slack.webhook import SlackWebhookSink
from alerts.sinks.webhook import WebhookSink
from tests.alerts.laden import SPREAD, telling
from tests.sink_servers import pagerduty, slack
from tests.sink_servers.alertmanager import wrong_alert
from tests.sink_servers.pagerduty import wrong_event
from tests.sink_servers.sample_alerts import HOSTILE
from tests.sink_servers.slack import wrong_content

CORPUS = Path(__file__).parents[2] / "index" / "data" / "hostile.json"
LINES: list[str] = [*json.loads(CORPUS.read_text(encoding="utf-8")), HOSTILE]
NOW = 1_772_500_600.0
SINKS: list[Sink] = [
    AlertmanagerSink("http://127.0.0.1:1"),
    FileSink("/nowhere"),
    PagerDutySink(pagerduty.KEY),
    SlackSink(slack.TOKEN, slack.CHANNEL, votes=True),
    SlackWebhookSink("https://hooks.slack.com/services/T0/B0/x"),
    WebhookSink("http://127.0.0.1:1"),
]
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
CALLS = re.compile(r"<[!@#]|@(?:channel|here|everyone)\b")
LINKS = re.compile(r"\w://")
OURS = "https://tocsin.example/replay/1"

OUTGOING = AlertRedactor()


def alert_with(text: str) -> Alert:
    """Return an alert that pages, with a text in all its words."""
    return replace(telling([text] * SPREAD, [text]), page=True, acknowledged=text)


def bodies(sink: Sink, alert: Alert) -> Iterator[Any]:
    """Yield what a sink is sent for an alert, step by step."""
    remote: Remote = {}
    told = OUTGOING(alert)
    while (request := sink.render(told, remote, NOW)) is not None:
        yield orjson.loads(request.body)
        taken = Response(202 if isinstance(sink, PagerDutySink) else 200, b'{"ok":true,"ts":"17.1"}')
        if isinstance(sink, SlackWebhookSink):
            taken = Response(200, b"ok")
        outcome = sink.classify(request, taken, remote)
        assert isinstance(outcome, Delivered)
        remote = outcome.remote


def shape(value: Any, name: str = "") -> Any:
    """Return what a service acts upon: everything but the words, which are only shown."""
    if isinstance(value, dict):
        return {key: shape(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner, name) for inner in value]
    words = {
        *("text", "summary", "Note", "note", "Acknowledged by", "acknowledged", "Reasons", "reasons", "Diagnosis"),
        *("diagnosis", "cause", "actions", "title", "evidence_digest"),
        # The name of a state, made from all of the alert.
        *("id", "mark"),
    }
    return "" if isinstance(value, str) and name in words else value


def words(value: Any) -> Iterator[str]:
    """Yield all texts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from words(inner)


@pytest.mark.parametrize("sink", SINKS, ids=lambda sink: type(sink).__name__)
def test_no_line_changes_what_a_service_acts_upon(sink: Sink) -> None:
    """Severity, keys, labels, links, buttons and whether it pages are those of an alert with harmless words."""
    harmless = [shape(body) for body in bodies(sink, alert_with("disk full"))]
    assert harmless
    for text in LINES:
        hostile = list(bodies(sink, alert_with(text)))
        assert [shape(body) for body in hostile] == harmless, text
        assert not [each for body in hostile for each in words(body) if STEERS.search(each)], text


@pytest.mark.parametrize("text", LINES)
def test_no_line_calls_anyone_or_links_anywhere(text: str) -> None:
    """At Slack no mention and no link but ours; the same where Alertmanager or PagerDuty pass words on."""
    for sink in SINKS:
        sent = list(bodies(sink, alert_with(text)))
        assert sent
        for body in sent:
            if isinstance(sink, SlackSink | SlackWebhookSink):
                assert wrong_content(body) == ""
                assert "mrkdwn" not in orjson.dumps(body.get("blocks", [])).decode()
                assert [each for each in words(body.get("blocks", [])) if each.startswith("http")] in ([], [OURS])
                assert not CALLS.search(body["text"])
            elif isinstance(sink, AlertmanagerSink):
                assert [wrong_alert(posted) for posted in body] == [""]
                assert not CALLS.search("".join(words(body)))
                assert [each for each in words(body) if LINKS.search(each)] == [f"replay: {OURS}", OURS]
            elif isinstance(sink, PagerDutySink):
                assert wrong_event(body) == []
                if body["event_action"] != "trigger":
                    continue
                shown = [body["payload"]["summary"], *words(body["payload"]["custom_details"])]
                assert not [each for each in shown if CALLS.search(each) or LINKS.search(each)]
                assert [link["href"] for link in body["links"]] == [OURS]


def test_there_are_a_hundred() -> None:
    """The corpus is as large as it claims to be."""
    assert len(set(LINES)) > 100
