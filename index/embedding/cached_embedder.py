"""Vectors of texts that were embedded before, so that a model runs, and is opened, only for new ones."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import numpy as np

from index.storage.file_cache import Cache, key_of
from models.errors import InvalidError
from models.records import F32

if TYPE_CHECKING:
    from index.embedding.base import Embedder

KIND: Final = "vectors"
MOST: Final = 8_192
"""Texts whose vectors are kept of one model: the last used, some 12 MB."""

_DIGEST: Final = 16


class KeptVectors:
    """Texts → unit vectors, one a text: of ``cache`` where they are known there, else of what ``embedder`` opens.

    ``model`` names what makes the vectors, down to its version.
    """

    def __init__(self, cache: Cache, model: str, embedder: "Callable[[], Embedder]") -> None:
        """Nothing is opened before it is needed."""
        self._cache = cache
        self._key = key_of(model)
        self._embedder = embedder
        self.made = 0
        """How many vectors were not known."""

    def __call__(self, texts: Sequence[str]) -> F32:
        """Return one vector a text, shape (texts, size)."""
        keys = [bytes.fromhex(key_of(text)) for text in texts]
        known = self._load()
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if fresh:
            vectors = self._embedder().embed(list(fresh.values()))
            self.made += len(fresh)
            known |= dict(zip(fresh, vectors, strict=True))
            used = {key: known[key] for key in keys}
            others = {key: vector for key, vector in known.items() if key not in used}
            self._save(dict(list((others | used).items())[-MOST:]))
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)

    def _load(self) -> dict[bytes, F32]:
        data = self._cache.get(KIND, self._key)
        if data is None:
            return {}
        count = int.from_bytes(data[:4], "little")
        names = 4 + count * _DIGEST
        matrix = np.frombuffer(data[names:], np.float32).reshape(count, -1)
        return {bytes(data[4 + n * _DIGEST : 4 + (n + 1) * _DIGEST]): matrix[n] for n in range(count)}

    def _save(self, vectors: dict[bytes, F32]) -> None:
        matrix = np.stack(list(vectors.values())).astype(np.float32)
        data = len(vectors).to_bytes(4, "little") + b"".join(vectors) + matrix.tobytes()
        # A cache that cannot be written makes nothing wrong, only slow.
        with suppress(InvalidError):
            self._cache.put(KIND, self._key, data)
