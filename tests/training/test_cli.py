"""``tocsin train`` and ``tocsin simulate``."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.bundle import Bundle
from models.errors import InvalidError
from stream.cli import tocsin
from stream.settings import load_settings
from stream.wiring.bundles import open_store
from tests.ports import held_port
from training.cli import simulate, train

LINE = "2026-03-02 08:{:02d}:{:02d}.000 7 INFO nova.compute.manager [-] all quiet\n"


def lines(count: int, text: str = LINE) -> str:
    """So many lines, one a second."""
    return "".join(text.format(*divmod(n, 60)) for n in range(count))


def run(command: object, *args: object) -> Result:
    """Run a command; what it raises is raised."""
    return CliRunner().invoke(command, [str(arg) for arg in args], catch_exceptions=False)  # type: ignore[arg-type]


def test_simulate_writes_records_and_the_truth_about_faults(tmp_path: Path) -> None:
    """As many lines as it says; the same seed the same lines."""
    out, truth = tmp_path / "a.jsonl", tmp_path / "truth.json"
    done = run(simulate, "--out", out, "--hours", 0.1, "--faults", "--truth", truth, "--start", "2026-03-02T00:00:00")
    count = len(out.read_bytes().splitlines())
    faults = json.loads(truth.read_text())
    assert done.stderr == f"{count:,} lines, {len(faults)} faults\n"
    assert len(faults) == 7
    run(simulate, "--out", tmp_path / "b.jsonl", "--hours", 0.1, "--faults")
    assert (tmp_path / "b.jsonl").read_bytes() == out.read_bytes()


def test_simulate_refuses_a_start_that_is_no_time(tmp_path: Path) -> None:
    """And says how one is written."""
    with pytest.raises(InvalidError, match="--start 'tomorrow' is not a time; write 2026-03-02T00:00:00Z"):
        run(simulate, "--out", tmp_path / "a.jsonl", "--start", "tomorrow")


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-11-23T02:00Z", "2026-11-23T02:00Z/later", "2026-11-23T02:00/2026-11-23T03:00"]
)
def test_train_refuses_to_leave_out_what_is_no_stretch_of_time(text: str, tmp_path: Path) -> None:
    """With an example, before it reads anything."""
    result = run(train, str(tmp_path), "--out", str(tmp_path / "bundle"), "--leave-out", text)
    assert result.exit_code == 2
    assert "2026-11-23T02:00Z/2026-11-23T02:20Z" in result.output


def test_train_does_not_read_standard_input() -> None:
    """It reads its files three times."""
    with pytest.raises(InvalidError, match="save standard input to a file first"):
        run(train, "-", "--out", "bundle")


@pytest.mark.train
@pytest.mark.usefixtures("tensorflow")
def test_train_writes_a_bundle_and_says_which(tmp_path: Path) -> None:
    """Progress goes to standard error; a bundle can be the base of the next."""
    log, out = tmp_path / "nova-compute.log", tmp_path / "bundle"
    log.write_text(lines(150))
    done = run(train, log, "--out", out, "--epochs", 1)
    bundle = Bundle.load(out)
    assert done.stdout == f"bundle {bundle.id} in {out}: 1 templates of 150 events\n"
    assert "epoch 1 of 1: " in done.stderr
    assert f"then set TOCSIN_BUNDLE={out}" in done.stderr
    assert "nats" not in done.stderr
    log.write_text(lines(100, LINE.replace("quiet", "busy")))
    done = run(train, log, "--out", out, "--epochs", 1, "--base", out)
    assert ": 2 templates of 100 events\n" in done.stdout
    assert set(bundle.table) < set(Bundle.load(out).table)


def test_train_tries_the_store_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is none, a key that is missing or no store at all are told at once."""
    (tmp_path / "nova.log").write_text(lines(1))
    command = ["train", str(tmp_path / "nova.log"), "--out", str(tmp_path / "bundle"), "--register"]
    assert "set TOCSIN_MODELS" in CliRunner().invoke(tocsin, [*command, "nova"]).stderr
    monkeypatch.setenv("TOCSIN_MODELS", f"file://{tmp_path}/store")
    assert "cannot be the name of a model" in CliRunner().invoke(tocsin, [*command, "no/va"]).stderr
    monkeypatch.setenv("TOCSIN_SIGNING_KEY", str(tmp_path / "none.pem"))
    assert "cannot read the signing key" in CliRunner().invoke(tocsin, [*command, "nova"]).stderr


@pytest.mark.train
@pytest.mark.usefixtures("tensorflow")
def test_train_registers_its_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the next version of the name, with the facts of the training."""
    (tmp_path / "nova-compute.log").write_text(lines(150))
    monkeypatch.setenv("TOCSIN_MODELS", f"file://{tmp_path}/store")
    # A server of MLflow that is away costs the training nothing but a warning.
    monkeypatch.setenv("TOCSIN_MLFLOW_URL", f"http://127.0.0.1:{held_port()}")
    command = ["train", str(tmp_path / "nova-compute.log"), "--out", str(tmp_path / "bundle"), "--epochs", "1"]
    done = CliRunner().invoke(tocsin, [*command, "--register", "nova"], catch_exceptions=False)
    assert done.stdout.splitlines()[-1] == "registered as nova@v1"
    (version,) = open_store(load_settings()).versions("nova")
    assert (version.bundle, version.facts["events"]) == (Bundle.load(tmp_path / "bundle").id, 150)
