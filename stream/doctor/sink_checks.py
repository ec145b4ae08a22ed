"""Checks of the sinks that page nobody: whether each can be reached, and which alerts were parked."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from alerts.messages.delivery_receipt import DeliveryReceipt, SendState
from alerts.sinks.alertmanager import AlertmanagerSink
from alerts.sinks.base import Delivered, Request, Response, SendFailure, Sink, clean, redacted
from alerts.sinks.file import STDOUT, FileSink
from alerts.sinks.http_transport import Transport
from alerts.sinks.pagerduty import KEY_LENGTH, PagerDutySink, base_of
from alerts.sinks.slack.bot import SlackSink
from alerts.sinks.slack.webhook import SlackWebhookSink
from models.errors import InvalidError
from stream.doctor.result import Check, CheckOutcome
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range

TIMEOUT_S: Final = 5.0
"""How long a service may take to answer.  A judgement."""

_CHANNEL_ID: Final = re.compile(r"[CDG][A-Z0-9]{6,}")
"""The form of Slack's ids of channels, groups and direct messages."""

EXAMPLES: Final = 3
"""Parked alerts that are named, the newest."""


def sink_checks(sinks: tuple[Sink, ...], timeout_s: float = TIMEOUT_S) -> Iterator[Check]:
    """Check that each service answers, in a way that nobody sees there."""
    if not sinks:
        yield Check(
            "sinks",
            CheckOutcome.WARN,
            "no sink is set: alerts stay on their topic",
            "set one, such as TOCSIN_SLACK_URL",
        )
    with Transport(timeout_s) as transport:
        for sink in sinks:
            yield _check(sink, transport)


def check_parked(broker: Broker, topic: str) -> Check:
    """Check which incidents' newest alerts were parked."""
    newest: dict[tuple[str, str], DeliveryReceipt] = {}
    for record in read_range(broker, topic):
        try:
            receipt = DeliveryReceipt.from_json(record.value or b"")
        except InvalidError:
            continue
        newest[receipt.sink, receipt.incident_id] = receipt
    parked = [receipt for receipt in newest.values() if receipt.sent is SendState.PARKED]
    if not parked:
        return Check("deliveries", CheckOutcome.OK, "no alert is parked")
    examples = "; ".join(
        f"{receipt.sink} refused {receipt.incident_id}: {receipt.reason}" for receipt in parked[-EXAMPLES:]
    )
    advice = "correct the setting and restart deliver: alerts that a setting held back are sent then"
    return Check("deliveries", CheckOutcome.WARN, f"{len(parked)} alerts are parked; {examples}", advice)


def _check(sink: Sink, transport: Transport) -> Check:
    name = f"sink {sink.name}"
    match sink:
        case SlackSink():
            return _slack(name, sink, transport)
        case SlackWebhookSink():
            return _asked(
                name, transport, sink, sink.probe({}), sink.url, "set TOCSIN_SLACK_URL to an existing webhook"
            )
        case AlertmanagerSink():
            request = Request(sink.url.rstrip("/") + "/-/healthy", headers=sink.headers(), method="GET")
            return _asked(name, transport, sink, request, sink.url, "start it, or correct TOCSIN_ALERTMANAGER_URL")
        case PagerDutySink():
            return _pagerduty(name, sink, transport)
        case FileSink():
            return _file(name, sink)
        case _:
            return Check(name, CheckOutcome.OK, "set; not checked, because it accepts only alerts")


def _slack(name: str, sink: SlackSink, transport: Transport) -> Check:
    request = Request(f"{sink.api}/auth.test", headers={"authorization": f"Bearer {sink.token}"})
    answer = transport.send(request)
    if isinstance(answer, SendFailure):
        return Check(
            name,
            CheckOutcome.FAIL,
            f"{redacted(sink.api)}: {answer.reason}",
            "check that Slack can be reached from here",
        )
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        body = {}
    if not isinstance(body, dict) or body.get("ok") is not True:
        error = body.get("error") if isinstance(body, dict) else ""
        seen = clean(f"Slack says {error or answer.status}", (sink.token,))
        return Check(name, CheckOutcome.FAIL, seen, "set TOCSIN_SLACK_TOKEN to a bot token with chat:write")
    seen = clean(f"{body.get('user')} of {body.get('team')}, posts to {sink.channel}")
    if not _CHANNEL_ID.fullmatch(sink.channel):
        advice = (
            "set TOCSIN_SLACK_CHANNEL to the channel's id; otherwise a message whose response is lost may come twice"
        )
        return Check(name, CheckOutcome.WARN, f"{seen}, which is not the id of a channel", advice)
    return Check(name, CheckOutcome.OK, seen)


def _pagerduty(name: str, sink: PagerDutySink, transport: Transport) -> Check:
    if len(sink.routing_key) != KEY_LENGTH:
        seen = f"the routing key has {len(sink.routing_key)} characters, not {KEY_LENGTH}"
        return Check(
            name, CheckOutcome.FAIL, seen, "set TOCSIN_PAGERDUTY_ROUTING_KEY to an Events API v2 integration key"
        )
    answer = transport.send(Request(base_of(sink.url) + "/", method="GET"))
    if isinstance(answer, SendFailure):
        return Check(
            name,
            CheckOutcome.FAIL,
            f"{redacted(sink.url)}: {answer.reason}",
            "check that PagerDuty can be reached from here",
        )
    return Check(
        name,
        CheckOutcome.OK,
        f"{redacted(sink.url)} answers; the key is not checked, because that would create an event",
    )


def _asked(name: str, transport: Transport, sink: Sink, request: Request, url: str, advice: str) -> Check:  # noqa: PLR0913 - one line
    answer = transport.send(request)
    if isinstance(answer, SendFailure):
        return Check(name, CheckOutcome.FAIL, f"{redacted(url)}: {answer.reason}", advice)
    outcome = sink.classify(request, answer, {})
    if isinstance(outcome, Delivered):
        return Check(name, CheckOutcome.OK, f"{redacted(url)} answers")
    return Check(name, CheckOutcome.FAIL, f"{redacted(url)}: {_status(answer)}", advice)


def _status(answer: Response) -> str:
    return f"it answers {answer.status}"


def _file(name: str, sink: FileSink) -> Check:
    if sink.path == STDOUT:
        return Check(name, CheckOutcome.OK, "standard output")
    path = Path(sink.path).absolute()
    checked = path if path.exists() else path.parent
    if path.is_dir() or not os.access(checked, os.W_OK):
        return Check(
            name,
            CheckOutcome.FAIL,
            f"{path} cannot be written",
            "set TOCSIN_ALERT_FILE to a file in a folder that exists",
        )
    return Check(name, CheckOutcome.OK, f"{path} can be written")
