"""Which bundle judged in shadow when, by what its workers wrote."""

from stream.kafka.reader import Record
from stream.topics.shadow_starts import ShadowStart, ShadowStretch, shadow_stretches

FIRST, SECOND = ShadowStart("bundle-2", "nova@v2"), ShadowStart("bundle-3", "nova@v3")


def record(value: bytes, second: int) -> Record:
    """A record of the topic."""
    return Record(0, second, second * 1000, None, value, ())


def test_a_stretch_ends_where_another_bundle_begins() -> None:
    """A second worker of the same bundle, or its restart, begins no stretch, and windows say nothing of it."""
    window = b'{"schema": "tocsin.anomaly/1", "bundle": "bundle-2"}'
    values = [FIRST.to_json(), window, FIRST.to_json(), SECOND.to_json(), window, FIRST.to_json()]
    stretches = shadow_stretches(record(value, second) for second, value in enumerate(values))
    assert stretches == [
        ShadowStretch(FIRST, 0, 3_000_000),
        ShadowStretch(SECOND, 3_000_000, 5_000_000),
        ShadowStretch(FIRST, 5_000_000),
    ]
    assert shadow_stretches([record(window, 1)]) == []
