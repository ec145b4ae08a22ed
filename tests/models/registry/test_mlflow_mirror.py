"""What MLflow's own server shows of a training, and what a server that is away costs."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from models.errors import TransientError
from models.registry import mlflow_mirror
from models.registry.manifest import FileFacts, Manifest
from models.registry.mlflow_mirror import MlflowMirror
from models.registry.training_run import TrainingRun
from stream.cli import tocsin
from tests.mlflow_server import MlflowServer, MlflowUnavailableError, mlflow
from tests.models.bundles import bundle
from tests.ports import held_port
from tests.served import served

TIME = 1_700_000_000_000_000
RUN = TrainingRun(TIME, TIME + 60_000_000, {"seed": 1, "epochs": 16}, {"report.txt": b"90 templates\n"})


def version(number: int) -> Manifest:
    """A version with facts of its training."""
    facts = {"seed": 1, "lines": 100 * number, "nats_per_event": 0.5, "from": "2026-03-02", "to": "2026-03-04"}
    files = {"bundle.json": FileFacts("aa", 2)}
    return Manifest("nova", number, f"bundle-{number}", "tocsin.bundle/6", files, TIME, by="anna", facts=facts)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """MLflow on SQLite; where it cannot be installed the test is skipped, in CI it fails."""
    yield from served(mlflow, MlflowUnavailableError, "MLflow", lambda: MlflowServer(tmp_path_factory.mktemp("mlflow")))


def ask(server: MlflowServer, path: str, **params: Any) -> Any:
    """Ask the server as its own page does."""
    return httpx.get(f"{server.url}/api/2.0/mlflow/{path}", params=params, timeout=30.0).raise_for_status().json()


@pytest.mark.mlflow
def test_a_training_is_a_run_a_version_and_an_alias(server: MlflowServer) -> None:
    """Parameters, numbers, where the bundle is and what may be looked at; the alias moves with ours."""
    mirror = MlflowMirror(server.url, 60.0)
    runs = [mirror.show_training(version(number), "s3://bucket/models", RUN) for number in (1, 2)]
    run = ask(server, "runs/get", run_id=runs[1])["run"]
    assert run["info"]["status"] == "FINISHED"
    assert run["info"]["run_name"] == "nova@v2"
    assert {param["key"]: param["value"] for param in run["data"]["params"]} == {"seed": "1", "epochs": "16"}
    assert {metric["key"]: metric["value"] for metric in run["data"]["metrics"]} == {
        "seed": 1.0,
        "lines": 200.0,
        "nats_per_event": 0.5,
    }
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert tags["tocsin.store"] == "s3://bucket/models"
    assert tags["tocsin.digest"] == version(2).digest
    files = {file["path"] for file in ask(server, "artifacts/list", run_id=runs[1])["files"]}
    assert files == {"report.txt", "manifest.json"}
    assert mirror.show_alias(version(1), "champion")
    assert mirror.show_alias(version(2), "champion")
    champion = ask(server, "registered-models/alias", name="nova", alias="champion")["model_version"]
    assert champion["run_id"] == runs[1]
    assert not mirror.show_alias(version(9), "champion")
    with pytest.raises(TransientError, match="refuses"):
        mirror.show_training(replace(version(3), name="no/va"), "", RUN)


@pytest.mark.mlflow
def test_the_report_of_a_gate_stands_with_its_run(server: MlflowServer) -> None:
    """What was measured are numbers that can be compared, the outcome a tag of run and version, the whole a file."""
    mirror = MlflowMirror(server.url, 60.0)
    manifest = replace(version(4), name="cinder")
    run_id = mirror.show_training(manifest, "s3://bucket/models", RUN)
    checks = [
        {"name": "pages", "passed": True, "figures": {"pages": 3}},
        {"name": "votes", "passed": False, "figures": {"real": 5, "real_found_again": 4}},
    ]
    report = {"champion": "cinder@v3", "passed": False, "made": "2026-11-01T10:00:00Z", "checks": checks}
    assert mirror.show_gate(manifest, report)
    run = ask(server, "runs/get", run_id=run_id)["run"]
    metrics = {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}
    assert {name: metrics[name] for name in metrics if name.startswith("gate_")} == {
        "gate_passed": 0.0,
        "gate_pages": 3.0,
        "gate_real": 5.0,
        "gate_real_found_again": 4.0,
    }
    (shown,) = ask(server, "model-versions/search", filter="name='cinder'")["model_versions"]
    assert {"key": "tocsin.gate", "value": "failed: votes"} in shown["tags"]
    assert {"key": "tocsin.gate.against", "value": "cinder@v3"} in run["data"]["tags"]
    assert "gate.json" in {file["path"] for file in ask(server, "artifacts/list", run_id=run_id)["files"]}
    assert not mirror.show_gate(replace(version(9), name="cinder"), report)


@pytest.mark.mlflow
def test_commands_show_what_they_do(server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that is registered is a run and a version; who is promoted has the alias there as well."""
    monkeypatch.setenv("TOCSIN_MODELS", f"file://{tmp_path}/store")
    monkeypatch.setenv("TOCSIN_CACHE_PATH", str(tmp_path / "cache"))
    monkeypatch.setenv("TOCSIN_MLFLOW_URL", server.url)
    monkeypatch.setattr(mlflow_mirror, "TIMEOUT_S", 60.0)
    bundle().write(tmp_path / "bundle")
    for command in (
        ["check-in", str(tmp_path / "bundle"), "--name", "glance", "--note", "after the upgrade"],
        ["promote", "glance@v1", "--alias-only"],
    ):
        done = CliRunner().invoke(tocsin, ["models", *command], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    champion = ask(server, "registered-models/alias", name="glance", alias="champion")["model_version"]
    assert champion["description"] == f"glance@v1 in file://{tmp_path}/store: after the upgrade"


@pytest.mark.mlflow
def test_a_server_that_rests_or_is_gone_costs_seconds(server: MlflowServer) -> None:
    """And is an error that says so, which no training fails of."""
    gone = MlflowMirror(f"http://127.0.0.1:{held_port()}", 1.0)
    with pytest.raises(TransientError, match="does not answer"):
        gone.show_training(version(1), "", RUN)
    server.pause()
    began = time.monotonic()
    with pytest.raises(TransientError, match="does not answer"):
        MlflowMirror(server.url, 1.0).show_alias(version(1), "champion")
    assert time.monotonic() - began < 60
