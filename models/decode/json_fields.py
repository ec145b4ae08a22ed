"""Fields of many JSON records as typed columns."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

import polars as pl

from models.records import Reject

_NAME_LIMIT: Final = 1024
"""Bytes of a tenant, source, host, service, path or trace id."""
_INT64: Final = 2**63


class RejectReason(StrEnum):
    """Why a message cannot be understood: the reason on ``logs.dead`` and a metric's label."""

    JSON = "invalid_json"
    NO_LINE = "no_line"
    TYPE = "wrong_type"
    LONG = "overlong"
    NUL = "nul_byte"
    ENCODING = "broken_encoding"


class FieldColumns:
    """The values of a batch's records by key, and the rejects that reading them gives."""

    def __init__(self, keys: Iterable[str], rejects: dict[int, Reject]) -> None:
        self._wanted = frozenset(keys)
        self._values: dict[str, list[Any]] = {}
        self._rejects = rejects
        self.rows: list[int] = []

    def add(self, rows: Iterable[int], records: list[dict[str, Any]]) -> None:
        """Takes the wanted values out of some records, which may then be freed.

        A few hundred at once stay in the processor's cache from parsing until here.
        """
        done = len(self.rows)
        self.rows.extend(rows)
        for key in self._wanted.intersection(set().union(*records)):
            if key not in self._values:
                self._values[key] = [None] * done
            self._values[key].extend([record.get(key) for record in records])
        for values in self._values.values():
            if len(values) < len(self.rows):
                values.extend([None] * len(records))

    def has(self, keys: Iterable[str]) -> bool:
        """Whether any record has one of the keys."""
        return any(key in self._values for key in keys)

    def first(self, keys: Iterable[str]) -> list[Any]:
        """Per record the value of the first key that is there and not null."""
        values: list[Any] | None = None
        for key in keys:
            if key in self._values:
                more = self._values[key]
                values = more if values is None else [b if a is None else a for a, b in zip(values, more, strict=True)]
                if None not in values:
                    break
        return [None] * len(self.rows) if values is None else list(values)

    def nested(self, key: str, names: Iterable[str]) -> list[list[str | None]]:
        """Per name the texts at ``record[key][name]``; null where there is none."""
        inner = [value if isinstance(value, dict) else {} for value in self._values[key]]
        columns = [[value.get(name) for value in inner] for name in names]
        return [[v if isinstance(v, str) and 0 < len(v) <= _NAME_LIMIT else None for v in column] for column in columns]

    def reject(self, index: int, reason: RejectReason, detail: str) -> None:
        """Notes what is wrong with the record at ``index``; the first reason stays."""
        self.refuse(self.rows[index], reason, detail)

    def refuse(self, row: int, reason: RejectReason, detail: str) -> None:
        """Notes what is wrong with the message of that number."""
        self._rejects.setdefault(row, Reject(row, reason.value, detail))

    def texts(self, name: str, values: list[Any]) -> pl.Series:
        """The values as text; what is neither text nor null is rejected."""
        try:
            return pl.Series(name, values, pl.String, strict=True)
        except (TypeError, pl.exceptions.PolarsError):
            for index, value in enumerate(values):
                if value is not None and not isinstance(value, str):
                    self.reject(index, RejectReason.TYPE, f"{name} is {type(value).__name__}, not text")
            return pl.Series(name, [v if isinstance(v, str) else None for v in values], pl.String, strict=True)

    def names(self, name: str, values: list[Any]) -> pl.Series:
        """Short texts; an empty one counts as missing."""
        series = self.texts(name, values)
        for index in (series.str.len_bytes() > _NAME_LIMIT).fill_null(value=False).arg_true().to_list():
            self.reject(index, RejectReason.LONG, f"{name} is longer than {_NAME_LIMIT} bytes")
        return series.set(series == "", None) if (series == "").any() else series

    def integers(self, name: str, values: list[Any]) -> pl.Series:
        """Whole numbers of 0 or more; anything else but null is rejected."""
        if set(map(type, values)) == {int} and min(values) >= 0 and max(values) < _INT64:
            return pl.Series(name, values, pl.Int64)
        for index, value in enumerate(values):
            if value is not None and (type(value) is not int or not 0 <= value < _INT64):
                self.reject(index, RejectReason.TYPE, f"{name} is not a whole number")
                values[index] = None
        return pl.Series(name, values, pl.Int64)
