"""An issue as people describe it, put into the words of the logs.

``issue.toml`` says as data what means what.  Words are those of ``index.text.words``, so forms of one word meet.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from index.lines.patterns import UUID
from index.text import words as tokens
from models.errors import InvalidError

_IDS: Final = re.compile(rf"(?i)(?:req-)?{UUID}")

MAX_ISSUE: Final = 4_000
"""Characters of an issue that are read (a judgement)."""


@dataclass(frozen=True, slots=True)
class Issue:
    """``text`` as it was given, ``meant`` what it means in words of the logs, ``ids`` what it names outright."""

    text: str
    meant: str
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Concept:
    said: frozenset[str]
    beside: frozenset[str]
    """One of these must be in the issue as well, where there are any."""
    means: str


def read_issue(text: str) -> Issue:
    """Read an issue.

    Raises:
        InvalidError: it says nothing.
    """
    text = text.strip()[:MAX_ISSUE]
    ids = frozenset(name.lower() for name in _IDS.findall(text))
    said = set(tokens.words(text))
    if not said and not ids:
        raise InvalidError("the issue says nothing", 'describe what fails, such as --issue "Instance fails to launch"')
    concepts = [concept for concept in _concepts() if concept.said & said]
    fitting = [concept.means for concept in concepts if not concept.beside or concept.beside & said]
    # Without what it is about ("fails to start"), a concept that asks for it is the best guess there is.
    meant = fitting or [concept.means for concept in concepts]
    return Issue(text, " ".join(meant), ids)


@cache
def _concepts() -> tuple[_Concept, ...]:
    table = tomllib.loads(resources.files("index.evidence").joinpath("issue.toml").read_text("utf-8"))
    return tuple(_concept(entry) for entry in table["concept"])


def _concept(table: Mapping[str, Any]) -> _Concept:
    return _Concept(_words(table["said"]), _words(table.get("with", "")), " ".join(table["means"].split()))


def _words(text: str) -> frozenset[str]:
    return frozenset(tokens.words(text))
