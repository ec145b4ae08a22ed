"""When an incident is explained again."""

from dataclasses import replace

import pytest

from index.diagnosis.renewal import Basis, SignalNow, displaces, needs_new_diagnosis
from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis
from index.evidence.gather import gather
from models.records import Level
from tests.index.cloud import NOON, fired, line, material
from tests.index.incident import blamed

ERROR = "AMQP server on 10.0.0.1:5672 is unreachable: timed out"
EVIDENCE = gather(material([line(5, "nova-api", ERROR, "ERROR")]), [fired()], known=None)
BASIS = Basis.of(EVIDENCE, diagnose(EVIDENCE))
LATER = BASIS.until + 10_000_000

SEEN = SignalNow("nova-api", EVIDENCE.lines[0].template, Level.ERROR, NOON, LATER, goes_on=True)
NEW = SignalNow("nova-scheduler", "Unhandled error", Level.CRITICAL, LATER, LATER, goes_on=False)


@pytest.mark.parametrize(
    ("signals", "reason"),
    [
        ([SEEN], ""),
        ([SEEN, NEW], "nova-scheduler wrote a CRITICAL line since"),
        ([SEEN, replace(NEW, level=Level.ERROR)], "nova-scheduler wrote a new error since"),
        ([SEEN, replace(NEW, level=Level.WARNING)], ""),
        ([SEEN, replace(NEW, first=NOON, last=NOON)], ""),
        ([SEEN, replace(NEW, service="nova-api", level=Level.ERROR)], ""),
        ([SEEN, replace(NEW, service="nova-api")], "nova-api wrote a CRITICAL line since"),
        (
            [replace(SEEN, goes_on=False), replace(NEW, service="glance-api", level=Level.UNKNOWN, goes_on=True)],
            "what it stood on is over, and glance-api goes on",
        ),
        ([replace(SEEN, goes_on=False)], ""),
    ],
)
def test_a_diagnosis_holds_until_something_stronger_comes_or_its_ground_is_over(
    signals: list[SignalNow], reason: str
) -> None:
    """What it saw, what only warns, and what it blames anyway give no reason."""
    assert needs_new_diagnosis(BASIS, signals) == reason


def test_an_incident_without_a_diagnosis_needs_one() -> None:
    """The first is due at once."""
    assert needs_new_diagnosis(None, [])


PASSWORD = blamed("nova-scheduler", "A service's login is refused. Keystone refuses it (HTTP 401).", 0.76)
AWAY = "nova-scheduler does not answer nova-conductor: an answer did not come, {} times. It restarts."


@pytest.mark.parametrize(
    ("known", "new", "is_displaced"),
    [
        (PASSWORD, blamed("nova-scheduler", AWAY.format(2), 0.75, consequence=True), False),
        (PASSWORD, blamed("nova-scheduler", AWAY.format(2), 0.9, consequence=True), False),
        (PASSWORD, blamed("glance-api", "A disk is full.", 0.6), False),
        (PASSWORD, blamed("glance-api", "A disk is full.", 0.8), True),
        (PASSWORD, replace(PASSWORD, confidence=0.6), True),
        (replace(PASSWORD, confidence=0.4), blamed("glance-api", "Unknown: an error.", 0.3), True),
        (blamed("nova-scheduler", AWAY.format(2), 0.75, consequence=True), PASSWORD, True),
        (
            blamed("nova-scheduler", AWAY.format(2), 0.75, consequence=True),
            blamed("nova-scheduler", AWAY.format(9), 0.65, consequence=True),
            True,
        ),
    ],
    ids=["repair", "sure repair", "weaker", "surer", "same", "unsure", "outright", "counted anew"],
)
def test_a_cause_that_is_known_gives_way_to_one_as_sure_but_to_no_consequence(
    known: Diagnosis, new: Diagnosis, *, is_displaced: bool
) -> None:
    """While a repaired service starts again it does not answer, which is not what was wrong."""
    assert displaces(new, known) is is_displaced
