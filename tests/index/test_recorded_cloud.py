"""Faults of a real cloud (a recording): asked for by what its users see, each is put down to what was done to it."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from index.analyze import Analysis, Resources, analyze
from index.evidence.issue import read_issue
from index.lines.cached_files import Reader, read_logs
from index.lines.parsed_file import join_files
from index.storage.file_cache import Cache
from models.decode.decoder import DecodeConfig
from models.records import Level
from models.rfc3339 import SECOND, parse_time
from models.templates.masks import Masks
from tests.recorded_cloud import fault_times, recorded

BEFORE: Final = 90 * SECOND
AFTER: Final = 45 * SECOND

SEEN: Final = {
    "rabbit-stop": ("Nothing works any more, every request hangs", "RabbitMQ cannot be reached", "rabbitmq"),
    "db-stop": ("All APIs answer with errors", "The database cannot be reached", "mysql"),
    "compute-kill": ("New instances stay in BUILD", "InvalidConfiguration", "nova-compute"),
    "conductor-hang": ("Instances hang in BUILD", "nova-conductor does not answer nova-compute", "nova-conductor"),
    "placement-stop": ("Booting instances fails", "Placement cannot be reached", "placement"),
    "keystone-slow": ("Getting a token takes very long", "keystone-uwsgi on controller is slower", "keystone-uwsgi"),
    "disk-full": ("Uploading images fails", "The image store fails", "glance-api"),
    "wrong-password": ("Booting instances ends in time-outs", "A service's login is refused", "nova-scheduler"),
    "quota": ("Booting an instance is refused with 403", "A quota is used up", "nova-api"),
}
"""What users say, how the cause begins, and the service that is to blame."""


@pytest.fixture(scope="module")
def times() -> dict[str, tuple[int, int]]:
    """Begin and end of each fault (microseconds)."""
    return fault_times()


@pytest.fixture(scope="module")
def stretches(times: dict[str, tuple[int, int]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the records around each fault, which hold the last trouble of the one before it as well."""
    folder = tmp_path_factory.mktemp("stretches")
    records = [(parse_time(json.loads(line)["@timestamp"]), line) for line in recorded()]
    for fault, (begin, end) in times.items():
        chosen = [line for time, line in records if begin - BEFORE <= time <= end + AFTER]
        (folder / f"{fault}.jsonl").write_bytes(b"".join(chosen))
    return folder


def answer(path: Path, issue: str, cache: Path) -> Analysis:
    """What a file tells of an issue, without a bundle."""
    logs = read_logs([str(path)], Reader(DecodeConfig(), Masks.default(), Cache(cache, 1 << 26), "test", print))
    return analyze(join_files(logs.names, logs.files), read_issue(issue), Resources())


@pytest.mark.parametrize("fault", SEEN)
def test_each_fault_is_put_down_to_what_was_done(
    fault: str, stretches: Path, times: dict[str, tuple[int, int]], tmp_path: Path
) -> None:
    """In the first sentence, with its service; no error from before its begin is evidence."""
    issue, cause, service = SEEN[fault]
    analysis = answer(stretches / f"{fault}.jsonl", issue, tmp_path)
    diagnosis = analysis.diagnosis
    assert cause in re.split(r"\. ", diagnosis.cause)[0]
    assert diagnosis.service == service
    begin = times[fault][0]
    errors = [line for line in analysis.evidence.lines if line.level >= Level.ERROR]
    assert all(line.time >= begin - SECOND for line in errors)
    assert all(line.time >= begin - SECOND for line in cited(analysis))


def cited(analysis: Analysis) -> list:  # type: ignore[type-arg]
    """The lines that the claims stand on."""
    by_id = analysis.evidence.by_id()
    return [by_id[name] for claim in analysis.diagnosis.claims for name in claim.lines]
