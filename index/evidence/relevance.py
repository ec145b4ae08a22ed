"""Which lines of ordinary logs tell most about an issue.

Lines of one template, service and level are one *group*: texts are compared, and embedded, per group and never per
line.  A group weighs by how odd it is (*telling*: level, exceptions, rarity, what the detectors say) and by how much
it has to do with the issue (*close*: words and, where an embedder is given, meaning).  The best groups are then the
begin of stories: lines that share request, instance, volume or port with them gain, in turn by how odd and close they
are themselves.  One line of each group is given out, the one with the most of both, and of the most telling groups some
more that tell of other requests and things.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from index.evidence.issue import Issue
from index.lines.log_records import LogRecords
from index.search.tfidf import TfidfIndex
from models.records import BOOL, F32, F64, I64, U64, Level

AGAIN: Final = 2
"""Further records of a group that may be told, each of another request or thing."""

_TRIED: Final = 50
"""Records of a group among which these are looked for."""

_SEVERE: Final = 0.75
"""How much a group must tell for that."""

EMBEDDED: Final = 96
"""Groups whose meaning is compared."""

_EMBEDDED_TEXT: Final = 300
"""Characters of their texts that are looked at."""

_SEED: Final = 0.5
"""Share of the best group's weight from which on stories begin with a group."""

Embed: TypeAlias = Callable[[Sequence[str]], F32]
"""Texts → unit vectors, one a text."""

_FAILURE: Final = re.compile(
    r"(?i)fail|error|exception|time[sd]?[ _-]?out|refused|unable|cannot|can't|could not|invalid|lost|unreachable|abort"
    r"|kill|denied|exceed|missing|unavailable|disconnect|reject|expire|corrupt|stuck|retry|dead|crash|unexpected|traceback"
    r"|insufficient|conflict|forbidden|unauthorized|overdue|giving up|not found|no valid|no such|stale|revert|rollback"
    r"|still waiting|does not|did not|down\b"
)
"""How programs tell of failures, whatever the level."""

_HARMLESS: Final = re.compile(r"(?i)deprecat|backwards? compatib")
"""Warnings about tomorrow: they are there on every day."""

_TEXT: Final = 600
"""Characters of a group's text that are compared."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What makes a group tell; figures are shares of 1, found by ``tests/bench/bench_analyze.py``."""

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
    """What is left of how much a group tells that only warns of tomorrow."""
    meant: float = 0.6
    """Of words that the issue means, against those that it says."""
    meaning: float = 0.5
    """Of vectors in closeness, where there are any; words have the rest."""
    alone: float = 0.45
    """Of what tells but is not close, and …"""
    near: float = 0.25
    """… of what is close but does not tell, against what does both."""
    story: float = 0.5
    seeds: int = 8
    again: float = 0.4
    """What is left of the score of a second record of a group, which tells of another request or thing."""


@dataclass(frozen=True, slots=True)
class RankedRecord:
    """A record that tells of the issue; it stands for ``count`` records of its group."""

    row: int
    score: float
    count: int
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Groups:
    """``of`` (records,) numbers the group of each; all else has one entry a group."""

    of: I64
    first: I64
    count: I64
    texts: list[str]
    raised: BOOL

    def __len__(self) -> int:
        return len(self.first)


