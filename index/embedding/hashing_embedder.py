"""The built-in embedder: no weights, no download, the same vectors on every machine and in every version.

Each word, and each run of letters in it, is thrown by its hash onto a few coordinates with a sign: a sparse random
projection (Kane and Nelson, 2014) of the counts of words.  It knows which words two texts share, not what they mean.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np

from index.text import words as tokens
from models.records import F32, I32

SIZE: Final = 384
_HITS: Final = 8
"""Coordinates that a word falls onto."""

_GRAM: Final = 4
"""Letters of a run: words of one stem share some."""


class HashedEmbedder:
    """Texts → unit vectors of ``size`` numbers, without a model."""

    name = "built-in (hashed words, no model)"
    id = f"hashed-{SIZE}-1.{tokens.VERSION}"
    size = SIZE
    share = 0.15

    def embed(self, texts: Sequence[str]) -> F32:
        """Return one unit vector a text, shape (texts, size); all zeros where a text has no words."""
        out = np.zeros((len(texts), SIZE), np.float32)
        for row, text in zip(out, texts, strict=True):
            for word, count in Counter(tokens.words(text)).items():
                weight = 1.0 + np.log(count)
                at, sign = _place(word)
                np.add.at(row, at, weight * sign)
                grams = list(_grams(word))
                for gram in grams:
                    at, sign = _place(gram)
                    np.add.at(row, at, weight / len(grams) ** 0.5 * sign)
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        np.divide(out, norms, out=out, where=norms > 0)
        return out


def _grams(word: str) -> Iterator[str]:
    framed = f"^{word}$"
    for start in range(len(framed) - _GRAM + 1):
        yield framed[start : start + _GRAM]


@lru_cache(maxsize=65_536)
def _place(word: str) -> tuple[I32, F32]:
    """Coordinates and signs of a word."""
    numbers = np.frombuffer(blake2b(word.encode(errors="replace"), digest_size=4 * _HITS).digest(), "<u4")
    return (numbers >> 1).astype(np.int32) % SIZE, (numbers & 1).astype(np.float32) * 2 - 1
