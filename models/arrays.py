"""Small array tools for ragged data: groups of rows of different lengths inside flat arrays."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from models.records import BOOL, I64, U64

ValueT = TypeVar("ValueT", bound=np.generic)


def ranges(starts: I64, stops: I64) -> I64:
    """Concatenate ``arange(starts[i], stops[i])`` for all i.

    Shapes: (n,), (n,) → (sum of lengths,).  Stops must not lie below starts.
    """
    lengths = stops - starts
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    flat = np.arange(total, dtype=np.int64)
    out: I64 = flat + np.repeat(starts - (ends - lengths), lengths)
    return out


def splits(lengths: I64) -> I64:
    """Row boundaries of groups: (n,) lengths → (n + 1,) starts, the last one being the total."""
    out = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=out[1:])
    return out


def unique(values: npt.NDArray[ValueT]) -> npt.NDArray[ValueT]:
    """Return the different values, ascending, none of them NaN.

    ``np.unique`` hashes, which takes 4 to 24 times as long as to sort: 20,000 numbers, of 300 values or all different.
    """
    ordered = np.sort(values, axis=None)
    is_first = np.ones(len(ordered), np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_first]


def among(values: npt.NDArray[ValueT], ascending: npt.NDArray[ValueT]) -> BOOL:
    """Whether each value (n,) is one of some that ascend (m,): ``np.isin`` without the sorting of either."""
    if not len(ascending):
        return np.zeros(len(values), np.bool_)
    place = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    is_among: BOOL = ascending[place] == values
    return is_among


def group_starts(sorted_ids: I64 | U64) -> I64:
    """Index of the first row of each run of equal values in an array that is sorted by them."""
    if not len(sorted_ids):
        return np.zeros(0, dtype=np.int64)
    change = np.flatnonzero(sorted_ids[1:] != sorted_ids[:-1]) + 1
    return np.concatenate((np.zeros(1, dtype=np.int64), change))


def group_stops(starts: I64, total: int) -> I64:
    """One past the last row of each group, for groups that begin at ``starts`` and fill ``total`` rows."""
    return np.append(starts, total)[1:]


def running_max_before(times: I64, starts: I64, initial: I64) -> I64:
    """Per row the largest time of the rows before it in its group, or the group's initial value.

    ``times`` (n,) lie group after group in the order of record, ``starts`` (g,) are the groups' first rows and
    ``initial`` (g,) what each group had reached before.  Groups already in order (nearly all) cost a few array
    operations; only disordered ones are walked one by one.
    """
    n = len(times)
    before = np.empty(n, dtype=np.int64)
    if not n:
        return before
    before[1:] = times[:-1]
    before[starts] = initial
    sizes = np.diff(np.append(starts, n))
    disordered = times < before
    if disordered.any():
        group_of_row = np.repeat(np.arange(len(starts)), sizes)
        for group in unique(group_of_row[disordered]):
            low, high = int(starts[group]), int(starts[group] + sizes[group])
            before[low:high] = np.maximum.accumulate(before[low:high])
    return before


def distinct(texts: pl.Series) -> tuple[I64, I64]:
    """Find the different texts, told apart by 64-bit hashes.

    Returns:
        The position where each different text stands first (m,), and for each text (n,) which of these it is.
    """
    _, first, inverse = np.unique(texts.hash().to_numpy(), return_index=True, return_inverse=True)
    return first, inverse


def spread(texts: pl.Series, rows: I64, size: int) -> pl.Series:
    """Put texts (n,) at these rows (n,) of a column of ``size``; null elsewhere.

    It gathers from the texts and one null, which is quicker than writing into a column of texts.
    """
    index = np.full(size, len(texts), np.uint32)
    index[rows] = np.arange(len(texts), dtype=np.uint32)
    return pl.concat([texts, pl.Series([None], dtype=pl.String)]).gather(index)


def mix(x: U64) -> U64:
    """Spread the bits of numbers (n,) (the finaliser of SplitMix64, Steele et al., OOPSLA 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out: U64 = x ^ (x >> np.uint64(31))
    return out
