"""Which lines of ordinary logs say most about an issue.

Lines of one template, service and level are one *group*: texts are compared, and embedded, per group and never per
line.  A group's weight comes from its *severity* (level, exceptions, rarity, what the detectors say) and its
*relevance* to the issue (words and, with an embedder, meaning).  Stories begin at the best groups: records that share a
request, instance, volume or port with them gain by their own severity and relevance.  Of each group the best record is
returned, and of the most severe groups some more that are about other requests and things.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from index.evidence.issue import Issue
from index.lines.log_records import LogRecords
from index.lines.patterns import FAILURE_WORDS, HARMLESS_WARNING
from index.search.tfidf import TfidfIndex
from models.records import BOOL, F32, F64, I64, U64, Level

FURTHER_RECORDS: Final = 2
"""Further records of a group that may be returned, each of another request or thing (a judgement)."""

_TRIED_RECORDS: Final = 50
"""Records of a group among which these are looked for: a bound on the work."""

_SEVERE: Final = 0.75
"""Severity that a group must have for further records: that of an ERROR, ``Weights.error``."""

EMBEDDED_GROUPS: Final = 96
"""RecordGroups whose meaning is compared: a bound on the work, several times what evidence holds."""

_EMBEDDED_CHARS: Final = 300
"""Characters of a group's text that are embedded: a bound on the work."""

_COMPARED_CHARS: Final = 600
"""Characters of a group's template, and of its exception, that are compared by words: a bound on the work."""

_SEED_SHARE: Final = 0.5
"""Share of the best group's weight from which on stories begin at a group (a judgement)."""

_STORY_DECAYS: Final = (1.0, 0.5)
"""What ids pass on to the records that mention them, by steps from the seeds: directly, and over one more id."""

_ID_DECAY: Final = 0.5
"""What a reached record passes on to its other ids (a judgement)."""

_STORY_FLOOR: Final = 0.25
"""What a record gains by a story, of 1, when it is neither severe nor relevant itself (a judgement)."""

_CLIENT_ERROR: Final = 4
"""Class of HTTP statuses: 4xx."""
_SERVER_ERROR: Final = 5
"""First digits of HTTP statuses, as ``LogRecords.http`` has them."""

_DECIMALS: Final = 6
"""Digits of a score that count, so that the order does not hang on how sums are rounded."""

Embed: TypeAlias = Callable[[Sequence[str]], F32]
"""Texts → unit vectors, one a text."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What makes a group severe and relevant; shares of 1, chosen by recall in ``tests/bench/bench_analyze.py``."""

    error: float = 0.75
    warning: float = 0.45
    raised: float = 0.25
    server_error: float = 0.6
    client_error: float = 0.1
    failure: float = 0.3
    rare: float = 0.25
    unknown: float = 0.3
    detectors: float = 0.4
    harmless: float = 0.4
    """What a group keeps of its severity that only warns of a later version."""
    meant: float = 0.6
    """Of the words that an issue means, against those that it says."""
    meaning: float = 0.5
    """Of vectors in relevance, where there are any; words have the rest."""
    alone: float = 0.45
    """Of what is severe but not relevant, and …"""
    near: float = 0.25
    """… of what is relevant but not severe, against what is both."""
    story: float = 0.5
    """Of belonging to a story."""
    seeds: int = 8
    """RecordGroups at which stories may begin."""
    again: float = 0.4
    """What each further record of a group keeps of its score."""


