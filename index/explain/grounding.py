"""Whether lines say what a sentence says: every name, id, code and number in it must stand in the lines that it cites.

This cannot prove a sentence true.  It proves that the lines are there, are about the same things, and hold every value
that the sentence gives; what fails is a hypothesis, and what says that all is well is not said at all.
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

_WITH_NAMES: Final = 0.2
_WITHOUT_NAMES: Final = 0.5
"""Share of a sentence's words that its lines must hold, with a name or number found in them, and without any."""

_ACTION_WORDS: Final = 300
_SURE_SERVICES: Final = 2


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence and what became of it."""

    text: str
    lines: tuple[str, ...]
    """The cited lines that exist."""
    verified: bool
    why: str = ""
    """Why it is not verified."""


def check(sentence: Sentence, shown: Mapping[str, Shown], others: Iterable[str] = ()) -> Checked | None:
    """Check a sentence against the lines that it cites; None where it must not be said at all.

    ``others`` are all service names known: one that the sentence names must be in its lines.
    """
    text = _CITATION.sub("", sentence.text).strip()
    if not text or reassures(text) or suspect(text):
        return None
    cited = tuple(each for each in sentence.lines if each in shown)
    why = _fault(text, sentence.lines, [shown[each] for each in cited], frozenset(others))
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
    # Names have been found already; that they are there says little of the rest.
    rest = text
    for name in names:
        rest = rest if " " in name else rest.replace(name, " ")
    said = set(words(rest))
    share = len(said & ground.words) / len(said) if said else 0.0
    if share < (_WITH_NAMES if names else _WITHOUT_NAMES) and not (names and not said):
        return "its lines speak of something else"
    return ""


class Ground:
    """What a group of lines contains: their texts and what is known of each."""

    def __init__(self, lines: Iterable[Shown]) -> None:
        """Join the lines."""
        lines = list(lines)
        parts = [part for line in lines for part in _parts(line)]
        counts = [line.line.count for line in lines]
        # How often lines came, and how many they are, may be told in numbers.
        parts += [str(number) for number in (len(lines), sum(counts), *counts)]
        self._text = _SPACE.sub(" ", " \u00b6 ".join(parts)).lower()
        self.words = frozenset(word for line in lines for part in _parts(line) for word in words(part))

    def holds(self, name: str) -> bool:
        """Tell whether a name, id, code or number stands there as a whole."""
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
    """Return names, ids, codes and numbers in a sentence, and what stands in quotes."""
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
    """Other ways to write the same: without separators of thousands, without a unit, a plural."""
    if _NUMBER.fullmatch(name) and "," in name:
        yield name.replace(",", "")
    if unit := _UNIT.fullmatch(name):
        yield f"{unit[1]} {unit[2]}"
    if name.endswith("s") and not any(char.isdigit() for char in name):
        yield name[:-1]


def _bounded(wanted: str, text: str) -> bool:
    """Tell whether it stands there as a whole: 4 is not in 404, nor 25 in 2026-11-25, nor 0.5 in 10.5."""
    left = r"(?<!\w)(?<!\d[.:,/-])" if wanted[0].isdigit() else r"(?<!\w)" if wanted[0].isalpha() else ""
    # A unit may follow a number, the rest of a longer id may not.
    right = (
        r"(?![\d_]|[a-z]+\d|[a-f]-|[.:,/-]\d)" if wanted[-1].isdigit() else r"(?!\w)" if wanted[-1].isalpha() else ""
    )
    return re.search(left + re.escape(wanted) + right, text) is not None


def safe_action(action: str, known: str) -> bool:
    """Tell whether an action may be told: plain words, nothing to run, no name that stands nowhere in ``known``."""
    if not action or len(action) > _ACTION_WORDS or reassures(action) or suspect(action) or commands(action):
        return False
    return contained(action, known)


def contained(text: str, known: str) -> bool:
    """Tell whether every id, number, address and name with a mark in it that a text gives stands in ``known``."""
    ground = known.lower()
    return all(
        _bounded(form, ground) or any(_bounded(other, ground) for other in _forms(form))
        for form in (name.lower() for name in named(text))
        if any(char.isdigit() or char in "_/@:%.<" for char in form)
    )


def raised(answer: Answer, claims: Iterable[Checked], shown: Mapping[str, Shown]) -> str:
    """Return the severity to raise an incident to, "" for none.  It is never lowered.

    The lines must bear it: verified claims that stand on errors of two services or more.
    """
    if answer.severity not in SEVERITIES[1:]:
        return ""
    lines = [shown[each].line for claim in claims if claim.verified for each in claim.lines]
    services = {line.service for line in lines if line.level >= Level.ERROR and line.service}
    return answer.severity if len(services) >= _SURE_SERVICES else ""
