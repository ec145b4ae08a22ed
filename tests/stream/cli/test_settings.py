"""``tocsin settings``: what is in force, where it comes from, and the table of stream/README.md."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.cli import tocsin
from stream.settings import Settings

ROOT = Path(__file__).parents[3]
START, END = "<!-- settings:start -->\n", "\n<!-- settings:end -->"


def output(*args: str) -> str:
    """Return what the command prints."""
    result = CliRunner().invoke(tocsin, ["settings", *args])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_readme_holds_the_table_of_all_settings() -> None:
    """Remake it with ``tocsin settings --markdown``."""
    text = (ROOT / "stream" / "README.md").read_text(encoding="utf-8")
    assert text.count(START) == text.count(END) == 1, "stream/README.md has no table of settings"
    assert text.partition(START)[2].partition(END)[0] == output("--markdown").rstrip()


def test_every_setting_has_a_meaning() -> None:
    """The text under its field, as one sentence or more."""
    rows = output("--markdown").splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    for row, name in zip(rows, Settings.model_fields, strict=True):
        _, shown, _, meaning, _ = (cell.strip() for cell in row.split("|"))
        assert shown == f"`{name}`"
        assert len(meaning) > 10, name
        assert meaning.endswith("."), name


def test_the_origin_of_each_setting_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment wins over the file, the file over the default; tables of both are merged."""
    monkeypatch.chdir(tmp_path)
    Path("tocsin.toml").write_text('zone = "Asia/Tokyo"\nmetrics_port = 1\n[kafka]\n"sasl.username" = "me"\n')
    monkeypatch.setenv("TOCSIN_METRICS_PORT", "3")
    monkeypatch.setenv("tocsin_kafka", '{"sasl.password": "s3cr3t"}')
    shown = {entry["name"]: (entry["value"], entry["origin"]) for entry in json.loads(output("--json"))}
    assert list(shown) == list(Settings.model_fields)
    assert shown["metrics_port"] == (3, "TOCSIN_METRICS_PORT")
    assert shown["zone"] == ("Asia/Tokyo", "tocsin.toml")
    assert shown["idle_s"] == (60, "default")
    assert shown["kafka"][1] == "tocsin_kafka, tocsin.toml"
    assert set(shown["kafka"][0]) == {"sasl.username", "sasl.password"}


def test_secrets_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every form, and also those that only stand in the table of Kafka."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_KAFKA", '{"sasl.password": "s3cr3t"}')
    monkeypatch.setenv("TOCSIN_SLACK_TOKEN", "s3cr3t")
    monkeypatch.setenv("TOCSIN_WEBHOOK_URL", "https://example.org/s3cr3t")
    text = output()
    assert "s3cr3t" not in text + output("--json")
    (line,) = [line for line in text.splitlines() if line.startswith("slack_token ")]
    assert line.split() == ["slack_token", "**********", "TOCSIN_SLACK_TOKEN"]


def test_a_wrong_setting_ends_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the start of a role."""
    monkeypatch.setenv("TOCSIN_METRICS_PRT", "3")
    result = CliRunner().invoke(tocsin, ["settings"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "TOCSIN_METRICS_PRT is not a setting" in result.stderr
