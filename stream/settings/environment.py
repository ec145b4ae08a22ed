"""The environment and the settings file, as text: the only module that reads the environment."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from models.errors import InvalidError

PREFIX: Final = "TOCSIN_"
CONFIG_VARIABLE: Final = "TOCSIN_CONFIG"
CONFIG_FILE: Final = "tocsin.toml"

_LLM_KEYS: Final = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE")

_SECRET_VARIABLES: Final = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
)
"""Secrets that libraries read by themselves."""


def environment() -> Mapping[str, str]:
    """Return the environment as it is now."""
    return os.environ


def library_secrets() -> dict[str, str]:
    """Return the secrets in the environment that libraries read by themselves, by variable."""
    return {name: value for name in _SECRET_VARIABLES if (value := os.environ.get(name))}


def has_llm_key() -> bool:
    """Return whether the environment holds a key for Anthropic's SDK, which alone reads its value."""
    return any(os.environ.get(name) for name in _LLM_KEYS)


def default_cache() -> Path:
    """Return Tocsin's folder among the caches, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tocsin"


def default_state() -> Path:
    """Return Tocsin's folder among what programs keep, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tocsin"


def config_file() -> Path | None:
    """Return the settings file: ``TOCSIN_CONFIG``, or ``tocsin.toml`` in this folder if it exists."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    local = Path(CONFIG_FILE)
    return local if local.is_file() else None


def read_config(path: Path | None) -> dict[str, Any]:
    """Return the content of the settings file; nothing for no file.

    Raises:
        InvalidError: the file cannot be read, or is not valid TOML.
    """
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidError(
            f"cannot read the settings file {path} ({error.strerror})",
            f"correct {CONFIG_VARIABLE} or the file's permissions",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path} is not valid TOML: {error}", "correct it") from error
