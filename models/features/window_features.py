"""What the detectors that count need to know of a batch of windows, worked out once for all of them.

Windows are compared within their *group*: sources of one service, sessions of one kind, and the source of everything.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.arrays import group_starts, mix, ranges, splits
from models.features.sequences import SHARED, SOURCE, kind_numbers
from models.features.vocabulary import NEW, Vocabulary
from models.records import ALL_SOURCES, BOOL, HOST_MARK, I32, I64, U64, KeyKind, WindowBatch
from models.windows.batches import take

UNKNOWN: Final = -1
"""Group of a source whose service training did not see."""

_FIRST_SERVICE: Final = SHARED + 1
"""Number of the first service's group; smaller numbers are kinds of windows, as ``kind_number`` has them."""

_KIND_GROUPS: Final = ("", "requests", "instances", "volumes", "ports", "sessions", ALL_SOURCES)


class Groups:
    """Numbers of groups: those of kinds are fixed, services follow in alphabetical order."""

    def __init__(self, services: Iterable[str]) -> None:
        self.services = tuple(sorted(set(services)))
        self._number = {name: _FIRST_SERVICE + i for i, name in enumerate(self.services)}

    def __len__(self) -> int:
        """One more than the largest number."""
        return _FIRST_SERVICE + len(self.services)

    def name(self, group: int) -> str:
        """What people call the group."""
        return self.services[group - _FIRST_SERVICE] if group >= _FIRST_SERVICE else _KIND_GROUPS[group]

    def number(self, service: str) -> int:
        """Group of a service, UNKNOWN where training did not see it."""
        return self._number.get(service, UNKNOWN)

    def of(self, windows: WindowBatch) -> I64:
        """Group of each window (n,), UNKNOWN where training did not see its service."""
        group = kind_numbers(windows).astype(np.int64)
        for i in np.flatnonzero(group == SOURCE).tolist():
            group[i] = self.number(service_of(windows.keys[i]))
        return group


def service_of(key: str) -> str:
    """Service that the key of a source names."""
    return key.partition(HOST_MARK)[0]


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """How often each window holds each token, as a sparse table without zeros.

    Window i of n has entries ``splits[i]:splits[i + 1]`` of ``token`` and ``count``, with ascending tokens.
    """

    splits: I64
    token: I64
    count: I64

    def __len__(self) -> int:
        return len(self.splits) - 1

    @property
    def window(self) -> I64:
        """Window of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.splits))

    def take(self, chosen: I64) -> "TokenCounts":
        """The counts of the chosen windows (m,)."""
        low, high = self.splits[chosen], self.splits[chosen + 1]
        entries = ranges(low, high)
        return TokenCounts(splits(high - low), self.token[entries], self.count[entries])

    def hashes(self) -> U64:
        """A number per window (n,) that differs where counts differ (but for one case in 2^64)."""
        mixed = mix(self.token.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + self.count.astype(np.uint64))
        total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
        out: U64 = total[self.splits[1:]] - total[self.splits[:-1]]
        return out

    @classmethod
    def of(cls, windows: int, window: I64, token: I64, tokens: int, lines: I64 | None = None) -> "TokenCounts":
        """Count rows: ``window`` and ``token`` (rows,), ``tokens`` above every token.

        ``lines`` (rows,) is how many lines each row stands for; None for one each.
        """
        code = window * tokens + token
        if lines is None or (lines == 1).all():
            code = np.sort(code)
            first = group_starts(code)
            count = np.diff(np.append(first, len(code)))
        else:
            order = np.argsort(code, kind="stable")
            code = code[order]
            first = group_starts(code)
            count = np.add.reduceat(lines[order], first)
        entry = code[first]
        return cls(splits(np.bincount(entry // tokens, minlength=windows)), entry % tokens, count)


@dataclass(frozen=True, slots=True)
class WindowFeatures:
    """A batch of windows (n,) and what several detectors need of it.

    ``group`` (n,) is the number of each window's group, ``window`` (rows,) the window of each row, ``tokens`` (rows,)
    those of the vocabulary; ``token_counts`` counts them per window.  ``complete`` (n,) says where counts mean
    something.
    """

    windows: WindowBatch
    vocabulary: Vocabulary
    group: I64
    window: I64
    tokens: I64
    token_counts: TokenCounts
    complete: BOOL

    @classmethod
    def of(cls, windows: WindowBatch, vocabulary: Vocabulary, groups: Groups) -> "WindowFeatures":
        """Work out the features of a batch."""
        return cls._of(windows, vocabulary, groups.of(windows))

    @classmethod
    def _of(cls, windows: WindowBatch, vocabulary: Vocabulary, group: I64) -> "WindowFeatures":
        window = np.repeat(np.arange(len(windows)), np.diff(windows.splits))
        tokens = vocabulary.encode(windows.template).astype(np.int64)
        counts = TokenCounts.of(len(windows), window, tokens, len(vocabulary), windows.count)
        return cls(windows, vocabulary, group, window, tokens, counts, windows.complete)

    @property
    def kinds(self) -> I32:
        """Kind of each window (n,), as ``kind_number`` has them."""
        return np.where((self.group == UNKNOWN) | (self.group > SHARED), SOURCE, self.group).astype(np.int32)

    def of_rows(self, windows: WindowBatch) -> "WindowFeatures":
        """Return the features of the same windows with other rows."""
        return self._of(windows, self.vocabulary, self.group)

    def take(self, chosen: I64) -> "WindowFeatures":
        """Return the features of the chosen windows (m,), as if they had come alone."""
        windows = take(self.windows, chosen)
        rows = ranges(self.windows.splits[chosen], self.windows.splits[chosen + 1])
        return WindowFeatures(
            windows,
            self.vocabulary,
            self.group[chosen],
            np.repeat(np.arange(len(chosen)), np.diff(windows.splits)),
            self.tokens[rows],
            self.token_counts.take(chosen),
            self.complete[chosen],
        )

    def first_step(self, step: float) -> TokenCounts:
        """Tokens of the oldest ``step`` (seconds) of each source window, and of a session's whole."""
        return self._until(self.windows.start + round(step * 1e6))

    def before_last_step(self, step: float) -> TokenCounts:
        """Tokens of all but the newest ``step`` (seconds) of each source window, and of a session's whole."""
        return self._until(self.windows.end - round(step * 1e6))

    def _until(self, until: I64) -> TokenCounts:
        windows = self.windows
        until = np.where(windows.kinds == KeyKind.SESSION, np.iinfo(np.int64).max, until)
        early = windows.time < until[self.window]
        tokens, lines = self.tokens[early], windows.count[early]
        return TokenCounts.of(len(windows), self.window[early], tokens, len(self.vocabulary), lines)

    def unseen(self, passed_over: BOOL | None = None) -> TokenCounts:
        """How many different templates without a token each window holds, as counts of the token NEW.

        Rows that are ``passed_over`` (rows,) are left out.
        """
        new_rows = self.tokens == NEW
        rows = np.flatnonzero(new_rows if passed_over is None else new_rows & ~passed_over)
        order = rows[np.lexsort((self.windows.template[rows], self.window[rows]))]
        window, template = self.window[order], self.windows.template[order]
        is_first = np.ones(len(order), np.bool_)
        is_first[1:] = (window[1:] != window[:-1]) | (template[1:] != template[:-1])
        new = np.full(int(is_first.sum()), NEW)
        return TokenCounts.of(len(self.windows), window[is_first], new, len(self.vocabulary))
