"""Which episode an issue asks for: by what it names outright, then by what it is about; or that none tells of it."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

import numpy as np

from index.episodes.found import TELLING
from index.episodes.types import EpisodeSign, LogEpisode
from index.evidence.issue import Issue
from index.lines.callees import NAMED_BACKENDS
from index.lines.log_records import LogRecords
from index.lines.service_layers import project
from index.text.words import words
from models.arrays import unique
from models.rfc3339 import SECOND

_STRANGER: Final = 0.4
"""Share of its score that an episode keeps of which no sign is about the issue (a judgement) …"""

_WARNING: Final = 0.8
"""… and one that only warns."""

_CONSEQUENCE: Final = 0.5
"""Share that a warning keeps which comes soon after errors about the same (a judgement) …"""

_CONSEQUENCE_US: Final = 300 * SECOND
"""… within so many microseconds."""

_FAR: Final = 0.3
"""Points that an episode loses at the edge of the time that an issue names (a judgement) …"""

_EDGE_US: Final = 600 * SECOND
"""… which is ten minutes away."""

_WARNING_WORDS: Final = 2
"""Words that a warning must share with an issue to be about it (a judgement; one is enough for an error)."""

_BREADTH: Final = 0.25
"""Share by which an episode gains with each doubling of the services that it hits (a judgement)."""

_OWN: Final = 1.25
"""Times that a sign counts that the issue's project writes, and one that names its backend (a judgement)."""

_OFTEN: Final = 0.25
"""Power by which a sign loses that comes in several episodes (a judgement) …"""

_OFTEN_WARNING: Final = 0.5
"""… and a warning."""

_SHARES: Final = (1.0, 0.25, 0.15)
"""Shares of the best signs of different texts in what an episode says (a judgement: one may say it all)."""

_AS_SAID: Final = 1.6
"""Times that a detector's finding counts which the issue has in its own words: "slow", "dead" (a judgement)."""

_RIVAL: Final = 0.85
"""Share of the best episode's rank from which on another one may be meant as well (a judgement)."""

_AS_ANSWERED: Final = 1.3
"""Times that an episode counts in which a request was answered with the status that the issue names (a judgement)."""

_AS_CALLED: Final = 1.5
"""Times that an episode counts in which a request did what the issue says fails: "create a volume" (a judgement)."""

_OTHER_CALL: Final = 0.7
"""Share that an episode keeps whose requests did only other things that people ask for (a judgement)."""

_NAMED: Final = 6
"""Words of an issue that an answer names (a judgement)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The episode that is asked for, None where nothing tells of the issue; ``others`` in order of their weight."""

    episode: LogEpisode | None
    others: tuple[LogEpisode, ...]
    looked_for: str = ""
    """What was looked for and not found, as a phrase."""
    rivals: tuple[LogEpisode, ...] = ()
    """Those of the others that the issue may mean as well."""


def choose(episodes: Sequence[LogEpisode], issue: Issue, records: LogRecords) -> Choice:
    """Return the episode that an issue asks for, and the others.

    What the issue names outright holds: an id, a host, a time.  Of the episodes that are left, those count that are
    about it; where it says only that something is wrong, all do.
    """
    candidates = list(episodes)
    for keep, phrase in _demands(issue, records):
        candidates = [episode for episode in candidates if keep(episode)]
        if not candidates:
            return Choice(None, _by_weight(episodes), phrase)
    named = bool(issue.ids or issue.hosts or issue.moments)
    about = [episode for episode in candidates if _tells(episode, issue)]
    if not about and not named:
        return Choice(None, _by_weight(episodes), f"signs of a failure about {_subjects(issue)}")
    if not (about or candidates):
        return Choice(None, (), "a line that tells of a failure")
    answered, often = _answered(issue, records), _how_often(episodes)
    asked, others = (_requests(calls, records) for calls in (issue.calls, issue.other_calls))
    said = [
        _rank(episode, issue, often, answered) * _as_consequence(episode, about, issue, answered)
        for episode in about or candidates
    ]
    calls = [
        _AS_CALLED if _is_answered(episode, asked) else _OTHER_CALL if _is_answered(episode, others) else 1.0
        for episode in about or candidates
    ]
    ranks = list(zip(said, calls, about or candidates, strict=True))
    most, _, best = max(ranks, key=lambda one: one[0] * one[1])
    # By its words alone: who wrote an error without its request may have made the same call.
    rivals = tuple(episode for rank, _, episode in ranks if episode is not best and rank >= _RIVAL * most)
    return Choice(best, tuple(other for other in _by_weight(episodes) if other is not best), rivals=rivals)