def rank(  # noqa: PLR0913 - what is known beside the records, all by name
    records: LogRecords,
    issue: Issue,
    *,
    embed: Embed | None = None,
    detectors: F64 | None = None,
    known: U64 | None = None,
    limit: int = 40,
    weights: Weights = Weights(),
) -> list[RankedRecord]:
    """Return up to ``limit`` records, the most telling first, one a group.

    ``detectors`` (records,) from 0 to 1 is what detectors say of each record; ``known`` are the templates of normal
    operation, None where nobody knows them.
    """
    if not len(records):
        return []
    groups = _group(records)
    telling = _telling(records, groups, detectors, known, weights)
    words = _words(groups, issue, weights)
    base = _both(telling, words, weights)
    close = words
    if embed is not None:
        close = (1 - weights.meaning) * words + weights.meaning * _meaning(groups, issue, embed, base)
        base = _both(telling, close, weights)
    named = _named(records, issue)
    story, through = _stories(records, groups, base, named, weights)
    own = base[groups.of]
    score = own + weights.story * story * (0.25 + 0.75 * np.maximum(telling, close)[groups.of]) * (1 - own)
    chosen, score = _chosen(records, groups, score, telling, weights)
    order = chosen[np.lexsort((chosen, -np.round(score[chosen], 6)))][:limit]
    return [
        RankedRecord(
            row,
            round(float(score[row]), 6),
            int(groups.count[groups.of[row]]),
            _roles(records, groups, row, through=bool(through[row]), known=known),
        )
        for row in order.tolist()
    ]


def _group(records: LogRecords) -> _Groups:
    _, first, of, count = np.unique(records.kinds(), return_index=True, return_inverse=True, return_counts=True)
    error = [""] * len(first)
    for group, text in zip(of.tolist(), records.error, strict=True):
        if text and not error[group]:
            error[group] = text
    heads = records.lines[first].select("service", "logger", "masked").rows()
    texts = [
        f"{service} {logger} {masked[:_TEXT]} {text[:_TEXT]}".strip()
        for (service, logger, masked), text in zip(heads, error, strict=True)
    ]
    return _Groups(of, first, count, texts, np.array([bool(text) for text in error], np.bool_))


def _telling(records: LogRecords, groups: _Groups, detectors: F64 | None, known: U64 | None, weights: Weights) -> F64:
    """How odd each group is, from 0 to 1: what speaks for it adds up as chances do."""
    level, http = records.level[groups.first], records.http[groups.first]
    voices = [
        weights.error * (level >= Level.ERROR),
        weights.warning * (level == Level.WARNING),
        weights.raised * groups.raised,
        weights.server_error * (http == 5),  # noqa: PLR2004 - statuses of 500 and above
        weights.client_error * (http == 4),  # noqa: PLR2004 - statuses of 400 and above
        weights.failure * np.array([_FAILURE.search(text) is not None for text in groups.texts]),
        weights.rare * np.log(len(records) / groups.count) / np.log(max(len(records), 2)),
    ]
    if known is not None:
        voices.append(weights.unknown * ~np.isin(records.template[groups.first], known))
    if detectors is not None:
        most = np.zeros(len(groups))
        np.maximum.at(most, groups.of, detectors)
        voices.append(weights.detectors * most)
    silent = np.prod([1 - voice for voice in voices], axis=0)
    harmless = np.array([_HARMLESS.search(text) is not None for text in groups.texts]) & (level < Level.ERROR)
    return np.asarray((1 - silent) * np.where(harmless, weights.harmless, 1.0), np.float64)


def _both(telling: F64, close: F64, weights: Weights) -> F64:
    """What each group weighs by how odd and how close it is."""
    out: F64 = telling * (weights.alone + (1 - weights.alone) * close) + weights.near * close * (1 - telling)
    return out


def _words(groups: _Groups, issue: Issue, weights: Weights) -> F64:
    """How much each group has to do with the issue by its words, from 0 to 1: the closest has 1."""
    lexical = TfidfIndex()
    lexical.add(groups.texts)
    rows = np.arange(len(groups))
    said, meant = (lexical.cosines(lexical.query(text), rows) for text in (issue.text, issue.meant))
    return _spread((said + weights.meant * meant).astype(np.float64))


def _meaning(groups: _Groups, issue: Issue, embed: Embed, base: F64) -> F64:
    """The same by vectors, for the best groups by words; a model is too slow for all of very many."""
    best = np.sort(np.argsort(-base, kind="stable")[:EMBEDDED])
    vectors = embed([issue.text, *(groups.texts[group][:_EMBEDDED_TEXT] for group in best.tolist())])
    out = np.zeros(len(groups))
    out[best] = _spread((vectors[1:] @ vectors[0]).astype(np.float64))
    return out


