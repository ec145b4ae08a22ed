"""Cut logs into episodes: signs are joined by evidence of a common cause, not by the clock.

Two signs belong together where they share a request, instance, volume or port; where both name the same backend, host
or peer, or one waits for the service of the other; or where they say the same on the same service.  Each bond holds for
a while (``HOLDS_S``): what comes back after that is another episode.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from index.episodes.types import Bond, EpisodeSign, LogEpisode
from models.rfc3339 import SECOND

HOLDS_S: Final[Mapping[str, float]] = {"id": 600.0, "kind": 600.0, "finding": 120.0, "peer": 180.0, "source": 20.0}
"""Seconds for which a bond of each kind holds: judgements.

A request or a thing that works on is followed for ten minutes, and so is what is said again; what detectors find in one
window after the other is one trouble for two.  Backends and peers are
common to many, so only what comes within three minutes is put down to one trouble of theirs.  Two errors of one service
on one host need to be within seconds: it may have several troubles at a time.
"""

_TIES: Final[Mapping[str, Sequence[tuple[str, float]]]] = {
    "peer": (("peer", HOLDS_S["peer"]), ("own", HOLDS_S["peer"])),
    "own": (("peer", 10.0),),
}
"""With which earlier bonds of the same value one meets, and for how many seconds; the others meet their own kind.

``peer`` is whom a sign names or waits for, ``own`` the service that wrote it.  An error of a service explains who waits
for it in vain within minutes, but not the other way round; and two errors of its own need not be one trouble.
"""

_TYING: Final = frozenset({"id", "peer"})
"""Bonds by which a warning joins an episode of errors."""

_ATTACHED_US: Final = 60 * SECOND
"""Microseconds around the errors within which it must lie (a judgement)."""


def cut(signs: Iterable[EpisodeSign]) -> list[LogEpisode]:
    """Return the episodes of some signs, in order of their begin.

    Strong signs make episodes.  Warnings join one that they share an id or a peer with, and are otherwise episodes of
    their own: what always warns a little must not tie together what has nothing else in common.
    """
    every = list(signs)
    strong = _joined(sign for sign in every if sign.strong)
    weak = _joined(sign for sign in every if not sign.strong)
    places: dict[Bond, list[int]] = {}
    for number, episode in enumerate(strong):
        for bond in {bond for sign in episode.signs for bond in sign.bonds if bond[0] in _TYING}:
            places.setdefault(bond, []).append(number)
    more: dict[int, list[EpisodeSign]] = {}
    apart = []
    for episode in weak:
        host = _host(episode, strong, places)
        if host is None:
            apart.append(episode)
        else:
            more.setdefault(host, []).extend(episode.signs)
    grown = [
        LogEpisode(tuple(sorted([*episode.signs, *more.get(number, ())], key=_order)))
        for number, episode in enumerate(strong)
    ]
    return sorted([*grown, *apart], key=lambda episode: episode.start)


def _host(episode: LogEpisode, strong: Sequence[LogEpisode], places: Mapping[Bond, Sequence[int]]) -> int | None:
    """Return the number of the strong episode that warnings belong to, None where they stand for themselves."""
    bonds = {bond for sign in episode.signs for bond in sign.bonds}
    shared = sorted({number for bond in bonds for number in places.get(bond, ())})
    return next((number for number in shared if strong[number].holds(episode, _ATTACHED_US)), None)


def _order(sign: EpisodeSign) -> tuple[int, int, int, str]:
    return sign.start, sign.end, sign.row, sign.text


def _joined(signs: Iterable[EpisodeSign]) -> list[LogEpisode]:
    """Return what bonds join, in order of its begin."""
    ordered = sorted(signs, key=_order)
    parent = list(range(len(ordered)))
    last: dict[Bond, int] = {}
    until: dict[Bond, int] = {}
    for number, sign in enumerate(ordered):
        for bond in sign.bonds:
            for with_, holds_s in _TIES.get(bond[0], ((bond[0], HOLDS_S.get(bond[0], 0.0)),)):
                earlier = (with_, *bond[1:])
                if earlier in last and sign.start - until[earlier] <= holds_s * SECOND:
                    parent[_root(parent, number)] = _root(parent, last[earlier])
            until[bond] = max(until.get(bond, sign.end), sign.end)
            last[bond] = number
    members: dict[int, list[EpisodeSign]] = {}
    for number, sign in enumerate(ordered):
        members.setdefault(_root(parent, number), []).append(sign)
    return sorted((LogEpisode(tuple(group)) for group in members.values()), key=lambda episode: episode.start)


def _root(parent: list[int], number: int) -> int:
    while parent[number] != number:
        parent[number] = parent[parent[number]]
        number = parent[number]
    return number
