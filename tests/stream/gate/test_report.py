"""The report of a gate: what passes, and what it permits."""

import orjson

from stream.gate.report import GateCheck, GateReport, permits

FINE = GateCheck("cost", True, "as before")
LOST = GateCheck("votes", False, "2 lost", {"3f2a91": "real, says anna", "77aa00": "noise, says bert"})
SKIPPED = GateCheck("evaluation", None, "not looked at")


def report(*checks: GateCheck) -> GateReport:
    """A report on two versions."""
    return GateReport("nova@v2", "new", "nova@v1", "old", 1_772_000_000_000_000, checks)


def test_one_failure_fails_it_and_what_was_not_looked_at_does_not() -> None:
    """But something must have been."""
    assert report(FINE, SKIPPED).passed
    assert not report(FINE, LOST).passed
    assert not report(SKIPPED).passed


def test_exceptions_may_be_accepted_all_or_none() -> None:
    """A check without exceptions by name stays failed."""
    assert not LOST.accepting(frozenset({"3f2a91"})).passed
    accepted = LOST.accepting(frozenset({"3f2a91", "77aa00", "other"}))
    assert (accepted.passed, accepted.accepted) == (True, ("3f2a91", "77aa00"))
    assert not GateCheck("cost", False, "slower").accepting(frozenset({"cost"})).passed
    assert SKIPPED.accepting(frozenset({"evaluation"})).passed is None


def test_people_see_what_failed_and_by_what() -> None:
    """The last line is the verdict."""
    lines = list(report(FINE, LOST.accepting(frozenset({"77aa00"})), SKIPPED).lines())
    assert lines == [
        "ok    cost: as before",
        "FAIL  votes: 2 lost",
        "        3f2a91: real, says anna",
        "        77aa00: noise, says bert (accepted)",
        "-     evaluation: not looked at",
        "nova@v2 may not replace nova@v1",
    ]


def test_a_report_permits_only_these_two_versions() -> None:
    """And none where there is no report, or one that failed."""
    passed, failed = (orjson.loads(orjson.dumps(report(*checks).to_record())) for checks in ((FINE,), (FINE, LOST)))
    assert permits(passed, "new", "old") == ""
    assert permits(None, "new", "old") == "it has passed no gate"
    assert "which is not the version in use" in permits(passed, "new", "other")
    assert permits(failed, "new", "old") == "it has failed its gate: votes"
