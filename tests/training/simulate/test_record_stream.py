"""The stream of the simulator: order, offsets, formats, ids, rhythm."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path

import pytest

from models.errors import InvalidError
from tests.training.simulated import FIRST, MINUTE, START, Line, fault, lines, parse, value
from training.simulate import OF_ONE_SERVICE, FaultKind, Scenario, SimRecord, open_stream, stream_records, write_jsonl

HOUR = Scenario(seed=5, start=START, duration_s=3600)


@pytest.fixture(scope="module")
def records() -> list[SimRecord]:
    """An hour of a working day without faults."""
    return list(stream_records(HOUR))


@pytest.fixture(scope="module")
def hour(records: list[SimRecord]) -> list[Line]:
    """The lines of the same hour."""
    return parse(records)


def test_same_seed_gives_the_same_bytes() -> None:
    """Two streams of one scenario are equal; another seed makes another stream."""
    scenario = replace(HOUR, duration_s=300)
    first = list(stream_records(scenario))
    assert first == list(stream_records(scenario))
    assert first != list(stream_records(replace(scenario, seed=6)))


def test_shorter_scenario_is_a_prefix_of_a_longer_one(records: list[SimRecord]) -> None:
    """What is written in the first minutes does not depend on when the simulation ends."""
    short = list(stream_records(replace(HOUR, duration_s=300)))
    assert short == records[: len(short)]


def test_time_never_falls_and_stays_within_the_scenario(records: list[SimRecord]) -> None:
    """Records come in order of time, from the start to before the end."""
    assert all(a.time <= b.time for a, b in pairwise(records))
    assert records[0].time >= FIRST
    assert records[-1].time < FIRST + 60 * MINUTE


def test_hour_of_work_has_the_promised_size(records: list[SimRecord]) -> None:
    """A working hour at rate 1 holds 30,000 to 60,000 lines in about twenty files."""
    assert 30_000 <= len(records) <= 60_000
    files = Counter((value(record)["host"], record.key) for record in records)
    assert 15 <= len(files) <= 22


def test_offsets_are_those_that_a_shipper_sees() -> None:
    """In each file every line starts where the one before it ended, newline included, tracebacks too."""
    scenario = replace(HOUR, duration_s=660, faults=(fault(FaultKind.ERROR_BURST, "controller-1/nova-api"),))
    ends: dict[tuple[str, str], int] = defaultdict(int)
    for record in stream_records(scenario):
        fields = value(record)
        place = fields["host"], fields["path"]
        assert fields["offset"] == ends[place]
        ends[place] += len(fields["log"].encode()) + 1
    assert len(ends) > 15


def test_records_look_like_those_of_fluent_bit(records: list[SimRecord]) -> None:
    """Fields in the shipper's order, key by path, read soon after the line was written, in order within a file."""
    last: dict[tuple[str, str], str] = defaultdict(str)
    for record in islice(records, 5000):
        fields = value(record)
        assert list(fields) == ["@timestamp", "path", "offset", "log", "host"]
        assert record.key == fields["path"]
        stamp = fields["@timestamp"]
        assert len(stamp) == len("2026-03-03T09:00:00.000000000Z")
        read = datetime.fromisoformat(stamp[:26] + "+00:00")
        written = datetime.fromtimestamp(record.time / 1e6, UTC)
        assert timedelta(0) < read - written < timedelta(seconds=1)
        place = fields["host"], fields["path"]
        assert last[place] < stamp
        last[place] = stamp
    assert len(last) > 10


def test_tenant_is_there_only_when_given() -> None:
    """A tenant appears in every record of its cloud."""
    some = list(islice(stream_records(replace(HOUR, tenant="blue")), 200))
    assert {value(record)["tenant"] for record in some} == {"blue"}


