"""Settings: precedence, and refusals that name what is wrong without showing it."""

import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.errors import InvalidError
from stream.settings import load_settings
from stream.settings.load import SHIPPER_VARIABLES

WEBHOOK = "https://hooks.example.org/T000/s3cr3t-part"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in an empty folder, with no setting in the environment."""
    for name in os.environ:
        if name.startswith("TOCSIN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> None:
    """Write the settings file of ``folder``."""
    (folder / "tocsin.toml").write_text(text, encoding="utf-8")


def refusal(**overrides: object) -> str:
    """Return the message with which the settings are refused."""
    with pytest.raises(InvalidError) as caught:
        load_settings(**overrides)
    return str(caught.value)


def test_defaults_need_no_environment_and_no_file() -> None:
    """A newcomer sets nothing."""
    settings = load_settings()
    assert settings.kafka_bootstrap_servers == "localhost:9092"
    assert settings.topic_prefix == "tocsin."
    assert settings.metrics_port == 9464
    assert settings.bundle is None


def test_the_environment_wins_over_the_file_and_an_option_over_both(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Option, environment, file, default: in this order."""
    write(here, 'topic_prefix = "file."\nzone = "Europe/Prague"\nmetrics_port = 1\n')
    monkeypatch.setenv("TOCSIN_TOPIC_PREFIX", "env.")
    monkeypatch.setenv("TOCSIN_METRICS_PORT", "2")
    settings = load_settings(metrics_port=3)
    assert (settings.metrics_port, settings.topic_prefix, settings.zone) == (3, "env.", "Europe/Prague")
    assert settings.batch_lines == 20_000


def test_the_file_may_stand_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TOCSIN_CONFIG names another file."""
    other = tmp_path / "other.toml"
    other.write_text('zone = "Asia/Tokyo"', encoding="utf-8")
    monkeypatch.setenv("TOCSIN_CONFIG", str(other))
    assert load_settings().zone == "Asia/Tokyo"


def test_tables_and_lists_come_from_the_file(here: Path) -> None:
    """Kafka's properties, zones and formats are tables; a dotted Kafka name needs no quotes."""
    write(
        here,
        """
[kafka]
security.protocol = "SASL_SSL"
"sasl.password" = "s3cr3t"
enable.ssl.certificate.verification = false
socket.timeout.ms = 5000

[zones]
"nova-*" = "Europe/Berlin"

[[formats]]
name = "mine"
pattern = "^(?P<time>\\\\S+) (?P<message>.*)$"
time_format = "%s"
""",
    )
    settings = load_settings()
    assert settings.kafka_properties() == {
        "security.protocol": "SASL_SSL",
        "sasl.password": "s3cr3t",
        "enable.ssl.certificate.verification": "false",
        "socket.timeout.ms": "5000",
    }
    assert settings.zones == {"nova-*": "Europe/Berlin"}
    assert settings.formats[0].name == "mine"


def test_tables_and_lists_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container has no file; JSON does."""
    monkeypatch.setenv("TOCSIN_KAFKA", '{"sasl.username": "me"}')
    monkeypatch.setenv("TOCSIN_FORMATS", '[{"name": "mine", "pattern": "x"}]')
    settings = load_settings()
    assert settings.kafka_properties() == {"sasl.username": "me"}
    assert settings.formats[0].pattern == "x"


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass unset variables on as empty ones."""
    monkeypatch.setenv("TOCSIN_METRICS_PORT", "")
    assert load_settings().metrics_port == 9464


