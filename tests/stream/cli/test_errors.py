"""What the user did wrong: exit status 2 and one line on standard error that says what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.cli import tocsin
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics
from stream.wiring.core import DEMO_BUNDLE

ROOT = Path(__file__).parents[3]
BUNDLE = ("--bundle", str(DEMO_BUNDLE))
LINE = "2026-03-02 08:00:{:02d}.000 7 INFO nova.compute.manager [{}] Took 1.5 seconds to build instance\n"
REQUEST = "req-772c28a4-455d-4e72-b258-cbec9ee5486f - - - - -"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a log, a broken archive, a bundle that is none, and folders without files."""
    monkeypatch.chdir(tmp_path)
    Path("nova.log").write_text(LINE.format(0, "-"))
    Path("broken.gz").write_bytes(b"\x1f\x8bno archive")
    for name in ("empty", "other"):
        Path(name).mkdir()
    Path("other/bundle.json").write_text("{}")
    Path("mine.json").write_text("not a bundle")
    return tmp_path


def refusal(*args: str) -> str:
    """Return the one line that a command ends with."""
    result = CliRunner().invoke(tocsin, args)
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("tocsin: ")
    assert "Traceback" not in line
    return line.removeprefix("tocsin: ")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nowhere.log", "nowhere.log: no such file or folder; check the path"),
        ("empty", "empty: the folder holds no files; name one that does"),
        ("broken.gz", "broken.gz: broken archive"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [("score", *BUNDLE), ("templates",), ("templates", *BUNDLE), pytest.param(("train",), marks=pytest.mark.train)],
)
def test_a_path_that_cannot_be_read_is_named(command: tuple[str, ...], path: str, told: str) -> None:
    """Also beside others that can."""
    if command[0] == "train":
        pytest.importorskip("tensorflow")
    assert refusal(command[0], "nova.log", path, *command[1:], "--out", "out").startswith(told)


@pytest.mark.parametrize("bundle", ["nowhere", "empty", "other", "mine.json"])
@pytest.mark.parametrize("command", [("score", "nova.log"), ("templates", "nova.log"), ("replay",)])
def test_a_bundle_that_is_none_is_named(command: tuple[str, ...], bundle: str) -> None:
    """With what to do about it."""
    told = refusal(*command, "--bundle", bundle, "--out", "out")
    assert bundle in told
    assert ";" in told


def test_without_a_bundle_the_way_to_one_is_told() -> None:
    """Train one and set it; files are not judged by the bundle that ships."""
    assert refusal("score", "nova.log", "--out", "out") == (
        "no bundle is set; train one with `tocsin train PATH --out DIR` and set TOCSIN_BUNDLE=DIR"
    )


@pytest.mark.parametrize("command", ["score", "templates", "train"])
def test_a_path_is_needed(command: str) -> None:
    """Nothing is read by default."""
    assert "'PATHS...'" in refusal(command, "--out", "out")


@pytest.mark.parametrize("command", [("score", "nova.log", *BUNDLE), ("templates", "nova.log")])
def test_a_result_that_cannot_be_written_is_named(command: tuple[str, ...]) -> None:
    """Its folder may be missing."""
    assert "nowhere/out" in refusal(*command, "--out", "nowhere/out")


def test_training_refuses_standard_input() -> None:
    """It reads three times."""
    assert "save standard input to a file first" in refusal("train", "-", "--out", "out")


@pytest.mark.train
def test_training_on_nothing_that_is_a_log_says_how_to_look(here: Path) -> None:
    """An empty file has no line to learn from."""
    pytest.importorskip("tensorflow")
    (here / "nothing.log").write_text("")
    assert "could be understood; look at one" in refusal("train", "nothing.log", "--out", "out")


@pytest.mark.parametrize("offsets", ["1", "0:x", "0:1:2", "a:1"])
def test_replay_refuses_offsets_that_are_none(offsets: str) -> None:
    """With an example."""
    assert "such as 0:1200,1:980" in refusal("replay", "--from-offsets", offsets, *BUNDLE, "--out", "out")


def test_replay_refuses_a_time_that_is_none() -> None:
    """The option is named."""
    assert "--from" in refusal("replay", "--from", "yesterday-ish", *BUNDLE, "--out", "out")


