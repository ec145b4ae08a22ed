"""Checks a sentence against the lines that it cites: they must hold every name, id, code and number in it.

This cannot prove a sentence true.  It proves that the lines exist, are about the same things, and hold every value that
the sentence gives.  A sentence that fails is a hypothesis; one that says that all is well is dropped.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from index.explain.answer import SEVERITIES, Answer, Sentence
from index.explain.prompt import Shown
from index.text.sanitize import commands, reassures, suspect
from index.text.words import words
from models.records import Level
from models.rfc3339 import time_text

_QUOTED: Final = re.compile(
    r"\"([^\"]{2,})\"|(?<!\w)'([^']{2,})'(?!\w)|`([^`]{2,})`|\u201c([^\u201d]{2,})\u201d|\u2018([^\u2019]{2,})\u2019"
)
_TOKEN: Final = re.compile(r"<[^<>\s]{1,60}>|[A-Za-z0-9_][A-Za-z0-9_.:/@%+-]*|/[A-Za-z0-9_.:/@%+-]+")
_NUMBER: Final = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
_HUMPS: Final = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2}[a-z]")
_ORDINAL: Final = re.compile(r"\d+(?:st|nd|rd|th)", re.IGNORECASE)
_UNIT: Final = re.compile(r"(\d+(?:\.\d+)?)(%|[A-Za-z]+)")
_CITATION: Final = re.compile(
    r"\s*[\[(](?:lines? )?L\d+(?:(?:,| and|-|\u2013)? ?L\d+)*[\])]|\b[Ll]ines? L\d+(?:(?:,| and) L\d+)*"
)
_BEGINS: Final = re.compile(r"(?:^|[.!?:;(])\s*$")
"""Before the first word of a sentence, which has its capital anyway."""

_BEFORE_NUMBER: Final = r"(?<!\w)(?<!\d[.:,/-])"
_BEFORE_WORD: Final = r"(?<!\w)"
_AFTER_NUMBER: Final = r"(?![\d_]|[a-z]+\d|[a-f]-|[.:,/-]\d)"
"""A unit may follow a number, the rest of a longer id may not."""

_AFTER_WORD: Final = r"(?!\w)"

_SPACE: Final = re.compile(r"\s+")
_TRAILING: Final = ".,:;!?/-"

_ACRONYMS: Final = frozenset(
    {
        "api",
        "http",
        "https",
        "rpc",
        "vm",
        "vms",
        "dns",
        "dhcp",
        "id",
        "ids",
        "sql",
        "cpu",
        "ram",
        "tcp",
        "ip",
        "openstack",
    }
)
"""Words of capitals that are names of kinds and not of things."""

_COMPONENTS: Final = frozenset(
    """
    nova neutron cinder glance keystone heat swift ironic octavia barbican designate magnum manila placement horizon
    trove sahara mistral senlin zaqar ceilometer aodh gnocchi masakari watcher
    rabbitmq mariadb mysql galera postgresql memcached haproxy keepalived libvirt qemu kvm ovs openvswitch ovn ceph rbd
    lvm iscsi redis etcd kubernetes docker apache nginx
    """.split()  # noqa: SIM905 - reads better than a column of strings
)
"""What is a service by its name alone, in lower case and without a dash."""

_SHARE_WITH_NAMES: Final = 0.2
_SHARE_WITHOUT_NAMES: Final = 0.5
"""Share of a sentence's words, names left out, that its lines must hold, where it has a name or number in them, and
where it has none: judgements."""

_ACTION_CHARACTERS: Final = 300
"""Characters of an action, at most: a judgement, longer ones are no plain next step."""

_SURE_SERVICES: Final = 2
"""Services with errors in cited lines from which on a severity is raised: damage is wider than one service then."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence with the result of its check."""

    text: str
    lines: tuple[str, ...]
    """The cited lines that exist."""
    verified: bool
    why: str = ""
    """Why it is not verified; "" where it is."""


def check(sentence: Sentence, shown: Mapping[str, Shown], services: Iterable[str] = ()) -> Checked | None:
    """Return a sentence checked against the lines that it cites; None where it must not be told at all.

    ``shown`` are the lines by id; ``services`` are all service names known, in lower case: one that the sentence names
    must be in its lines.
    """
    text = _CITATION.sub("", sentence.text).strip()
    if not text or reassures(text) or suspect(text):
        return None
    cited = tuple(line_id for line_id in sentence.lines if line_id in shown)
    why = _fault(text, sentence.lines, [shown[line_id] for line_id in cited], frozenset(services))
    return Checked(text, cited, not why, why)


def _fault(text: str, lines: tuple[str, ...], cited: list[Shown], services: frozenset[str]) -> str:
    """Return why a sentence is not supported, "" where it is."""
    if not lines:
        return "it cites no line"
    if len(cited) < len(lines):
        return "it cites lines that do not exist"
    if any(line.suspect for line in cited):
        return "it cites a line that speaks to its reader"
    ground = Ground(cited)
    names = list(named(text, services))
    if missing := [name for name in names if not ground.holds(name)]:
        return f"its lines do not contain {', '.join(missing[:3])}"
    # The names are in the lines; that says little of the other words.
    rest = text
    for name in names:
        rest = rest if " " in name else rest.replace(name, " ")
    rest_words = set(words(rest))
    share = len(rest_words & ground.words) / len(rest_words) if rest_words else 0.0
    if share < (_SHARE_WITH_NAMES if names else _SHARE_WITHOUT_NAMES) and not (names and not rest_words):
        return "its lines speak of something else"
    return ""


