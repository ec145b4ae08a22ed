"""The diagnosis by rules."""

from dataclasses import replace

import pytest

from index.diagnosis.claims import checked
from index.diagnosis.known_failures import KnownFailures
from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis, Mode
from index.evidence.gather import gather
from index.evidence.types import Change, Evidence, EvidenceLine
from index.lines.service_layers import depth, project
from index.search.documents import Similar
from models.findings import Finding, FindingKind
from models.records import Level
from models.rfc3339 import SECOND
from tests.index.cloud import INSTANCE, NOON, PORT, REQUEST, VOLUME, fired, line, material, templates, traceback

QUIET = [
    line(at, "nova-api", f'10.0.0.1 "GET /servers HTTP/1.1" status: 200 len: {at} time: 0.1') for at in range(-60, 0)
]


def said(values: list[bytes], reasons: tuple[str, ...] = (), end: float = 60) -> tuple[Evidence, Diagnosis]:
    """Evidence and diagnosis of lines behind a quiet minute."""
    evidence = gather(material([*QUIET, *values]), [fired(0, end, reasons=reasons)], known=templates(QUIET))
    return evidence, diagnose(evidence)


def test_a_defect_is_named_with_file_line_and_function() -> None:
    """What an engineer needs to open the right file, and that no backend is to blame."""
    calls = ("oslo_messaging/rpc/server.py:1:run", "nova/compute/manager.py:10:build", "nova/virt/driver.py:20:spawn")
    _, found = said(traceback(2, "nova-compute", "TypeError: spawn() takes 2 arguments", calls))
    assert found.summary == (
        "nova-compute on node-1 failed at 12:00:02 UTC: TypeError: spawn() takes 2 arguments, raised in "
        "nova/virt/driver.py."
    )
    assert found.cause.startswith("A defect in the code of nova-compute")
    assert "nova/virt/driver.py, line 20, in spawn" in found.cause
    assert "It was called from nova/compute/manager.py, line 10, in build." in [claim.text for claim in found.claims]
    assert found.actions[0] == "Read nova/virt/driver.py around line 20 (spawn) in the version that runs on node-1."
    assert (found.mode, found.service, found.confidence) == (Mode.DETERMINISTIC, "nova-compute", 0.8)


def test_a_known_failure_brings_its_cause_and_steps_filled_in() -> None:
    """Placeholders become the ids and hosts of the line, or of its story."""
    text = f"[instance: {INSTANCE}] Timeout waiting for [('network-vif-plugged', 'port {PORT}')]"
    _, found = said([line(5, "nova-compute", text, "ERROR", request=REQUEST)])
    assert found.cause.startswith("The network of the instance was not ready in time.")
    assert found.actions[0] == "Check the L2 agent of the host: openstack network agent list --host node-1"
    assert f"grep {PORT}" in found.actions[1]
    assert f"Follow the request through all services: grep {REQUEST}" in found.actions
    assert found.confidence == 0.8


def test_a_backend_that_one_service_misses_may_be_well() -> None:
    """The diagnosis says whether others miss it too."""
    lost = "AMQP server on 10.0.0.1:5672 is unreachable: timed out"
    one = [line(5, "nova-compute", lost, "ERROR")]
    assert "Reported only by nova-compute so far" in said(one)[1].cause
    assert "neutron-server tells of it too." in said([*one, line(9, "neutron-server", lost, "ERROR")])[1].cause


def test_what_is_not_known_stays_a_placeholder() -> None:
    """No command names the wrong thing."""
    _, found = said([line(5, "cinder-volume", "Failed to attach volume", "ERROR")])
    assert found.actions[0] == "openstack volume show VOLUME -c status -c attachments"


def test_the_component_to_blame_is_where_it_began_if_it_failed_too() -> None:
    """Otherwise the one that complains is named, since no line shows the other."""
    nova = line(5, "nova-compute", "Binding failed for port", "ERROR", request=REQUEST)
    neutron = line(9, "neutron-server", "Cannot do this", "ERROR")
    assert said([nova, neutron])[1].service == "neutron-server"
    assert said([nova])[1].service == "nova-compute"


def test_an_unknown_error_is_called_unknown() -> None:
    """No cause is made up."""
    _, found = said([line(5, "nova-compute", "The frobnicator is bent", "ERROR")])
    assert found.cause.startswith("Unknown: nova-compute on node-1 reports an error")
    assert found.confidence < 0.5


