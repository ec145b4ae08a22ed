"""Template ids as the small numbers that a model works on."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from models.errors import InvalidError
from models.records import I32, U64

PAD: Final = 0
"""Fills sequences up to a fixed length."""

START: Final = 1
"""Before the first event of a window."""

END: Final = 2
"""After the last event of a session."""

NEW: Final = 3
"""A template that training did not see (or hardly): an event of its own, not an error."""

SPECIAL: Final = 4
"""Number of the tokens above: templates follow."""


class Vocabulary:
    """Tokens 4, 5, … for template ids in ascending order; everything else is NEW."""

    def __init__(self, ids: Iterable[int]) -> None:
        self.ids: U64 = np.array(sorted(set(ids)), dtype=np.uint64)

    def __len__(self) -> int:
        """Number of tokens, the special ones included."""
        return len(self.ids) + SPECIAL

    def encode(self, templates: npt.NDArray[np.uint64]) -> I32:
        """Return the token (n,) of each template id (n,)."""
        if not len(self.ids):
            return np.full(len(templates), NEW, np.int32)
        index = np.minimum(np.searchsorted(self.ids, templates), len(self.ids) - 1)
        is_known = self.ids[index] == templates
        return np.where(is_known, index + SPECIAL, NEW).astype(np.int32)

    def to_json(self) -> list[str]:
        """Return the ids in hexadecimal, in the order of the tokens."""
        return [f"{number:016x}" for number in self.ids.tolist()]

    @classmethod
    def from_json(cls, names: list[str]) -> "Vocabulary":
        """Read what ``to_json`` wrote.

        Raises:
            InvalidError: ``names`` is no such list.
        """
        try:
            return cls(int(name, 16) for name in names)
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidError(f"damaged vocabulary: {error}", "train the bundle again") from error