class Ground:
    """What a group of lines contains: their texts and what is known of each."""

    def __init__(self, lines: Iterable[Shown]) -> None:
        """Join the lines."""
        lines = list(lines)
        parts = [part for line in lines for part in _parts(line)]
        counts = [line.line.count for line in lines]
        # A sentence may say in numbers how often lines came, and how many they are.
        parts += [str(number) for number in (len(lines), sum(counts), *counts)]
        self._text = _SPACE.sub(" ", " \u00b6 ".join(parts)).lower()
        self.words = frozenset(word for line in lines for part in _parts(line) for word in words(part))

    def holds(self, name: str) -> bool:
        """Return whether a name, id, code or number stands in the lines as a whole."""
        wanted = name.lower().rstrip("\u2026.")
        if " " in wanted:
            # A quotation, which may end in the middle of a word.
            return _SPACE.sub(" ", wanted) in self._text
        return _bounded(wanted, self._text) or any(_bounded(form, self._text) for form in _forms(wanted))


def _parts(shown: Shown) -> tuple[str, ...]:
    line = shown.line
    stamp = time_text(line.time)
    day, clock = stamp[:-1].split("T")
    return (shown.text, line.service, shown.host, line.level.name, stamp, day, clock, clock[:8], clock[:5])


def named(text: str, services: frozenset[str] = frozenset()) -> Iterator[str]:
    """Return the names, ids, codes and numbers in a sentence, and its quotations."""
    rest = text
    for match in _QUOTED.finditer(text):
        yield next(group for group in match.groups() if group).strip()
        rest = rest.replace(match[0], " ")
    for match in _TOKEN.finditer(rest):
        token = match[0].rstrip(_TRAILING)
        if token and _is_name(token, services, first=bool(_BEGINS.search(rest, 0, match.start()))):
            yield token


def _is_name(token: str, services: frozenset[str], *, first: bool) -> bool:
    lower = token.lower()
    if lower in services or lower in _COMPONENTS or lower.partition("-")[0] in _COMPONENTS:
        return True
    if _ORDINAL.fullmatch(token):
        return False
    if token.startswith("<") or any(char.isdigit() for char in token) or any(char in "_/@:%" for char in token):
        return True
    if _HUMPS.search(token) or (token.isupper() and len(token) > 1 and lower not in _ACRONYMS):
        return True
    inner = token.strip(".")
    if "." in inner:
        return True
    # A capital inside a sentence: somebody's or something's name.
    return token[0].isupper() and not first and lower not in _ACRONYMS and len(token) > 1


def _forms(name: str) -> Iterator[str]:
    """Return other ways to write a name: without separators of thousands, apart from its unit, in the singular."""
    if _NUMBER.fullmatch(name) and "," in name:
        yield name.replace(",", "")
    if unit := _UNIT.fullmatch(name):
        yield f"{unit[1]} {unit[2]}"
    if name.endswith("s") and not any(char.isdigit() for char in name):
        yield name[:-1]


def _bounded(wanted: str, text: str) -> bool:
    """Return whether ``wanted`` is in ``text`` as a whole: 4 is not in 404, nor 25 in 2026-11-25, nor 0.5 in 10.5."""
    first, last = wanted[0], wanted[-1]
    before = _BEFORE_NUMBER if first.isdigit() else _BEFORE_WORD if first.isalpha() else ""
    after = _AFTER_NUMBER if last.isdigit() else _AFTER_WORD if last.isalpha() else ""
    return re.search(before + re.escape(wanted) + after, text) is not None


def safe_action(action: str, known: str) -> bool:
    """Return whether an action is plain words, with nothing to run and no name that stands nowhere in ``known``."""
    if not action or len(action) > _ACTION_CHARACTERS or reassures(action) or suspect(action) or commands(action):
        return False
    return contained(action, known)


def contained(text: str, known: str) -> bool:
    """Return whether every id, number, address and name with a mark in it that a text gives stands in ``known``."""
    ground = known.lower()
    return all(
        _bounded(form, ground) or any(_bounded(other, ground) for other in _forms(form))
        for form in (name.lower() for name in named(text))
        if any(char.isdigit() or char in "_/@:%.<" for char in form)
    )


def raised(answer: Answer, claims: Iterable[Checked], shown: Mapping[str, Shown]) -> str:
    """Return the severity to raise an incident to, "" to leave it as it is.

    Verified claims must stand on errors of two services or more.  Nothing that a model says lowers a severity.
    """
    if answer.severity not in SEVERITIES[1:]:
        return ""
    lines = [shown[line_id].line for claim in claims if claim.verified for line_id in claim.lines]
    services = {line.service for line in lines if line.level >= Level.ERROR and line.service}
    return answer.severity if len(services) >= _SURE_SERVICES else ""