def test_nothing_found_is_nothing_said() -> None:
    """Without any line the diagnosis stands on the reasons, as a hypothesis."""
    found = diagnose(Evidence("cloud", ("nova-api",), NOON, NOON, ("something is odd",), ()))
    assert found.cause == "Unknown: no line reports a failure. The detectors say: something is odd."
    assert (found.service, found.confidence, found.groundedness) == ("nova-api", 0.1, 0.0)
    assert found.actions
    assert diagnose(Evidence("cloud", (), NOON, NOON, (), ())).cause == "Unknown: no line reports a failure."


def test_slow_answers_are_put_down_to_the_service_that_is_called() -> None:
    """Its callers are slow because it is."""
    slow = {
        name: line(5, name, f'10.0.0.1 "GET /{name} HTTP/1.1" status: 200 len: 70 time: 9.5')
        for name in ("nova-api", "neutron-server")
    }
    quiet = [line(-3, name, f'10.0.0.1 "GET /{name} HTTP/1.1" status: 200 len: 70 time: 0.5') for name in slow]
    masked = material(list(slow.values())).lines["masked"].to_list()
    findings = [Finding(FindingKind.SLOW, template, value=9.5, usual=0.5, unit="s", count=3) for template in masked]
    evidence = gather(material([*quiet, *slow.values()]), [fired(findings=findings)], known=templates(quiet))
    found = diagnose(evidence)
    assert found.service == "neutron-server"
    assert found.cause.startswith(
        "neutron-server on node-1 is slower than usual: GET /neutron-server took 9.5 s, usually below 0.5 s"
    )
    assert "neutron-server took 9.5 s for GET /neutron-server" in " ".join(claim.text for claim in found.claims)


def test_a_silent_service_explains_why_others_get_no_answer() -> None:
    """Two signs agree, which makes it surer."""
    beats = [line(at, "cinder-volume", f"Beat {at}") for at in range(-600, 0, 5)]
    timeout = line(100, "nova-compute", "MessagingTimeout: Timed out waiting for a reply", "ERROR", request=REQUEST)
    more = [line(at, "nova-api", "Still here") for at in range(-600, 300, 5)]
    lines = material(sorted([*beats, *more, timeout], key=lambda value: value[8:31]))
    evidence = gather(lines, [fired(0, 300)], known=templates([*beats, *more]))
    found = diagnose(evidence)
    assert found.service == "cinder-volume"
    assert "cinder-volume on node-1 has written nothing for 305 s, usually at most 5 s" in found.cause
    assert found.confidence == 0.75
    assert found.actions[0].startswith("On node-1: systemctl status cinder-volume")


def test_every_verified_claim_names_what_stands_in_its_lines() -> None:
    """Services, ids, files and codes are found in the lines that are cited, and those are in the evidence."""
    calls = ("nova/compute/manager.py:10:build", "cinder/volume/drivers/lvm.py:20:create")
    values = [
        *traceback(2, "cinder-volume", "KeyError: 'pool'", calls),
        line(3, "nova-compute", f"Volume {VOLUME} is gone", "ERROR", request=REQUEST),
        line(
            4,
            "cinder-api",
            f'10.0.0.1 "POST /v3/volumes/{VOLUME} HTTP/1.1" status: 500 len: 9 time: 0.1',
            request=REQUEST,
        ),
    ]
    evidence, found = said(values, ("7 error lines (usually 0)",))
    by_id = evidence.by_id()
    assert {claim.verified for claim in found.claims if claim.lines} == {True}
    assert [claim.text for claim in found.claims if not claim.lines] == [
        "The detectors say: 7 error lines (usually 0)."
    ]
    served = next(claim for claim in found.claims if "answered 500" in claim.text)
    assert f"POST /v3/volumes/{VOLUME}" in served.text
    assert all(name in by_id for claim in found.claims for name in claim.lines)
    assert found.services == ("cinder-volume", "nova-compute", "cinder-api")
    assert found.groundedness == pytest.approx((len(found.claims) - 1) / len(found.claims))


