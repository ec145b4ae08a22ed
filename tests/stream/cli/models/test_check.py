"""``tocsin models check`` on logs of a simulated cloud, as they were trained on and as they drift."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from stream.cli import tocsin
from stream.wiring.core import DEMO_BUNDLE
from training.simulate import Scenario, stream_records

SECONDS = 2400.0
START = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)


def check(path: Path, code: int) -> dict[str, Any]:
    """Run the command."""
    result = CliRunner().invoke(tocsin, ["models", "check", str(path), "--bundle", str(DEMO_BUNDLE), "--json"])
    assert result.exit_code == code, (result.output, result.exception)
    record: dict[str, Any] = orjson.loads(result.stdout)
    return record


def written(path: Path, change: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> Path:
    """Write simulated records, each as what ``change`` makes of it."""
    records = (orjson.loads(record.value) for record in stream_records(Scenario(7, START, SECONDS)))
    path.write_bytes(b"".join(orjson.dumps(new) + b"\n" for record in records for new in change(record)))
    return path


def also(record: dict[str, Any], path: str, text: str) -> list[dict[str, Any]]:
    """Return a record of a service, with another line of it."""
    if path not in record["path"]:
        return [record]
    date, time = record["log"].split(" ")[:2]
    return [record, {**record, "log": f"{date} {time} {text}"}]


def test_logs_as_in_training_are_well(tmp_path: Path) -> None:
    """Nothing is unknown."""
    record = check(written(tmp_path / "logs.jsonl", lambda one: [one]), 0)
    assert (record["verdict"], record["drifted"], record["new_services"]) == ("all well", [], [])
    assert record["lines"] > 1000


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("7 DEBUG cinder.policy [-] Policy check of stage two succeeded", "train anew"),
        ("7 INFO cinder.cache [-] evicted entry of {}", "masks missing"),
    ],
    ids=["debug", "values without a mask"],
)
def test_unknown_lines_of_a_service_are_told(tmp_path: Path, text: str, verdict: str) -> None:
    """A level that was switched on, and texts that hold values."""
    letters = iter(range(10**9))

    def word() -> str:
        return "".join(chr(ord("g") + int(digit)) for digit in str(next(letters)))

    record = check(written(tmp_path / "logs.jsonl", lambda one: also(one, "cinder-api", text.format(f"zz{word()}"))), 1)
    assert record["verdict"] == verdict
    assert [service["service"] for service in record["drifted"]] == ["cinder-api"]


def test_lines_of_a_warning_whose_head_is_long_gone_are_no_texts_of_their_own(tmp_path: Path) -> None:
    """Python prints the line of code beneath a warning, which may come minutes after what its service wrote before."""

    def change(one: dict[str, Any]) -> list[dict[str, Any]]:
        if "cinder-api" not in one["path"]:
            return [one]
        read = datetime.fromisoformat(one["@timestamp"]) + timedelta(seconds=10)
        code = {**one, "log": "  return base.obj_make_list(context)", "@timestamp": read.isoformat()}
        return [one, code]

    # They fire windows all the same.
    record = check(written(tmp_path / "logs.jsonl", change), 1)
    assert (record["verdict"], record["drifted"]) == ("recalibrate", [])


def test_a_service_that_training_has_not_seen_is_named(tmp_path: Path) -> None:
    """Once it has written for half an hour."""

    def change(one: dict[str, Any]) -> list[dict[str, Any]]:
        return [one, {**one, "path": "/var/log/octavia/octavia-worker.log"}] if "glance" in one["path"] else [one]

    record = check(written(tmp_path / "logs.jsonl", change), 1)
    assert (record["verdict"], record["new_services"]) == ("train anew", ["octavia-worker"])