def _demands(issue: Issue, records: LogRecords) -> Iterable[tuple[Callable[[LogEpisode], bool], str]]:
    """Return what an issue names outright: a test of an episode, and how to say that none passes it."""
    if issue.ids:
        names = ", ".join(sorted(issue.ids)[:_NAMED])
        rows = _rows_about(issue, records)
        phrase = f"a failure of {names}, which some lines name" if rows else f"{names}, which no line names"
        yield (lambda episode: any(sign.row in rows for sign in episode.signs)), phrase
    if issue.moments:
        text = issue.moments.text()
        yield (
            (lambda episode: issue.moments.distance(episode.start, episode.end) is not None),
            f"signs of a failure around {text}",
        )
    for host in sorted(issue.hosts):
        where = _where(host, records)
        if where == "host":
            yield partial(_on_host, host), f"signs of a failure on {host}"
        elif where == "":
            yield (lambda _: False), f"{host}, which no line names"


def _rows_about(issue: Issue, records: LogRecords) -> frozenset[int]:
    """Return the rows that mention an id of the issue, or something that such a row mentions."""
    mentions = records.mentions
    rows = mentions.row[np.isin(mentions.number, mentions.numbers_of(issue.ids))]
    onward = mentions.number[np.isin(mentions.row, rows)]
    reached = mentions.row[np.isin(mentions.number, onward)]
    plain = [row for naming in records.naming(issue.ids) for row in naming.tolist()]
    return frozenset((*rows.tolist(), *reached.tolist(), *plain))


def _where(name: str, records: LogRecords) -> str:
    """Return where a name stands: ``host`` of a record, in a ``message``, or "" for nowhere."""
    lines = records.lines
    hosts = {host.lower() for host in lines["host"].unique().to_list()}
    if any(name == host or name == host.partition(".")[0] for host in hosts):
        return "host"
    (rows,) = records.naming([name])
    return "message" if len(rows) else ""


def _on_host(host: str, episode: LogEpisode) -> bool:
    return any(
        host in {sign.host.lower(), sign.host.lower().partition(".")[0]} or f" {host}" in f" {sign.text.lower()}"
        for sign in episode.signs
    )


def _tells(episode: LogEpisode, issue: Issue) -> bool:
    return any(_about(sign, issue) for sign in episode.signs)


def _about(sign: EpisodeSign, issue: Issue) -> bool:
    """Whether a sign is about what the issue is about."""
    return issue.general or issue.shared(_words(sign.text)) >= (1 if sign.strong else _WARNING_WORDS)


@lru_cache(maxsize=16_384)
def _words(text: str) -> frozenset[str]:
    return frozenset(words(text))


def _answered(issue: Issue, records: LogRecords) -> frozenset[str]:
    """Return the ids of the requests that were answered with an HTTP status that the issue names."""
    if not issue.statuses:
        return frozenset()
    pattern = rf"(?i)(?:status|http|code)[^0-9]{{1,8}}(?:1\.[01][^0-9]{{1,3}})?(?:{'|'.join(sorted(issue.statuses))})\b"
    rows = np.flatnonzero(records.lines["message"].str.contains(pattern).to_numpy())
    numbers = unique(records.mentions.number[np.isin(records.mentions.row, rows)])
    return frozenset(records.mentions.ids[number] for number in numbers.tolist())


