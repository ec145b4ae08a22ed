"""From settings to redactors: which kinds of secrets they look for, and which secrets are our own."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final
from urllib.parse import unquote, urlsplit

from index.redaction.kinds import load_kinds
from index.redaction.redactor import Redactor
from index.redaction.scanner import SecretDetector
from stream.settings import Settings

_LONG: Final = 16
"""Characters from which the path of a URL counts as the secret that it may be: a shorter one is an address."""


def redactor_factory(settings: Settings) -> Callable[[], Redactor]:
    """Return what makes a redactor for each incident; the kinds are compiled once.

    Raises:
        InvalidError: the file of kinds is wrong.
    """
    return partial(Redactor, SecretDetector(load_kinds(settings.redaction_kinds)), known(settings.own_secrets()))


def known(secrets: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the values of secrets (name → value) that must not leave, by the labels of their pseudonyms."""
    values_by_label: dict[str, tuple[str, ...]] = {}
    for name, secret in secrets.items():
        label = re.sub("[^A-Z]+", "_", name.upper()).strip("_")
        values_by_label[label] = (*values_by_label.get(label, ()), *dict.fromkeys(_values(secret)))
    return values_by_label


def _values(secret: str) -> Iterator[str]:
    """A secret, and the parts of it that are secret alone; of a URL that only says where something is, nothing."""
    if "://" not in secret:
        yield secret
        _, _, credentials = secret.partition(" ")  # of a header: the scheme stands before them
        if len(credentials) >= _LONG:
            yield credentials
        return
    for url in secret.split(","):
        try:
            parts = urlsplit(url.strip())
        except ValueError:
            yield url
            continue
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if parts.password or len(path) >= _LONG:
            yield url.strip()
        if parts.password:
            yield from (parts.password, unquote(parts.password))
        if len(path) >= _LONG:
            yield path
