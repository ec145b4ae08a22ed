"""The demo's receiver: the sinks deliver to it as to the services."""

import time

from alerts.sinks.alertmanager import AlertmanagerSink
from alerts.sinks.base import Delivered, Remote, Response, Retry, Sink
from alerts.sinks.http_transport import Transport
from alerts.sinks.pagerduty import PagerDutySink
from alerts.sinks.slack.bot import SlackSink
from stream.demo.receiver import CHANNEL, POST_INTERVAL_S, ROUTING_KEY, TOKEN, Receiver
from tests.sink_servers.sample_alerts import enriched, fired, resolved


def bring(sink: Sink, transport: Transport) -> None:
    """Tell a sink an incident from its beginning to its end."""
    remote: Remote = {}
    for alert in (fired(), enriched(fired()), resolved(enriched(fired()))):
        while (request := sink.render(alert, remote, time.time())) is not None:
            answer = transport.send(request)
            assert isinstance(answer, Response)
            outcome = sink.classify(request, answer, remote)
            if isinstance(outcome, Retry):
                time.sleep(POST_INTERVAL_S)
                continue
            assert isinstance(outcome, Delivered)
            remote = outcome.remote


def test_an_incident_is_seen_at_each_service() -> None:
    """One message with a reply, one page, one alert, and all of it over."""
    with Receiver() as receiver, Transport() as transport:
        bring(SlackSink(TOKEN, CHANNEL, api=f"{receiver.url}/api"), transport)
        bring(PagerDutySink(ROUTING_KEY, receiver.url), transport)
        bring(AlertmanagerSink(receiver.url), transport)
        lines = "\n".join(receiver.received.lines("9999"))
    assert "1 messages, 2 updates, 1 replies; 1 resolved" in lines
    assert "1 pages; 1 resolved" in lines
    assert "1 alerts; 1 resolved" in lines
