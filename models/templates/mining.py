"""Find templates in a set of masked texts: the words that vary between texts that are otherwise equal are values.

Two texts of the same number of words that differ in one word only support the guess that this word is a value; where
``VARIANTS`` or more such words are met, it is taken as one, and the texts with it are looked at again.  The result is a
function of the *set* of texts: order and batches do not matter.  The idea of splitting by the number of words and by
the variety at one position is that of IPLoM (Makanju et al., KDD 2009); nothing here depends on a tree that grows with
the order of lines, as in Drain (He et al., ICWS 2017).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from models.templates.masks import VALUE

Words: TypeAlias = tuple[str, ...]

VARIANTS: Final = 5
"""Fewer different words at a position are names of states or cases, and worth telling apart."""

MAX_TEXTS: Final = 100_000
"""Texts looked at, the most frequent first: bounds time and memory whatever the log holds."""

_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True)
class Mined:
    """A template: its words, and the positions of words that mining, not a mask, found to be values."""

    words: Words
    wild: tuple[int, ...]


def mine_words(counts: Mapping[Words, int], variants: int = VARIANTS, limit: int = MAX_TEXTS) -> tuple[set[Mined], int]:
    """Templates of the texts, and how many texts were above the limit and not looked at."""
    chosen = sorted(counts, key=lambda words: (-counts[words], words))
    by_length: dict[int, list[Words]] = defaultdict(list)
    for words in chosen[:limit]:
        by_length[len(words)].append(words)
    found: set[Mined] = set()
    for texts in by_length.values():
        found |= _mine(texts, variants)
    return found, max(0, len(chosen) - limit)


def _mine(texts: Iterable[Words], variants: int) -> set[Mined]:
    current = {Mined(words, ()) for words in texts}
    for _ in range(_ROUNDS):
        varying = _varying({template.words for template in current}, variants)
        if not varying:
            break
        current = {_widened(template, varying) for template in current}
    return current


def _varying(texts: set[Words], variants: int) -> set[tuple[int, Words]]:
    """Positions, each with the text around it (the word itself left out), that have enough different words."""
    seen: dict[tuple[int, Words], set[str]] = defaultdict(set)
    for words in texts:
        for i, word in enumerate(words):
            if word != VALUE:
                seen[i, _without(words, i)].add(word)
    return {place for place, found in seen.items() if len(found) >= variants and any(w != VALUE for w in place[1])}


def _without(words: Words, i: int) -> Words:
    return words[:i] + words[i + 1 :]


def _widened(template: Mined, varying: set[tuple[int, Words]]) -> Mined:
    wild = [i for i, word in enumerate(template.words) if word != VALUE and (i, _without(template.words, i)) in varying]
    if not wild:
        return template
    words = tuple(VALUE if i in wild else word for i, word in enumerate(template.words))
    return Mined(words, tuple(sorted({*template.wild, *wild})))
