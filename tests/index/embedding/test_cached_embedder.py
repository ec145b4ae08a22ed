"""Vectors that were made before."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.embedding.cached_embedder import CachedEmbedder
from index.embedding.hashing_embedder import HashedEmbedder
from index.storage.file_cache import Cache
from models.records import F32

TEXTS = ["Instance spawned", "Volume <*> attached", "Instance spawned"]


class Counting(HashedEmbedder):
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> F32:
        """Embed as ever."""
        self.asked += texts
        return super().embed(texts)


def vectors(cache: Cache, model: str = "m/1") -> tuple[CachedEmbedder, Counting]:
    """Vectors of a process that has just begun."""
    embedder = Counting()
    return CachedEmbedder(cache, model, lambda: embedder), embedder


def test_each_text_is_embedded_once_for_all_processes(tmp_path: Path) -> None:
    """The second process asks its model only for what is new, and gets the same numbers."""
    cache = Cache(tmp_path, 1 << 20)
    first, asked = vectors(cache)
    made = first(TEXTS)
    assert asked.asked == TEXTS[:2]
    assert np.array_equal(made, HashedEmbedder().embed(TEXTS))
    again, later = vectors(cache)
    assert np.array_equal(again([*TEXTS, "new"])[:3], made)
    assert later.asked == ["new"]
    assert (first.made, again.made) == (2, 1)


def test_another_model_has_vectors_of_its_own(tmp_path: Path) -> None:
    """Or another version of it."""
    cache = Cache(tmp_path, 1 << 20)
    vectors(cache)[0](TEXTS)
    other, asked = vectors(cache, "m/2")
    other(TEXTS)
    assert asked.asked == TEXTS[:2]


def test_a_cache_that_cannot_be_written_only_makes_it_slow(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    kept, asked = vectors(Cache(tmp_path / "file", 1 << 20))
    assert np.array_equal(kept(TEXTS), kept(TEXTS))
    assert asked.asked == TEXTS[:2] * 2
    assert kept([]).shape[0] == 0
