"""Cut logs into episodes: signs are joined by evidence of a common cause, not by the clock.

Two signs belong together where they share a request, instance, volume or port; where both name the same backend, host
or peer, or one waits for the service of the other; or where they say the same on the same service.  Each bond holds for
a while (``HOLDS_S``): what comes back after that is another episode.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from index.episodes.types import Bond, Episode, Sign
from models.rfc3339 import SECOND

HOLDS_S: Final[Mapping[str, float]] = {"id": 600.0, "kind": 600.0, "finding": 600.0, "peer": 180.0, "source": 60.0}
"""Seconds for which a bond of each kind holds: judgements.

A request or a thing that works on is followed for ten minutes, and so is what is said again.  Backends and peers are
common to many, so only what comes within three minutes is put down to one trouble of theirs.  Two errors of one service
on one host need to be within a minute.
"""


def cut(signs: Iterable[Sign]) -> list[Episode]:
    """Return the episodes of some signs, in order of their begin."""
    ordered = sorted(signs, key=lambda sign: (sign.start, sign.end, sign.row, sign.text))
    parent = list(range(len(ordered)))
    last: dict[Bond, int] = {}
    until: dict[Bond, int] = {}
    for number, sign in enumerate(ordered):
        for bond in sign.bonds:
            before = last.get(bond)
            if before is not None and sign.start - until[bond] <= HOLDS_S[bond[0]] * SECOND:
                parent[_root(parent, number)] = _root(parent, before)
                until[bond] = max(until[bond], sign.end)
            else:
                until[bond] = sign.end
            last[bond] = number
    members: dict[int, list[Sign]] = {}
    for number, sign in enumerate(ordered):
        members.setdefault(_root(parent, number), []).append(sign)
    return sorted((Episode(tuple(group)) for group in members.values()), key=lambda episode: episode.start)


def _root(parent: list[int], number: int) -> int:
    while parent[number] != number:
        parent[number] = parent[parent[number]]
        number = parent[number]
    return number


def context(episode: Episode, others: Sequence[Episode], slack_s: float) -> Episode:
    """Return an episode with the strong ones that overlap it, or nearly: what goes on meanwhile may be its cause."""
    near = [other for other in others if other.strong and other is not episode and episode.near(other, round(slack_s * SECOND))]
    signs = sorted((sign for part in (episode, *near) for sign in part.signs), key=lambda sign: (sign.start, sign.row))
    return Episode(tuple(signs))
