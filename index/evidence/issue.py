"""An issue as people describe it, put into the words of the logs, and what it names outright.

``issue.toml`` says as data what means what.  Words are those of ``index.text.words``, so forms of one word meet.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

from index.lines.patterns import UUID
from index.lines.service_layers import PROJECTS
from index.text import words as tokens
from index.text.moments import Moments
from models.errors import InvalidError

_IDS: Final = re.compile(rf"(?i)(?:req-)?{UUID}")

_NAMES: Final = re.compile(
    r"(?i)(?<![\w./:-])(?:[a-z][a-z0-9]*(?:[-_.][a-z0-9]+)*[-_.]?[0-9]+(?:\.[a-z0-9-]+)*|(?:[0-9]{1,3}\.){3}[0-9]{1,3})"
    r"(?![\w/-])"
)
"""A host as people name it: letters that end in a number (``compute-9``, ``cmp1``), or an address."""

_NO_HOST: Final = re.compile(r"(?i)^(?:http|v|ipv|l|py|python|s|e|utf|sha|md|oauth)[-_.]?[0-9.]+$")
"""Names of protocols and versions, which look alike (``http2``, ``ipv4``, ``l3``)."""

MAX_ISSUE: Final = 4_000
"""Characters of an issue that are read (a judgement)."""


@dataclass(frozen=True, slots=True)
class Issue:
    """``text`` as it was given, ``meant`` what it means in words of the logs, and what it names."""

    text: str
    meant: str
    ids: frozenset[str]
    """Requests, instances and other things, in small letters."""
    subjects: frozenset[str] = frozenset()
    """Words of which a line has one that is about the issue."""
    own_words: frozenset[str] = frozenset()
    """Words of it that no concept knows: two of them make a line one about it, or the only one."""
    statuses: frozenset[str] = frozenset()
    """HTTP statuses that it names: ``403``."""
    calls: tuple[str, ...] = ()
    """Regular expressions of the HTTP requests by which is done what it says fails: ``POST \\S*/servers``."""
    other_calls: tuple[str, ...] = ()
    """Those of what else people say fails, where it says itself what does."""
    projects: frozenset[str] = frozenset()
    """Projects of OpenStack that it is about first of all."""
    hosts: frozenset[str] = frozenset()
    """Names that look like those of hosts, in small letters."""
    moments: Moments = field(default_factory=Moments)
    """When it was, as far as it says so."""

    @property
    def general(self) -> bool:
        """Whether it says only that something is wrong."""
        return not (self.subjects or self.own_words)

    def shared(self, words: frozenset[str]) -> int:
        """Return in how many words a text is about it; 0 where it is not."""
        own = len(self.own_words & words)
        return len(self.subjects & words) + (own if own >= min(2, len(self.own_words)) else 0)


@dataclass(frozen=True, slots=True)
class _Concept:
    said: frozenset[str]
    beside: frozenset[str]
    """One of these must be in the issue as well, where there are any."""
    means: str
    about: frozenset[str]
    """Words by which a line is about it; empty for what people do or say of anything."""
    calls: str
    """The HTTP request by which it is done, as a regular expression; "" where it is none."""
    project: str
    """The project whose work it is, the first of these words; "" for none."""


def read_issue(text: str) -> Issue:
    """Read an issue.

    Raises:
        InvalidError: it says nothing.
    """
    text = text.strip()[:MAX_ISSUE]
    ids = frozenset(name.lower() for name in _IDS.findall(text))
    said = set(tokens.words(text))
    moments = Moments.read(text)
    if not said and not ids and not moments:
        raise InvalidError("the issue says nothing", 'describe what fails, such as --issue "Instance fails to launch"')
    concepts = [concept for concept in _concepts() if concept.said & said]
    fitting = [concept for concept in concepts if not concept.beside or concept.beside & said]
    # Without what it is about ("fails to start"), a concept that asks for it is the best guess there is.
    meant = [concept.means for concept in fitting or concepts]
    hosts = frozenset(name.lower() for name in _NAMES.findall(_IDS.sub(" ", text)) if not _NO_HOST.match(name))
    subjects, own_words = _subjects(said, hosts, fitting)
    leading = frozenset(concept.project for concept in fitting) | said
    projects = frozenset(name for name in PROJECTS if name in leading)
    statuses = frozenset(word for word in said if re.fullmatch("[45][0-9][0-9]", word))
    calls = tuple(concept.calls for concept in fitting if concept.calls)
    # Whoever waits for something to be done asks again and again: reading is part of all that people do.
    acts = (concept.calls for concept in _concepts() if concept.calls and not concept.calls.startswith("GET"))
    others = tuple(call for call in acts if calls and call not in calls)
    return Issue(text, " ".join(meant), ids, subjects, own_words, statuses, calls, others, projects, hosts, moments)


def _subjects(said: set[str], hosts: frozenset[str], concepts: list[_Concept]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words that say what the issue is about: those of its concepts, and its own that belong to none."""
    about = frozenset().union(*(concept.about for concept in concepts))
    of_concepts = frozenset().union(*(concept.said | concept.beside for concept in _concepts()))
    of_hosts = {word for host in hosts for word in (*tokens.words(host), host)}
    own = {word for word in said - of_concepts - of_hosts - _small_talk() if not word.isdigit()}
    projects = said & frozenset(PROJECTS)
    # Who names one service of a project means that one.
    named = {word for word in said if "-" in word and word.partition("-")[0] in projects}
    of_named = {part for word in named for part in tokens.words(word.replace("-", " "))}
    return about | named | (projects - of_named), frozenset(own - projects - of_named - named)


@cache
def _concepts() -> tuple[_Concept, ...]:
    return tuple(_concept(entry) for entry in _table()["concept"])


@cache
def _small_talk() -> frozenset[str]:
    return _words(_table()["small_talk"])


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("index.evidence").joinpath("issue.toml").read_text("utf-8"))


def _concept(table: Mapping[str, Any]) -> _Concept:
    means = " ".join(table["means"].split())
    about = table.get("about", "")
    own = about.partition(" ")[0]
    return _Concept(
        said=_words(table["said"]),
        beside=_words(table.get("with", "")),
        means=means,
        about=_words(about),
        calls=table.get("calls", ""),
        project=own,
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(tokens.words(text))
