"""One definition a record type: a frozen dataclass whose fields, in their order, are those of the JSON object.

``msgspec`` checks the types when a record is read.  What differs between Python and JSON stands beside the field::

    opened: Time                                           # microseconds in Python, RFC 3339 in JSON
    located: Annotated[bool, JsonName("placed")] = False   # another name in JSON

A field with a default may be missing in what is read.  ``orjson`` writes a record from a plain dict, so the bytes do
not depend on how msgspec prints numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Generic, TypeAlias, TypeVar, get_args, get_type_hints

import msgspec
import orjson

from models.errors import InvalidError
from models.rfc3339 import SECOND, parse_time, time_text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JsonName:
    """Name of a field in JSON, where it is not the attribute's."""

    name: str


@dataclass(frozen=True, slots=True)
class JsonForm:
    """How a value is written to JSON, and read from it; None stays None, and a tuple is converted item by item."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


Time: TypeAlias = Annotated[int, JsonForm(time_text, parse_time)]
"""Microseconds since the epoch; RFC 3339 with milliseconds in JSON."""

Seconds: TypeAlias = Annotated[
    float, JsonForm(lambda seconds: time_text(int(seconds * SECOND)), lambda text: parse_time(text) / SECOND)
]
"""Seconds since the epoch; RFC 3339 with milliseconds in JSON."""


@dataclass(frozen=True, slots=True)
class _JsonField:
    """One field: its attribute, its name in JSON, and its form where that differs."""

    attribute: str
    name: str
    form: JsonForm | None


class JsonRecord(Generic[T]):
    """Writes and reads the records of one type; ``what`` and ``advice`` make the error for what is none."""

    def __init__(
        self,
        record_type: type[T],
        schema: str,
        what: str,
        advice: str,
        prepare: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] | None = None,
    ) -> None:
        """Inspect the type once.

        ``prepare`` maps a schema to the function that makes of its objects what the fields describe: for older
        versions, and for what JSON packs in another way.
        """
        self._type = record_type
        self._schema = schema
        self._what = what
        self._advice = advice
        self._prepare: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {schema: dict, **(prepare or {})}
        self._fields = _json_fields(record_type)

    def to_object(self, record: T, schema: str = "") -> dict[str, Any]:
        """Return the JSON object of a record, which may name another ``schema`` than its own."""
        values = ((field, getattr(record, field.attribute)) for field in self._fields)
        return {"schema": schema or self._schema} | {
            field.name: value if field.form is None else _convert(value, field.form.write) for field, value in values
        }

    def from_object(self, value: Any) -> T:
        """Return the record of a JSON object.

        Raises:
            InvalidError: it is of another schema, lacks a field, or holds a value of another type.
        """
        try:
            record = self._prepared(value)
            values = {
                field.attribute: _convert(record[field.name], field.form.read) if field.form else record[field.name]
                for field in self._fields
                if field.name in record
            }
            return msgspec.convert(values, self._type, from_attributes=True)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(f"{self._what} ({type(error).__name__}: {error})", self._advice) from error

    def to_json(self, record: T) -> bytes:
        """Return a record as it stands on its topic."""
        return orjson.dumps(self.to_object(record))

    def from_json(self, data: bytes | str) -> T:
        """Return the record that stands on its topic as ``data``.

        Raises:
            InvalidError: as ``from_object`` does, and for what is no JSON.
        """
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise InvalidError(f"{self._what} ({type(error).__name__}: {error})", self._advice) from error
        return self.from_object(value)

    def _prepared(self, value: Any) -> dict[str, Any]:
        """Return an object as the fields describe it; raise ValueError where its schema is not known."""
        prepare = self._prepare.get(value.get("schema", "")) if isinstance(value, dict) else None
        if prepare is None:
            msg = f"its schema is not {self._schema}"
            raise ValueError(msg)
        return prepare(value)


def _convert(value: Any, change: Callable[[Any], Any]) -> Any:
    if value is None:
        return None
    return [change(item) for item in value] if isinstance(value, list | tuple) else change(value)


def _json_fields(record_type: type[Any]) -> tuple[_JsonField, ...]:
    hints = get_type_hints(record_type, include_extras=True)
    json_fields = []
    for field in fields(record_type):
        annotations = _annotations(hints[field.name])
        name = next((part.name for part in annotations if isinstance(part, JsonName)), field.name)
        form = next((part for part in annotations if isinstance(part, JsonForm)), None)
        json_fields.append(_JsonField(field.name, name, form))
    return tuple(json_fields)


def _annotations(hint: Any) -> list[Any]:
    """Return everything that a type is annotated with, also inside ``X | None`` and ``tuple[X, ...]``."""
    own = list(getattr(hint, "__metadata__", ()))
    return own + [part for argument in get_args(hint) for part in _annotations(argument)]
