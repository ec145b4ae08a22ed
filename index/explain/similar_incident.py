"""Twins: a past incident so similar to the current one that its cause holds again.

Only a cause that people have confirmed is taken over, and none that names a value which is not in the current evidence.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from index.diagnosis.types import Diagnosis, Mode
from index.evidence.types import Evidence
from index.explain.grounding import contained
from index.search.documents import Document, DocumentKind, Filter
from index.search.past_incidents import DIAGNOSIS
from index.text.sanitize import reassures, strip_markup
from index.text.words import words

if TYPE_CHECKING:
    from index.search.search_index import SearchIndex

ALIKE: Final = 0.75
"""Likeness (0 to 1) from which on incidents may be twins, where two agree on the cause and none as alike differs.

On real faults (``tests/bench/twins.py``) this gives twins for 12 runs of 109, each with the same class broken.  The
nearest run alone is right for 6 of 10 only, however alike: different faults often end in the same lines.
"""

LONE: Final = 0.95
"""Likeness (0 to 1) from which on one past incident is enough, where none above ``ALIKE`` has another cause."""

_MAX_CONFIDENCE: Final = 0.95
"""Confidence in a cause that people confirmed for a similar incident, at most: a judgement."""
_MAX_LONE_CONFIDENCE: Final = 0.6
"""Confidence of a twin's cause, at most, with a second incident of the same cause and without: the nearest run alone is
right for 6 of 10 (``tests/bench/twins.py``); the other is a judgement."""

_AGREE: Final = 0.7
"""Share of words from which on two causes are the same: a judgement."""

_CANDIDATES: Final = 20
"""Past incidents whose likeness is computed, those that a search gives first: a judgement, to bound the work."""

_MAX_TEXTS: Final = 60
"""Texts of an incident that are compared, its first: a judgement, as each is set against each."""

_SENTENCE_CHARACTERS: Final = 600
"""Characters of a sentence of a diagnosis, at most: a judgement, some four lines of a screen."""


@dataclass(frozen=True, slots=True)
class Twin:
    """A past incident with its confirmed cause."""

    id: str
    likeness: float
    """To the current one, 0 to 1."""
    title: str
    cause: str
    actions: tuple[str, ...]
    """Next steps that its diagnosis advised."""
    seconded: bool = True
    """Another past incident, as alike, has the same cause."""


TwinOf: TypeAlias = Callable[[Evidence], Twin | None]
"""Finds the confirmed past incident that evidence resembles, if there is one."""


def likeness(left: Iterable[str], right: Iterable[str]) -> float:
    """Return how alike two groups of texts are, 0 to 1: each text against the most similar one of the other."""
    return likeness_of(word_sets(left), word_sets(right))


def likeness_of(left: list[frozenset[str]], right: list[frozenset[str]]) -> float:
    """Return how alike two groups of sets of words are."""
    sets = [left, right]
    if not all(sets):
        return 0.0
    best = [max(_overlap(one, other) for other in sets[1 - side]) for side in (0, 1) for one in sets[side]]
    return sum(best) / len(best)


def find_twin(memory: "SearchIndex", evidence: Evidence, confirmed: Callable[[str], bool]) -> Twin | None:
    """Return the most similar past incident whose cause was confirmed; None where none is similar enough.

    ``confirmed`` returns of an incident's id whether people have said that its cause is right.
    """
    texts = [*evidence.reasons, *(line.text for line in evidence.lines)]
    where = Filter(tenant=evidence.tenant, kinds=frozenset({DocumentKind.INCIDENT}), until=evidence.start)
    hits = memory.search("\n".join(texts), _CANDIDATES, where) if texts else []
    candidates = [twin for hit in hits for twin in _twin(memory, hit.document, texts, confirmed)]
    alike = sorted((twin for twin in candidates if twin.likeness >= ALIKE), key=lambda twin: -twin.likeness)
    if not alike or not all(_agree(alike[0].cause, twin.cause) for twin in alike):
        return None
    seconded = len(alike) > 1
    return replace(alike[0], seconded=seconded) if seconded or alike[0].likeness >= LONE else None


def reuse(twin: Twin, evidence: Evidence, base: Diagnosis) -> Diagnosis | None:
    """Return ``base`` with the cause of a twin; None where that names what is not in the evidence."""
    cause = strip_markup(twin.cause, _SENTENCE_CHARACTERS)
    known = "\n".join(f"{line.text} {line.service} {line.host}" for line in evidence.lines)
    if not cause or reassures(cause) or not contained(cause, known):
        return None
    title = strip_markup(twin.title, _SENTENCE_CHARACTERS) or twin.id
    actions = [strip_markup(action, _SENTENCE_CHARACTERS) for action in twin.actions if not reassures(action)]
    return replace(
        base,
        mode=Mode.TWIN,
        cause=cause,
        confidence=min(_MAX_CONFIDENCE if twin.seconded else _MAX_LONE_CONFIDENCE, twin.likeness),
        actions=tuple(dict.fromkeys([*actions, *base.actions])),
        twin=twin.id,
        note=f"the confirmed cause of {title}, which is {twin.likeness:.0%} alike",
    )


def _twin(memory: "SearchIndex", past: Document, texts: list[str], confirmed: Callable[[str], bool]) -> Iterator[Twin]:
    """Return the past incident as a twin, or nothing where it has no diagnosis or nobody has confirmed its cause."""
    diagnosis = memory.get(past.id + DIAGNOSIS)
    if diagnosis is not None and confirmed(past.id):
        cause, *actions = diagnosis.text.split("\n")
        yield Twin(past.id, likeness(texts, past.text.split("\n")), diagnosis.title, cause, tuple(actions))


def _agree(left: str, right: str) -> bool:
    sets = frozenset(words(left)), frozenset(words(right))
    return left == right or (all(sets) and _overlap(*sets) >= _AGREE)


def word_sets(texts: Iterable[str]) -> list[frozenset[str]]:
    """Return the distinct sets of words, without values, of the first texts."""
    return list(dict.fromkeys(filter(None, (frozenset(words(text)) for text in texts))))[:_MAX_TEXTS]


def _overlap(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / len(left | right)
