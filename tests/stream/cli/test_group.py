"""The command group: quick help, lazy imports, exit statuses, an example in every help page."""

import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from itertools import islice
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from models.errors import FatalError, InvalidError, TransientError
from stream.cli import tocsin
from stream.cli.lazy_group import CommandEntry, LazyGroup, with_plugins
from stream.wiring.core import DEMO_BUNDLE
from training.simulate import Scenario, stream_records

SCENARIO = Scenario(1, datetime(2026, 3, 3, 8, tzinfo=UTC), 600.0)
COMMANDS = sorted(tocsin.list_commands(click.Context(tocsin)))


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> LazyGroup:
    """Give a group with one command per way to end."""
    module = ModuleType("scratch_commands")

    def add(name: str, error: BaseException | None) -> None:
        @click.command(name)
        def command() -> None:
            if error is not None:
                raise error

        setattr(module, name, command)

    endings: dict[str, BaseException | None] = {
        "fine": None,
        "invalid": InvalidError("no such\nfile; name another"),
        "transient": TransientError("broker away"),
        "fatal": FatalError("stop"),
        "usage": click.UsageError("wrong"),
        "file": click.FileError("x", "gone"),
        "interrupt": KeyboardInterrupt(),
        "extra": ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow.keras"),
        "defect": ModuleNotFoundError("No module named 'nothing'", name="nothing"),
    }
    for name, error in endings.items():
        add(name, error)
    monkeypatch.setitem(sys.modules, "scratch_commands", module)
    entries = {name: CommandEntry(f"scratch_commands:{name}", "help") for name in endings}
    return LazyGroup("tocsin", entries=entries | {"absent": CommandEntry("tensorflow_missing:x", "help")})


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("fine", 0),
        ("invalid", 2),
        ("transient", 2),
        ("fatal", 2),
        ("usage", 2),
        ("file", 2),
        ("interrupt", 130),
        ("extra", 2),
        ("no-such-command", 2),
    ],
)
def test_every_ending_has_its_exit_status(group: LazyGroup, name: str, code: int) -> None:
    """0 for success, 2 for what the user can mend, 130 for an interrupt."""
    assert CliRunner().invoke(group, [name]).exit_code == code


def test_an_expected_error_is_one_line_on_standard_error(group: LazyGroup) -> None:
    """No traceback, no line breaks, nothing on standard output."""
    result = CliRunner().invoke(group, ["invalid"])
    assert result.stderr == "tocsin: no such file; name another\n"
    assert result.stdout == ""


@pytest.mark.parametrize("args", [["--wrong"], ["nope"], ["fine", "--wrong"], ["fine", "surplus"]])
def test_a_usage_error_is_one_line_too(group: LazyGroup, args: list[str]) -> None:
    """It names what is wrong and where the help is."""
    result = CliRunner().invoke(group, args)
    assert result.exit_code == 2
    assert result.stderr.startswith("tocsin: ")
    assert result.stderr.endswith("--help'.\n")
    assert result.stderr.count("\n") == 1


def test_a_missing_extra_says_how_to_get_it(group: LazyGroup) -> None:
    """A worker has no TensorFlow; whoever trains there is told what to install."""
    assert "pip install 'tocsin[train]'" in CliRunner().invoke(group, ["extra"]).stderr


@pytest.mark.parametrize("name", ["defect", "absent"])
def test_a_missing_module_of_no_extra_is_a_defect_and_shown_as_such(group: LazyGroup, name: str) -> None:
    """Advice that does not help is worse than a traceback."""
    result = CliRunner().invoke(group, [name])
    assert isinstance(result.exception, ModuleNotFoundError)


def test_commands_of_other_packages_join_in_their_place() -> None:
    """A known plug-in keeps its place and help, an unknown one comes last, an absent one is not listed."""
    table = {
        "train": CommandEntry("", "Learn."),
        "run": CommandEntry("a:run", "Serve."),
        "simulate": CommandEntry("", "Simulate."),
    }
    plugins = [EntryPoint(name, f"other.cli:{name}", "g") for name in ("zeta", "train", "run")]
    merged = with_plugins(table, plugins)
    assert merged == {
        "train": CommandEntry("other.cli:train", "Learn."),
        "run": CommandEntry("a:run", "Serve."),
        "zeta": CommandEntry("other.cli:zeta", "from other.cli"),
    }


