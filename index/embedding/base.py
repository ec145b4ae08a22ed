"""What every embedder gives: vectors of texts."""

from collections.abc import Sequence
from typing import Protocol

from models.records import F32


class Embedder(Protocol):
    """Texts → unit vectors, shape (texts, size); vectors of equal ``id`` may be compared."""

    name: str
    id: str
    size: int
    share: float
    """Weight of the vectors' cosine in a hit's score; that of the words has the rest."""

    def embed(self, texts: Sequence[str]) -> F32:
        """Return one vector a text."""
