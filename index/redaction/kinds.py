"""What must not leave, as data: the shipped kinds, and files of one's own that add to them.

Own patterns and not a library: those that exist scan source code before a commit.  detect-secrets, the best kept one,
returns which line holds a secret and not where, knows neither logs nor connection strings beyond one form, and reads
a fraction of a megabyte a second (``tests/bench/bench_redact.py`` runs both).
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from index.redaction.validators import CHECKS
from models.errors import InvalidError

NAMES: Final = frozenset({"USER", "PROJECT", "DOMAIN"})
"""Labels of names: those of service accounts are words that logs are made of, and stay."""

_PLACES: Final = ("hint", "line", "word", "text")
_LABEL: Final = re.compile(r"[A-Z]+(?:_[A-Z]+)*")


@dataclass(frozen=True, slots=True)
class SecretKind:
    """What is known by its form; ``reason`` is for people."""

    name: str
    label: str
    pattern: re.Pattern[str]
    hints: tuple[str, ...]
    at: str
    """What it is tried at: ``hint``, ``line``, ``word`` or ``text``."""
    check: str = ""
    yields: bool = False
    """Whether it is dropped where another kind finds some of the same."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Names of keys whose value is secret."""

    name: str
    label: str
    hints: tuple[str, ...]
    keys: str
    words: str
    value: re.Pattern[str] | None = None
    """What the value must look like; anything, if there is none."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """All that a redactor looks for.  ``words`` and ``nothing`` in lower case."""

    kinds: tuple[SecretKind, ...]
    pairs: tuple[Pair, ...]
    words: frozenset[str]
    """What logs are made of: never replaced just because it was also someone's password."""
    nothing: frozenset[str]
    """Values that are no secret, whatever their key."""


@cache
def shipped() -> Kinds:
    """Return the kinds that come with Tocsin."""
    content = resources.files("index.redaction").joinpath("kinds.toml").read_text("utf-8")
    return _parse(tomllib.loads(content), "shipped")


def load_kinds(path: Path | None = None) -> Kinds:
    """Return the shipped kinds, joined by those of a file; InvalidError says what is wrong with it."""
    base = shipped()
    if path is None:
        return base
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidError(f"{path} cannot be read as TOML ({error})", "see index/redaction/kinds.toml") from error
    without = frozenset(tables.pop("without", ()))
    if unknown := without - {kind.name for kind in base.kinds} - {pair.name for pair in base.pairs}:
        raise InvalidError(
            f"{path} switches off {', '.join(sorted(unknown))}: not shipped", "see index/redaction/kinds.toml"
        )
    own = _parse(tables, str(path))
    return Kinds(
        kinds=own.kinds + tuple(kind for kind in base.kinds if kind.name not in without),
        pairs=own.pairs + tuple(pair for pair in base.pairs if pair.name not in without),
        words=base.words | own.words,
        nothing=base.nothing | own.nothing,
    )


def _parse(tables: Mapping[str, Any], place: str) -> Kinds:
    if unknown := tables.keys() - {"kind", "pair", "words", "nothing"}:
        raise InvalidError(f"{place}: {', '.join(sorted(unknown))} is not known", "kind, pair, words and nothing are")
    try:
        return Kinds(
            kinds=tuple(_kind(**table) for table in tables.get("kind", ())),
            pairs=tuple(_pair(**table) for table in tables.get("pair", ())),
            words=frozenset(tables.get("words", "").lower().split()),
            nothing=frozenset(tables.get("nothing", "").lower().split()),
        )
    except (TypeError, AttributeError, re.error) as error:
        raise InvalidError(f"{place}: {error}", "see index/redaction/kinds.toml for the form") from error


def _kind(  # noqa: PLR0913 - the fields of the table
    *,
    name: str,
    label: str,
    pattern: str,
    at: str,
    hints: Sequence[str] = (),
    check: str = "",
    yields: bool = False,
    reason: str = "",
) -> SecretKind:
    del reason
    if check and check not in CHECKS:
        raise TypeError(f"{name} wants the check {check}; there are {', '.join(CHECKS)}")
    if at not in _PLACES:
        raise TypeError(f"{name} is to be tried at {at}; it may be tried at {', '.join(_PLACES)}")
    compiled = re.compile(pattern)
    for group_label in (label, *(group.rstrip("0123456789") for group in compiled.groupindex)):
        if not _LABEL.fullmatch(group_label):
            raise TypeError(f"{name} has the label {group_label}; a label has capital letters, joined by _")
    return SecretKind(name, label, compiled, _hints(name, hints, needed=at != "text"), at, check, yields)


def _pair(  # noqa: PLR0913 - the fields of the table
    *, name: str, label: str, keys: str = "", words: str = "", value: str = "", hints: Sequence[str] = ()
) -> Pair:
    if not _LABEL.fullmatch(label):
        raise TypeError(f"{name} has the label {label}; a label has capital letters, joined by _")
    re.compile(f"{keys}|{words}")
    if not (keys or words):
        raise TypeError(f"{name} has neither keys nor words")
    return Pair(name, label, _hints(name, hints, needed=True), keys, words, re.compile(value) if value else None)


def _hints(name: str, hints: Sequence[str], *, needed: bool) -> tuple[str, ...]:
    lower = tuple(hint.lower() for hint in hints)
    if needed != bool(lower) or any(not hint or hint.split() != [hint] for hint in lower):
        wanted = "hints, each a part of a word" if needed else "no hints"
        raise TypeError(f"{name} needs {wanted}; it has {list(hints)}")
    return lower
