"""Known failures of OpenStack clouds: a table of what lines of them look like, what they mean and what to do.

The shipped table is ``failures.toml``; a file of the same form extends it.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Self

from index.lines.service_layers import names_of
from models.errors import InvalidError

_BEGIN: Final = 1_000
"""Characters of a message that are searched, a judgement: what follows repeats, or is a traceback on one line."""

_FIELDS: Final = {"id", "title", "patterns", "services", "origin", "cause", "actions", "confidence", "symptom"}

_OPEN: Final = re.compile(r"(?<!\{)\{(host|service|instance|volume|port|request)\}(?!\})")
_PROSE: Final = re.compile(r"(?:^|\s)(?:[Oo]n|[Ff]rom|[Oo]f|[Bb]y|[Ww]hom|[Tt]hat|[Rr]estart|[Aa]sk)\s$")
"""What stands before a name in a sentence, not in a command."""

_SYMPTOMS: Final = ("", "unanswered", "left", "consequence")


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """One entry of the table; what its fields mean stands at the head of ``failures.toml``."""

    id: str
    title: str
    pattern: re.Pattern[str]
    services: frozenset[str]
    origin: str
    cause: str
    actions: tuple[str, ...]
    confidence: float
    symptom: str = ""
    """``unanswered``: a call was not answered, by whom others say; ``left``: a client went away, which others name;
    ``consequence``: of some other failure; else ""."""

    def words_in(self, message: str, service: str) -> str:
        """Return the words of the message's beginning that match this failure; "" where none do."""
        if self.services and not self.services & names_of(service):
            return ""
        match = self.pattern.search(message, 0, _BEGIN)
        return match[0] if match else ""


@dataclass(frozen=True, slots=True)
class KnownFailures:
    """The table, in the order in which it stands."""

    entries: tuple[KnownFailure, ...]

    def __len__(self) -> int:
        return len(self.entries)

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """Read a table.

        Raises:
            InvalidError: it is no TOML, or an entry is wrong.
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidError(f"{where}: {error}", "correct the file") from error
        if set(table) - {"failure"}:
            raise InvalidError(
                f"{where}: {', '.join(sorted(set(table) - {'failure'}))} is no part of it", "use [[failure]]"
            )
        return cls(tuple(_entry(entry, where) for entry in table.get("failure", [])))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the table of a user, on top of the shipped one.

        Raises:
            InvalidError: the file cannot be read or is wrong.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidError(
                f"{path}: cannot be read ({error})", "name a TOML file of [[failure]] entries"
            ) from error
        return cls(shipped().extended(cls.parse(text, str(path)).entries).entries)

    def extended(self, entries: Iterable[KnownFailure]) -> "KnownFailures":
        """Add entries; they come first, and one with a known id replaces the known one."""
        own = tuple(entries)
        named = {entry.id for entry in own}
        return KnownFailures((*own, *(entry for entry in self.entries if entry.id not in named)))

    def matches(self, message: str, service: str) -> list[tuple[KnownFailure, str]]:
        """Return the failures that a message of a service matches, each with the words that do; the surest first."""
        matches = [(entry, words) for entry in self.entries if (words := entry.words_in(message, service))]
        return sorted(matches, key=lambda pair: -pair[0].confidence)


def fill(text: str, names: Mapping[str, str]) -> str:
    """Return a text with names in place of its placeholders; ``{{`` and ``}}`` become braces.

    Where a name is not known, a sentence says "the host", and a command has the word in capitals (``HOST``), as it
    does for all that the reader has to put in.
    """

    def name(match: re.Match[str]) -> str:
        kind = match[1]
        prose = f"the {kind}" if _PROSE.search(text[: match.start()]) else kind.upper()
        return names.get(kind, "") or prose

    return _OPEN.sub(name, text).replace("{{", "{").replace("}}", "}")


@cache
def shipped() -> KnownFailures:
    """The table that comes with Tocsin."""
    return KnownFailures.parse(
        files("index.diagnosis").joinpath("failures.toml").read_text(encoding="utf-8"), "failures.toml"
    )


def _entry(entry: Mapping[str, Any], where: str) -> KnownFailure:
    name = entry.get("id", "an entry without id")
    unknown = set(entry) - _FIELDS
    if unknown:
        raise InvalidError(
            f"{where}: {name}: {', '.join(sorted(unknown))} is unknown", f"use {', '.join(sorted(_FIELDS))}"
        )
    try:
        patterns = tuple(map(str, entry["patterns"]))
        confidence = float(entry["confidence"])
        failure = KnownFailure(
            id=str(entry["id"]),
            title=str(entry["title"]),
            pattern=_joined(patterns, f"{where}: {name}"),
            services=frozenset(map(str, entry.get("services", ()))),
            origin=str(entry.get("origin", "")),
            cause=str(entry["cause"]),
            actions=tuple(map(str, entry["actions"])),
            confidence=confidence,
            symptom=str(entry.get("symptom", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidError(
            f"{where}: {name}: {error!r}", "every entry needs id, title, patterns, cause, actions and confidence"
        ) from error
    if failure.symptom not in _SYMPTOMS:
        raise InvalidError(
            f"{where}: {name}: symptom {failure.symptom!r} is unknown", f"use {', '.join(_SYMPTOMS[1:])}"
        )
    if not patterns or not 0 <= confidence <= 1:
        raise InvalidError(f"{where}: {name} needs at least one pattern, and a confidence from 0 to 1")
    return failure


def _joined(patterns: tuple[str, ...], where: str) -> re.Pattern[str]:
    """All patterns as one."""
    # A word begins where it begins: ``EMFILE`` is not found in ``NoSuchThemeFile``.
    parts = [f"(?<![A-Za-z0-9])(?:{part})" if part[:1].isalpha() else f"(?:{part})" for part in patterns]
    try:
        joined = re.compile("|".join(parts), re.IGNORECASE)
    except re.error as error:
        wrong = next((pattern for pattern in patterns if not _compiles(pattern)), "; ".join(patterns))
        raise InvalidError(f"{where}: {wrong!r} is no regular expression ({error})", "correct it") from error
    if joined.search(""):
        raise InvalidError(f"{where}: a pattern is found in every line", "make it match at least one character")
    return joined


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
