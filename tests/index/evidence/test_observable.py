"""What detectors report counts only where the lines bear it out."""

from collections import Counter
from dataclasses import replace

import pytest

from index.evidence.bundle_fit import bundle_fit
from index.evidence.observable import Observed
from models.findings import Finding, FindingKind
from models.records import Verdict
from models.rfc3339 import SECOND
from models.templates.matcher import TemplateTable, mine
from tests.index.cloud import NOON, line, material

STEADY = [line(at, "keystone", f"Token {at} issued", host=host) for at in range(0, 600, 5) for host in ("ctl1", "ctl2")]
STOPPED = [line(at, "glance-api", f"Image {at} read", host="ctl1") for at in range(0, 300, 5)]
BARE = [line(at, "cinder-api", f"Volume {at} made", host="") for at in range(0, 600, 5)]


def silence(service: str, host: str, seconds: float) -> Finding:
    """A source that was silent until ten minutes past noon."""
    moment = NOON + round((600 - seconds) * SECOND)
    return Finding(FindingKind.SILENT, value=seconds, usual=5.0, unit="s", service=service, host=host, moment=moment)


@pytest.mark.parametrize(
    ("service", "host", "seconds", "shown"),
    [
        ("keystone", "controller-1", 60, False),  # another host of a known service
        ("keystone", "", 60, False),  # trained without hosts, served with: somebody writes
        ("keystone", "ctl1", 60, False),  # it writes
        ("nova-api", "ctl1", 60, False),  # not in the files
        ("nova-api", "", 60, False),
        ("glance-api", "ctl1", 300, True),
        ("glance-api", "", 300, True),
        ("glance-api", "ctl2", 300, False),
        ("cinder-api", "ctl1", 60, False),  # trained with hosts, files without: the service writes
    ],
)
def test_a_source_is_silent_only_if_it_is_there_and_stopped(
    service: str, host: str, seconds: float, *, shown: bool
) -> None:
    """With or without a host, in the bundle or in the files."""
    observed = Observed.of(material([*STEADY, *STOPPED, *BARE]), complete=True)
    assert observed.shows(silence(service, host, seconds), NOON + 600 * SECOND) is shown


def test_a_service_without_hosts_that_stopped_is_silent_on_whatever_host_training_saw() -> None:
    """Nobody of the service writes any more."""
    stopped = [line(at, "cinder-api", f"Volume {at} made", host="") for at in range(0, 300, 5)]
    observed = Observed.of(material([*STEADY, *stopped]), complete=True)
    assert observed.shows(silence("cinder-api", "controller-1", 300), NOON + 600 * SECOND)


@pytest.mark.parametrize(("host", "shown"), [("cmp1", True), ("ctl1", False), ("cmp2", False)])
def test_a_host_is_quiet_only_if_none_of_its_services_writes(host: str, *, shown: bool) -> None:
    """It has to be in the files; of another, one of two services writes on."""
    stopped = [line(at, "nova-compute", f"Audit {at} done", host="cmp1") for at in range(0, 300, 5)]
    finding = replace(silence("", host, 300), kind=FindingKind.HOST_SILENT)
    observed = Observed.of(material([*STEADY, *STOPPED, *stopped]), complete=True)
    assert observed.shows(finding, NOON + 600 * SECOND) is shown


@pytest.mark.parametrize(
    "finding",
    [
        Finding(FindingKind.MISSING_FOLLOW_UP, template="Token <*> issued", follows="Server <*> built"),
        Finding(
            FindingKind.FEWER_FOLLOW_UPS, template="Token <*> issued", follows="Server <*> built", value=1, usual=2
        ),
        Finding(FindingKind.RATE_LOW, template="Server <*> built", value=0, usual=3),
        Finding(FindingKind.ABSENT, template="Server <*> built"),
        silence("nova-api", "", 60),
    ],
)
def test_what_services_write_that_are_elsewhere_is_not_missed(finding: Finding) -> None:
    """A window with nothing else to tell does not count; one with more keeps that."""
    observed = Observed.of(material(STEADY), complete=False)
    error = Finding(FindingKind.ERRORS, value=3, usual=0)
    alone = Verdict(
        "w", "cloud", "source", "*", NOON, NOON + 600 * SECOND, 9, 1.0, 0.9, fired=True, parts={}, lines=(),
        reasons=("gone",), findings=(finding,),
    )  # fmt: skip
    assert observed.restrict(alone) is None
    both = Verdict(
        "w", "cloud", "source", "*", NOON, NOON + 600 * SECOND, 9, 1.0, 0.9, fired=True, parts={}, lines=(),
        reasons=("gone", "errors"), findings=(finding, error),
    )  # fmt: skip
    kept = observed.restrict(both)
    assert kept is not None
    assert (kept.reasons, kept.findings) == (("errors",), (error,))


def test_what_is_missed_counts_where_all_services_are_there_or_the_message_is() -> None:
    """Then its absence says something."""
    missing = Finding(FindingKind.MISSING_FOLLOW_UP, template="Token <*> issued", follows="Server <*> built")
    assert Observed.of(material(STEADY), complete=True).shows(missing, NOON)
    (own,) = Observed.of(material(STEADY), complete=False).messages
    known = Finding(FindingKind.ABSENT, template=own)
    assert Observed.of(material(STEADY), complete=False).shows(known, NOON)


@pytest.mark.parametrize(
    ("services", "hosts", "fits", "said"),
    [
        ({"keystone"}, {"ctl1", "ctl2"}, True, "100% of lines known, 1 of its 1 services here"),
        ({"keystone", "nova-api"}, set(), True, "100% of lines known, 1 of its 2 services here"),
        ({"keystone"}, {"controller-1"}, True, "100% of lines known, 1 of its 1 services here, 0 of its 1 hosts"),
        ({"log/keystone/keystone.log"}, set(), False, "100% of lines known, 0 of its 1 services here"),
        ({"nova-api", "nova-compute"}, set(), False, "100% of lines known, 0 of its 2 services here"),
        (set(), set(), False, "100% of lines known, 0 of its 0 services here"),
    ],
)
def test_a_bundle_fits_by_lines_and_services(services: set[str], hosts: set[str], said: str, *, fits: bool) -> None:
    """Hosts are said, but may differ."""
    lines = material(STEADY)
    fit = bundle_fit(lines, mine(Counter(lines.lines["masked"].to_list())), services, hosts)
    assert (fit.fits, fit.text()) == (fits, said)


def test_a_bundle_of_other_lines_does_not_fit() -> None:
    """Its services alone do not make it one of these logs."""
    fit = bundle_fit(material(STEADY), TemplateTable(()), {"keystone"}, set())
    assert (fit.fits, fit.text()) == (False, "0% of lines known, 1 of its 1 services here")
    assert fit.other_services == ()
