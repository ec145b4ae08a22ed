"""Find templates in a set of masked texts: the words that vary between texts that are otherwise equal are values.

Two texts of the same number of words that differ in one word only support the guess that this word is a value; where
``VARIANTS`` or more such words are met, it is taken as one, and the texts with it are looked at again.  The result is a
function of the *set* of texts: order and batches do not matter.  The idea of splitting by the number of words and by
the variety at one position is that of IPLoM (Makanju et al., KDD 2009); nothing here depends on a tree that grows with
the order of lines, as in Drain (He et al., ICWS 2017).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from models.templates.masks import VALUE

Words: TypeAlias = tuple[str, ...]

VARIANTS: Final = 5
"""Fewer different words at a position are names of states or cases, and worth telling apart."""

MAX_TEXTS: Final = 100_000
"""Texts looked at, the most frequent first: bounds time and memory whatever the log holds."""

FREE_TEXTS: Final = 20
"""Texts that are equal but for rare words: fewer may be messages of their own.

A judgement, which changes nothing on the systems of loghub in ``tests/bench/bench_templates.py``.
"""

MANY_TEXTS: Final = 10 * FREE_TEXTS
"""So many of them need only two common words, however many are rare.

A judgement as well: names of users, hosts and volumes that vary freely give thousands of texts.
"""

RARE_SHARE: Final = 0.1
"""Share of the texts with the same first word below which a word is rare: a judgement."""

_SIZES: Final = ("B", "bytes", "kB", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB")
_DURATIONS: Final = ("ns", "us", "ms", "s", "sec", "secs", "seconds", "m", "min", "minutes", "h", "hours")
UNITS: Final = frozenset((*_SIZES, *_DURATIONS))
"""Units of sizes and durations: in which of them a value is given depends on how large it is."""

_MARKS: Final = "()[]{},.;:"

_ROUNDS: Final = 8
"""How often texts are looked at again; a judgement: texts with more varying words are rare."""


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
    mined: set[Mined] = set()
    for texts in by_length.values():
        mined |= _mine(texts, variants)
    return mined, max(0, len(chosen) - limit)


def _mine(texts: Iterable[Words], variants: int) -> set[Mined]:
    current = _settled({Mined(words, ()) for words in texts}, variants)
    freed = _freed(current, variants)
    return current if freed == current else _settled(freed, variants)


def _settled(current: set[Mined], variants: int) -> set[Mined]:
    for _ in range(_ROUNDS):
        varying = _varying({template.words for template in current}, variants)
        if not varying:
            break
        current = {_widened(template, varying) for template in current}
    return current


def _freed(current: set[Mined], variants: int) -> set[Mined]:
    """Templates with the words widened that vary freely at several positions at once.

    Where two words vary freely, hardly any two texts differ in one word only.  Among the texts with the same first
    word, then among those with the same last one, and then among those with the same most frequent one, a word that few
    of them have at its position is rare; many texts that are equal but for rare words, and that have more common words
    than rare ones, are one template.
    """
    for pivot in (_first, _last, _most_frequent):
        by_word: dict[object, list[Mined]] = defaultdict(list)
        for template, key in pivot(current):
            by_word[key].append(template)
        out: set[Mined] = set()
        for templates in by_word.values():
            out.update(templates if len(templates) < FREE_TEXTS else _without_rare(templates, variants))
        current = out
    return current


def _first(current: set[Mined]) -> Iterator[tuple[Mined, object]]:
    return ((template, template.words[0] if template.words else "") for template in current)


def _last(current: set[Mined]) -> Iterator[tuple[Mined, object]]:
    return ((template, template.words[-1] if template.words else "") for template in current)


def _most_frequent(current: set[Mined]) -> Iterator[tuple[Mined, object]]:
    """Each template with its word, and the place of it, that most templates have there; of several the first."""
    counts = Counter((i, word) for template in current for i, word in enumerate(template.words) if word != VALUE)
    for template in current:
        places = [(i, word) for i, word in enumerate(template.words) if word != VALUE]
        yield template, max(places, key=lambda place: (counts[place], -place[0]), default=())


def _without_rare(templates: list[Mined], variants: int) -> set[Mined]:
    places = range(len(templates[0].words))
    counts = [Counter(template.words[i] for template in templates) for i in places]
    enough = RARE_SHARE * len(templates)
    groups: dict[tuple[int, ...], dict[Words, list[Mined]]] = defaultdict(lambda: defaultdict(list))
    for template in templates:
        rare = tuple(i for i in places if template.words[i] != VALUE and counts[i][template.words[i]] < enough)
        groups[rare][_masked(template.words, rare)].append(template)
    # Free positions, fewest first, each with the texts that have them, less one word: what is free in one text is so in
    # another that differs from it in one word.
    near: dict[tuple[int, ...], set[tuple[int, Words]]] = {}
    for rare in sorted(groups, key=lambda rare: (len(rare), rare)):
        free = [words for words, some in groups[rare].items() if _vary_freely(words, rare, some, variants)]
        if free:
            near[rare] = {(i, _without(words, i)) for words in free for i in places}
    return {_with_free(template, near) for template in templates} if near else set(templates)


def _with_free(template: Mined, near: Mapping[tuple[int, ...], set[tuple[int, Words]]]) -> Mined:
    for free, texts in near.items():
        words = _masked(template.words, free)
        if any((i, _without(words, i)) in texts for i in range(len(words))):
            return Mined(words, tuple(sorted({*template.wild, *(i for i in free if template.words[i] != VALUE)})))
    return template


def _masked(words: Words, places: tuple[int, ...]) -> Words:
    return tuple(VALUE if i in places else word for i, word in enumerate(words))


def _vary_freely(words: Words, rare: tuple[int, ...], some: list[Mined], variants: int) -> bool:
    """Whether many texts are equal but for rare words at several positions, and mostly of common words."""
    common = sum(word != VALUE for word in words)
    enough = common > len(rare) or (common >= 2 and len(some) >= MANY_TEXTS)  # noqa: PLR2004 - several
    if len(rare) < 2 or not enough or len(some) < FREE_TEXTS:  # noqa: PLR2004 - several
        return False
    return all(len({template.words[i] for template in some}) >= variants for i in rare)


def _varying(texts: set[Words], variants: int) -> set[tuple[int, Words]]:
    """Positions, each with the text around it (the word itself left out), that have enough different words."""
    seen: dict[tuple[int, Words], set[str]] = defaultdict(set)
    for words in texts:
        for i, word in enumerate(words):
            if word != VALUE:
                seen[i, _without(words, i)].add(word)
    return {
        place
        for place, different in seen.items()
        if (len(different) >= variants or (len(different) > 1 and _are_units(place, different)))
        and any(w != VALUE for w in place[1])
    }


def _are_units(place: tuple[int, Words], different: set[str]) -> bool:
    """Whether the words at a position only say in which unit the value before them is given."""
    i, around = place
    return i > 0 and around[i - 1].endswith(VALUE) and all(word.strip(_MARKS) in UNITS for word in different)


def _without(words: Words, i: int) -> Words:
    return words[:i] + words[i + 1 :]


def _widened(template: Mined, varying: set[tuple[int, Words]]) -> Mined:
    wild = [i for i, word in enumerate(template.words) if word != VALUE and (i, _without(template.words, i)) in varying]
    if not wild:
        return template
    words = tuple(VALUE if i in wild else word for i, word in enumerate(template.words))
    return Mined(words, tuple(sorted({*template.wild, *wild})))
