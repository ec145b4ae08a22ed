"""Silence of hosts: all sources of one at once, and one of many that are alike."""

import dataclasses
import random

import numpy as np
import pytest

from models.detectors.silence import SilenceSamples
from models.features.window_features import Groups, WindowFeatures
from models.findings import FindingKind
from models.records import WindowBatch, source_id
from models.rfc3339 import SECOND
from tests.models.detectors.minutes import VOCABULARY, Lines, batch
from tests.models.detectors.normal import findings_of, text

CMP1 = ("nova-compute@cmp1", "neutron-agent@cmp1", "libvirtd@cmp1")
CMP2 = ("nova-compute@cmp2", "neutron-agent@cmp2")
COMPUTES = Groups(["nova-compute", "neutron-agent", "libvirtd"])


def of_hosts(chosen: list[Lines], sources: tuple[str, ...]) -> WindowFeatures:
    """Minutes of these lines; two minutes before them are known."""
    return WindowFeatures.of(batch(chosen, before=120.0, sources=sources), VOCABULARY, COMPUTES)


def steady(sources: tuple[str, ...], stopped: tuple[str, ...] = ()) -> Lines:
    """A minute of sources that write every five to nine seconds; some stop after ten."""
    lines = [(n * (5.0 + i) + i / 10, source) for i, source in enumerate(sources) for n in range(12)]
    return sorted(line for line in lines if line[0] < 60 and (line[1] not in stopped or line[0] < 10))


def told_of(trained: tuple[str, ...], minute: Lines) -> tuple[list[tuple[str, str, str, int]], tuple[str, ...]]:
    """What is told of the last of three minutes, after twenty minutes of training: kind, service, host, sources."""
    made = of_hosts([steady(trained)] * 20, trained)
    samples = SilenceSamples(60.0)
    samples.add(made, np.arange(20))
    detector = samples.fit()
    served = of_hosts([steady(trained), steady(trained), minute], trained)
    findings = findings_of(detector, served, 2, text)
    assert all(finding.value is not None and finding.value > (finding.usual or 0) for finding in findings)
    named = [(finding.kind.value, finding.service, finding.host, finding.count) for finding in findings]
    return sorted(named), detector.silent_sources(served, np.array([2]))[0]


def alone(sources: tuple[str, ...]) -> list[tuple[str, str, str, int]]:
    """What is told of sources by name."""
    return sorted((FindingKind.SILENT.value, *source.partition("@")[::2], 0) for source in sources)


def test_a_host_all_of_whose_sources_stop_at_once_is_one_finding() -> None:
    """It names the host; the sources are concerned all the same."""
    findings, places = told_of(CMP1 + CMP2, steady(CMP1 + CMP2, CMP1))
    assert findings == [("host_silent", "", "cmp1", 3)]
    assert sorted(places) == sorted(CMP1)


@pytest.mark.parametrize(
    ("trained", "stopped", "more"),
    [
        (CMP1 + CMP2, CMP1[:2], ()),  # the third of the host goes on
        (CMP1 + CMP2, CMP1, ("multipathd@cmp1",)),  # another one of the host, which is not expected, goes on
        (CMP1 + CMP2, CMP1 + CMP2, ()),  # no other host writes
        (CMP1 + CMP2, CMP1 + CMP2, ("mysqld",)),  # and on which host others do is unknown
        (CMP1, CMP1, ()),  # there is one host only
        (("libvirtd@cmp1", *CMP2), ("libvirtd@cmp1",), ()),  # the host has one source only
        (("nova-compute", "neutron-agent", "libvirtd"), ("nova-compute", "neutron-agent"), ()),  # hosts are unknown
    ],
)
def test_what_need_not_be_a_whole_host_is_told_by_name(
    trained: tuple[str, ...], stopped: tuple[str, ...], more: tuple[str, ...]
) -> None:
    """Each silent source is one finding."""
    minute = sorted([*steady(trained, stopped), *((second, source) for source in more for second in range(60))])
    findings, places = told_of(trained, minute)
    assert findings == alone(stopped)
    assert sorted(places) == sorted(stopped)


def one_of_many(hosts: int, odd: int | None = None, seconds: int = 170, busy: int | None = None) -> float:
    """How strange it is that one host of so many writes nothing for so long, after a quarter of an hour of training.

    Each writes once a minute, and more when there is something to do; the ``odd`` one stopped in training, and
    the ``busy`` one wrote every ten seconds there.
    """
    rng = random.Random(3)
    sources = tuple(f"nova-compute@cmp{n}" for n in range(hosts))

    def minute(number: int) -> Lines:
        lines = [(10 + n * 40 / hosts + rng.uniform(0, 1), source) for n, source in enumerate(sources)]
        lines += [(rng.uniform(0, 59), source) for source in sources for _ in range(rng.choice((0, 0, 3)))]
        lines += [(n * 10.0, sources[busy]) for n in range(6) if busy is not None]
        stopped = sources[odd] if odd is not None and number > 8 else ""
        return sorted(line for line in lines if line[1] != stopped)

    samples = SilenceSamples(60.0)
    made = of_hosts([minute(number) for number in range(15)], sources)
    samples.add(made, np.arange(15))
    detector = samples.fit()
    served = of_hosts([minute(0)] * 4, sources)
    served = dataclasses.replace(served, windows=_silent_for(seconds, served.windows, source_id(sources[1])))
    assert detector.score(served)[1] == 0
    return float(detector.score(served)[3])


def _silent_for(seconds: int, windows: WindowBatch, origin: int) -> WindowBatch:
    """The windows, of which the last knows of one source's line so long before its end, and of none since."""
    seen = windows.last_seen
    low, high = seen.splits[3:5].tolist()
    time = seen.time.copy()
    of_source = np.flatnonzero(seen.origin[low:high] == origin) + low
    assert len(of_source)
    time[of_source] = windows.end[3] - seconds * SECOND
    return dataclasses.replace(windows, last_seen=dataclasses.replace(seen, time=time))


def test_one_host_of_many_is_missed_by_what_all_of_them_showed() -> None:
    """Too few gaps of its own tell how long it may be silent; those of twelve hosts do, and those of three do not."""
    assert one_of_many(12) > 10
    assert one_of_many(3) == 0


def test_a_host_that_stopped_in_training_does_not_hide_the_others() -> None:
    """It is not like them, and says nothing of how long they are silent."""
    assert one_of_many(12, odd=5) > 10


def test_who_was_busy_in_training_may_be_as_silent_as_others() -> None:
    """A host that by chance wrote more often is not missed before others would be."""
    assert one_of_many(12, busy=1, seconds=60) == 0
    assert one_of_many(3, busy=1, seconds=60) > 1
    assert one_of_many(12, busy=1) > 10
