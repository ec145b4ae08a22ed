"""Fields of many JSON records as typed columns."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

import polars as pl

from models.decode.shipped.field_names import LINE, NAMES, ROOTS, canonical, unfolded
from models.records import Reject

_NAME_LIMIT: Final = 1024
"""Bytes of a tenant, source, host, service, path or trace id: a judgement, above every name that is one."""
_INT64: Final = 2**63
"""Numbers from here on do not fit into the columns."""
_DIGITS: Final = re.compile("[0-9]{1,19}")
_KNOWN_KEYS: Final = 4096
"""Spellings of keys remembered: hostile records may name any number."""


class RejectReason(StrEnum):
    """Why a message cannot be understood: the reason on ``logs.dead`` and a metric's label."""

    JSON = "invalid_json"
    NO_LINE = "no_line"
    TYPE = "wrong_type"


def _text_of(value: object, *, is_line: bool) -> str | None:
    """The text of a list that holds one, as Elasticsearch knows no difference; the texts of any list of a line's field.

    None for what is no list of texts.
    """
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        return None
    return "\n".join(value) if is_line or len(value) == 1 else None


class FieldColumns:
    """The values of a batch's records by name, the rejects that reading them gives, and what was lost of a record."""

    def __init__(self, rejects: dict[int, Reject], notes: Counter[str]) -> None:
        self._values: dict[str, list[Any]] = {}
        self._spellings: dict[str, list[str]] = {}
        self._texts: dict[str, pl.Series] = {}
        self._known: dict[str, str] = {}
        self._rejects = rejects
        self._notes = notes
        self.rows: list[int] = []

    def add(self, rows: Iterable[int], records: Sequence[dict[str, Any]], keys: set[str]) -> None:
        """Take the wanted values out of some records, whose keys are ``keys``; they may then be freed.

        A few hundred at once stay in the processor's cache from parsing until here.
        """
        done = len(self.rows)
        self.rows.extend(rows)
        for key in keys:
            name = self._known.get(key)
            if name is None:
                name = canonical(key)
                if len(self._known) < _KNOWN_KEYS:
                    self._known[key] = name
            if name not in NAMES and name not in ROOTS:
                continue
            if key not in self._values:
                self._values[key] = [None] * done
                spellings = self._spellings.setdefault(name, [])
                spellings.append(key)
                # Whatever came first in this batch: the plain spelling counts before the others.
                spellings.sort(key=lambda spelling: (spelling != name, spelling))
            self._values[key].extend([record.get(key) for record in records])
        for values in self._values.values():
            if len(values) < len(self.rows):
                values.extend([None] * len(records))

    def unfold(self) -> None:
        """Give the fields of nested objects columns of their own."""
        for name in [name for name in self._spellings if name in ROOTS]:
            for key in list(self._spellings[name]):
                if key not in self._texts and not self._is_text(key):
                    for index, value in enumerate(self._values[key]):
                        if isinstance(value, dict):
                            self._unfold_one(index, name, value)

    def _unfold_one(self, index: int, root: str, value: dict[str, Any]) -> None:
        for name, field in unfolded(root, value).items():
            key = f"{root}>{name}"
            if key not in self._values:
                self._values[key] = [None] * len(self.rows)
                self._spellings.setdefault(name, []).append(key)
            self._values[key][index] = field

    def _is_text(self, key: str) -> bool:
        """Whether a column holds nothing but texts and nulls; then it is kept as a series."""
        try:
            self._texts[key] = pl.Series(key, self._values[key], pl.String, strict=True)
        except (TypeError, pl.exceptions.PolarsError):
            return False
        return True

    def has(self, names: Iterable[str]) -> bool:
        """Whether any record has one of the names."""
        return any(name in self._spellings for name in names)

    def keys(self, names: Iterable[str]) -> list[str]:
        """The columns of these names, in the order of trust."""
        return [key for name in names for key in self._spellings.get(name, ())]

    def first(self, names: Iterable[str], kinds: tuple[type, ...] = ()) -> list[Any]:
        """Return per record the value of the first name that is there, not null, and of one of the types, if given."""
        values: list[Any] | None = None
        for key in self.keys(names):
            more = self._values[key]
            if kinds:
                more = [
                    value
                    if value is None or (isinstance(value, kinds) and not isinstance(value, bool))
                    else _text_of(value, is_line=names is LINE)
                    for value in more
                ]
            values = more if values is None else [b if a is None else a for a, b in zip(values, more, strict=True)]
            if None not in values:
                break
        return [None] * len(self.rows) if values is None else list(values)

    def first_of(self, key: str) -> list[Any]:
        """Return the values under one spelling of a name; empty where no record has it."""
        return self._values.get(key, [])

    def value(self, key: str, index: int) -> Any:
        """Return the value of one record under one spelling."""
        return self._values[key][index]

    def note(self, what: str, count: int) -> None:
        """Count what was lost of records."""
        self._notes[what] += count

    def raw(self, names: Iterable[str]) -> pl.Series | None:
        """The column of the only one of these names that there is, where it holds texts and nulls alone."""
        keys = self.keys(names)
        if len(keys) != 1 or not (keys[0] in self._texts or self._is_text(keys[0])):
            return None
        return self._texts[keys[0]]

    def refuse(self, row: int, reason: RejectReason, detail: str) -> None:
        """Note what is wrong with the message of that number; the first reason stays."""
        self._rejects.setdefault(row, Reject(row, reason.value, detail))

    def names(self, name: str, names: Iterable[str], *, counted: bool = True) -> pl.Series:
        """Short texts; an empty one counts as missing, and so does what is no text or too long, which is counted.

        Not ``counted`` are names that are looked at a second time, or in some batches only.
        """
        names = tuple(names)
        series = self.raw(names)
        if series is None:
            values = [value if value != "" else None for value in self.first(names, (str,))]
            if counted and None in values:
                given = zip(values, self.first(names), strict=True)
                self._notes["wrong_type"] += sum(
                    text is None and value is not None and not isinstance(value, str | dict) for text, value in given
                )
            series = pl.Series(name, values, pl.String, strict=True)
        series = series.alias(name)
        long = (series.str.len_bytes() > _NAME_LIMIT).fill_null(value=False)
        if long.any():
            self._notes["overlong_field"] += int(long.sum()) if counted else 0
            series = series.set(long, None)
        return series.set(series == "", None) if (series == "").any() else series

    def integers(self, name: str, names: Iterable[str]) -> pl.Series:
        """Whole numbers of 0 or more, also where they are written as text; anything else is counted and null."""
        values = self.first(names)
        if set(map(type, values)) == {int} and min(values) >= 0 and max(values) < _INT64:
            return pl.Series(name, values, pl.Int64)
        for index, value in enumerate(values):
            number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
            if number is not None and (type(number) is not int or not 0 <= number < _INT64):
                self._notes["wrong_type"] += 1
                number = None
            values[index] = number
        return pl.Series(name, values, pl.Int64)
