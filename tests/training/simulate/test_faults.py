"""The simulator's faults: each is seen in its window, and nothing of it before."""

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise, takewhile

import pytest

from models.errors import InvalidError
from tests.training.simulated import FIRST, MINUTE, START, Line, fault, parse
from training.simulate import OF_ONE_SERVICE, Fault, FaultKind, Scenario, SimRecord, plan_faults, stream_records

QUIET = Scenario(seed=11, start=START, duration_s=1080)
GRACE = 3 * MINUTE

CASES = (
    fault(FaultKind.ERROR_BURST, "controller-1/nova-api"),
    fault(FaultKind.ERROR_BURST, "controller-1/neutron-server"),
    fault(FaultKind.ERROR_BURST, "controller-1/nova-conductor"),
    fault(FaultKind.HANG, "compute-1/nova-compute"),
    fault(FaultKind.SKIP, "compute-2/nova-compute"),
    fault(FaultKind.SLOW, "controller-1/neutron-server"),
    fault(FaultKind.SILENCE, "compute-2/nova-compute"),
    fault(FaultKind.SILENCE, "storage-1/cinder-volume"),
    fault(FaultKind.RETRIES, "controller-1/cinder-api"),
    fault(FaultKind.RETRIES, "storage-1/cinder-volume"),
    fault(FaultKind.NEW_MESSAGE, "network-1/neutron-dhcp-agent"),
)
IDS = [f"{case.kind} {case.service}" for case in CASES]


@cache
def records(*faults: Fault) -> list[SimRecord]:
    """Eighteen minutes with some faults."""
    return list(stream_records(replace(QUIET, faults=faults)))


@cache
def stream(*faults: Fault) -> list[Line]:
    """The lines of the same."""
    return parse(records(*faults))


def during(found: list[Line], case: Fault, source: str = "") -> list[Line]:
    """Lines within a fault's window, of one source or of all."""
    return [line for line in found if case.start <= line.time < case.end and source in {"", line.source}]


def requests(found: list[Line]) -> Counter[str]:
    """Boots and volumes that users asked for, by project."""
    return Counter(
        line.part("project")
        for line in found
        if re.search(r'"POST (/v2\.1/servers|/v3/[0-9a-f]+/volumes) HTTP', line.text)
    )


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_stream_is_the_same_until_the_fault_begins(case: Fault) -> None:
    """Up to the start not a byte differs; within the window something does."""
    plain, broken = records(), records(case)
    before = [record for record in plain if record.time < case.start]
    assert broken[: len(before)] == before
    inside = [record for record in plain if case.start <= record.time < case.end]
    assert inside != [record for record in broken if case.start <= record.time < case.end]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_users_come_all_the_same(case: Fault) -> None:
    """A fault does not change who wants what: the work asked for after it is nearly that of the quiet stream."""
    later = case.end + GRACE
    plain = requests([line for line in stream() if line.time > later])
    broken = requests([line for line in stream(case) if line.time > later])
    assert (plain - broken).total() + (broken - plain).total() <= 0.2 * plain.total()


@pytest.mark.parametrize("case", [case for case in CASES if case.kind is FaultKind.ERROR_BURST])
def test_error_burst_writes_tracebacks(case: Fault) -> None:
    """Many errors with tracebacks in the service's file, only in the window."""
    heads = [line for line in stream(case) if line.part("level") == "ERROR" and line.part("message")]
    assert len(during(heads, case, case.service)) > 20
    assert all(case.start <= line.time < case.end + GRACE for line in heads)


def test_error_burst_fails_calls() -> None:
    """Calls to the service end with status 500."""
    case = CASES[0]
    status = Counter(re.findall(r"status: (\d+)", " ".join(x.text for x in during(stream(case), case, case.service))))
    assert status["500"] > status["200"]
    assert not [line for line in stream() if "status: 500" in line.text]


def test_tracebacks_repeat_the_header_and_point_with_carets() -> None:
    """As oslo.log and Python 3.11 write them: same time, pid, ERROR and logger on each line, the empty one too."""
    case = CASES[0]
    found = during(stream(case), case, case.service)
    begin = next(i for i, line in enumerate(found) if "Unexpected exception in API method" in line.text)
    head = found[begin]
    prefix = " ".join((head.part("time"), head.part("pid"), "ERROR", head.part("logger"))) + " "
    # The message itself has bare lines; the traceback follows.
    assert not found[begin + 1].found
    start = next(i for i in range(begin, len(found)) if found[i].text == prefix + "Traceback (most recent call last):")
    trace = [line.text for line in takewhile(lambda line: line.text.startswith(prefix), found[start:])]
    bodies = [text.removeprefix(prefix) for text in trace]
    assert bodies.count("Traceback (most recent call last):") == 2
    assert "The above exception was the direct cause of the following exception:" in bodies
    assert bodies[-1] == ""
    carets = [(code, mark) for code, mark in pairwise(bodies) if re.fullmatch(r" +\^+", mark)]
    assert len(carets) >= 3
    for code, mark in carets:
        assert code[mark.index("^") : len(mark)].strip() == code[mark.index("^") : len(mark)] != ""


