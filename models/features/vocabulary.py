"""Template ids as the small numbers that a model works on."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from models.arrays import among
from models.errors import InvalidError
from models.records import BOOL, I32, U64

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
    """Tokens 4, 5, … for template ids in ascending order; everything else is NEW.

    ``rare`` are ids among these others that training saw, though too rarely to learn from, as what is written at a
    start.  Training itself does not know them: to it they stand for all that is new in normal operation.
    """

    def __init__(self, ids: Iterable[int], rare: Iterable[int] = ()) -> None:
        self.ids: U64 = np.array(sorted(set(ids)), dtype=np.uint64)
        self.rare: U64 = np.array(sorted(set(rare)), dtype=np.uint64)

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

    def is_rare(self, templates: U64) -> BOOL:
        """Return whether each template (n,) is one that training saw too rarely to learn from."""
        return among(templates, self.rare)

    def to_json(self) -> dict[str, list[str]]:
        """Return the ids in hexadecimal, in the order of the tokens."""
        return {"templates": _hex(self.ids), "rare": _hex(self.rare)}

    @classmethod
    def from_json(cls, record: dict[str, list[str]] | list[str]) -> "Vocabulary":
        """Read what ``to_json`` wrote, or the list of ids that older versions wrote.

        Raises:
            InvalidError: ``record`` is no such thing.
        """
        try:
            known, rare = (record, []) if isinstance(record, list) else (record["templates"], record["rare"])
            return cls((int(name, 16) for name in known), (int(name, 16) for name in rare))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InvalidError(f"damaged vocabulary: {error}", "train the bundle again") from error


def _hex(ids: U64) -> list[str]:
    return [f"{number:016x}" for number in ids.tolist()]
