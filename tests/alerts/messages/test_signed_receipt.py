"""Receipts of alerts and of deliveries."""

from dataclasses import replace

import orjson
import pytest

from alerts.messages.alert import Alert, Severity
from alerts.messages.delivery_receipt import AlertPosition, DeliveryReceipt, SendState
from alerts.messages.signed_receipt import ReceiptFacts, Signer, key_id, problems
from models.errors import InvalidError
from tests.sink_servers.sample_alerts import fired, grown

KEY = "only-for-tests"


def window(name: str) -> bytes:
    """Return a record of ``anomalies``."""
    lines = [{"partition": 1, "offset": 9}, {"partition": 1, "offset": 4}, {"partition": 0, "offset": 7}]
    parts = {"lstm": 0.5, "new": 1.25}
    return orjson.dumps({"id": name, "bundle": "b-1", "importance": 0.99, "parts": parts, "lines": lines})


def signed(alert: Alert) -> Alert:
    """Return an alert with a receipt, as it comes back from the topic."""
    signer = Signer(KEY, "rules-3")
    signer.saw(window("window-0-1"), 17)
    return Alert.from_json(signer.sign(alert).to_json())


def test_a_receipt_says_what_an_alert_was_decided_from() -> None:
    """Windows with parts, bundle and ranges of raw lines; rules; which windows another process saw."""
    receipt = signed(grown(fired(), 2)).receipt
    assert receipt is not None
    [facts] = receipt["windows"]
    assert facts["lines"] == [{"partition": 0, "first": 7, "last": 7}, {"partition": 1, "first": 4, "last": 9}]
    assert (facts["bundle"], facts["anomalies_offset"], facts["parts"]["new"]) == ("b-1", 17, 1.25)
    assert receipt["windows_elsewhere"] == ["window-0-1-2"]
    assert receipt["rules"] == "rules-3"


def test_a_receipt_that_is_in_order_verifies_and_any_change_shows() -> None:
    """Of the alert, of the receipt, of the key."""
    alert = signed(fired())
    assert problems(alert, KEY) == []
    assert "the alert was changed" in problems(replace(alert, severity=Severity.WARNING), KEY)[0]
    assert alert.receipt is not None
    forged = replace(alert, receipt={**alert.receipt, "rules": "rules-4"})
    assert "the receipt was changed" in problems(forged, KEY)[0]
    assert key_id("other") in problems(alert, "other")[0]
    assert "no receipt" in problems(fired(), KEY)[0]
    assert problems(replace(alert, receipt={}), KEY)


def test_without_a_key_there_is_no_receipt_and_the_key_is_nowhere() -> None:
    """Neither in the receipt nor in a representation."""
    assert Signer("").sign(fired()) == fired()
    assert KEY not in repr(Signer(KEY))
    assert KEY.encode() not in signed(fired()).to_json()


def test_what_is_no_window_is_refused() -> None:
    """With the reason."""
    with pytest.raises(InvalidError, match="not a record of anomalies"):
        ReceiptFacts.of(b"{}", 0)


def test_a_delivery_comes_back_from_the_topic_as_it_was() -> None:
    """Field by field; another record is refused."""
    receipt = DeliveryReceipt(
        incident_id="a" * 32,
        sink="slack",
        sent=SendState.PARKED,
        status="firing",
        attempt=3,
        time=1.5,
        reason="x",
        mendable=True,
        alert=AlertPosition(partition=0, offset=7, digest="d1"),
        covers=("d0",),
        remote={"ts": "1"},
    )
    assert DeliveryReceipt.from_json(receipt.to_json()) == receipt
    with pytest.raises(InvalidError, match="not a receipt"):
        DeliveryReceipt.from_json(b'{"schema":"tocsin.alert/1"}')
