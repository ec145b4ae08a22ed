"""``tocsin review``: files in, a report, alerts and incidents out."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import orjson
import pytest
from click.testing import CliRunner, Result

from models.rfc3339 import parse_time
from stream.cli import tocsin
from stream.wiring.core import DEMO_BUNDLE
from training.simulate import FaultKind, Scenario, plan_faults, write_jsonl

START: Final = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file of five minutes with a burst of errors."""
    monkeypatch.setenv("TOCSIN_EMBEDDING_MODEL", "built-in")
    monkeypatch.setenv("TOCSIN_INDEX_PATH", str(tmp_path / "index"))
    path = tmp_path / "logs.jsonl"
    faults = plan_faults(START, 300.0, 4, [FaultKind.ERROR_BURST])
    write_jsonl(Scenario(4, START, 300.0, faults=faults), path, None)
    return path


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(tocsin, ["review", *arguments])


def refusal(*arguments: str) -> str:
    """Return the one line that the command ends with."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    (line,) = result.stderr.splitlines()
    return line


def test_a_folder_gets_report_alerts_and_incidents(logs: Path, tmp_path: Path) -> None:
    """The three agree with each other and with --json, and a second run writes the same bytes."""
    out = tmp_path / "night" / "one"
    result = run(str(logs), "--bundle", str(DEMO_BUNDLE), "--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    record = orjson.loads(result.stdout)
    incidents = orjson.loads((out / "incidents.json").read_bytes())
    alerts = [orjson.loads(line) for line in (out / "alerts.jsonl").read_bytes().splitlines()]
    page = (out / "report.md").read_text()
    assert incidents
    assert incidents == record["incidents"]
    assert alerts == record["alerts"]
    assert {alert["incident_id"] for alert in alerts} == {incident["incident_id"] for incident in incidents}
    assert page.count("\n## `") == len(incidents)
    assert any(alert["diagnosis"] and alert["diagnosis"]["evidence"] for alert in alerts)

    again = tmp_path / "again"
    assert run(str(logs), "--bundle", str(DEMO_BUNDLE), "--out", str(again)).exit_code == 0
    assert all((again / path.name).read_bytes() == path.read_bytes() for path in out.iterdir())


def test_plain_files_give_the_incidents_of_the_records(logs: Path, tmp_path: Path) -> None:
    """Of the lines as OpenStack writes them, told by the files' names; faults that are known are counted."""
    for line in logs.read_bytes().splitlines():
        record = orjson.loads(line)
        path = tmp_path / "plain" / record["host"] / record["path"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(record["log"] + "\n")
    truth = tmp_path / "truth.json"
    faults = plan_faults(START, 300.0, 4, [FaultKind.ERROR_BURST])
    write_jsonl(Scenario(4, START, 300.0, faults=faults), tmp_path / "same.jsonl", truth)
    arguments = ("--bundle", str(DEMO_BUNDLE), "--truth", str(truth), "--json")
    of_records, of_files = (orjson.loads(run(str(path), *arguments).stdout) for path in (logs, tmp_path / "plain"))
    assert [one["incident_id"] for one in of_files["incidents"]] == [
        one["incident_id"] for one in of_records["incidents"]
    ]
    assert of_files["alerts"][-1]["diagnosis"]["evidence"]
    assert (of_files["truth"]["faults"], of_files["truth"]["told"], of_files["truth"]["own"]) == (1, 1.0, 1.0)


def test_a_range_of_files_leaves_out_what_lies_outside(logs: Path) -> None:
    """Before the fault no window fires, and the report says so on standard output."""
    (fault,) = plan_faults(START, 300.0, 4, [FaultKind.ERROR_BURST])
    before = datetime.fromtimestamp(fault.start / 1e6, UTC) - timedelta(seconds=1)
    result = run(str(logs), "--bundle", str(DEMO_BUNDLE), "--to", before.isoformat())
    assert result.exit_code == 0, result.output
    assert "0 incidents, 0 alerts" in result.stdout
    assert parse_time(before.isoformat()) < fault.start


def test_what_cannot_work_is_refused_before_the_work(logs: Path, tmp_path: Path) -> None:
    """A folder that cannot be written, an empty range, no path and no range, standard input, no lines."""
    (tmp_path / "file").write_text("")
    bundle = ("--bundle", str(DEMO_BUNDLE))
    assert "cannot be a folder" in refusal(str(logs), *bundle, "--out", str(tmp_path / "file"))
    times = ("--from", "2026-03-03T09:00Z", "--to", "2026-03-03T08:00Z")
    assert "the range is empty" in refusal(str(logs), *bundle, *times)
    assert "name log files, or give --from" in refusal(*bundle)
    assert "cannot read standard input" in refusal("-", *bundle)
    assert "there are no lines" in refusal(str(tmp_path / "file"), *bundle)
