"""From settings to sinks: which are configured, and under which names."""

import logging
from collections.abc import Iterable, Iterator
from typing import Protocol
from urllib.parse import urlsplit

from alerts.delivery.redact_alerts import AlertRedactor
from alerts.monitoring.health import LoopHealth
from alerts.sinks.alertmanager import AlertmanagerSink
from alerts.sinks.base import Sink
from alerts.sinks.file import FileSink
from alerts.sinks.pagerduty import DEFAULT_URL, PagerDutySink
from alerts.sinks.slack.bot import API, SlackSink
from alerts.sinks.slack.webhook import SlackWebhookSink
from alerts.sinks.webhook import WebhookSink
from models.errors import InvalidError
from stream.deliver.role import DeliverConfig, VotesConfig
from stream.deliver.sink_worker import SinkWorkerConfig
from stream.settings import Settings
from stream.wiring.core import load_rules, make_tls
from stream.wiring.redaction import redactor_factory

log = logging.getLogger(__name__)


class Secret(Protocol):
    """A setting that is not shown."""

    def get_secret_value(self) -> str:
        """Return it in clear."""


def make_sinks(settings: Settings) -> tuple[Sink, ...]:
    """Return the sinks that the settings name, the quickest first.

    Raises:
        InvalidError: what they say of one does not fit together.
    """
    return tuple(_sinks(settings))


def deliver_config(settings: Settings, health: LoopHealth | None = None) -> DeliverConfig:
    """Return how the deliver role works, and who is told how it goes.

    Raises:
        InvalidError: as ``make_sinks`` and ``redactor_factory`` raise it.
    """
    sinks, rules = make_sinks(settings), load_rules(settings)
    unknown = sorted({name for route in rules.routes for name in route.sinks} - sink_names(sinks))
    if unknown:
        log.warning("rules send alerts to %s, which no setting names", ", ".join(unknown))
    worker = SinkWorkerConfig(
        # By the time of the event: what came late out of a maintenance is still of it.
        decide=lambda alert: rules.decide(alert, alert.updated),
        outgoing=AlertRedactor(redactor_factory(settings), _clear(settings.receipt_key)),
        timeout_s=settings.deliver_timeout_s,
        give_up_s=settings.deliver_give_up_s,
        history_s=settings.deliver_history_s,
        health=health or LoopHealth(),
    )
    votes = None
    if settings.slack_signing_secret is not None and settings.votes_port:
        secret = settings.slack_signing_secret.get_secret_value()
        votes = VotesConfig(settings.votes_host, settings.votes_port, secret, make_tls(settings))
    return DeliverConfig(sinks, worker, settings.synthetic_every_s, votes)


def sink_names(sinks: Iterable[Sink]) -> set[str]:
    """Return the names that rules may use: a member of a cluster goes by its own and by that of all."""
    return {name for sink in sinks for name in (sink.name, sink.name.partition(".")[0])}


def _sinks(settings: Settings) -> Iterator[Sink]:
    if settings.alert_file:
        yield FileSink(settings.alert_file)
    yield from _alertmanagers(settings)
    if url := _clear(settings.webhook_url):
        yield WebhookSink(url, _clear(settings.webhook_secret))
    if key := _clear(settings.pagerduty_routing_key):
        yield PagerDutySink(key, _clear(settings.pagerduty_url) or DEFAULT_URL)
    elif settings.pagerduty_url is not None:
        raise InvalidError("TOCSIN_PAGERDUTY_URL is set and no key", "set TOCSIN_PAGERDUTY_ROUTING_KEY")
    yield from _slack(settings)


def _alertmanagers(settings: Settings) -> Iterator[Sink]:
    members = [url.strip() for url in _clear(settings.alertmanager_url).split(",") if url.strip()]
    for url in members:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidError("TOCSIN_ALERTMANAGER_URL is no list of URLs", "separate http://host:9093 by commas")
        name = "alertmanager" if len(members) == 1 else f"alertmanager.{parts.hostname}-{port or parts.scheme}"
        resend, authorization = settings.alertmanager_resend_s, _clear(settings.alertmanager_authorization)
        yield AlertmanagerSink(url, name, refresh_s=resend, authorization=authorization)


def _slack(settings: Settings) -> Iterator[Sink]:
    token, url = _clear(settings.slack_token), _clear(settings.slack_url)
    if token and not settings.slack_channel:
        raise InvalidError("TOCSIN_SLACK_TOKEN is set and no channel", "set TOCSIN_SLACK_CHANNEL to its id or name")
    if token:
        votes = settings.slack_signing_secret is not None and settings.votes_port > 0
        api = (_clear(settings.slack_api_url) or API).rstrip("/")
        yield SlackSink(token, settings.slack_channel, votes, api)
    elif url:
        yield SlackWebhookSink(url)


def _clear(secret: Secret | None) -> str:
    return "" if secret is None else secret.get_secret_value()
