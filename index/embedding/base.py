"""What an embedder is: texts in, vectors out."""

from collections.abc import Sequence
from typing import Protocol

from models.records import F32


class Embedder(Protocol):
    """Makes unit vectors of texts."""

    name: str
    """For people."""
    id: str
    """Vectors of embedders with equal ids may be compared."""
    size: int
    """Numbers of a vector."""
    share: float
    """Weight, 0 to 1, of the vectors' cosine in the score of a hit; the words' cosine has the rest."""

    def embed(self, texts: Sequence[str]) -> F32:
        """Return one unit vector a text, shape (texts, size)."""
