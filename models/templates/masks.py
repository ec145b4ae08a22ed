"""Masks: cut the values out of messages, so that what stays is the text that a programmer wrote.

All masks are one alternation, so a column of messages is masked in a few passes of one compiled automaton instead of
one pass a mask.
"""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from models.arrays import distinct
from models.errors import InvalidError
from models.records import F32, F64, VALUES
from models.templates import measures

VALUE: Final = "<*>"

_ADJACENT: Final = r"<\*>(?:(?:, ?| |=)?<\*>)+"
"""A list of values of whatever length is one value, and so is a path with a query."""

LOOKED_AT: Final = 2048
"""Characters of a message that masks are tried on: they take the square of it at worst.

A template has 64 words at most, which fit in many times over.
"""
_REST: Final = f" {VALUE}"

_CHOICE: Final = "values"
"""Key of the record that says which numbers of a message are kept, where it is not the first ones."""

_UNITS: Final[Mapping[str, float]] = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "k": 1e3,
    "K": 2.0**10,
    "M": 2.0**20,
    "G": 2.0**30,
    "T": 2.0**40,
    "kB": 1e3,
    "KB": 2.0**10,
    "MB": 2.0**20,
    "GB": 2.0**30,
    "TB": 2.0**40,
    "KiB": 2.0**10,
    "MiB": 2.0**20,
    "GiB": 2.0**30,
    "TiB": 2.0**40,
}
"""Factor to seconds or bytes; any other unit counts as 1."""


@dataclass(frozen=True, slots=True)
class Mask:
    """One mask; with ``kept`` its pattern begins with a group that stays.

    With ``becomes`` what it cuts out is no value, but says what happened: this word is put in its place, in
    messages that match ``where``, if it is given.
    """

    name: str
    pattern: str
    kept: bool
    becomes: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Masked:
    """Messages without their values.

    ``text`` holds ``<*>`` where values stood; ``values`` (n, VALUES) numbers among these in order, as
    ``Masks.numbers`` has them: durations in seconds, sizes in bytes, NaN where there are fewer.
    """

    text: pl.Series
    values: F32