def test_help_lists_all_commands_without_importing_one() -> None:
    """The help page costs neither Polars nor Faust nor pydantic."""
    script = """
import sys
from stream.cli import tocsin
tocsin(["--help"], standalone_mode=False)
heavy = {"polars", "numpy", "faust", "pydantic", "confluent_kafka", "tensorflow"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


LIBRARIES = {
    "score": {"click", "dotenv", "numpy", "onnxruntime", "orjson", "polars", "pydantic", "pydantic_settings"},
    "analyze": {"click", "dotenv", "numpy", "onnxruntime", "orjson", "polars", "pydantic", "pydantic_settings"},
    "ingest": {"confluent_kafka", "msgspec", "prometheus_client", "yaml"},
    "detect": {"aiohttp", "aiokafka", "confluent_kafka", "faust", "mode", "msgspec", "prometheus_client", "yaml"},
}
"""Outside libraries that are worth a thought, by what may load them: roles need those of ``score`` as well."""

WATCHED = {
    *("aiohttp", "aiokafka", "anthropic", "boto3", "click", "confluent_kafka", "dotenv", "faiss", "faust", "httpx"),
    *("huggingface_hub", "jsonschema", "mlflow", "mode", "msgspec", "numpy", "onnxruntime", "orjson", "polars"),
    *("prometheus_client", "pydantic", "pydantic_settings", "scipy", "sklearn", "tensorflow", "tokenizers", "yaml"),
}


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("score", "command('score', LINES, '--bundle', BUNDLE, '--out', os.devnull)"),
        ("analyze", "command('analyze', '--issue', 'instances do not start', '--logs', LINES, '--fast', '--json')"),
        ("ingest", "import stream.cli.run, stream.runtime.process, stream.ingest.role"),
        ("detect", "import stream.cli.run, stream.runtime.process, stream.detect.role"),
    ],
    ids=["score", "analyze", "ingest", "detect"],
)
def test_what_runs_loads_what_it_uses_and_no_more(name: str, script: str, tmp_path: Path) -> None:
    """Nearly all of a short command's time is imports; so is much of the memory of a role."""
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b"".join(record.value + b"\n" for record in islice(stream_records(SCENARIO), 50)))
    prelude = f"""
import os, sys
from stream.cli import tocsin
LINES, BUNDLE = {str(lines)!r}, {str(DEMO_BUNDLE)!r}
def command(*arguments):
    tocsin(list(arguments), standalone_mode=False)
"""
    report = "\nprint(*{module.partition('.')[0] for module in sys.modules}, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable], input=prelude + script + report, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    loaded = WATCHED & set(done.stderr.splitlines()[-1].split())
    assert loaded - LIBRARIES[name] - LIBRARIES["score"] == set()


def test_the_version_is_that_of_the_package() -> None:
    """--version prints one line."""
    result = CliRunner().invoke(tocsin, ["--version"])
    assert result.output.startswith("tocsin ")


def test_the_documented_commands_are_there() -> None:
    """Scripts rely on these names."""
    assert {"demo", "run", "score", "templates", "train", "simulate", "replay", "topics", "settings", "doctor"} <= set(
        COMMANDS
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    """--help exits 0 and holds an example; of a group, each of its commands does."""
    command = tocsin.get_command(click.Context(tocsin), name)
    assert command is not None
    leaves = command.commands if isinstance(command, click.Group) else {}
    for path in [[name, leaf] for leaf in leaves] or [[name]]:
        result = CliRunner().invoke(tocsin, [*path, "--help"])
        assert result.exit_code == 0, result.output
        assert "Example" in result.output
        assert "tocsin " + " ".join(path) in result.output.partition("Example")[2]