def test_lines_bear_the_time_at_which_they_are_written(hour: list[Line]) -> None:
    """The header shows the record's time, cut to milliseconds."""
    assert sum(line.found is not None for line in hour) > 1000
    for line in hour:
        if line.found:
            expected = datetime.fromtimestamp(line.time // 1000 / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
            assert line.part("time") == expected


def test_every_line_is_an_oslo_line(hour: list[Line]) -> None:
    """All lines have a header and a context; only a rejected request brings some bare lines of a remote traceback."""
    rest = [line for line in hour if not line.found or line.part("trace")]
    assert all(line.service == "nova-conductor" for line in rest)
    assert len(rest) < 20


def test_errors_are_rare_in_normal_traffic(hour: list[Line]) -> None:
    """Less than one ERROR an hour, and warnings at a trickle."""
    levels = Counter(line.part("level") for line in hour)
    assert levels["ERROR"] <= 1
    assert 5 <= levels["WARNING"] <= 60
    assert levels["DEBUG"] == 0


def test_debug_adds_lines_of_that_level() -> None:
    """With ``debug`` the services say more, and what they say otherwise stays."""
    scenario = replace(HOUR, duration_s=120)
    quiet = {line.text for line in lines(scenario)}
    loud = lines(replace(scenario, debug=True))
    more = [line for line in loud if line.part("level") == "DEBUG"]
    assert len(more) > len(quiet) / 2
    assert len({line.text for line in loud} & quiet) > 0.9 * len(quiet)


def test_request_ids_cross_services(hour: list[Line]) -> None:
    """A boot's request id is the local one in nova and the global one in placement, glance, neutron."""
    accepted = [line for line in hour if '"POST /v2.1/servers HTTP' in line.text and "status: 202" in line.text]
    request = accepted[len(accepted) // 2].part("request")
    own = {line.service for line in hour if line.part("request") == request}
    called = {line.service for line in hour if line.part("parent") == request}
    assert {"nova-api", "nova-compute"} <= own
    assert {"placement-api", "glance-api", "neutron-server", "neutron-dhcp-agent"} <= called
    assert len({line.part("request") for line in hour if line.part("parent") == request}) >= 8


def test_instances_live_their_steps_in_order(hour: list[Line]) -> None:
    """Claim, image, start, spawn, built: every instance that was built went this way."""
    steps = ("Claim successful", "Creating image", "VM Started", "Instance spawned", "seconds to build")
    seen: dict[str, list[str]] = defaultdict(list)
    for line in hour:
        step = next((step for step in steps if step in line.part("message")), None)
        if step and line.part("instance") and line.service == "nova-compute":
            seen[line.part("instance")].append(step)
    built = [found for found in seen.values() if "seconds to build" in found and "Claim successful" in found]
    assert len(built) > 200
    # Reboots and restarts come after the build.
    assert all(found[: len(steps)] == list(steps) for found in built)


def test_workers_write_into_one_file(hour: list[Line]) -> None:
    """API services have several processes."""
    assert len({line.part("pid") for line in hour if line.service == "nova-api"}) == 4
    assert len({line.part("pid") for line in hour if line.source == "compute-1/nova-compute"}) == 1


def test_night_and_weekend_are_quieter() -> None:
    """Before dawn and on a Sunday there is less work than on a Tuesday morning."""

    def posts(day: int, clock: int) -> int:
        scenario = Scenario(5, datetime(2026, 3, day, clock, tzinfo=UTC), 1800)
        return sum(b"POST /v2.1/servers HTTP" in record.value for record in stream_records(scenario))

    work = posts(3, 10)
    assert posts(3, 3) < 0.4 * work
    assert posts(8, 10) < 0.6 * work


def test_rate_multiplies_the_work() -> None:
    """Ten times the rate brings about ten times the boots."""

    def posts(rate: float) -> int:
        scenario = replace(HOUR, duration_s=300, rate=rate)
        return sum(b"POST /v2.1/servers HTTP" in record.value for record in stream_records(scenario))

    assert 4 * posts(1.0) < posts(8.0) < 14 * posts(1.0)
    assert posts(0.0) == 0


def test_stream_of_a_week_starts_at_once() -> None:
    """Records are made as they are taken."""
    assert len(list(islice(stream_records(replace(HOUR, duration_s=7 * 86_400)), 100))) == 100


def test_number_of_hosts_is_free() -> None:
    """Every compute host has its two files."""
    found = {line.source for line in lines(replace(HOUR, duration_s=600, computes=5))}
    assert {"compute-5/nova-compute", "compute-5/neutron-openvswitch-agent"} <= found


def test_start_without_zone_is_refused() -> None:
    """A naive start would mean another moment on every machine."""
    with pytest.raises(InvalidError, match="time zone"):
        stream_records(replace(HOUR, start=START.replace(tzinfo=None)))


def test_write_jsonl_gives_records_and_truth(tmp_path: Path) -> None:
    """The file holds the stream's records; the truth names each fault with readable times."""
    injected = fault(FaultKind.SLOW, "controller-1/nova-api", 1, 2)
    scenario = replace(HOUR, duration_s=180, faults=(injected,))
    out, truth = tmp_path / "lines.jsonl", tmp_path / "truth.json"
    count = write_jsonl(scenario, out, truth)
    assert out.read_bytes().splitlines() == [record.value for record in stream_records(scenario)]
    assert count == len(out.read_bytes().splitlines())
    (found,) = json.loads(truth.read_text())
    assert found["kind"] == "slow"
    assert found["start"] == "2026-03-03T09:01:00.000Z"
    assert found["end"] == "2026-03-03T09:02:00.000Z"


def test_open_stream_has_every_kind_of_fault() -> None:
    """The demo's stream comes with its ground truth."""
    stream, faults = open_stream(7, START, 3600)
    assert {each.kind for each in faults} == set(OF_ONE_SERVICE)
    assert next(stream).time >= FIRST


def test_simulator_needs_no_training_library() -> None:
    """The demo of a serving install runs it: importing it loads neither TensorFlow nor tf2onnx nor MLflow."""
    code = (
        "import sys, training.simulate; print(sorted({'tensorflow', 'tf2onnx', 'onnx', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