class Masks:
    """A list of masks, compiled."""

    def __init__(self, masks: Sequence[Mask], *, by_meaning: bool = True) -> None:
        """Compile; raises InvalidError that names the mask whose pattern is wrong.

        With ``by_meaning`` the numbers that are kept of a message are those that measure something; bundles of older
        versions were trained on the first ones.
        """
        for mask in masks:
            _check(mask)
        self.masks = tuple(masks)
        values = [mask for mask in masks if not mask.becomes]
        self._outcomes = _by_place([mask for mask in masks if mask.becomes])
        self._any_outcome = "|".join(f"(?:{where})" for where, _ in self._outcomes)
        self._kept = [(mask.pattern, "${1}" + VALUE) for mask in values if mask.kept]
        self._any = "|".join(f"(?:{mask.pattern})" for mask in masks if not mask.kept)
        # Prefixes that stay are found again as part of the value; "=" is stripped before a number is read.
        self._values = "|".join(f"(?:{mask.pattern})" for mask in (*(m for m in values if m.kept), *_plain(masks)))
        self._by_meaning = by_meaning
        self._numbers = self._values
        if by_meaning and self._values:
            self._numbers = f"{measures.LABEL}??(?:{self._values}){measures.UNIT}?"
        content = "\0".join(f"{mask.name}\0{mask.pattern}\0{mask.kept}{mask.becomes}{mask.where}" for mask in masks)
        content += f"\0{_CHOICE}" * by_meaning
        self.version = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()

    @classmethod
    @cache
    def default(cls) -> "Masks":
        """The shipped masks."""
        return cls(
            _parse(
                tomllib.loads(resources.files("models.templates").joinpath("masks.toml").read_text("utf-8")), "shipped"
            )
        )

    @classmethod
    def load(cls, path: Path) -> "Masks":
        """The shipped masks with those of a file before them.

        Raises:
            InvalidError: the file cannot be read, or a mask in it is wrong.
        """
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InvalidError(f"cannot read masks from {path}: {error}", "correct the file or TOCSIN_MASKS") from error
        without = set(table.pop("without", []))
        shipped = cls.default().masks
        unknown = without - {mask.name for mask in shipped}
        if unknown:
            names = ", ".join(sorted(unknown))
            raise InvalidError(
                f"{path} switches off {names}: no shipped mask", "see models/templates/masks.toml for their names"
            )
        return cls([*_parse(table, str(path)), *(mask for mask in shipped if mask.name not in without)])

    @classmethod
    def from_records(cls, records: Sequence[Mapping[str, Any]]) -> "Masks":
        """The masks that ``records`` gave; raises InvalidError where they are none."""
        try:
            by_meaning = bool(records) and _CHOICE in records[0]
            return cls([_from_record(record) for record in records[by_meaning:]], by_meaning=by_meaning)
        except (KeyError, TypeError) as error:
            raise InvalidError(f"not a list of masks: {error!r}", "the bundle is damaged: train it again") from error

    def records(self) -> list[dict[str, Any]]:
        """The masks as plain records, for a bundle."""
        choice: list[dict[str, Any]] = [{_CHOICE: "by meaning"}] if self._by_meaning else []
        return choice + [
            {"name": mask.name, "pattern": mask.pattern, "kept": mask.kept}
            | ({"becomes": mask.becomes, "where": mask.where} if mask.becomes else {})
            for mask in self.masks
        ]

    def apply(self, messages: pl.Series) -> Masked:
        """Cut the values out of a column of messages."""
        messages = _shortened(messages)
        return Masked(self.text(messages), self.numbers(messages))

    def text(self, messages: pl.Series) -> pl.Series:
        """Messages with ``<*>`` where values stood."""
        text = self._with_outcomes(_shortened(messages))
        for pattern, replacement in self._kept:
            text = text.str.replace_all(pattern, replacement)
        if self._any:
            text = text.str.replace_all(self._any, VALUE)
        return text.str.replace_all(_ADJACENT, VALUE)

    def _with_outcomes(self, text: pl.Series) -> pl.Series:
        """What says how something ended as a word; most messages say nothing of the kind."""
        if not self._outcomes or not (hit := text.str.contains(self._any_outcome)).any():
            return text
        ended = text.filter(hit)
        for where, outcomes in self._outcomes:
            some = ended.str.contains(where)
            if some.any():
                changed = ended.filter(some)
                for pattern, replacement in outcomes:
                    changed = changed.str.replace_all(pattern, replacement)
                ended = ended.clone().scatter(some.arg_true(), changed)
        return text.clone().scatter(hit.arg_true(), ended)

    def numbers(self, messages: pl.Series) -> F32:
        """The VALUES numbers of each message that say most, what measures first; by old masks the first VALUES ones.

        Shape (n, VALUES), float32, NaN where there are fewer.
        """
        messages = _shortened(messages)
        out = np.full((len(messages), VALUES), np.nan, np.float32)
        if not len(messages) or not self._values:
            return out
        matches = (
            pl.DataFrame({"value": messages.str.extract_all(self._numbers)}).with_row_index("row").explode("value")
        )
        matches = matches.filter(pl.col("value").is_not_null())
        # Statuses, counts and units come again and again.
        value, of = distinct(matches["value"])
        number = measures.NUMBER if self._by_meaning else measures.BARE_NUMBER
        parts = matches["value"].gather(value).str.extract_groups(number).struct.unnest()
        scaled = _amounts(parts)
        kept = np.flatnonzero(~np.isnan(scaled[of]))
        row, of = matches["row"].to_numpy()[kept].astype(np.int64), of[kept]
        if self._by_meaning:
            choice = measures.chosen(row, measures.ranks(parts)[of])
            row, of = row[choice], of[choice]
        rank = np.arange(len(row)) - np.searchsorted(row, row, "left")
        first = rank < VALUES
        with np.errstate(over="ignore"):
            out[row[first], rank[first]] = scaled[of][first].astype(np.float32)
        return out

    def kinds(self, message: str) -> list[str]:
        """Names of the masks that cut each value out of this message, in order; for explanations."""
        matches = pl.Series([message]).str.extract_all(self._values).to_list()[0] or []
        return [self._kind(value) for value in matches]

    def _kind(self, value: str) -> str:
        for mask in self.masks:
            if pl.Series([value]).str.contains(f"^(?:{mask.pattern})$").item():
                return mask.name
        return "unknown"


