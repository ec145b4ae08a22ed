"""The command ``tocsin ui``: it serves a review's folder until it is told to stop, and then exits with 0."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from stream.cli import tocsin
from tests.stream.ui.samples import alert, diagnosis, line


def test_it_serves_a_review_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """It needs no broker; the address that it prints answers; SIGTERM ends it with 0."""
    import httpx

    (tmp_path / "alerts.jsonl").write_bytes(alert(diagnosis=diagnosis(line("L1", "lost"))).to_json() + b"\n")
    (tmp_path / "incidents.json").write_bytes(b"[]")
    command = [
        sys.executable,
        "-c",
        "from stream.cli import main; main()",
        "ui",
        "--alerts",
        str(tmp_path),
        "--port",
        "0",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        url = process.stderr.readline().partition(" at ")[2].partition(";")[0]
        answer = httpx.get(f"{url}incidents/{alert().incident_id}")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert answer.status_code == 200
    assert "The database cannot be reached." in answer.text


def test_files_of_a_review_belong_to_its_alerts(tmp_path: Path) -> None:
    """Log files alone are a usage error that says why."""
    path = tmp_path / "x.log"
    path.write_text("x\n")
    result = CliRunner().invoke(tocsin, ["ui", "--logs", str(path)])
    assert result.exit_code == 2
    assert "belong to --alerts" in result.output
