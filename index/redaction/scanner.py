"""Find what must not leave in a text: by form, by key, by chance-like letters, and inside of base64."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from index.redaction.key_values import compile_pair, is_secret, values
from index.redaction.kinds import NAMES, Kinds, SecretKind
from index.redaction.validators import CHECKS, looks_random

PSEUDONYM: Final = re.compile(r"<[A-Z]+(?:_[A-Z]+)*_[0-9]+>")

_DEPTH: Final = 2
"""How often base64 in base64 is opened."""

_WORD: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:={1,2}|(?:%3D){1,2})?")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_QUOTED: Final = re.compile(r"""\\*(?P<quote>["'])(?P<value>(?:(?!(?P=quote))[^\\]){1,2000})""")
_PRINTABLE: Final = re.compile(r"[\t\n\r\x20-\x7e]+")
_LONG: Final = 1_000
_CODE: Final = re.compile("[0-9A-Fa-f]{2}")
_LONGEST: Final = 20_000
_FIRST: Final = frozenset("CDIJKLMNOPQRSTUVWXYZabcdef")
_NO_SECRET: Final = ("SHA256:", "sha256:", "MD5:", "sha512-", "sha256-", "audit_id=", "chain_id=")
"""What stands before digests and the ids of audits."""


@dataclass(frozen=True, slots=True, order=True)
class SecretSpan:
    """A stretch of a text that must not leave."""

    start: int
    end: int
    label: str


class Detector:
    """All kinds, ready to search with."""

    def __init__(self, kinds: Kinds) -> None:
        """Compile the keys."""
        self.kinds = kinds
        self._words = tuple(kind for kind in kinds.kinds if kind.at == "word")
        self._prefixes = tuple(hint for kind in self._words for hint in kind.hints)
        self._pairs = tuple((pair, compile_pair(pair)) for pair in kinds.pairs)

    def find(self, text: str, known: Callable[[str], bool] | None = None, depth: int = _DEPTH) -> list[SecretSpan]:
        """Return what must not leave, in no order, one perhaps within another.

        ``known`` says of a text that was opened whether a value stands in it that is secret from elsewhere.
        """
        lower = _lower(text)
        # Logs repeat themselves: a hint that stands in none of the different words need not be looked for in all.
        words = "\n".join(set(lower.split()))
        found: list[SecretSpan] = []
        yielding: list[SecretSpan] = []
        for kind in self.kinds.kinds:
            found_here = yielding if kind.yields else found
            for match in _matches(kind, text, lower, words):
                found_here += self._groups(kind, match)
        found += self._by_key(text, lower, words)
        found += self._long_words(text, known, depth)
        taken = joined(found)
        return [*found, *(each for each in yielding if not _touches(each, taken))]

    def _groups(self, kind: SecretKind, match: re.Match[str]) -> Iterator[SecretSpan]:
        groups = [name for name in kind.pattern.groupindex if name != "Q" and match[name]]
        if not kind.pattern.groupindex:
            if self._counts(kind, match[0], kind.label):
                yield SecretSpan(match.start(), match.end(), kind.label)
            return
        for name in groups:
            low, high = match.span(name)
            if name == "VALUES":
                for item in _QUOTED.finditer(match.string, low, high):
                    if item["value"].lower() not in self.kinds.nothing and not re.fullmatch(r"\W*", item["value"]):
                        yield SecretSpan(*item.span("value"), kind.label)
            elif self._counts(kind, match[name], label := name.rstrip("0123456789")):
                yield SecretSpan(low, high, label)

    def _counts(self, kind: SecretKind, value: str, label: str) -> bool:
        if kind.check and not CHECKS[kind.check](value):
            return False
        lower = value.lower()
        return bool(lower) and lower not in self.kinds.nothing and (label not in NAMES or lower not in self.kinds.words)

    def _by_key(self, text: str, lower: str, words: str) -> Iterator[SecretSpan]:
        for pair, key in self._pairs:
            for hint in pair.hints:
                past = 0
                for at in _hits(lower, hint) if hint in words else ():
                    if at < past:
                        continue  # within a very long value; each key in it would be as long again
                    for name, low, high in values(text, at, key, pair):
                        if is_secret(text[low:high], name, pair, self.kinds):
                            yield SecretSpan(low, high, pair.label)
                        past = high if high - low > _LONG else past

    def _long_words(self, text: str, known: Callable[[str], bool] | None, depth: int) -> Iterator[SecretSpan]:
        """Kinds that are long words, what looks drawn by chance, and base64 of a text that holds a secret."""
        for match in _WORD.finditer(text):
            word, start = match[0], match.start()
            if start and text[start - 1] == "%" and _CODE.match(word) is not None:
                word, start = word[2:], start + 2
            at = start
            for piece in word.lower().split("/"):
                if piece.startswith(self._prefixes):
                    yield from self._begun(text, at)
                at += len(piece) + 1
            if _UUID.search(word) is not None:
                continue
            opened = _opened(word) if depth else None
            if opened and ((known is not None and known(opened)) or self.find(opened, known, depth - 1)):
                yield SecretSpan(start, match.end(), "ENCODED")
            else:
                yield from _random(text, word, start)

    def _begun(self, text: str, at: int) -> Iterator[SecretSpan]:
        """Kinds that are long words, at the beginning of one."""
        for kind in self._words:
            # A piece of its own, so that what stands before it does not count.
            if (form := kind.pattern.match(text[at : at + _LONGEST])) is not None:
                yield from (SecretSpan(at + each.start, at + each.end, each.label) for each in self._groups(kind, form))


def _matches(kind: SecretKind, text: str, lower: str, words: str) -> Iterator[re.Match[str]]:
    """Where the form of a kind stands, as far as it is not tried at long words."""
    if kind.at == "text":
        yield from kind.pattern.finditer(text)
        return
    hints = [hint for hint in kind.hints if hint in words]
    if kind.at == "hint":
        for hint in hints:
            for at in _hits(lower, hint):
                if (match := kind.pattern.match(text, at)) is not None:
                    yield match
    elif kind.at == "line":
        for start, end in _lines(lower, hints):
            yield from kind.pattern.finditer(text, start, end)


def _random(text: str, word: str, start: int) -> Iterator[SecretSpan]:
    """The stretches of a long word that look random: all of it, or in a path only its parts."""
    if text[max(0, start - 9) : start].endswith(_NO_SECRET):
        return
    body = word.rstrip("=")
    pieces = body.split("/")
    if not any(map(looks_random, (body, *pieces))):
        return
    path = len(pieces) > 1 and (body.startswith("/") or text[max(0, start - 1) : start] in {".", ":", "~"})
    if not path:
        yield SecretSpan(start, start + len(word), "SECRET")
        return
    for piece in pieces:
        if looks_random(piece):
            yield SecretSpan(start, start + len(piece), "SECRET")
        start += len(piece) + 1


@lru_cache(4096)
def _opened(word: str) -> str | None:
    """What a word says that is base64 of printable text."""
    # Of printable text each first of four begins with two bits of 01 or 001 (or is a line end): quick, and most fail.
    if not all(letter in _FIRST for letter in word[:-3:4]):
        return None
    plain = word.replace("%3D", "=").rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1:
        return None
    try:
        content = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return content if _PRINTABLE.fullmatch(content) else None


def joined(found: Sequence[SecretSpan]) -> list[SecretSpan]:
    """Return stretches in order, those that overlap as one; the longest of them names it, of equal ones the first."""
    out: list[SecretSpan] = []
    for _, each in sorted(enumerate(found), key=lambda pair: (pair[1].start, -pair[1].end, pair[0])):
        if each.start >= each.end:
            continue
        if out and each.start < out[-1].end:
            last = out[-1]
            if each.end > last.end:
                out[-1] = SecretSpan(last.start, each.end, last.label)
        else:
            out.append(each)
    return out


def _touches(each: SecretSpan, taken: Sequence[SecretSpan]) -> bool:
    return any(other.start < each.end and each.start < other.end for other in taken)


def _hits(lower: str, hint: str) -> Iterator[int]:
    at = lower.find(hint)
    while at >= 0:
        yield at
        at = lower.find(hint, at + 1)


def _lines(lower: str, hints: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of the lines in which a hint stands."""
    lines: set[tuple[int, int]] = set()
    for hint in hints:
        at = lower.find(hint)
        while at >= 0:
            end = lower.find("\n", at)
            end = len(lower) if end < 0 else end
            lines.add((lower.rfind("\n", 0, at) + 1, end))
            at = lower.find(hint, end)
    return sorted(lines)


_LOWERED: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _lower(text: str) -> str:
    """Small letters, each at the place of its capital."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text.translate(_LOWERED)
