"""Find secrets in a text: by form, by key, by letters that look random, and inside of base64."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from index.redaction.key_values import compile_pair, is_secret, values
from index.redaction.kinds import NAMES, Kinds, Pair, SecretKind
from index.redaction.validators import CHECKS, looks_random

PSEUDONYM: Final = re.compile(r"<[A-Z]+(?:_[A-Z]+)*_[0-9]+>")

_DEPTH: Final = 2
"""How often base64 in base64 is opened (a judgement)."""

_WORD: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:={1,2}|(?:%3D){1,2})?")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_QUOTED: Final = re.compile(r"""\\*(?P<quote>["'])(?P<value>(?:(?!(?P=quote))[^\\]){1,2000})""")
_PRINTABLE: Final = re.compile(r"[\t\n\r\x20-\x7e]+")
_LONG: Final = 1_000
"""Characters from which a value is very long, and keys within it are passed over: a bound on the work."""

_LONGEST: Final = 20_000
"""Characters of a long word that a kind looks at: a bound on the work."""

_ESCAPE: Final = re.compile("[0-9A-Fa-f]{2}")
"""What follows the ``%`` of an escaped character in a URL."""

_PRINTABLE_STARTS: Final = frozenset("CDIJKLMNOPQRSTUVWXYZabcdef")
"""Letters that a group of base64 begins with when its first byte is printable, or a tab or line end."""

_NO_SECRET: Final = ("SHA256:", "sha256:", "MD5:", "sha512-", "sha256-", "audit_id=", "chain_id=")
"""What stands before digests and the ids of audits."""


@dataclass(frozen=True, slots=True, order=True)
class SecretSpan:
    """A stretch of a text that must not leave."""

    start: int
    end: int
    label: str


class SecretDetector:
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
        spans: list[SecretSpan] = []
        yielding: list[SecretSpan] = []
        for kind in self.kinds.kinds:
            of_kind = yielding if kind.yields else spans
            for match in _matches(kind, text, lower, words):
                of_kind += self._groups(kind, match)
        spans += self._by_key(text, lower, words)
        spans += self._long_words(text, known, depth)
        taken = joined(spans)
        return [*spans, *(span for span in yielding if not _touches(span, taken))]

    def _groups(self, kind: SecretKind, match: re.Match[str]) -> Iterator[SecretSpan]:
        """Yield the secrets of a match: its named groups, or all of it where the kind names none."""
        if not kind.pattern.groupindex:
            if self._is_secret(kind, match[0], kind.label):
                yield SecretSpan(*match.span(), kind.label)
            return
        for name in kind.pattern.groupindex:
            if name == "Q" or not match[name]:
                continue
            if name == "VALUES":
                yield from self._quoted(kind, match, *match.span(name))
            elif self._is_secret(kind, match[name], label := name.rstrip("0123456789")):
                yield SecretSpan(*match.span(name), label)

    def _quoted(self, kind: SecretKind, match: re.Match[str], start: int, end: int) -> Iterator[SecretSpan]:
        """Yield the quoted values in a stretch of a match, but those that are nothing or only punctuation."""
        for item in _QUOTED.finditer(match.string, start, end):
            if item["value"].lower() not in self.kinds.nothing and not re.fullmatch(r"\W*", item["value"]):
                yield SecretSpan(*item.span("value"), kind.label)

    def _is_secret(self, kind: SecretKind, value: str, label: str) -> bool:
        if kind.check and not CHECKS[kind.check](value):
            return False
        lower = value.lower()
        return bool(lower) and lower not in self.kinds.nothing and (label not in NAMES or lower not in self.kinds.words)

    def _by_key(self, text: str, lower: str, words: str) -> Iterator[SecretSpan]:
        """Yield the secret values of keys; only hints that stand in ``words`` are looked for."""
        for pair, key in self._pairs:
            for hint in filter(words.__contains__, pair.hints):
                for name, start, end in _values_behind(text, _places(lower, hint), key, pair):
                    if is_secret(text[start:end], name, pair, self.kinds):
                        yield SecretSpan(start, end, pair.label)

    def _long_words(self, text: str, known: Callable[[str], bool] | None, depth: int) -> Iterator[SecretSpan]:
        """Kinds that are long words, what looks drawn by chance, and base64 of a text that holds a secret."""
        for match in _WORD.finditer(text):
            word, start = match[0], match.start()
            if start and text[start - 1] == "%" and _ESCAPE.match(word) is not None:
                word, start = word[2:], start + 2
            piece_start = start
            for piece in word.lower().split("/"):
                if piece.startswith(self._prefixes):
                    yield from self._begun(text, piece_start)
                piece_start += len(piece) + 1
            if _UUID.search(word) is not None:
                continue
            opened = _opened(word) if depth else None
            if opened and ((known is not None and known(opened)) or self.find(opened, known, depth - 1)):
                yield SecretSpan(start, match.end(), "ENCODED")
            else:
                yield from _random(text, word, start)

    def _begun(self, text: str, start: int) -> Iterator[SecretSpan]:
        """Yield secrets of the kinds that are long words, at the start of one."""
        for kind in self._words:
            # A piece of its own, so that what stands before it does not count.
            if (match := kind.pattern.match(text[start : start + _LONGEST])) is not None:
                for span in self._groups(kind, match):
                    yield SecretSpan(start + span.start, start + span.end, span.label)


def _matches(kind: SecretKind, text: str, lower: str, words: str) -> Iterator[re.Match[str]]:
    """Where the form of a kind stands, as far as it is not tried at long words."""
    if kind.at == "text":
        yield from kind.pattern.finditer(text)
        return
    hints = [hint for hint in kind.hints if hint in words]
    if kind.at == "hint":
        matches = (kind.pattern.match(text, place) for hint in hints for place in _places(lower, hint))
        yield from (match for match in matches if match is not None)
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
    if not all(letter in _PRINTABLE_STARTS for letter in word[:-3:4]):
        return None
    plain = word.replace("%3D", "=").rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1:
        return None
    try:
        content = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return content if _PRINTABLE.fullmatch(content) else None


def joined(spans: Sequence[SecretSpan]) -> list[SecretSpan]:
    """Return stretches in order, those that overlap as one with the label of the first, of equal starts the longest."""
    out: list[SecretSpan] = []
    # Sorting is stable: of equal stretches the first stays the first.
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start >= span.end:
            continue
        if not out or span.start >= out[-1].end:
            out.append(span)
        elif span.end > out[-1].end:
            out[-1] = replace(out[-1], end=span.end)
    return out


def _touches(span: SecretSpan, taken: Sequence[SecretSpan]) -> bool:
    return any(other.start < span.end and span.start < other.end for other in taken)


def _values_behind(
    text: str, places: Iterable[int], key: re.Pattern[str], pair: Pair
) -> Iterator[tuple[str, int, int]]:
    """Yield key, start and end of the values whose key has a hint at one of the places, in rising order."""
    passed = 0
    for place in places:
        if place < passed:
            continue  # within a very long value; each key in it would be as long again
        for name, start, end in values(text, place, key, pair):
            yield name, start, end
            if end - start > _LONG:
                passed = end


def _places(lower: str, hint: str) -> Iterator[int]:
    """Yield where a hint stands."""
    place = lower.find(hint)
    while place >= 0:
        yield place
        place = lower.find(hint, place + 1)


def _lines(lower: str, hints: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of the lines in which a hint stands."""
    lines: set[tuple[int, int]] = set()
    for hint in hints:
        place = lower.find(hint)
        while place >= 0:
            end = lower.find("\n", place)
            end = len(lower) if end < 0 else end
            lines.add((lower.rfind("\n", 0, place) + 1, end))
            place = lower.find(hint, end)
    return sorted(lines)


_LOWERED: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _lower(text: str) -> str:
    """Small letters, each at the place of its capital."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text.translate(_LOWERED)
