"""Whether a bundle and logs belong together: which of its services are in them, which of theirs it lacks."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from models.features.sequences import SHARED
from models.features.window_features import Groups
from models.records import I64

REGULAR: Final = 0.1
"""Share of the steps of training in which a service wrote, from which on it must show within minutes.  A judgement: at
steps of 15 seconds one that stays away for ten minutes by chance is rarer than one in fifty."""

_NAMED: Final = 5
"""Services that a sentence names; the others are counted."""


def regular_services(groups: Groups, seen: I64) -> tuple[str, ...]:
    """Return the services that write so often that some minutes of logs without them are no chance.

    ``seen`` (groups,) counts the windows of each group in training.
    """
    everything = int(seen[SHARED])
    return tuple(name for name in groups.services if everything and seen[groups.number(name)] >= REGULAR * everything)


def describe_recognition(
    known: Collection[str], present: Collection[str], expected: Collection[str] = ()
) -> Iterator[str]:
    """Yield what of a bundle's services is in logs, one sentence each; nothing where they belong together.

    Args:
        known: services of the bundle.
        present: services of the logs.
        expected: services of the bundle that should be in these logs.
    """
    both = set(known) & set(present)
    unknown, missing = sorted(set(present) - set(known)), sorted(set(expected) - set(present))
    if present and not both:
        yield (
            f"{len(known)} services of the bundle ({some_names(sorted(known))}), 0 of them in these logs, which hold "
            f"{some_names(unknown)}: only errors count; train on these logs, or name the files as in training"
        )
        return
    if missing:
        yield (
            f"{len(known)} services of the bundle, {len(both)} of them in these logs; missing: {some_names(missing)}"
        )
    if unknown:
        are, their = ("service is", "its") if len(unknown) == 1 else ("services are", "their")
        yield f"{len(unknown)} {are} not in the bundle, so only {their} errors count: {some_names(unknown)}"


def some_names(names: Sequence[str], most: int = _NAMED) -> str:
    """Return the first names, at ``most`` so many, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
