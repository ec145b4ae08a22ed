"""Counts of the lines that say just the same."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index.analyze import Resources, analyze
from index.diagnosis.types import Diagnosis
from index.evidence.gather import gather
from index.evidence.issue import read_issue
from index.evidence.types import Evidence
from index.lines.log_records import LogRecords
from index.lines.statements import count_statements
from tests.index.evidence.test_relevance import INSTANCES, line, material

BEGIN = datetime(2026, 3, 3, 9, tzinfo=UTC)


def answers(verb: str, path: str, status: int, times: int) -> list[str]:
    """Lines of an API server without their heads."""
    return [f'10.0.0.1 "{verb} {path} HTTP/1.1" status: {status} len: {n} time: 0.{n % 90 + 10}' for n in range(times)]


def mixed(
    tmp_path: Path, infos: list[str], errors: int, name: str, logger: str, issue: str = "Volume attach fails"
) -> tuple[Evidence, Diagnosis]:
    """Diagnosis of lines in a drawn order, among other errors of so many kinds."""
    words = random.Random(3).sample([f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in "lmnrt"], 70)
    rows = [("INFO", logger, text) for text in infos]
    rows += [
        ("ERROR", "other.part", f"Volume attach {' '.join(words[n : n + 3 + n % 6])} failed {words[n - 30]}")
        for n in range(errors)
    ]
    random.Random(5).shuffle(rows)
    lines = []
    for number, (level, source, text) in enumerate(rows):
        moment = (BEGIN + timedelta(seconds=number)).strftime("%Y-%m-%d %H:%M:%S.000")
        lines.append(f"{moment} 7 {level} {source} [req-{number:08x}-aaaa-4bbb-8ccc-ddddeeeeffff u p - - -] {text}")
    analysis = analyze(material(tmp_path, lines, name), read_issue(issue), Resources())
    return analysis.evidence, analysis.diagnosis


def served(diagnosis: Diagnosis) -> list[str]:
    """What the service is said to have answered; all of it verified."""
    claims = [claim for claim in diagnosis.claims if " answered " in claim.text]
    assert all(claim.verified for claim in claims)
    return [claim.text for claim in claims]


@pytest.mark.parametrize("size", [100, 2_000, 50_000])
def test_one_refused_call_among_many_good_ones_is_one(tmp_path: Path, size: int) -> None:
    """41 POSTs of which one is answered 500, behind 60 other errors: it was once, whatever the number of lines."""
    path = "/v2.1/servers"
    infos = [*answers("POST", path, 202, 40), *answers("POST", path, 500, 1), *answers("GET", path, 200, size - 100)]
    asked = "POST /v2.1/servers answers 500"
    evidence, diagnosis = mixed(tmp_path, infos, 60, "nova-api.log", "nova.osapi_compute.wsgi.server", asked)
    told = served(diagnosis)
    assert told == ["nova-api answered 500 to POST /v2.1/servers."] or (size == 100 and not told)
    counts = {line.count for line in evidence.lines if "status: 500" in line.text}
    assert counts <= {1}


PATHS = {
    "nova-api": (("POST", "/servers", 500, 3), ("POST", "/servers", 202, 50)),
    "cinder-api": (("DELETE", "/v3/volumes", 503, 4), ("DELETE", "/v3/volumes", 500, 1)),
    "glance-api": (("PUT", "/v2/images/file", 502, 2), ("GET", "/v2/images/file", 502, 1)),
    "keystone": (("POST", "/v3/auth/tokens", 504, 7), ("POST", "/v3/auth/other", 504, 3)),
    "neutron-server": (("PATCH", "/v2.0/ports", 500, 5), ("PATCH", "/v2.0/ports", 404, 20)),
}
"""Verb, path, status and number of the calls that failed, and of others of the same template."""


@pytest.mark.parametrize("service", PATHS)
def test_verb_path_and_status_are_part_of_what_is_counted(tmp_path: Path, service: str) -> None:
    """In any service, whatever else is of the same template."""
    bad, others = PATHS[service]
    infos = [*answers(*bad), *answers(*others), *answers("GET", "/", 200, 30)]
    _, diagnosis = mixed(tmp_path, infos, 30, f"{service}.log", f"{service.partition('-')[0]}.wsgi")
    (text,) = served(diagnosis)
    # Which of two failures is told is the ranking's choice; what is told must be true.
    failures = [call for call in (bad, others) if call[2] >= 500]
    true = [f"{code} to {verb} {path}" + (f", {n} times." if n > 1 else ".") for verb, path, code, n in failures]
    assert text.partition("answered ")[2] in true


def test_calls_about_different_things_are_counted_without_their_ids(tmp_path: Path) -> None:
    """The sentence does not say that one port was deleted eight times."""
    infos = [text for name in INSTANCES[:8] for text in answers("DELETE", f"/v2.0/ports/{name}", 503, 1)]
    _, diagnosis = mixed(tmp_path, infos, 0, "neutron-server.log", "neutron.wsgi", "Deleting ports fails")
    (text,) = served(diagnosis)
    assert text.endswith("neutron-server answered 503 to DELETE /v2.0/ports/<id>, 8 times.")


@pytest.mark.parametrize(
    ("text", "times", "other", "others"),
    [
        ("Connection to 10.0.0.5:5672 refused: ECONNREFUSED", 4, "Connection to 10.0.0.5:5672 refused: ETIMEDOUT", 9),
        ("Cannot reach 10.0.0.5: [Errno 111]", 3, "Cannot reach 10.0.0.5: [Errno 113]", 6),
        ("Timed out after 60 seconds waiting for a reply", 5, "Timed out after 60 seconds waiting for a lock", 7),
        ("Process ended with exit code 137", 2, "Process ended with exit code 1", 8),
        ("Unexpected exception ValueError in worker", 6, "Unexpected exception KeyError in worker", 5),
        ("Request failed with code: 503 from glance", 2, "Request failed with code: 404 from glance", 11),
        ("Got 500 from glance for GET /v2/images/17", 3, "Got 404 from glance for GET /v2/images/18", 8),
        ("Command qemu-img exited with status 1", 3, "Command qemu-img exited with status 137", 5),
        ("Login failed for user alice", 2, "Login failed for user bob", 6),
    ],
)
def test_what_failed_otherwise_is_not_counted(tmp_path: Path, text: str, times: int, other: str, others: int) -> None:
    """Words, errno, exit codes and statuses tell failures apart; ids and other numbers do not."""
    texts = [text] * times + [other] * others
    lines = [line(n, "ERROR", "nova.compute.manager", message, n) for n, message in enumerate(texts)]
    records = LogRecords.of(material(tmp_path, lines))
    counts = count_statements(records.with_raised(), [0, times])
    assert counts == {0: times, times: others}


@pytest.mark.parametrize("number", range(3))
def test_ids_and_numbers_do_not_tell_statements_apart(tmp_path: Path, number: int) -> None:
    """The same failure of ten instances is one statement."""
    patterns = (
        "[instance: {}] Instance failed to spawn",
        "Volume {} could not be attached",
        "Port {} not bound after 300 s",
    )
    lines = [
        line(n, "ERROR", "nova.compute.manager", patterns[number].format(name), n) for n, name in enumerate(INSTANCES)
    ]
    records = LogRecords.of(material(tmp_path, lines))
    assert count_statements(records.with_raised(), [4]) == {4: 10}
    assert count_statements(records.with_raised(), [4], since=int(records.time[8])) == {4: 3}


def test_the_exception_behind_a_line_is_part_of_what_it_says(tmp_path: Path) -> None:
    """One head, two exceptions: each is counted alone, in the diagnosis of files and in that of an incident."""
    lines = []
    for number in range(9):
        raised = "KeyError: 'host'" if number % 3 == 0 else f"ValueError: no room for {number}"
        head = line(number * 5, "ERROR", "nova.compute.manager", "Exception during message handling", number)
        frames = [
            "Traceback (most recent call last):",
            '  File "/usr/lib/python3/dist-packages/nova/a.py", line 3, in f',
        ]
        prefix = head.partition("[req-")[0]
        lines += [head, *(f"{prefix}{text}" for text in [*frames, "    g()", raised])]
    logs = material(tmp_path, lines)
    records = LogRecords.of(logs)
    assert len(records) == 9
    rows = records.lines["line_number"].to_list()
    assert count_statements(records.with_raised(), rows[:2]) == {rows[0]: 3, rows[1]: 6}
    analysis = analyze(logs, read_issue("message handling"), Resources())
    evidence, diagnosis = analysis.evidence, analysis.diagnosis
    assert "KeyError" in diagnosis.summary
    assert "(3 times)" in diagnosis.summary
    assert {each.count for each in evidence.lines if "during message" in each.text} <= {3, 6}
    assert next(each.count for each in gather(logs, [], known=None).lines if "during message" in each.text) == 3


def test_answers_are_counted_whatever_else_their_lines_hold(tmp_path: Path) -> None:
    """Parameters, clients and the length of a line are none of what was answered."""
    agents = ("curl", "python requests", "a browser of some length")
    infos = [f'10.0.0.1 - - "POST /v3/volumes?marker={n} HTTP/1.1" 503 {n} "-" "{agents[n % 3]}"' for n in range(9)]
    _, diagnosis = mixed(tmp_path, infos, 20, "cinder-api.log", "cinder.wsgi")
    (text,) = served(diagnosis)
    assert text.endswith("answered 503 to POST /v3/volumes, 9 times.")
