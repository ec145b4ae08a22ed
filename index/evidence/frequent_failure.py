"""The message about a failure that comes most often, for logs in which no line says outright what went wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from index.evidence.types import EvidenceLine, FrequentFailure
from index.lines.patterns import FAILURE_WORDS, HARMLESS_WARNING, PEER
from models.records import Level

_COMMON: Final = r"(?i)\b(?:disconnect(?:ed)?|retry(?:ing)?|reconnect(?:ing)?|rollback|lost)\b"
"""Words of failure that also stand in messages of every good day; they alone do not make a failure."""

_HOST: Final = r"(?i)\b(?:from|rhost|peer|client|host)[ =:]+([a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+)"
"""The other side of a connection where it is a name, which is the group."""


@dataclass(frozen=True, slots=True)
class _Peers:
    """How often each peer stands in some messages."""

    counts: Counter[str]

    @classmethod
    def of(cls, messages: pl.Series) -> "_Peers":
        """Return the peers that messages name, an address before a name."""
        peers = pl.DataFrame({"message": messages}).select(
            pl.coalesce(pl.col("message").str.extract(PEER), pl.col("message").str.extract(_HOST))
        )
        return cls(Counter(peers.to_series().drop_nulls().to_list()))

    def most(self) -> tuple[str, int]:
        """Return the most frequent one and how often it comes; of equals the first by name."""
        return min(self.counts.items(), key=lambda item: (-item[1], item[0]), default=("", 0))


def frequent_failure(heads: pl.DataFrame, lines: Sequence[EvidenceLine]) -> FrequentFailure | None:
    """Return the failing message that comes most often, of those that are in the evidence; None where none fails.

    A message fails if it is a WARNING or worse, or has words of failure; what only warns of a later version does not.

    Args:
        heads: all records, with LOG_LINES_SCHEMA.
        lines: the evidence.
    """
    masked = pl.col("masked")
    telling = masked.str.replace_all(_COMMON, "").str.contains(FAILURE_WORDS) | (pl.col("level") >= int(Level.WARNING))
    failing = heads.filter(telling & ~masked.str.contains(HARMLESS_WARNING))
    ids: dict[tuple[str, str], str] = {}
    for line in lines:
        ids.setdefault((line.service, line.template), line.id)
    groups = failing.group_by("service", "masked").agg(pl.len().alias("count"), pl.col("time").min().alias("first"))
    ranked = groups.sort(["count", "first", "service", "masked"], descending=[True, False, False, False])
    for service, template, count, first in ranked.iter_rows():
        if (service, template) in ids:
            records = failing.filter((pl.col("service") == service) & (masked == template))
            peers = _Peers.of(records["message"])
            peer, times = peers.most()
            return FrequentFailure(
                line=ids[service, template],
                count=count,
                first=first,
                last=int(records["time"].to_numpy().max()),
                peer=peer,
                peer_count=times,
                peers=len(peers.counts),
            )
    return None