def test_an_unknown_variable_is_refused_with_the_name_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt setting must not be a default in disguise."""
    monkeypatch.setenv("TOCSIN_METRIC_PORT", "1")
    assert refusal() == "TOCSIN_METRIC_PORT is not a setting; did you mean TOCSIN_METRICS_PORT?"


def test_an_unknown_key_of_the_file_is_refused_with_its_place(here: Path) -> None:
    """The message names key and file."""
    write(here, "batch_line = 5\n")
    assert refusal() == "batch_line (in tocsin.toml) is not a setting; did you mean batch_lines?"


def test_an_unknown_key_of_a_format_is_refused(here: Path) -> None:
    """Tables inside the file are checked as well."""
    write(here, '[[formats]]\nname = "a"\npattern = "b"\ntime_fmt = "c"\n')
    assert refusal() == "formats (in tocsin.toml).0.time_fmt is not a setting; did you mean time_format?"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("TOCSIN_METRICS_PORT", "many", "valid integer"),
        ("TOCSIN_METRICS_PORT", "70000", "less than or equal to 65535"),
        ("TOCSIN_BATCH_SECONDS", "nan", "finite"),
        ("TOCSIN_BATCH_LINES", "0", "greater than 0"),
        ("TOCSIN_ZONE", "Mars/Base", "IANA"),
        ("TOCSIN_ZONES", "nova=UTC", "JSON"),
        ("TOCSIN_LOG_LEVEL", "loud", "'debug'"),
        ("TOCSIN_TOPIC_PREFIX", "a b", "pattern"),
        ("TOCSIN_SLACK_URL", "hooks.example.org", "https://"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    reason: str,
) -> None:
    """The message names the variable and says what would do."""
    monkeypatch.setenv(name, value)
    message = refusal()
    assert message.startswith(name)
    assert reason in message
    assert "\n" not in message


def test_all_wrong_values_are_named_at_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody likes to start a service once per mistake."""
    write(here, "replication = 0\n")
    monkeypatch.setenv("TOCSIN_MAX_LINE", "-1")
    message = refusal(metrics_port=-5)
    assert "replication (in tocsin.toml)" in message
    assert "TOCSIN_MAX_LINE" in message
    assert "--metrics-port" in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("window_step_s = 7", "window_length_s must be a multiple of window_step_s"),
        ("window_lateness_s = 40", "window_lateness_s must not exceed"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(here: Path, text: str, reason: str) -> None:
    """Windows of 60 s cannot be cut into steps of 7 s."""
    write(here, text)
    assert reason in refusal()


@pytest.mark.parametrize("content", [b"zone = ", b"zone = '\xff'"])
def test_a_broken_file_is_refused_with_its_name(here: Path, content: bytes) -> None:
    """Neither wrong syntax nor wrong bytes are a crash."""
    (here / "tocsin.toml").write_bytes(content)
    assert refusal().startswith("tocsin.toml is not valid TOML")


def test_a_named_file_that_is_missing_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names a file means it."""
    monkeypatch.setenv("TOCSIN_CONFIG", str(here / "none.toml"))
    assert "none.toml (No such file or directory); correct TOCSIN_CONFIG" in refusal()


def test_variables_of_kubernetes_services_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service named tocsin puts these into every pod of its namespace."""
    monkeypatch.setenv("TOCSIN_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("TOCSIN_SERVICE_PORT", "9464")
    monkeypatch.setenv("TOCSIN_INGEST_SERVICE_PORT_METRICS", "9464")
    monkeypatch.setenv("TOCSIN_PORT", "tcp://10.0.0.1:9464")
    monkeypatch.setenv("TOCSIN_PORT_9464_TCP_ADDR", "10.0.0.1")
    assert load_settings().metrics_port == 9464


def test_a_setting_overwritten_by_a_kubernetes_service_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service named tocsin-metrics collides with a setting; the message says what to do."""
    monkeypatch.setenv("TOCSIN_METRICS_PORT", "tcp://10.0.0.1:9464")
    assert "enableServiceLinks: false" in refusal()


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither repr nor a dump of the settings holds a secret; asking for it does."""
    monkeypatch.setenv("TOCSIN_SLACK_URL", WEBHOOK)
    monkeypatch.setenv("TOCSIN_PAGERDUTY_ROUTING_KEY", "s3cr3t-key")
    monkeypatch.setenv("TOCSIN_KAFKA", '{"sasl.password": "s3cr3t-password"}')
    settings = load_settings()
    assert "s3cr3t" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert settings.slack_url is not None
    assert settings.slack_url.get_secret_value() == WEBHOOK


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOCSIN_KAFKA", '{"sasl.password": ["s3cr3t"]}'),
        ("TOCSIN_KAFKA", '{"sasl.password": "s3cr3t'),
        ("TOCSIN_SLACK_URL", "s3cr3t"),
        ("TOCSIN_METRICS_PORT", "s3cr3t"),
    ],
)
def test_a_refusal_never_shows_the_value(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Not even in the chain of causes, which a traceback would print."""
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidError) as caught:
        load_settings()
    assert name in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_settings_cannot_be_changed() -> None:
    """They are read once and shared by all roles."""
    with pytest.raises(ValidationError):
        load_settings().zone = "Asia/Tokyo"


def test_the_variables_of_the_shipper_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that its configurations name may stand in the environment of both."""
    folder = Path(__file__).parents[2] / "helm" / "fluent-bit"
    named = {name for path in folder.glob("*.yaml") for name in re.findall(r"TOCSIN_\w+", path.read_text())}
    assert named == SHIPPER_VARIABLES
    for name in named:
        monkeypatch.setenv(name, "x")
    assert load_settings().topic_prefix == "tocsin."
