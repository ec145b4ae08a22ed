"""Silence of one host of a service that training saw without hosts, by what its hosts write while they are watched.

Training then knows only how long all hosts of a service are silent together.  How long one of them is, the lines of the
last minutes tell: of each host the newest of each step (``models.records.LastSeen``).  A host that wrote at least three
times and then is silent for longer than the service's hosts ever were between two lines, while another writes on, is
strange by the Lomax tail of these gaps (``models.features.writing_gaps``), the more gaps there are the surer.

What is older than a window knows is never known again, so a host is missed until it is forgotten, and one that writes
less often than about twice a minute never.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.arrays import unique
from models.features.writing_gaps import BLOCK_S, PRIOR_SHARE
from models.records import HOST_BITS, I64, U32

_LEAST: Final = 3
"""Times a host must have written, a judgement: two gaps of its own."""

_LONGER: Final = 1.5
"""By how much a silence must exceed the host's own gaps, a judgement: hosts of a service may not be alike."""

_UNSURE: Final = 0.5
"""Gaps that a host is taken to have shown fewer than it did, as it may write more seldom than it seems; a judgement."""

_WRITES: Final = 0.5
"""Share of a host's silence that another host's is at most if it writes on: a judgement."""


@dataclass(frozen=True, slots=True)
class HostSilence:
    """One of the ``hosts`` of a service, by its upper bits, is silent for ``seconds``; a gap was ``usual`` at most.

    ``surprise`` is in nats below once in ``BLOCK_S`` of any host of any service.
    """

    service: int
    hosts: int
    seconds: float
    usual: float
    surprise: float


def host_silences(origin: U32, time: I64, end: int, step: float) -> Iterator[HostSilence]:
    """Yield the strangest silence of one host, at ``end``, of each service with several hosts.

    Args:
        origin: numbers of sources on hosts (n,), one for each step in which one wrote.
        time: that of the newest line there (n,), microseconds.
        end: moment at which silence is judged, microseconds.
        step: seconds, as exact as gaps are known.
    """
    order = np.lexsort((time, origin))
    number, seconds = origin[order].astype(np.int64), (time[order] - end) / 1e6
    sources, first = np.unique(number, return_index=True)
    lines = np.split(seconds, first[1:])
    of_service = sources >> HOST_BITS
    for service in unique(of_service).tolist():
        own = np.flatnonzero(of_service == service).tolist()
        strangest = _strangest([lines[i] for i in own], len(sources), step) if len(own) > 1 else None
        if strangest is not None:
            yield HostSilence(service, len(own), *strangest)


def _strangest(hosts: list[np.ndarray], watched: int, step: float) -> tuple[float, float, float] | None:
    """Seconds, usual gap and surprise of the strangest silence of the hosts of a service, if there is one.

    ``hosts`` are the times of each one's lines, ascending, in seconds before the end; of ``watched`` hosts in all any
    might be silent.
    """
    silent = np.array([-host[-1] for host in hosts])
    longest = np.array([np.diff(host).max(initial=0.0) for host in hosts])
    enough = np.array([len(host) >= _LEAST for host in hosts]) & (silent > _LONGER * longest)
    enough &= silent.min() <= _WRITES * silent
    if not enough.any():
        return None
    gaps = np.sort(np.concatenate([np.diff(host) for host in hosts]))[::-1]
    exceeding = len(gaps) // 2
    threshold = gaps[exceeding]
    excess = gaps[:exceeding].sum() - exceeding * threshold
    # A host that writes more seldom than the others is silent for longer.
    own = np.array([(host[-1] - host[0]) / max(len(host) - 1 - _UNSURE, 1) for host in hosts])
    pace = np.minimum(gaps.mean() / np.maximum(own, step), 1.0)
    beyond = np.maximum(silent * pace - threshold, 0.0)
    tail = (exceeding + 1) * np.log1p(beyond / (excess + PRIOR_SHARE * threshold + step))
    # Each host shows so many such gaps in the time that its service's hosts were watched for.
    often = watched * exceeding * BLOCK_S / (gaps.sum() / len(hosts))
    nats = np.where(enough, np.maximum(tail - np.log(often), 0.0), -1.0)
    strangest = int(np.argmax(nats))
    return float(silent[strangest]), float(gaps[0]), float(nats[strangest])
