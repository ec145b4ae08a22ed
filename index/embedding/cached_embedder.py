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
MAX_TEXTS: Final = 8_192
"""Texts whose vectors are kept of one model, the last used ones: a judgement, some 12 MB with 384 numbers a vector."""

_KEY_BYTES: Final = 16
"""Bytes of a text's hash: two of a billion texts are alike once in 10^20 caches."""


class CachedEmbedder:
    """Makes unit vectors of texts, or takes them from a cache."""

    def __init__(self, cache: Cache, model: str, open_embedder: "Callable[[], Embedder]") -> None:
        """Call ``open_embedder`` with the first text that is not in ``cache``.

        ``model`` names what makes the vectors, down to its version.
        """
        self._cache = cache
        self._key = key_of(model)
        self._open_embedder = open_embedder
        self.made = 0
        """How many vectors were not in the cache."""

    def __call__(self, texts: Sequence[str]) -> F32:
        """Return one vector a text, shape (texts, size)."""
        keys = [bytes.fromhex(key_of(text)) for text in texts]
        known = self._load()
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if fresh:
            vectors = self._open_embedder().embed(list(fresh.values()))
            self.made += len(fresh)
            known |= dict(zip(fresh, vectors, strict=True))
            used = {key: known[key] for key in keys}
            others = {key: vector for key, vector in known.items() if key not in used}
            self._save(dict(list((others | used).items())[-MAX_TEXTS:]))
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)

    def _load(self) -> dict[bytes, F32]:
        """Return the vectors by the keys of their texts: how many, all keys, and the matrix, one after the other."""
        data = self._cache.get(KIND, self._key)
        if data is None:
            return {}
        count = int.from_bytes(data[:4], "little")
        keys, numbers = data[4 : 4 + count * _KEY_BYTES], data[4 + count * _KEY_BYTES :]
        matrix = np.frombuffer(numbers, np.float32).reshape(count, -1)
        return {bytes(keys[row * _KEY_BYTES : (row + 1) * _KEY_BYTES]): matrix[row] for row in range(count)}

    def _save(self, vectors: dict[bytes, F32]) -> None:
        matrix = np.stack(list(vectors.values())).astype(np.float32)
        data = len(vectors).to_bytes(4, "little") + b"".join(vectors) + matrix.tobytes()
        # A cache that cannot be written makes nothing wrong, only slow.
        with suppress(InvalidError):
            self._cache.put(KIND, self._key, data)
