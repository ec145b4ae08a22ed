"""Twins: a past incident so like the one at hand that what it was put down to holds again.

Only what people have confirmed is taken over, and nothing that names a value which is not in the evidence at hand.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from index.diagnosis import Diagnosis, Mode
from index.documents import Filter, Kind
from index.evidence import Evidence
from index.plain import plain, reassures
from index.store import Memory
from index.tokens import words
from index.verify import contained

THRESHOLD: Final = 0.8
"""Likeness from which on two incidents are twins; how it was found stands in ``tests/bench/twins.py``."""

_CANDIDATES: Final = 10
_MAX_TEXTS: Final = 60
_DIAGNOSIS: Final = "/diagnosis"
_SENTENCE: Final = 600
_MOST_SURE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Twin:
    """A past incident and what it was put down to."""

    id: str
    likeness: float
    title: str
    cause: str
    actions: tuple[str, ...]


def likeness(left: Iterable[str], right: Iterable[str]) -> float:
    """Return how alike two groups of texts are, 0 to 1: each text is set against the most similar one of the other."""
    sets = [_sets(left), _sets(right)]
    if not all(sets):
        return 0.0
    best = [max(_overlap(one, other) for other in sets[1 - side]) for side in (0, 1) for one in sets[side]]
    return sum(best) / len(best)


def find_twin(
    memory: Memory, evidence: Evidence, confirmed: Callable[[str], bool], threshold: float = THRESHOLD
) -> Twin | None:
    """Return the most similar past incident whose diagnosis was confirmed; None where none is a twin.

    ``confirmed`` tells of an incident's id whether people have said that its cause is right.
    """
    texts = [*evidence.reasons, *(line.text for line in evidence.lines)]
    where = Filter(tenant=evidence.tenant, kinds=frozenset({Kind.INCIDENT}), until=evidence.start)
    hits = memory.search("\n".join(texts), _CANDIDATES, where) if texts else []
    found = [twin for hit in hits for twin in _twin(memory, hit.document.id, hit.document.text, texts, confirmed)]
    return max((twin for twin in found if twin.likeness >= threshold), key=lambda twin: twin.likeness, default=None)


def reuse(twin: Twin, evidence: Evidence, base: Diagnosis) -> Diagnosis | None:
    """Return the diagnosis of a twin over that of the evidence at hand; None where it names what is not there."""
    cause = plain(twin.cause, _SENTENCE)
    known = "\n".join(f"{line.text} {line.service} {line.host}" for line in evidence.lines)
    if not cause or reassures(cause) or not contained(cause, known):
        return None
    actions = [plain(action, _SENTENCE) for action in twin.actions if not reassures(action)]
    return replace(
        base,
        mode=Mode.TWIN,
        cause=cause,
        confidence=min(_MOST_SURE, twin.likeness),
        actions=tuple(dict.fromkeys([*actions, *base.actions])),
        twin=twin.id,
        note=f"the confirmed cause of {plain(twin.title, _SENTENCE) or twin.id}, which is {twin.likeness:.0%} alike",
    )


def _twin(memory: Memory, name: str, text: str, texts: list[str], confirmed: Callable[[str], bool]) -> Iterator[Twin]:
    diagnosis = memory.get(name + _DIAGNOSIS)
    if diagnosis is not None and confirmed(name):
        cause, *actions = diagnosis.text.split("\n")
        yield Twin(name, likeness(texts, text.split("\n")), diagnosis.title, cause, tuple(actions))


def _sets(texts: Iterable[str]) -> list[frozenset[str]]:
    """Return the distinct sets of words, without values, of the first texts."""
    return list(dict.fromkeys(filter(None, (frozenset(words(text)) for text in texts))))[:_MAX_TEXTS]


def _overlap(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / len(left | right)