def test_a_claim_that_its_line_does_not_support_is_a_hypothesis() -> None:
    """A name that stands in no line that is cited proves nothing, also where another line has it."""
    evidence, _ = said([line(5, "nova-compute", "Quota exceeded", "ERROR"), line(6, "glance-api", "Bent", "ERROR")])
    nova, glance = (
        next(each for each in evidence.lines if each.service == name) for name in ("nova-compute", "glance-api")
    )
    assert checked("x", (nova,), ("nova-compute", "Quota exceeded")).verified
    assert not checked("x", (nova,), ("nova-compute", "Bent")).verified
    assert checked("x", (nova, glance), ("nova-compute", "Bent")).verified
    assert not checked("x", (), ("nova-compute",)).verified


def test_runbooks_and_past_incidents_give_steps() -> None:
    """The list of a runbook's section is taken, other text as a whole, and what hardly resembles is left out."""
    evidence, _ = said([line(5, "nova-compute", "The frobnicator is bent", "ERROR")])
    similar = (
        Similar("r1", "runbook", "Frobnicators", "Do this:\n1. Unbend it\n2. Wait", 0.8),
        Similar("i1", "incident", "nova: bent in May", "bent", 0.7),
        Similar("r2", "runbook", "Unrelated", "- Dance", 0.01),
    )
    found = diagnose(replace(evidence, similar=similar)).actions
    assert found[:2] == ("Runbook “Frobnicators”: Unbend it", "Runbook “Frobnicators”: Wait")
    assert "Compare with incident i1: nova: bent in May" in found
    assert not [step for step in found if "Dance" in step]


def test_the_timeline_is_in_order_and_begins_with_what_changed() -> None:
    """Changes stand between the lines of the story."""
    values = [line(1, "nova-api", "POST", request=REQUEST), line(5, "nova-compute", "Bent", "ERROR", request=REQUEST)]
    changes = [Change(NOON - SECOND, "nova-compute", "deploy 7")]
    evidence = gather(material([*QUIET, *values]), [fired()], known=templates(QUIET), changes=changes)
    found = diagnose(evidence).timeline
    assert found[0].text == "changed: deploy 7"
    assert [each.time for each in found] == sorted(each.time for each in found)
    assert {each.line for each in found if each.line} <= set(evidence.by_id())


def test_a_users_table_is_used() -> None:
    """An own failure explains what no shipped one does."""
    table = KnownFailures.parse(
        '[[failure]]\nid = "bent"\ntitle = "Bent"\npatterns = ["frobnicator"]\ncause = "Heat."\nactions = ["Cool it"]\n'
        "confidence = 0.7\n",
        "own",
    )
    evidence, _ = said([line(5, "nova-compute", "The frobnicator is bent", "ERROR")])
    found = diagnose(evidence, table)
    assert (found.cause, found.actions[0], found.confidence) == ("Bent. Heat.", "Cool it", 0.7)


def test_the_same_evidence_gives_the_same_diagnosis() -> None:
    """No clock and no chance decide."""
    evidence, found = said(traceback(2, "nova-compute", "KeyError: 'a'", ["nova/a.py:1:f"]))
    assert diagnose(evidence) == found


def test_a_line_in_another_format_is_read_as_it_stands() -> None:
    """Where no header is known the whole text is the message."""
    odd = EvidenceLine("L1", "f.log", 0, 3, NOON, "app", "", Level.ERROR, "panic: No space left on device", "p", 1, 5.0)
    found = diagnose(Evidence("cloud", (), NOON, NOON, (), (odd,), ("L1",), "L1"))
    assert found.cause.startswith("A disk is full.")
    assert "panic: No space left on device" in found.summary


def test_callees_are_deeper_than_their_callers() -> None:
    """Between projects, and within one; names with folders and agents of a project count as theirs."""
    order = [
        "horizon",
        "nova-api",
        "nova-conductor",
        "nova/nova-compute",
        "neutron-server",
        "neutron-openvswitch-agent",
    ]
    order += ["glance-api", "keystone", "libvirtd", "rabbitmq", "kernel"]
    depths = [depth(service) for service in order]
    assert depths == sorted(depths)
    assert depth("something-else") < depth("nova-api")
    assert [project(name) for name in ("nova.compute", "cinder/volume", "nova-placement-api", "x")] == [
        "nova",
        "cinder",
        "placement",
        "",
    ]
