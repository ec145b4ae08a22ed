"""Secrets in files: each secret setting, from the environment or the settings file, and what is wrong with them."""

from pathlib import Path

import pytest

from models.errors import InvalidError
from stream.settings import Settings, load_settings
from stream.settings.table import effective_settings

SECRET = "s3cr3t"  # noqa: S105


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own, with a secret in a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text(SECRET + "\n")
    return tmp_path


def test_every_secret_may_stand_in_a_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line break behind it is none of it."""
    names = Settings.secret_names()
    assert {"kafka_sasl_password", "slack_url", "receipt_key"} <= set(names)
    assert "kafka" not in names
    (here / "url").write_text("https://host/")
    for name in names:
        monkeypatch.setenv(f"TOCSIN_{name.upper()}_FILE", str(here / ("url" if name.endswith("_url") else "secret")))
    settings = load_settings()
    values = {name: getattr(settings, name).get_secret_value() for name in names}
    assert values == {name: "https://host/" if name.endswith("_url") else SECRET for name in names}


def test_the_settings_file_may_name_it_and_the_environment_comes_first(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with every other setting."""
    (here / "tocsin.toml").write_text('receipt_key_file = "secret"\nwebhook_secret = "in clear"\n')
    monkeypatch.setenv("TOCSIN_WEBHOOK_SECRET_FILE", "secret")
    settings = load_settings()
    assert settings.receipt_key is not None
    assert settings.webhook_secret is not None
    assert settings.receipt_key.get_secret_value() == settings.webhook_secret.get_secret_value() == SECRET
    monkeypatch.setenv("TOCSIN_RECEIPT_KEY", "another")
    again = load_settings()
    assert again.receipt_key is not None
    assert again.receipt_key.get_secret_value() == "another"


def test_the_table_says_where_a_secret_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value stays masked."""
    monkeypatch.setenv("TOCSIN_RECEIPT_KEY_FILE", "secret")
    (entry,) = [entry for entry in effective_settings(load_settings()) if entry.name == "receipt_key"]
    assert entry.origin == "secret (TOCSIN_RECEIPT_KEY_FILE)"
    assert SECRET not in str(entry)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"RECEIPT_KEY_FILE": "none"}, "TOCSIN_RECEIPT_KEY_FILE: cannot read none (No such file or directory)"),
        ({"RECEIPT_KEY_FILE": "empty"}, "TOCSIN_RECEIPT_KEY_FILE: empty is empty"),
        ({"RECEIPT_KEY_FILE": "binary"}, "TOCSIN_RECEIPT_KEY_FILE: cannot read binary (it is not text)"),
        (
            {"RECEIPT_KEY_FILE": "secret", "RECEIPT_KEY": SECRET},
            "both TOCSIN_RECEIPT_KEY_FILE and TOCSIN_RECEIPT_KEY are set",
        ),
        ({"SLACK_URL_FILE": "secret"}, "TOCSIN_SLACK_URL_FILE: not a URL; it must begin with https:// or http://"),
        ({"ZONE_FILE": "secret"}, "TOCSIN_ZONE_FILE is not a setting"),
    ],
)
def test_what_is_wrong_is_said_without_the_secret(
    here: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    """By the variable that named the file."""
    (here / "empty").write_text("\n")
    (here / "binary").write_bytes(b"\xff\xfe")
    for name, value in variables.items():
        monkeypatch.setenv(f"TOCSIN_{name}", value)
    with pytest.raises(InvalidError) as refused:
        load_settings()
    assert refused.value.problem == message
    assert SECRET not in str(refused.value)


def test_a_secret_that_stands_twice_in_the_settings_file_is_refused(here: Path) -> None:
    """One of the two would silently not count."""
    (here / "tocsin.toml").write_text('receipt_key_file = "secret"\nreceipt_key = "in clear"\n')
    with pytest.raises(InvalidError, match="both receipt_key and receipt_key_file"):
        load_settings()