def test_hang_leaves_instances_in_build() -> None:
    """Instances of the host stop after their interface is plugged, and time out two minutes later."""
    case = CASES[3]
    found = stream(case)
    late = [line for line in found if "Timeout waiting for [('network-vif-plugged'" in line.text]
    assert len(late) >= 3
    assert all(case.start + 2 * MINUTE <= line.time < case.end + GRACE for line in late)
    assert {line.source for line in late} == {case.service}
    for instance in {line.part("instance") for line in late}:
        said = [line.part("message") for line in found if line.part("instance") == instance]
        assert any(text.startswith("Claim successful") for text in said)
        assert not any("Lifecycle" in text or "spawned" in text for text in said)
    assert not [line for line in stream() if "Timeout waiting" in line.text]


def test_skip_leaves_out_one_step_only() -> None:
    """No interface is plugged on that host for a new instance, yet instances are built."""
    case = CASES[4]
    built = [x.part("request") for x in during(stream(case), case, case.service) if "seconds to build" in x.text]
    plugged = {x.part("request") for x in stream(case) if "Successfully plugged vif" in x.text}
    begun = {x.part("request") for x in during(stream(case), case, case.service) if "Claim successful" in x.text}
    settled = [each for each in built if each in begun]
    assert len(settled) >= 3
    assert not plugged & {x.part("request") for x in during(stream(case), case, case.service) if "spawned" in x.text}
    assert sum(each not in plugged for each in settled) >= len(settled) - 1
    assert not [line for line in during(stream(case), case, case.service) if "Attaching volume" in line.text]
    assert not [line for line in stream(case) if line.part("level") == "ERROR"]


def test_slow_calls_take_ten_to_thirty_times_as_long() -> None:
    """The times that the service itself reports grow; those of others do not."""
    case = CASES[5]

    def median(found: list[Line], source: str) -> float:
        text = " ".join(line.text for line in during(found, case, source))
        times = sorted(float(time) for time in re.findall(r" time: ([\d.]+)", text))
        return times[len(times) // 2]

    assert median(stream(case), case.service) > 8 * median(stream(), case.service)
    assert median(stream(case), "controller-1/cinder-api") < 2 * median(stream(), "controller-1/cinder-api")


@pytest.mark.parametrize("case", [case for case in CASES if case.kind is FaultKind.SILENCE], ids=lambda x: x.service)
def test_silence_is_complete_and_ends(case: Fault) -> None:
    """Not a line in the window (a call under way may still end in the first seconds), lines again after it."""
    assert len(during(stream(), case, case.service)) > 50
    rest = during(stream(case), case, case.service)
    assert not [line for line in rest if line.time > case.start + MINUTE / 4]
    assert [line for line in stream(case) if line.source == case.service and line.time > case.end]


@pytest.mark.parametrize("case", [case for case in CASES if case.kind is FaultKind.RETRIES], ids=lambda x: x.service)
def test_retries_reconnect_and_repeat(case: Fault) -> None:
    """The queue is lost and found many times; calls come back with 503 and are repeated under the same id."""
    found = during(stream(case), case, case.service)
    assert sum("is unreachable" in line.text for line in found) > 20
    assert sum("Reconnected to AMQP server" in line.text for line in found) > 10
    if case.service.endswith("cinder-api"):
        repeated = Counter(line.part("request") for line in found if "status: 503" in line.text)
        assert len(repeated) > 20
        assert min(repeated.values()) >= 2


def test_new_message_is_new() -> None:
    """The service writes what normal operation never writes, at a modest rate."""
    case = CASES[-1]
    fresh = [line for line in stream(case) if "Respawning dnsmasq" in line.text]
    assert 15 <= len(fresh) <= 70
    assert fresh == during(fresh, case, case.service)
    assert not [line for line in stream() if "Respawning" in line.text]


@pytest.mark.parametrize("duration", [900.0, 3600.0, 86_400.0])
def test_plan_leaves_quiet_time(duration: float) -> None:
    """One fault of each kind, none at the beginning, gaps at least as long as the faults, all within the stream."""
    for seed in range(20):
        faults = plan_faults(START, duration, seed)
        assert {each.kind for each in faults} == set(OF_ONE_SERVICE)
        assert faults[0].start - FIRST >= min(420, duration / 8) * 1e6
        assert faults[-1].end <= FIRST + duration * 1e6
        assert all(b.start - a.end >= a.end - a.start for a, b in pairwise(faults))


def test_plan_is_deterministic_and_varies() -> None:
    """The same seed plans the same faults; seeds differ; kinds can be chosen and repeated."""
    assert plan_faults(START, 3600, 1) == plan_faults(START, 3600, 1)
    assert len({plan_faults(START, 3600, seed) for seed in range(10)}) == 10
    chosen = plan_faults(START, 3600, 1, (FaultKind.SLOW, FaultKind.SLOW))
    assert [each.kind for each in chosen] == [FaultKind.SLOW, FaultKind.SLOW]
    assert plan_faults(START, 3600, 1, ()) == ()


def test_planned_faults_fit_the_default_cloud() -> None:
    """Whatever is planned names a service that exists."""
    for seed in range(30):
        faults = plan_faults(START, 3600, seed)
        first = next(stream_records(Scenario(seed, START, 3600, faults=faults)))
        assert faults
        assert first.value


def test_unknown_service_is_refused() -> None:
    """A fault somewhere else would never be seen."""
    with pytest.raises(InvalidError, match="compute-9"):
        stream_records(replace(QUIET, faults=(fault(FaultKind.HANG, "compute-9/nova-compute"),)))


def test_every_kind_has_a_case_here() -> None:
    """A new kind must be shown to change the stream."""
    assert {case.kind for case in CASES} == set(OF_ONE_SERVICE)
