"""Changes: their records, and how PagerDuty is told of them."""

from typing import Any

import orjson
import pytest

from alerts.messages.alert import Alert
from alerts.messages.delivery_receipt import SendState
from alerts.routing.decision import Decision
from alerts.sinks.base import CHANGE
from alerts.sinks.pagerduty import PagerDutySink
from models.errors import InvalidError
from models.rfc3339 import SECOND
from stream.topics.changes import EVERYTHING, Announcement, announce
from tests.sink_servers import pagerduty
from tests.sink_servers.base import Fault
from tests.sink_servers.sample_alerts import fired
from tests.stream.deliver.delivering import Place, idle, reconciles, settled
from tests.waiting import until

CHANGES = "pagerduty.changes"


def payloads(place: Place) -> list[dict[str, Any]]:
    """Return what PagerDuty was told of changes, in order."""
    return [event["payload"] for event in place.pagerduty.changes]


def sink(place: Place) -> PagerDutySink:
    """Return the sink of the alerts, beside which that of the changes works."""
    return PagerDutySink(pagerduty.KEY, place.pagerduty.url)


@pytest.mark.parametrize("tenant", [None, "acme"])
def test_a_change_comes_back_from_the_topic_as_it_was(tenant: str | None) -> None:
    """Field by field."""
    change = Announcement(7 * SECOND, "nova", "deployed 2026.2", tenant)
    assert Announcement.from_json(change.to_json()) == change


@pytest.mark.parametrize(
    "record",
    [b"", b"[]", b"null", b'{"text":"x"}', b'{"time":"2026-01-01","text":"x"}', b'{"time":"2026-01-01T00:00:00Z"}'],
)
def test_what_is_no_change_is_refused(record: bytes) -> None:
    """With the reason."""
    with pytest.raises(InvalidError, match="not a change"):
        Announcement.from_json(record)


def test_a_change_that_says_nothing_is_refused() -> None:
    """PagerDuty would not take it."""
    with pytest.raises(InvalidError, match="says nothing"):
        Announcement.from_json(Announcement(0, "nova", " ").to_json())


def test_a_change_without_a_service_is_one_of_everything() -> None:
    """As others write them."""
    told = Announcement(0, "", "new switches").to_alert()
    assert (told.summary, told.services) == ("new switches", (EVERYTHING,))


def test_a_change_reaches_pagerduty_without_its_secrets_and_calls_nobody(place: Place) -> None:
    """After failures too; what is none is passed over; alerts go their own way; rules for incidents do not hold it."""
    place.pagerduty.fail(Fault.BUSY)
    producer = place.broker.producer()
    producer.produce(place.topics.changes, b"{}", b"x")
    assert producer.flush(10) == 0

    def decide(alert: Alert) -> Decision:
        return Decision(alert.severity, muted="not asked" if alert.kind == CHANGE else "")

    with place.running(sink(place), decide=decide):
        text = "set admin_password=hunter2x9 on @channel"
        announce(place.broker, place.topics.changes, Announcement(7 * SECOND, "nova-compute", text))
        until(lambda: place.value("tocsin_delivery_requests_total", sink=CHANGES, result="retry") >= 1)
        place.pagerduty.fail(Fault.NONE)
        until(settled(place, CHANGES, 1))
        place.send(fired())
        until(settled(place, "pagerduty", 1))
        until(lambda: idle(place, CHANGES) and reconciles(place, CHANGES))
        assert place.value("tocsin_deliveries_total", sink=CHANGES, outcome="invalid") == 1
        # Whose absence is an alarm: no test alert goes this way.
        assert place.registry.get_sample_value("tocsin_synthetic_last_success_seconds", {"sink": CHANGES}) is None
    [told] = payloads(place)
    assert told["summary"] == "nova-compute: set admin_password=<PASSWORD_1> on @\N{ZERO WIDTH SPACE}channel"
    assert (told["source"], told["timestamp"]) == ("nova-compute", "1970-01-01T00:00:07.000Z")
    assert len(place.pagerduty.pages) == 1
    assert place.pagerduty.refused == []
    assert b"hunter2x9" not in b"".join(receipt.to_json() for receipt in place.receipts())


def test_a_restart_tells_only_what_has_not_been_told(place: Place) -> None:
    """By the receipts and the committed offset; what was announced twice is told once."""
    first, second = Announcement(0, "nova", "deployed 1"), Announcement(SECOND, "cinder", "deployed 2", "acme")
    with place.running(sink(place)):
        announce(place.broker, place.topics.changes, first)
        until(settled(place, CHANGES, 1))
    announce(place.broker, place.topics.changes, first)
    announce(place.broker, place.topics.changes, second)
    with place.running(sink(place)):
        until(settled(place, CHANGES, 2))
        until(lambda: place.value("tocsin_deliveries_total", sink=CHANGES, outcome="duplicate") >= 1)
    assert [told["source"] for told in payloads(place)] == ["nova", "cinder"]
    assert [receipt.sent for receipt in place.receipts()] == [SendState.DELIVERED] * 2


def test_what_pagerduty_refuses_is_given_up_and_shown(place: Place) -> None:
    """A wrong key: parked with the reason."""
    with place.running(PagerDutySink("f" * 32, place.pagerduty.url)):
        announce(place.broker, place.topics.changes, Announcement(0, "nova", "deployed 1"))
        until(lambda: place.value("tocsin_delivery_parked", sink=CHANGES) == 1)
    [receipt] = place.receipts()
    assert (receipt.sink, receipt.sent) == (CHANGES, SendState.PARKED)
    assert "Invalid routing key" in orjson.loads(receipt.to_json())["reason"]
