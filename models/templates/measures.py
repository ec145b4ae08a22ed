"""The order of the numbers of a message among its values: what is measured before what names or counts something.

The word before a number and the unit behind it tell.  A request log has a dozen numbers, of which one is how long the
request took, and it stands where its server's authors put it: behind process, request and worker, or at the end.
"""

import re
from typing import Final

import numpy as np
import polars as pl

from models.records import I64, VALUES

TIMES: Final = r"time|took|elapsed|duration|latency|delay|wait|waited|waiting|lag|rtt?|uct|uht|urt"
"""Words before a duration, the last of ``request_time`` among them; ``rt`` to ``urt`` as in examples of nginx."""

MEASURES: Final = (
    r"status(?:[ _]code)?|code|len|length|size|count|total|bytes|ram|mem|memory|disk|v?cpus?|used|free|usage|load|queue"
    r"|depth|pending|backlog|retries|attempts?|timeout|rate|percent|rows_sent|rows_examined|generated"
)
"""Words before other numbers that measure, or tell how something ended."""

NAMES: Final = (
    r"p?pid|tid|uid|gid|ids?|port|req|request|seq|seqno|sequence|serial|app|core|worker|thread|process|child|xid|lsn"
    r"|offset|position|pos|index|version|microversion|revision|generation|term|connection|conn|channel|session|job|task"
    r"|line|vlan|vni|tag|code line|uptime|up for|up|age|since|epoch|timestamp"
)
"""Words before numbers that name or count something, or only grow."""

SECONDS: Final = r"seconds?|secs?|s|ms|msecs?|milliseconds?|usecs?|[un]s|microseconds?|nanoseconds?|minutes?|mins?"
"""Units of durations."""

SIZES: Final = r"[kKMGT]i?B|bytes|octets|hours?|days?|percent"
"""Units of other measures."""

LABEL: Final = r"""(?:[A-Za-z_]+['"]?:? +|[A-Za-z_]+)"""
"""A word before a value, for a pattern that finds both; without a blank it is the key of ``key=value``."""

UNIT: Final = rf"(?: (?:{SECONDS}|{SIZES})(?-u:\b))"
"""A unit behind a value."""

_DIGITS: Final = r"([-+]?[0-9]+(\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)(%|[A-Za-z]+)?"

NUMBER: Final = (
    r"""^(?:([A-Za-z_]+)['"]?(?::? +|=))?=?((?:/[0-9]+){2,}/\+?)?""" + _DIGITS + rf"(?: ({SECONDS}|{SIZES}))?$"
)
"""A value with its label and unit that is a number: groups for label, timers, number, its fraction and both units.

Of timers such as HAProxy's ``/0/1/4012/4013`` the last one is the number, the total."""

BARE_NUMBER: Final = rf"^=?()(){_DIGITS}$"
"""The same of a value alone."""

DURATION, MEASURE, PRECISE, UNKNOWN, NAME = range(5)
"""How much a number deserves a place, the most first.  What words tell comes first, because templates show them too."""

_WORD: Final = r"(?i)(?:[a-z]+_)*(?:{})"
_LABELS: Final = (
    (re.compile(_WORD.format(TIMES)), DURATION),
    (re.compile(_WORD.format(NAMES)), NAME),
    (re.compile(_WORD.format(MEASURES)), MEASURE),
)
_SECONDS: Final = re.compile(SECONDS)
_SCALED: Final = re.compile(r"s|ms|us|ns|[kKMGT]i?B")
"""Units that are written together with a number."""


def rank_of(label: str, unit: str) -> int:
    """Return how much a number deserves a place, by the word before it and the unit behind it ("" for none)."""
    if unit:
        return DURATION if _SECONDS.fullmatch(unit) else MEASURE
    return next((rank for words, rank in _LABELS if words.fullmatch(label)), UNKNOWN)


def ranks(parts: pl.DataFrame) -> I64:
    """Return how much each number (n,) deserves a place; ``parts`` are the groups of ``NUMBER``."""
    label, timers, _, fraction, scaled, unit = (parts.to_series(i) for i in range(6))
    # Few different words stand around many numbers.
    words = pl.select(pl.concat_str(*(p.fill_null("") for p in (label, unit, scaled)), separator="|")).to_series()
    spoken = {text: _rank_of_words(*text.split("|")) for text in words.unique().to_list()}
    rank: I64 = words.replace_strict(spoken, return_dtype=pl.Int64).to_numpy().copy()
    precise = (timers.is_not_null() | fraction.is_not_null()).to_numpy()
    rank[precise & (rank == UNKNOWN)] = PRECISE
    return rank


def _rank_of_words(label: str, unit: str, scaled: str) -> int:
    rank = rank_of(label, unit)
    return PRECISE if rank == UNKNOWN and _SCALED.fullmatch(scaled) else rank


def chosen(row: I64, rank: I64) -> I64:
    """Return which numbers (n,) to keep, at most ``VALUES`` of each row, by their rank; those of equal rank in order.

    Args:
        row: message of each number (n,), ascending.
        rank: how much each number (n,) deserves a place, as ``ranks`` has it.
    """
    order = np.argsort(row * (NAME + 1) + rank, kind="stable")
    place = np.arange(len(row)) - np.searchsorted(row, row, "left")
    kept: I64 = order[place < VALUES]
    return kept


_SLOT: Final = re.compile(r"<\*>")
_LABEL_BEFORE: Final = re.compile(r"""([A-Za-z_]+)['"]?(?::? +|=)$""")
_UNIT_BEHIND: Final = re.compile(rf" ({SECONDS}|{SIZES})\b")


def slots_by_rank(template: str) -> list[tuple[re.Match[str], int]]:
    """Return the ``<*>`` of a template with their ranks, in the order in which their numbers stand among the values.

    Those up to ``MEASURE`` are numbers and stand first; any other may be a name or a path.
    """
    ranked = []
    for slot in _SLOT.finditer(template):
        label = _LABEL_BEFORE.search(template, 0, slot.start())
        unit = _UNIT_BEHIND.match(template, slot.end())
        ranked.append((slot, rank_of(label[1] if label else "", unit[1] if unit else "")))
    return sorted(ranked, key=lambda entry: entry[1])
