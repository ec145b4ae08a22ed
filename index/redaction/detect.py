"""Find what must not leave in a text: by form, by key, by chance-like letters, and inside of base64."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from index.redaction.checks import CHECKS, looks_random
from index.redaction.kinds import NAMES, Kind, Kinds
from index.redaction.pairs import compile_pair, is_secret, values

PSEUDONYM: Final = re.compile(r"<[A-Z]+(?:_[A-Z]+)*_[0-9]+>")

_DEPTH: Final = 2
"""How often base64 in base64 is opened."""

_WORD: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:={1,2}|(?:%3D){1,2})?")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_QUOTED: Final = re.compile(r"""\\*(?P<quote>["'])(?P<value>(?:(?!(?P=quote))[^\\]){1,2000})""")
_PRINTABLE: Final = re.compile(r"[\t\n\r\x20-\x7e]+")
_FINGERPRINT: Final = ("SHA256:", "sha256:", "MD5:", "sha512-", "sha256-")


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A stretch of a text that must not leave."""

    start: int
    end: int
    label: str


class Detector:
    """All kinds, ready to search with."""

    def __init__(self, kinds: Kinds) -> None:
        """Compile the keys."""
        self.kinds = kinds
        self._pairs = tuple((pair, compile_pair(pair)) for pair in kinds.pairs)

    def find(self, text: str, known: Callable[[str], bool] | None = None, depth: int = _DEPTH) -> list[Found]:
        """Return what must not leave, in order and without overlap.

        ``known`` says of a text that was opened whether a value stands in it that is secret from elsewhere.
        """
        lower = _lower(text)
        found = [*self._by_form(text, lower), *self._by_key(text, lower)]
        found += self._words(text, known, depth)
        yielding = list(self._by_form(text, lower, yields=True))
        taken = joined(found)
        return joined([*taken, *(each for each in yielding if not _touches(each, taken))])

    def _by_form(self, text: str, lower: str, *, yields: bool = False) -> Iterator[Found]:
        for kind in self.kinds.kinds:
            if kind.yields != yields:
                continue
            for start, end in _stretches(text, lower, kind.hints, whole=kind.multiline):
                for match in kind.pattern.finditer(text, start, end):
                    yield from self._groups(kind, match)

    def _groups(self, kind: Kind, match: re.Match[str]) -> Iterator[Found]:
        groups = [name for name in kind.pattern.groupindex if name != "Q" and match[name]]
        if not kind.pattern.groupindex:
            if self._counts(kind, match[0], kind.label):
                yield Found(match.start(), match.end(), kind.label)
            return
        for name in groups:
            low, high = match.span(name)
            if name == "VALUES":
                for item in _QUOTED.finditer(match.string, low, high):
                    if item["value"].lower() not in self.kinds.nothing and not re.fullmatch(r"\W*", item["value"]):
                        yield Found(*item.span("value"), kind.label)
            elif self._counts(kind, match[name], label := name.rstrip("0123456789")):
                yield Found(low, high, label)

    def _counts(self, kind: Kind, value: str, label: str) -> bool:
        if kind.check and not CHECKS[kind.check](value):
            return False
        lower = value.lower()
        return lower not in self.kinds.nothing and (label not in NAMES or lower not in self.kinds.words)

    def _by_key(self, text: str, lower: str) -> Iterator[Found]:
        for pair, key in self._pairs:
            for start, end in _stretches(text, lower, pair.hints):
                for name, low, high in values(text, start, end, key, pair.label):
                    if is_secret(text[low:high], name, pair.label, self.kinds):
                        yield Found(low, high, pair.label)

    def _words(self, text: str, known: Callable[[str], bool] | None, depth: int) -> Iterator[Found]:
        """What looks drawn by chance, and base64 of a text that holds a secret."""
        for match in _WORD.finditer(text):
            word = match[0]
            if _UUID.search(word) is not None:
                continue
            if depth and (opened := _opened(word)) is not None:
                if (known is not None and known(opened)) or self.find(opened, known, depth - 1):
                    yield Found(*match.span(), "ENCODED")
                    continue
            yield from _random(text, match)


def _random(text: str, match: re.Match[str]) -> Iterator[Found]:
    """The stretches of a long word that look random: all of it, or in a path only its parts."""
    start, end = match.span()
    if text[max(0, start - 7) : start].endswith(_FINGERPRINT):
        return
    body = match[0].rstrip("=")
    pieces = body.split("/")
    if not any(map(looks_random, (body, *pieces))):
        return
    path = len(pieces) > 1 and (body.startswith("/") or text[max(0, start - 1) : start] in {".", ":", "~"})
    if not path:
        yield Found(start, end, "SECRET")
        return
    for piece in pieces:
        if looks_random(piece):
            yield Found(start, start + len(piece), "SECRET")
        start += len(piece) + 1


def _opened(word: str) -> str | None:
    """What a word says that is base64 of printable text."""
    plain = word.replace("%3D", "=").rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1:
        return None
    try:
        content = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return content if _PRINTABLE.fullmatch(content) else None


def joined(found: Sequence[Found]) -> list[Found]:
    """Return stretches in order, those that overlap as one; the longest of them names it, of equal ones the first."""
    out: list[Found] = []
    for _, each in sorted(enumerate(found), key=lambda pair: (pair[1].start, -pair[1].end, pair[0])):
        if each.start >= each.end:
            continue
        if out and each.start < out[-1].end:
            last = out[-1]
            if each.end > last.end:
                out[-1] = Found(last.start, each.end, last.label)
        else:
            out.append(each)
    return out


def _touches(each: Found, taken: Sequence[Found]) -> bool:
    return any(other.start < each.end and each.start < other.end for other in taken)


def _stretches(text: str, lower: str, hints: Sequence[str], *, whole: bool = False) -> list[tuple[int, int]]:
    """The lines in which a hint stands; with ``whole`` all of the text, where one does."""
    if whole:
        return [(0, len(text))] if any(hint in lower for hint in hints) else []
    lines: set[tuple[int, int]] = set()
    for hint in hints:
        at = 0
        while (at := lower.find(hint, at)) >= 0:
            end = lower.find("\n", at)
            end = len(text) if end < 0 else end
            lines.add((lower.rfind("\n", 0, at) + 1, end))
            at = end + 1
            if at > len(text):
                break
    return sorted(lines)


_LOWERED: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _lower(text: str) -> str:
    """Small letters, each at the place of its capital."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text.translate(_LOWERED)