def test_replay_of_topics_that_are_not_there_names_them(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prefix may be a wrong one."""
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", embedded.bootstrap)
    monkeypatch.setenv("TOCSIN_TOPIC_PREFIX", "other.")
    assert "there is no topic 'other.logs.events'" in refusal("replay", *BUNDLE, "--out", "out")


def test_score_merges_files_and_tells_nothing_of_late_rows(here: Path) -> None:
    """A request that goes to and fro between two services is one session."""
    for name, seconds in (("nova-api.log", (1, 30, 59)), ("nova-compute.log", (2, 40, 50))):
        (here / name).write_text("".join(LINE.format(second, REQUEST) for second in seconds))
    result = CliRunner().invoke(tocsin, ["score", "nova-compute.log", "nova-api.log", *BUNDLE, "--out", "out"])
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("6 lines, ")
    assert "late" not in result.stderr
    (session,) = [line for line in (here / "out").read_text().splitlines() if '"req-' in line]
    assert '"events":6' in session


def test_score_warns_of_rows_that_came_too_late(here: Path) -> None:
    """A file that goes back in time loses lines, and says so."""
    (here / "back.log").write_text("".join(LINE.format(second, REQUEST) for second in (50, 5)))
    result = CliRunner().invoke(tocsin, ["score", "back.log", *BUNDLE, "--out", "out"])
    assert result.exit_code == 0, result.output
    assert "; warning: " in result.stderr
    assert "rows came too late for their windows" in result.stderr


def test_score_says_what_it_could_not_read(here: Path) -> None:
    """Lines that are no records, lines without a time, and services that training did not see."""
    (here / "odd.jsonl").write_text('{"host": "cmp1"}\n{"log": "no time here", "source": "heat/engine"}\n')
    result = CliRunner().invoke(tocsin, ["score", "odd.jsonl", *BUNDLE, "--out", "out"])
    assert result.exit_code == 0, result.output
    assert "1 lines were not understood (no_line 1)" in result.stderr
    assert "1 of 1 events have no time of their own" in result.stderr
    assert "0 of them in these logs, which hold heat/engine" in result.stderr


def test_score_is_silent_where_all_is_read(here: Path) -> None:
    """A service that the bundle knows, lines with times: one line of result."""
    records = [{"service": "nova-api", "log": LINE.format(second, REQUEST).rstrip()} for second in (1, 5)]
    (here / "nova.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    result = CliRunner().invoke(tocsin, ["score", "nova.jsonl", *BUNDLE, "--out", "out"])
    assert result.exit_code == 0, result.output
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "out", ["nova.log", "nova.log/bundle", "full", "/proc/bundle"], ids=["file", "below a file", "folder", "proc"]
)
@pytest.mark.parametrize("command", [("train", "nova.log"), ("recalibrate", "nova.log", *BUNDLE)])
def test_a_bundle_that_cannot_be_written_is_told_before_the_work(
    here: Path, command: tuple[str, ...], out: str
) -> None:
    """No library of training is imported, and what is there stays."""
    (here / "full").mkdir()
    (here / "full" / "mine.txt").write_text("mine")
    before = (here / "nova.log").read_bytes()
    assert out in refusal(*command, "--out", out)
    assert (here / "nova.log").read_bytes() == before
    assert [path.name for path in (here / "full").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("command", ["train", "recalibrate"])
def test_a_path_to_train_on_that_is_missing_is_told_at_once(command: str) -> None:
    """Before a library of training is imported."""
    options = BUNDLE if command == "recalibrate" else ()
    assert "nope.log: no such file or folder" in refusal(command, "nope.log", *options, "--out", "out")


def test_the_simulator_names_files_that_cannot_be_written(here: Path) -> None:
    """The list of faults as well, before a line is made."""
    assert "--out nowhere/x.jsonl" in refusal("simulate", "--out", "nowhere/x.jsonl")
    assert "--truth nowhere/t.json" in refusal("simulate", "--out", "x.jsonl", "--truth", "nowhere/t.json")
    assert not (here / "x.jsonl").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("score", "nova.log", *BUNDLE, "--out", "/dev/full"),
        ("templates", "nova.log", "--out", "/dev/full"),
        ("simulate", "--hours", "0.01", "--out", "/dev/full"),
    ],
)
def test_a_full_disk_is_a_plain_error(command: tuple[str, ...]) -> None:
    """Whoever writes."""
    assert "No space left on device; free some space" in refusal(*command)


def test_a_full_standard_output_is_a_plain_error() -> None:
    """Also of what stands in its buffer at the end."""
    program = "from stream.cli import main; main()"
    command = [sys.executable, "-c", program, "--help"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr.decode().count("\n")) == (2, 1)
    assert b"No space left on device" in done.stderr


@pytest.mark.parametrize(("typed", "meant"), [("trian", "train"), ("scor", "score"), ("incident", "incidents")])
def test_a_mistyped_command_is_told_the_right_one(typed: str, meant: str) -> None:
    """If one is like it."""
    assert f"No such command '{typed}'; did you mean '{meant}'?" in refusal(typed)
    assert "did you mean" not in refusal("xyzzy")


def test_the_version_has_a_short_option() -> None:
    """As other programs have it."""
    assert CliRunner().invoke(tocsin, ["-V"]).output.startswith("tocsin ")


@pytest.mark.parametrize(
    "bounds",
    [
        ("--from", "2026-11-23T03:00Z", "--to", "2026-11-23T02:00Z"),
        ("--from", "2026-11-23T03:00Z", "--to", "2026-11-23T03:00Z"),
        ("--from-offsets", "0:10,1:5", "--to-offsets", "0:20,1:5"),
    ],
)
def test_a_range_that_ends_before_it_begins_is_refused(here: Path, bounds: tuple[str, ...]) -> None:
    """And the older result stays."""
    (here / "out").write_text("older")
    assert "is empty" in refusal("replay", *bounds, *BUNDLE, "--out", "out")
    assert (here / "out").read_text() == "older"
    if bounds[0] == "--from":
        assert "is empty" in refusal("topics", "cat", "logs.raw", *bounds)


def test_a_replay_without_a_window_leaves_the_older_result(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    """The topics are there and empty."""
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", embedded.bootstrap)
    Broker(embedded.bootstrap).ensure_topics(Topics("tocsin.").specs(2))
    (here / "out").write_text("older")
    assert "no window closes in this range" in refusal("replay", *BUNDLE, "--out", "out")
    assert (here / "out").read_text() == "older"
