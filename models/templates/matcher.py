"""Templates: which text a line was written with.

Ids are a function of the template's text alone.  Matching is a function of the table, the masks and the message: no
state, so a restart, another worker and the next training give the same ids.  A message that no template matches has the
id of its own masked text.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import orjson
import polars as pl

from models.arrays import distinct
from models.errors import InvalidError
from models.records import BOOL, F32, U8, U64
from models.templates.line_marks import marks_of
from models.templates.masks import VALUE, Masks
from models.templates.mining import Mined, Words, mine_words

SCHEMA: Final = "tocsin.templates/1"
MAX_WORDS: Final = 64
"""Words of a template; what a longer text has beyond is one value."""


def template_id(text: str) -> int:
    """Id of a template: the first 8 bytes of BLAKE2b over its text, as an unsigned integer; never 0."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) or 1


def words_of(text: str) -> Words:
    """A masked text as words, cut to MAX_WORDS."""
    words = text.split()
    if len(words) > MAX_WORDS:
        words = [*words[: MAX_WORDS - 1], VALUE]
    return tuple(words)


class TemplateTable:
    """Templates found in training; immutable."""

    def __init__(self, templates: Iterable[Mined], overflow: int = 0) -> None:
        """``overflow`` counts texts that mining left out."""
        self._templates = tuple(sorted(set(templates), key=lambda t: (t.words, t.wild)))
        self.overflow = overflow
        self._text: dict[int, str] = {}
        # Per number of words: each set of wild positions, fewest first, with the templates that have it.
        index: dict[int, dict[tuple[int, ...], dict[Words, int]]] = defaultdict(dict)
        for template in self._templates:
            text = " ".join(template.words)
            number = template_id(text)
            self._text[number] = text
            index[len(template.words)].setdefault(template.wild, {})[template.words] = number
        self._index = {
            length: sorted(by_wild.items(), key=lambda item: (len(item[0]), item[0]))
            for length, by_wild in index.items()
        }
        self.version = hashlib.blake2b(self.to_bytes(), digest_size=8).hexdigest()

    def __len__(self) -> int:
        """Number of different templates."""
        return len(self._text)

    def __iter__(self) -> Iterator[int]:
        """Ids, in the order of the texts."""
        return iter(self._text)

    @property
    def templates(self) -> tuple[Mined, ...]:
        """All templates."""
        return self._templates

    def text(self, number: int) -> str | None:
        """Text of a template; None if it is not of this table."""
        return self._text.get(number)

    def match(self, words: Words) -> int | None:
        """Id of the template that these words were written with: the one with the fewest wild words."""
        for wild, known in self._index.get(len(words), ()):
            if not wild:
                template = known.get(words)
            else:
                widened = list(words)
                for i in wild:
                    widened[i] = VALUE
                template = known.get(tuple(widened))
            if template is not None:
                return template
        return None

    def to_bytes(self) -> bytes:
        """JSON lines: a head, then words and wild positions of each template."""
        head = {"schema": SCHEMA, "overflow": self.overflow}
        rows = [orjson.dumps({"words": t.words, "wild": t.wild}) for t in self._templates]
        return b"\n".join([orjson.dumps(head), *rows])

    @classmethod
    def from_bytes(cls, data: bytes) -> "TemplateTable":
        """Read what ``to_bytes`` wrote.

        Raises:
            InvalidError: the bytes are no template table of this version.
        """
        try:
            head, *rows = [orjson.loads(line) for line in data.split(b"\n")]
            if head["schema"] != SCHEMA:
                raise InvalidError(f"templates of schema {head['schema']!r}", f"this version reads {SCHEMA!r}")
            return cls([Mined(tuple(row["words"]), tuple(row["wild"])) for row in rows], int(head["overflow"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidError(f"damaged template table: {error!r}", "train the bundle again") from error


def mine(texts: Mapping[str, int], base: TemplateTable | None = None) -> TemplateTable:
    """Templates of masked texts (with counts), whatever their order.

    Texts that a template of ``base`` matches are its own; its templates stay in the table with their ids.
    """
    counts: dict[Words, int] = defaultdict(int)
    for text, count in texts.items():
        words = words_of(text)
        if base is None or base.match(words) is None:
            counts[words] += count
    mined, overflow = mine_words(counts)
    return TemplateTable([*(base.templates if base else ()), *mined], overflow)


@dataclass(frozen=True, slots=True)
class TemplateLimits:
    """Caps: new templates told per service, and masked texts remembered when a batch begins."""

    new_per_service: int = 1000
    remembered: int = 200_000


@dataclass(frozen=True, slots=True)
class NewTemplate:
    """A template that the table does not know, at first sight of this matcher."""

    id: int
    text: str
    service: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """Template ids (n,), values (n, VALUES) and marks (n,) of messages; ``marks`` are bits of ``RowFlag``.

    ``new`` are templates met for the first time, ``overflow`` counts lines whose template was above the cap of its
    service and is not told, ``is_unknown`` (n,) says which lines have a template that the table does not know.
    """

    ids: U64
    values: F32
    marks: U8
    new: list[NewTemplate]
    overflow: int
    is_unknown: BOOL


@dataclass(slots=True)
class _Known:
    """Ids and marks of masked texts that were met; a pure cache."""

    ids: dict[str, int] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)


class TemplateMatcher:
    """Assigns templates to messages; remembers only what speeds it up, and what it has told."""

    def __init__(self, table: TemplateTable, masks: Masks, limits: TemplateLimits) -> None:
        self._table = table
        self._masks = masks
        self._limits = limits
        self._known = _Known()
        self._told: dict[str, set[int]] = defaultdict(set)

    def assign(self, messages: pl.Series, services: pl.Series | None = None) -> Assigned:
        """Mask messages and find their templates; ``services`` (n,) is used for telling new ones."""
        first, inverse = distinct(messages)
        masked = self._masks.apply(messages[first])
        texts = masked.text.to_list()
        known = self._known.ids
        if len(known) >= self._limits.remembered:
            # Between batches only: what a batch's own lines were resolved to is told at its end, with its text.
            known.clear()
            self._known.marks.clear()
            self._known.texts.clear()
        ids = [known.get(text, 0) for text in texts]
        if 0 in ids:
            ids = [number or self._resolve(text) for number, text in zip(ids, texts, strict=True)]
        out = np.array(ids, dtype=np.uint64)[inverse]
        marks = np.array([self._known.marks.get(text, 0) for text in texts], dtype=np.uint8)[inverse]
        unknown, new, overflow = self._tell(out, services)
        is_unknown = np.isin(out, np.array(unknown, np.uint64)) if unknown else np.zeros(len(out), np.bool_)
        return Assigned(out, masked.values[inverse], marks, new, overflow, is_unknown)

    def text(self, number: int) -> str:
        """Text of a template of the table, or of one met lately; "" if it is neither."""
        return self._table.text(number) or self._known.texts.get(number, "")

    def _resolve(self, text: str) -> int:
        known = self._known
        template = known.ids.get(text)
        if template is not None:
            return template
        words = words_of(text)
        number = self._table.match(words)
        if number is None:
            own = " ".join(words)
            number = template_id(own)
            known.texts[number] = own
        known.ids[text] = number
        marks = marks_of(text)
        if marks:
            known.marks[text] = marks
        return number

    def _tell(self, ids: U64, services: pl.Series | None) -> tuple[list[int], list[NewTemplate], int]:
        """Ids of unknown templates, those to tell for the first time, and lines whose template is not told any more."""
        numbers, first, counts = np.unique(ids, return_index=True, return_counts=True)
        new: list[NewTemplate] = []
        unknown: list[int] = []
        overflow = 0
        for number, first_row, count in zip(numbers.tolist(), first.tolist(), counts.tolist(), strict=True):
            if self._table.text(number) is not None:
                continue
            unknown.append(number)
            service = "" if services is None else str(services[first_row])
            reported = self._told[service]
            if number in reported:
                continue
            if len(reported) >= self._limits.new_per_service:
                overflow += count
                continue
            reported.add(number)
            new.append(NewTemplate(number, self.text(number), service))
        return unknown, new, overflow
