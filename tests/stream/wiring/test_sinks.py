"""From settings to sinks, and the doctor's look at them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from alerts.messages.delivery_receipt import AlertPosition, DeliveryReceipt, SendState
from alerts.sinks.pagerduty import PagerDutySink
from alerts.sinks.slack.bot import SlackSink
from alerts.sinks.slack.webhook import SlackWebhookSink
from models.errors import InvalidError
from stream.doctor.result import CheckOutcome
from stream.doctor.sink_checks import check_parked, sink_checks
from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.settings import Settings
from stream.wiring.sinks import deliver_config, make_sinks
from tests.sink_servers import pagerduty, slack
from tests.sink_servers.alertmanager import Alertmanager
from tests.sink_servers.base import Fault
from tests.sink_servers.pagerduty import PagerDuty
from tests.sink_servers.sample_alerts import fired
from tests.sink_servers.slack import Slack
from tests.waiting import PATIENCE_S


def secrets(**values: str) -> dict[str, Any]:
    """Return settings that are secret."""
    return {name: SecretStr(value) for name, value in values.items()}


@pytest.fixture
def services() -> Iterator[tuple[Slack, PagerDuty, Alertmanager]]:
    """Give services that listen."""
    found = (Slack(), PagerDuty(), Alertmanager())
    yield found
    for service in found:
        service.close()


def test_every_member_of_a_list_is_a_sink_of_its_own() -> None:
    """With a name that does not depend on its place; a single one is just that."""
    both = make_sinks(Settings(**secrets(alertmanager_url="http://am-0:9093, https://am-1")))
    assert [sink.name for sink in both] == ["alertmanager.am-0-9093", "alertmanager.am-1-https"]
    assert [sink.name for sink in make_sinks(Settings(**secrets(alertmanager_url="http://am-0:9093")))] == [
        "alertmanager"
    ]


def test_a_token_comes_before_a_webhook_and_buttons_need_their_secret() -> None:
    """Both would tell everything twice."""
    webhook = secrets(slack_url="https://hooks.slack.com/services/T/B/x")
    assert [type(sink) for sink in make_sinks(Settings(**webhook))] == [SlackWebhookSink]
    settings = Settings(slack_channel="C1", **webhook, **secrets(slack_token="xoxb-1", slack_signing_secret="s"))
    [sink] = make_sinks(settings)
    assert isinstance(sink, SlackSink)
    assert sink.votes
    assert deliver_config(settings).votes is not None
    [plain] = make_sinks(Settings(slack_channel="C1", **secrets(slack_token="xoxb-1")))
    assert isinstance(plain, SlackSink)
    assert not plain.votes


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (secrets(slack_token="xoxb-1"), "TOCSIN_SLACK_CHANNEL"),
        (secrets(pagerduty_url="https://events.eu.pagerduty.com"), "TOCSIN_PAGERDUTY_ROUTING_KEY"),
        (secrets(alertmanager_url="http://am-0:9093,am-1:9093"), "TOCSIN_ALERTMANAGER_URL"),
        (secrets(alertmanager_url="http://am-0:x"), "TOCSIN_ALERTMANAGER_URL"),
    ],
)
def test_what_does_not_fit_together_says_which_setting(settings: dict[str, Any], word: str) -> None:
    """And what to do."""
    with pytest.raises(InvalidError, match=word):
        make_sinks(Settings(**settings))


def settings_for(services: tuple[Slack, PagerDuty, Alertmanager], folder: Path, **other: str) -> Settings:
    """Return settings that name every service."""
    slack_api, events, alerts = services
    values = {
        "slack_token": slack.TOKEN,
        "slack_api_url": slack_api.api,
        "pagerduty_url": events.url,
        "pagerduty_routing_key": pagerduty.KEY,
        "alertmanager_url": alerts.url,
        "webhook_url": "http://127.0.0.1:9/hook",
    }
    return Settings(slack_channel=slack.CHANNEL, alert_file=str(folder / "a.jsonl"), **secrets(**(values | other)))


def test_the_doctor_reaches_every_sink_and_pages_nobody(
    services: tuple[Slack, PagerDuty, Alertmanager], tmp_path: Path
) -> None:
    """All are well, and none has been told anything."""
    checks = list(sink_checks(make_sinks(settings_for(services, tmp_path))))
    assert [check.outcome for check in checks] == [CheckOutcome.OK] * 5
    assert not services[0].messages
    assert not services[1].log + services[1].changes
    assert not services[2].alerts


def test_the_doctor_says_what_is_wrong_and_gives_no_secret_away(
    services: tuple[Slack, PagerDuty, Alertmanager], tmp_path: Path
) -> None:
    """A wrong token, a short key, a service that is away, a folder that is not there."""
    services[2].fail(Fault.REFUSE)
    wrong = settings_for(services, tmp_path / "no", slack_token="xoxb-wrong", pagerduty_routing_key="short-key")
    checks = {check.name: check for check in sink_checks(make_sinks(wrong))}
    failed = {name for name, check in checks.items() if check.outcome is CheckOutcome.FAIL}
    assert failed == {"sink slack", "sink pagerduty", "sink alertmanager", "sink file"}
    assert "invalid_auth" in checks["sink slack"].seen
    assert "connection refused" in checks["sink alertmanager"].seen
    assert all(check.advice for check in checks.values() if check.outcome is CheckOutcome.FAIL)
    assert "xoxb" not in str(checks)
    assert "short-key" not in str(checks)


def test_the_doctor_warns_of_a_channel_by_name(services: tuple[Slack, PagerDuty, Alertmanager]) -> None:
    """Slack searches by id only."""
    [check] = sink_checks((SlackSink(slack.TOKEN, "#ops", api=services[0].api),))
    assert check.outcome is CheckOutcome.WARN
    assert "TOCSIN_SLACK_CHANNEL" in check.advice


def test_a_slack_webhook_is_asked_with_an_empty_message(services: tuple[Slack, PagerDuty, Alertmanager]) -> None:
    """Which Slack refuses; a webhook that is gone is told apart."""
    url = services[0].url + "/services/T0/B0/secret"
    [good] = sink_checks((SlackWebhookSink(url),))
    [gone] = sink_checks((SlackWebhookSink(url + "x"),))
    assert (good.outcome, gone.outcome) == (CheckOutcome.OK, CheckOutcome.FAIL)
    assert "secret" not in good.seen + gone.seen
    assert not services[0].messages


def test_without_a_sink_the_doctor_warns() -> None:
    """It is no failure."""
    [check] = sink_checks(())
    assert check.outcome is CheckOutcome.WARN


def test_the_doctor_shows_what_was_given_up(broker: Broker, unique: str) -> None:
    """Until it is delivered after all."""
    topics = Topics(unique)
    broker.ensure_topics(topics.specs(2))

    def put(sent: SendState, reason: str = "") -> None:
        receipt = DeliveryReceipt(
            incident_id="a" * 32,
            sink="slack",
            sent=sent,
            status="firing",
            attempt=1,
            time=1.0,
            reason=reason,
            alert=AlertPosition(partition=0, offset=1, digest="d"),
        )
        producer = broker.producer()
        producer.produce(topics.deliveries, receipt.to_json(), receipt.incident_id.encode())
        assert producer.flush(PATIENCE_S) == 0

    put(SendState.DELIVERED)
    assert check_parked(broker, topics.deliveries).outcome is CheckOutcome.OK
    put(SendState.PARKED, "Slack says channel_not_found")
    check = check_parked(broker, topics.deliveries)
    assert check.outcome is CheckOutcome.WARN
    assert "channel_not_found" in check.seen
    put(SendState.DELIVERED)
    assert check_parked(broker, topics.deliveries).outcome is CheckOutcome.OK


def test_a_region_of_pagerduty_is_taken_with_the_path_of_the_endpoint() -> None:
    """As its documentation shows it."""
    [sink] = make_sinks(
        Settings(**secrets(pagerduty_routing_key=pagerduty.KEY, pagerduty_url="https://x.test/v2/enqueue"))
    )
    assert isinstance(sink, PagerDutySink)
    request = sink.render(fired(), {}, 0.0)
    assert request is not None
    assert request.url == "https://x.test/v2/enqueue"
