"""Secrets in files: ``TOCSIN_X_FILE``, or ``x_file`` in the settings file, names a file that holds the setting ``x``.

So a secret that Kubernetes or Vault mounts stands in no environment, and its renewal can be seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.errors import InvalidError
from stream.settings.environment import PREFIX

SUFFIX: Final = "_file"


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that holds a secret, and what names it: a variable, or a key of the settings file."""

    origin: str
    path: Path


def secret_files(
    secrets: Iterable[str], variables: Mapping[str, str], table: Mapping[str, Any]
) -> dict[str, SecretFile]:
    """Return the file of each secret that stands in one; ``table`` is the settings file's.

    Raises:
        InvalidError: the secret is given twice.
    """
    files: dict[str, SecretFile] = {}
    upper = {name.upper(): value for name, value in variables.items() if value}
    for name in secrets:
        variable = (PREFIX + name + SUFFIX).upper()
        if variable in upper:
            files[name] = SecretFile(variable, Path(upper[variable]))
            if upper.get((PREFIX + name).upper()):
                raise InvalidError(f"both {variable} and {variable.removesuffix('_FILE')} are set", "unset one of them")
        elif isinstance(path := table.get(name + SUFFIX), str) and not upper.get((PREFIX + name).upper()):
            files[name] = SecretFile(name + SUFFIX, Path(path))
            if name in table:
                raise InvalidError(f"both {name} and {name + SUFFIX} stand in the settings file", "remove one of them")
    return files


def read_secrets(files: Mapping[str, SecretFile]) -> dict[str, str]:
    """Return the secrets, each without the line break that editors and ``echo`` put behind it.

    Raises:
        InvalidError: a file cannot be read, or is empty.
    """
    return {name: _read(file) for name, file in files.items()}


def _read(file: SecretFile) -> str:
    try:
        secret = file.path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidError(
            f"{file.origin}: cannot read {file.path} ({reason})", "correct the path or the file's permissions"
        ) from error
    if not secret:
        raise InvalidError(f"{file.origin}: {file.path} is empty", "write the secret into it")
    return secret


def without_files(table: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """Return the settings file's table without what names files of secrets."""
    names = {name + SUFFIX for name in secrets}
    return {name: value for name, value in table.items() if name not in names}
