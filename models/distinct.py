"""Texts that repeat, looked at once."""

import numpy as np
import polars as pl

from models.records import I64


def distinct(texts: pl.Series) -> tuple[I64, I64]:
    """Where each different text (n,) stands first, and which of these each text is; told apart by 64-bit hashes."""
    _, first, inverse = np.unique(texts.hash().to_numpy(), return_index=True, return_inverse=True)
    return first, inverse


def spread(texts: pl.Series, rows: I64, size: int) -> pl.Series:
    """Put texts at these rows of a column of ``size``; null elsewhere.

    Gathering beats writing into a column of texts.
    """
    place = np.full(size, len(texts), np.uint32)
    place[rows] = np.arange(len(texts), dtype=np.uint32)
    return pl.concat([texts, pl.Series([None], dtype=pl.String)]).gather(place)
