"""Where a bundle comes from: a folder, or a version in a store, such as ``s3://bucket/prefix/NAME@champion``."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from models.errors import InvalidError

CHAMPION: Final = "champion"
"""The alias of the version that judges, and
``CHALLENGER`` that of the version that judges in shadow."""

CHALLENGER: Final = "challenger"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}")
_VERSION: Final = re.compile(r"v([0-9]{1,9})")
_ALIAS: Final = re.compile(r"[a-z][a-z0-9-]{0,49}")
_SCHEMES: Final = ("s3", "file")


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """A version of a model: ``store`` is the URL of its store, ``ref`` an alias or a version such as ``v12``."""

    store: str
    name: str
    ref: str

    def __str__(self) -> str:
        return f"{self.store.rstrip('/')}/{self.name}@{self.ref}"


def check_name(name: str) -> str:
    """Return the name of a model.

    Raises:
        InvalidError: it cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise InvalidError(
            f"{name!r} cannot be the name of a model", "use letters, digits, dots and hyphens, such as nova-prod"
        )
    return name


def version_number(ref: str) -> int | None:
    """Return the number of ``v12``, None for an alias.

    Raises:
        InvalidError: it is neither.
    """
    if match := _VERSION.fullmatch(ref):
        return int(match[1])
    if not _ALIAS.fullmatch(ref):
        raise InvalidError(f"{ref!r} is neither a version nor an alias", "write @v12, @champion or @challenger")
    return None


def parse_version(text: str, store: str) -> ModelAddress:
    """Return what ``NAME@REF``, in this store, or a whole address means.

    Raises:
        InvalidError: it is none.
    """
    if text.partition("://")[0] in _SCHEMES:
        store, _, text = text.rpartition("/")
    name, sign, ref = text.partition("@")
    version_number(ref if sign else CHAMPION)
    return ModelAddress(store, check_name(name), ref if sign else CHAMPION)


def parse_bundle(text: str) -> ModelAddress | Path:
    """Return what a setting of a bundle means: the folder of one, or a version in a store.

    Raises:
        InvalidError: it is neither.
    """
    scheme, sign, rest = text.partition("://")
    if not sign:
        return Path(text)
    if scheme not in _SCHEMES:
        raise InvalidError(
            f"{text}: bundles come from a folder, file:// or s3://, not from {scheme}://",
            "write s3://bucket/prefix/NAME@champion",
        )
    if "@" in rest.rpartition("/")[2]:
        return parse_version(text, "")
    if scheme == "file":
        return folder_of(text)
    raise InvalidError(f"{text} names no version", "write s3://bucket/prefix/NAME@champion, or @v12")


def folder_of(url: str) -> Path:
    """Return the folder of a ``file://`` URL.

    Raises:
        InvalidError: it names another machine, or no absolute path.
    """
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise InvalidError(f"{url} is no folder of this machine", "write three slashes: file:///var/lib/tocsin/models")
    return Path(unquote(parts.path))