@dataclass(frozen=True, slots=True)
class RankedRecord:
    """A record (its ``row``) that is about the issue; it stands for ``count`` records of its group."""

    row: int
    score: float
    count: int
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordGroups:
    """Records that say the same: ``of`` (records,) is the group of each; all else has one value a group (groups,)."""

    of: I64
    first: I64
    count: I64
    texts: list[str]
    raised: BOOL
    failing: BOOL
    """Whether words of failure are among them."""
    harmless: BOOL
    """Whether they only warn of what a later version will bring, and are no error."""

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What each record says: all of ``records``, so that it can be asked for some of them."""

    groups: RecordGroups
    severity: F64
    """How severe each group is, shape (groups,), from 0 to 1."""
    relevance: F64
    """How much each group is about the issue, shape (groups,), from 0 to 1."""
    score: F64
    """How much each record says about the issue, shape (records,), from 0 to 1."""
    through: BOOL
    """Whether a record belongs to the story of another group, shape (records,)."""
    further: F64
    """How relevant further texts are, shape (texts,), from 0 to 1."""


def assess(  # noqa: PLR0913 - what is known beside the records, all by name
    records: LogRecords,
    issue: Issue,
    *,
    embed: Embed | None = None,
    detectors: F64 | None = None,
    known: U64 | None = None,
    further: Sequence[str] = (),
    weights: Weights = Weights(),
) -> Assessment:
    """Return how much each record says about an issue; for the arguments see ``rank``.

    ``further`` are texts that are no records, whose relevance is compared with that of the records.
    """
    groups = _group(records)
    severity = _severity(records, groups, detectors, known, weights)
    every = _by_words([*groups.texts, *further], issue, weights)
    relevance = every[: len(groups)]
    weight = _weight(severity, relevance, weights)
    if embed is not None:
        meaning = _by_meaning(groups, issue, embed, weight)
        relevance = (1 - weights.meaning) * relevance + weights.meaning * meaning
        weight = _weight(severity, relevance, weights)
    story, through = _stories(records, groups, weight, records.mentions.numbers_of(issue.ids), weights)
    own = weight[groups.of]
    gain = _STORY_FLOOR + (1 - _STORY_FLOOR) * np.maximum(severity, relevance)[groups.of]
    score = own + weights.story * story * gain * (1 - own)
    return Assessment(groups, severity, relevance, score, through, every[len(groups) :])


def rank(  # noqa: PLR0913 - what is known beside the records, all by name
    records: LogRecords,
    issue: Issue,
    *,
    embed: Embed | None = None,
    detectors: F64 | None = None,
    known: U64 | None = None,
    limit: int = 40,
    since: int | None = None,
    weights: Weights = Weights(),
) -> list[RankedRecord]:
    """Return up to ``limit`` records, best first.

    ``detectors`` (records,) is what detectors say of each record, from 0 to 1; ``known`` (templates,) are the templates
    of normal operation, None where they are not known.  Records before ``since`` (microseconds) only count as history.
    """
    if not len(records):
        return []
    what = assess(records, issue, embed=embed, detectors=detectors, known=known, weights=weights)
    groups = what.groups
    late = np.ones(len(records), np.bool_) if since is None else records.time >= since
    chosen, score = _choose(records, groups, np.where(late, what.score, -1.0), what.severity, weights)
    chosen = chosen[late[chosen]]
    order = chosen[np.lexsort((chosen, -np.round(score[chosen], _DECIMALS)))][:limit]
    return [
        RankedRecord(
            row,
            round(float(score[row]), _DECIMALS),
            int(groups.count[groups.of[row]]),
            _roles(records, groups, row, through=bool(what.through[row]), known=known),
        )
        for row in order.tolist()
    ]


def _group(records: LogRecords) -> RecordGroups:
    _, first, of, count = np.unique(records.kinds(), return_index=True, return_inverse=True, return_counts=True)
    error = [""] * len(first)
    for group, text in zip(of.tolist(), records.error, strict=True):
        if text and not error[group]:
            error[group] = text
    heads = records.lines[first].select("service", "logger", "masked").rows()
    texts = [
        f"{service} {logger} {masked[:_COMPARED_CHARS]} {text[:_COMPARED_CHARS]}".strip()
        for (service, logger, masked), text in zip(heads, error, strict=True)
    ]
    return RecordGroups(
        of,
        first,
        count,
        texts,
        raised=np.array([bool(text) for text in error], np.bool_),
        failing=_matching(texts, FAILURE_WORDS),
        harmless=_matching(texts, HARMLESS_WARNING) & (records.level[first] < Level.ERROR),
    )


def _matching(texts: Sequence[str], pattern: str) -> BOOL:
    """Return which texts (texts,) a regular expression is found in."""
    expression = re.compile(pattern)
    return np.array([expression.search(text) is not None for text in texts], np.bool_)


def _severity(
    records: LogRecords, groups: RecordGroups, detectors: F64 | None, known: U64 | None, weights: Weights
) -> F64:
    """Return how severe each group is (groups,), from 0 to 1: its signs add up as independent chances do."""
    level, http = records.level[groups.first], records.http[groups.first]
    signs = [
        weights.error * (level >= Level.ERROR),
        weights.warning * (level == Level.WARNING),
        weights.raised * groups.raised,
        weights.server_error * (http == _SERVER_ERROR),
        weights.client_error * (http == _CLIENT_ERROR),
        weights.failure * groups.failing,
        weights.rare * np.log(len(records) / groups.count) / np.log(max(len(records), 2)),
    ]
    if known is not None:
        signs.append(weights.unknown * ~np.isin(records.template[groups.first], known))
    if detectors is not None:
        most = np.zeros(len(groups))
        np.maximum.at(most, groups.of, detectors)
        signs.append(weights.detectors * most)
    unsuspicious = np.prod([1 - sign for sign in signs], axis=0)
    return np.asarray((1 - unsuspicious) * np.where(groups.harmless, weights.harmless, 1.0), np.float64)


def _weight(severity: F64, relevance: F64, weights: Weights) -> F64:
    """Return what each group weighs (groups,) by how severe and how relevant it is."""
    out: F64 = severity * (weights.alone + (1 - weights.alone) * relevance) + weights.near * relevance * (1 - severity)
    return out


def _by_words(texts: Sequence[str], issue: Issue, weights: Weights) -> F64:
    """Return how relevant each text is by its words (texts,), from 0 to 1, which the best has."""
    lexical = TfidfIndex()
    lexical.add(texts)
    rows = np.arange(len(texts))
    said, meant = (lexical.cosines(lexical.query(text), rows) for text in (issue.text, issue.meant))
    return _spread((said + weights.meant * meant).astype(np.float64))


def _by_meaning(groups: RecordGroups, issue: Issue, embed: Embed, weight: F64) -> F64:
    """Return how relevant the heaviest groups are by vectors (groups,), 0 for the others: a model is slow."""
    best = np.sort(np.argsort(-weight, kind="stable")[:EMBEDDED_GROUPS])
    vectors = embed([issue.text, *(groups.texts[group][:_EMBEDDED_CHARS] for group in best.tolist())])
    out = np.zeros(len(groups))
    out[best] = _spread((vectors[1:] @ vectors[0]).astype(np.float64))
    return out


def _spread(values: F64) -> F64:
    """Scale values so that the median becomes 0 and the largest 1."""
    middle, most = float(np.median(values)), float(values.max())
    if most <= middle:
        return np.zeros(len(values))
    return np.asarray(np.clip((values - middle) / (most - middle), 0, 1))


def _stories(records: LogRecords, groups: RecordGroups, weight: F64, named: I64, weights: Weights) -> tuple[F64, BOOL]:
    """Return how much each record (records,) belongs to a story, from 0 to 1, and whether to that of another group."""
    mentions = records.mentions
    out = np.zeros(len(records))
    if not len(mentions.row):
        return out, out > 0
    spread = np.bincount(mentions.number, minlength=len(mentions.ids))
    # What very many records mention (a host, a network that all use) tells no story.
    rarity = 1 / (1 + np.log2(np.maximum(spread, 1)) / 4)
    seeds = np.argsort(-weight, kind="stable")[: weights.seeds]
    seeds = seeds[weight[seeds] >= _SEED_SHARE * weight.max()]
    of_seeds = np.isin(groups.of, seeds)
    ids = np.zeros(len(mentions.ids))
    np.maximum.at(ids, mentions.number, np.where(of_seeds, weight[groups.of], 0.0)[mentions.row])
    ids *= rarity
    ids[named] = 1.0
    for decay in _STORY_DECAYS:
        reached = np.zeros(len(records))
        np.maximum.at(reached, mentions.row, decay * ids[mentions.number])
        out = np.maximum(out, reached)
        # From the records reached to what else they are about: from a request to its instance.
        onward = np.zeros(len(mentions.ids))
        np.maximum.at(onward, mentions.number, reached[mentions.row])
        ids = np.maximum(ids, _ID_DECAY * onward * rarity)
    return out, (out > 0) & ~of_seeds


def _choose(records: LogRecords, groups: RecordGroups, score: F64, severity: F64, weights: Weights) -> tuple[I64, F64]:
    """Return the best record of each group, of equals the first in time, and further ones of severe groups.

    With them come the scores of all records (records,), those of the further ones lowered: what happened again comes
    behind what else happened.
    """
    order = np.lexsort((records.time, -np.round(score, _DECIMALS), groups.of))
    starts = np.flatnonzero(np.diff(groups.of[order], prepend=-1))
    bounds = np.append(starts, len(order))
    score = score.copy()
    chosen = order[starts].tolist()
    ids = records.mentions.by_row()
    for group in np.flatnonzero((np.diff(bounds) > 1) & (severity >= _SEVERE)).tolist():
        further = _about_others(order[bounds[group] : bounds[group + 1]], ids)
        chosen += further
        for rank, row in enumerate(further, 1):
            score[row] *= weights.again**rank
    return np.array(chosen, np.int64), score


def _about_others(rows: I64, ids: Mapping[int, Sequence[int]]) -> list[int]:
    """Return some rows that mention ids (row → ids), none of which an earlier one, or the first row, mentions."""
    seen = set(ids.get(int(rows[0]), ()))
    out: list[int] = []
    for row in rows[1 : 1 + _TRIED_RECORDS].tolist():
        mentioned = ids.get(row, ())
        if mentioned and seen.isdisjoint(mentioned):
            out.append(row)
            seen.update(mentioned)
            if len(out) == FURTHER_RECORDS:
                break
    return out


def _roles(records: LogRecords, groups: RecordGroups, row: int, *, through: bool, known: U64 | None) -> tuple[str, ...]:
    group = groups.of[row]
    unseen = known is not None and records.template[row] not in known
    applies = {
        "error": records.level[row] >= Level.ERROR,
        "warning": records.level[row] == Level.WARNING,
        "exception": groups.raised[group],
        "server error": records.http[row] == _SERVER_ERROR,
        "unseen in normal operation": unseen,
        "only once": groups.count[group] == 1 and not unseen,
        "same request or thing as a telling line": through,
    }
    return tuple(role for role, applied in applies.items() if applied)