def _amounts(parts: pl.DataFrame) -> F64:
    """Numbers (n,) in seconds and bytes; ``parts`` are the groups of ``measures.NUMBER``."""
    amount = parts.to_series(2).cast(pl.Float64, strict=False)
    factor = parts.to_series(4).replace_strict(_UNITS, default=1.0, return_dtype=pl.Float64)
    amounts: F64 = (amount * factor.fill_null(1.0)).cast(pl.Float64).fill_null(np.nan).to_numpy()
    return amounts


def _from_record(record: Mapping[str, Any]) -> Mask:
    return Mask(str(record["name"]), str(record["pattern"]), bool(record["kept"]), *_outcome(record))


def _outcome(record: Mapping[str, Any]) -> tuple[str, str]:
    return str(record.get("becomes", "")), str(record.get("where", ""))


def _by_place(masks: Sequence[Mask]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Where to look, each with patterns and what they become: a mask that does not say where is looked for itself."""
    places: dict[str, list[Mask]] = {}
    for mask in masks:
        places.setdefault(mask.where, []).append(mask)
    return [
        (where or "|".join(f"(?:{mask.pattern})" for mask in some), [(m.pattern, "${1}" + m.becomes) for m in some])
        for where, some in places.items()
    ]


def _shortened(messages: pl.Series) -> pl.Series:
    """Messages cut to LOOKED_AT characters: what stands behind them is one value."""
    long = messages.str.len_bytes() > LOOKED_AT
    if not long.any():
        return messages
    # Cut between words: half a word would be another word.
    short = messages.str.slice(0, LOOKED_AT - len(_REST)).str.replace(r"\s\S*$", "") + _REST
    return pl.select(pl.when(long & (messages.str.len_chars() > LOOKED_AT)).then(short).otherwise(messages)).to_series()


def _plain(masks: Sequence[Mask]) -> list[Mask]:
    return [mask for mask in masks if not mask.kept]


def _parse(table: Mapping[str, Any], where: str) -> list[Mask]:
    unknown = set(table) - {"kept", "mask"}
    if unknown:
        raise InvalidError(f"{where}: {', '.join(sorted(unknown))} is no part of it", "use [[kept]] and [[mask]]")
    try:
        return [
            Mask(str(entry["name"]), str(entry["pattern"]), kind == "kept", *_outcome(entry))
            for kind in ("kept", "mask")
            for entry in table.get(kind, [])
        ]
    except (KeyError, TypeError) as error:
        raise InvalidError(f"{where}: every mask needs a name and a pattern ({error!r} is missing)") from error


def _check(mask: Mask) -> None:
    try:
        probe = pl.Series(["", "a=1 b"])
        groups = len(probe.str.extract_groups(mask.pattern).struct.fields)
        matches_nothing = bool(pl.Series([""]).str.contains(mask.pattern).item())
    except pl.exceptions.PolarsError as error:
        raise InvalidError(
            f"mask {mask.name!r} has no valid pattern ({error})", "it takes Rust's syntax, without look-around"
        ) from error
    if matches_nothing:
        raise InvalidError(
            f"mask {mask.name!r} matches the empty text", "make its pattern match at least one character"
        )
    if groups != int(mask.kept):
        wanted = "one group, the prefix that stays" if mask.kept else "no group; write (?:…)"
        raise InvalidError(f"mask {mask.name!r} has {groups} groups", f"it needs {wanted}")
