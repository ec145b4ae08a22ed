"""Reasons of detectors, read again."""

import pytest

from index.evidence.detector_findings import Behaviour, BehaviourKind, exceeds, read_reasons

ACCESS = '<*> "GET <*> HTTP<*>" status: <*> len: <*> time: <*>'


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        (
            f"6 of `{ACCESS}` with values like 6.61, usually below 0.755",
            Behaviour(BehaviourKind.SLOW, "", ACCESS, value=6.61, usual=0.755),
        ),
        (
            f"5 of `{ACCESS}` with values like 503, usually below 200",
            Behaviour(BehaviourKind.REFUSED, "", ACCESS, value=503, usual=200),
        ),
        (
            "1 of `used <*>` with values like 1e+03, usually below 5",
            Behaviour(BehaviourKind.HIGH, "", "used <*>", value=1000, usual=5),
        ),
        (
            "`B <*>` usually comes as often as `A` within 60 s and is missing",
            Behaviour(BehaviourKind.MISSING, "", "A", follows="B <*>"),
        ),
        (
            "`B` usually comes with `A` in the same session and is missing",
            Behaviour(BehaviourKind.MISSING, "", "A", follows="B"),
        ),
        (
            "nova-compute@node-1 has been silent for 80 s, usually 12 s at most",
            Behaviour(BehaviourKind.SILENT, "", value=80, usual=12, service="nova-compute", host="node-1"),
        ),
        ("9 of `A` in 60 s, usually 1 to 3", Behaviour(BehaviourKind.RATE, "", "A", value=9, usual=3)),
    ],
)
def test_what_detectors_say_is_understood(reason: str, wanted: Behaviour) -> None:
    """Each form of sentence becomes what it means."""
    (found,) = read_reasons([reason])
    assert found == Behaviour(wanted.kind, reason, *(getattr(wanted, name) for name in FIELDS))


FIELDS = ("template", "follows", "value", "usual", "service", "host")


def test_what_lines_tell_better_is_left_out() -> None:
    """Counts of errors and of new templates, and sentences of others."""
    assert (
        read_reasons(["8 error lines, usually 0.01", "2 templates never seen in training", "`A` is missing", "?"]) == ()
    )


def test_a_line_shows_what_was_said_by_its_own_numbers() -> None:
    """A duration is compared with durations and not with a length."""
    (slow,) = read_reasons([f"6 of `{ACCESS}` with values like 6.61, usually below 0.755"])
    assert exceeds(slow, '1.2.3.4 "GET / HTTP/1.1" status: 200 len: 900 time: 4.5')
    assert not exceeds(slow, '1.2.3.4 "GET / HTTP/1.1" status: 200 len: 900 time: 0.5')
    (refused,) = read_reasons([f"5 of `{ACCESS}` with values like 503, usually below 200"])
    assert exceeds(refused, '1.2.3.4 "GET / HTTP/1.1" status: 500 len: 900 time: 0.5')
    assert not exceeds(refused, '1.2.3.4 "GET / HTTP/1.1" status: 200 len: 90 time: 0.5')