def _requests(calls: Sequence[str], records: LogRecords) -> frozenset[str]:
    """Return the ids of the requests that made one of some calls, as their access lines tell."""
    if not calls:
        return frozenset()
    pattern = rf"""(?:{"|".join(calls)})(?:[?\s"']|$)"""
    rows = np.flatnonzero(records.lines["message"].str.contains(pattern).to_numpy())
    numbers = unique(records.mentions.number[np.isin(records.mentions.row, rows)])
    names = (records.mentions.ids[number] for number in numbers.tolist())
    # The path names things that other requests are about as well.
    return frozenset(name for name in names if name.startswith("req-"))


def _how_often(episodes: Sequence[LogEpisode]) -> Counter[str]:
    """Return in how many episodes each sign comes: what comes again and again is not what is asked for."""
    return Counter(text for episode in episodes for text in {sign.text for sign in episode.signs})


def _rank(episode: LogEpisode, issue: Issue, often: Mapping[str, int], answered: frozenset[str]) -> float:
    """Return how well an episode fits the issue.

    ``often`` says in how many episodes a sign comes; ``answered`` are requests that were answered as the issue says.
    """
    scores: dict[str, float] = {}
    for sign in episode.signs:
        usual = often.get(sign.text, 1) ** -(_OFTEN if sign.strong else _OFTEN_WARNING)
        score = (
            (_AS_SAID if _as_said(sign, issue) else 1.0)
            * sign.score
            * usual
            * (1.0 if sign.strong else _WARNING)
            * _nearness(sign, issue)
        )
        scores[sign.text] = max(score, scores.get(sign.text, 0.0))
    best = sum(share * score for share, score in zip(_SHARES, sorted(scores.values(), reverse=True), strict=False))
    if _is_answered(episode, answered):
        best *= _AS_ANSWERED
    if issue.general:
        # Where all is said to be wrong, what hits many services is meant.
        best *= 1 + _BREADTH * math.log2(len({sign.service for sign in episode.signs if sign.strong} | {""}))
    distance = issue.moments.distance(episode.start, episode.end) if issue.moments else None
    return best - (_FAR * distance / _EDGE_US if distance is not None else 0.0)


def _as_consequence(episode: LogEpisode, about: Sequence[LogEpisode], issue: Issue, answered: frozenset[str]) -> float:
    """Return the share that a warning keeps which follows errors about the same: it rather says what came of them."""
    if episode.strong or issue.moments or _is_answered(episode, answered):
        return 1.0
    before = (other.strong and 0 <= episode.start - other.start <= _CONSEQUENCE_US for other in about)
    return _CONSEQUENCE if any(before) else 1.0


def _is_answered(episode: LogEpisode, answered: frozenset[str]) -> bool:
    ids = (bond[1] for sign in episode.signs for bond in sign.bonds if bond[0] == "id")
    return not answered.isdisjoint(ids)


def _as_said(sign: EpisodeSign, issue: Issue) -> bool:
    """Whether a detector found what the issue says in its own words: that something is slow, silent, missing."""
    return sign.finding is not None and not _words(issue.text).isdisjoint(_words(TELLING[sign.finding.kind]))


def _nearness(sign: EpisodeSign, issue: Issue) -> float:
    """Return how near a sign is to what the issue is about: its project writes it, or it names its backend."""
    named = {name for kind, name, *_ in sign.bonds if kind == "peer"} & NAMED_BACKENDS & issue.subjects
    own = not issue.general and project(sign.service) in issue.projects
    if named or own:
        return (_OWN if named else 1.0) * (_OWN if own else 1.0)
    return 1.0 if _about(sign, issue) else _STRANGER


def _by_weight(episodes: Sequence[LogEpisode]) -> tuple[LogEpisode, ...]:
    """Return the strong episodes, those of the most signs first; of equals the earliest."""
    strong = [episode for episode in episodes if episode.strong]
    return tuple(sorted(strong, key=lambda episode: (-len(episode.signs), episode.start)))


def _subjects(issue: Issue) -> str:
    wanted = issue.subjects | issue.own_words
    said = [word for word in dict.fromkeys(issue.text.split()) if not wanted.isdisjoint(_words(word))]
    return ", ".join(said[:_NAMED]) or issue.text