def _spread(values: F64) -> F64:
    """Values from that of the middle group, 0, to the largest, 1."""
    middle, most = float(np.median(values)), float(values.max())
    if most <= middle:
        return np.zeros(len(values))
    return np.asarray(np.clip((values - middle) / (most - middle), 0, 1))


def _named(records: LogRecords, issue: Issue) -> I64:
    """Numbers of the ids that the issue names."""
    return np.array([n for n, name in enumerate(records.mentions.ids) if name in issue.ids], np.int64)


def _stories(records: LogRecords, groups: _Groups, base: F64, named: I64, weights: Weights) -> tuple[F64, BOOL]:
    """How much each record (records,) belongs to the story of a telling one, from 0 to 1, and whether to another's."""
    mentions = records.mentions
    out = np.zeros(len(records))
    if not len(mentions.row):
        return out, out > 0
    spread = np.bincount(mentions.number, minlength=len(mentions.ids))
    # What very many records mention (a host, a network that all use) tells no story.
    special = 1 / (1 + np.log2(np.maximum(spread, 1)) / 4)
    seeds = np.zeros(len(records))
    best = np.argsort(-base, kind="stable")[: weights.seeds]
    best = best[base[best] >= _SEED * base.max()]
    of_best = np.isin(groups.of, best)
    seeds[of_best] = base[groups.of[of_best]]
    ids = np.zeros(len(mentions.ids))
    np.maximum.at(ids, mentions.number, seeds[mentions.row])
    ids *= special
    ids[named] = 1.0
    for decay in (1.0, 0.5):
        reached = np.zeros(len(records))
        np.maximum.at(reached, mentions.row, decay * ids[mentions.number])
        out = np.maximum(out, reached)
        # Over the records reached to what else these are about: from a request to its instance.
        onward = np.zeros(len(mentions.ids))
        np.maximum.at(onward, mentions.number, reached[mentions.row])
        ids = np.maximum(ids, 0.5 * onward * special)
    return out, (out > 0) & ~of_best


def _chosen(records: LogRecords, groups: _Groups, score: F64, telling: F64, weights: Weights) -> tuple[I64, F64]:
    """The best record of each group, of equals the first in time, and up to ``AGAIN`` more of the most telling ones.

    Returns them with the scores of all, those of the latter lowered: what happened again comes behind what else did.
    """
    order = np.lexsort((records.time, -np.round(score, 6), groups.of))
    starts = np.flatnonzero(np.diff(groups.of[order], prepend=-1))
    bounds = np.append(starts, len(order))
    score = score.copy()
    chosen = order[starts].tolist()
    ids = records.mentions.by_row()
    for group in np.flatnonzero((np.diff(bounds) > 1) & (telling >= _SEVERE)).tolist():
        rows = order[bounds[group] : bounds[group + 1]]
        seen = set(ids.get(int(rows[0]), ()))
        told = 0
        for row in rows[1 : 1 + _TRIED].tolist():
            named = ids.get(row, ())
            if not named or not seen.isdisjoint(named):
                continue
            told += 1
            score[row] *= weights.again**told
            chosen.append(row)
            seen.update(named)
            if told == AGAIN:
                break
    return np.array(chosen, np.int64), score


def _roles(records: LogRecords, groups: _Groups, row: int, *, through: bool, known: U64 | None) -> tuple[str, ...]:
    group = groups.of[row]
    told = []
    if records.level[row] >= Level.ERROR:
        told.append("error")
    elif records.level[row] == Level.WARNING:
        told.append("warning")
    if groups.raised[group]:
        told.append("exception")
    if records.http[row] == 5:  # noqa: PLR2004 - statuses of 500 and above
        told.append("server error")
    if known is not None and records.template[row] not in known:
        told.append("unseen in normal operation")
    elif groups.count[group] == 1:
        told.append("only once")
    if through:
        told.append("same request or thing as a telling line")
    return tuple(told)
