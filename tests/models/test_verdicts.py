"""Verdicts: identity and JSON form."""

from hypothesis import given
from hypothesis import strategies as st

from models.records import Pointer, Verdict
from models.rfc3339 import time_text
from models.verdicts import to_json, window_id

NAMES = st.text(max_size=4)


@given(NAMES, NAMES, NAMES, NAMES)
def test_ids_do_not_mix_up_the_fields(tenant: str, key: str, other_tenant: str, other_key: str) -> None:
    """Two windows have one id only if tenant and key are the same, however the names could be cut."""
    same = (tenant, key) == (other_tenant, other_key)
    assert (window_id(tenant, "source", key, 5) == window_id(other_tenant, "source", other_key, 5)) == same


def test_id_is_fixed_for_all_time() -> None:
    """The id of a window is the same in every version: consumers remember ids."""
    assert window_id("cloud", "session", "req-1", 1_700_000_000_000_000) == "a29f8e0c88e14fea04537da3421649c2"


def test_times_are_utc_with_milliseconds() -> None:
    """Microseconds are cut off, not rounded into the next millisecond."""
    assert time_text(1_700_000_000_123_999) == "2023-11-14T22:13:20.123Z"
    assert time_text(-1) == "1969-12-31T23:59:59.999Z"


def test_json_has_the_published_fields() -> None:
    """The object that score and replay write, field by field."""
    verdict = Verdict("id", "cloud", "session", "req-1", 0, 1_000, 3, 1.5, 0.9, True, {"lstm": 2.0}, (Pointer(1, 7),))
    assert to_json(verdict) == {
        "id": "id",
        "tenant": "cloud",
        "key": "req-1",
        "kind": "session",
        "start": "1970-01-01T00:00:00.000Z",
        "end": "1970-01-01T00:00:00.001Z",
        "events": 3,
        "score": 1.5,
        "importance": 0.9,
        "fired": True,
        "state": "live",
        "parts": {"lstm": 2.0},
        "lines": [{"partition": 1, "offset": 7}],
    }
