"""The test alert: one incident for ever, equal for all who make it in the same slot of time."""

import orjson
from jsonschema import Draft202012Validator

from alerts.delivery.synthetic_alert import SYNTHETIC_ID, synthetic
from alerts.messages.alert import Alert, alert_schema


def test_it_is_an_alert_as_published() -> None:
    """By the schema, and back again."""
    alert = synthetic(1_772_500_123.0, 3600.0)
    Draft202012Validator(alert_schema()).validate(orjson.loads(alert.to_json()))
    assert Alert.from_json(alert.to_json()) == alert


def test_it_changes_with_the_slot_and_with_nothing_else() -> None:
    """Whoever makes it, and when in the slot."""
    assert synthetic(7200.0, 3600.0) == synthetic(10_799.9, 3600.0)
    assert synthetic(10_800.0, 3600.0) != synthetic(10_799.9, 3600.0)
    assert synthetic(10_800.0, 3600.0).incident_id == SYNTHETIC_ID
