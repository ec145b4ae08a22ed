"""The built-in embedder: no weights, no download, the same vectors on every machine and in every version.

Each word, and each run of letters in it, is hashed to a few coordinates and signs: a sparse random projection (Kane and
Nelson, 2014) of the counts of words.  It knows which words two texts share, not what they mean.
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
"""Numbers of a vector: as many as MiniLM's."""

_COORDINATES: Final = 8
"""Coordinates that a word is hashed to: a judgement, as few keep collisions of two words rare."""

_GRAM_LETTERS: Final = 4
"""Letters of a run: a judgement, words of one stem share some."""


class HashedEmbedder:
    """Makes unit vectors of texts, without a model."""

    name = "built-in (hashed words, no model)"
    id = f"hashed-{SIZE}-1.{tokens.VERSION}"
    size = SIZE
    share = 0.15
    """A judgement: the words' own cosine, which has the rest, says nearly the same and more exactly."""

    def embed(self, texts: Sequence[str]) -> F32:
        """Return one unit vector a text, shape (texts, size); all zeros where a text has no words."""
        out = np.zeros((len(texts), SIZE), np.float32)
        for row, text in zip(out, texts, strict=True):
            for word, count in Counter(tokens.words(text)).items():
                weight = 1.0 + np.log(count)
                coordinates, signs = _hashed(word)
                np.add.at(row, coordinates, weight * signs)
                grams = list(_grams(word))
                for gram in grams:
                    coordinates, signs = _hashed(gram)
                    np.add.at(row, coordinates, weight / len(grams) ** 0.5 * signs)
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        np.divide(out, norms, out=out, where=norms > 0)
        return out


def _grams(word: str) -> Iterator[str]:
    framed = f"^{word}$"
    for start in range(len(framed) - _GRAM_LETTERS + 1):
        yield framed[start : start + _GRAM_LETTERS]


@lru_cache(maxsize=65_536)
def _hashed(word: str) -> tuple[I32, F32]:
    """Return the coordinates and signs (1 or -1) of a word, shape (8,) each."""
    numbers = np.frombuffer(blake2b(word.encode(errors="replace"), digest_size=4 * _COORDINATES).digest(), "<u4")
    return (numbers >> 1).astype(np.int32) % SIZE, (numbers & 1).astype(np.float32) * 2 - 1
