"""Silence: sources that always write and have stopped."""

import dataclasses
import random
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detectors.silence import Silence, SilenceSamples
from models.features.window_features import Groups, WindowFeatures, service_of
from models.findings import FindingKind
from models.records import LastSeen, source_id
from models.rfc3339 import SECOND
from tests.models.detectors.minutes import BUSY, CALM, MINUTE, SELDOM, VOCABULARY, Lines, batch
from tests.models.detectors.normal import findings_of, sentences_of, text

GROUPS = Groups(["nova-compute", "cinder-volume"])


def facts(chosen: list[Lines], *, whole: bool = True) -> WindowFeatures:
    """Work out the facts of these windows."""
    return WindowFeatures.of(batch(chosen, whole=whole), VOCABULARY, GROUPS)


def usual(rng: random.Random, *, without: str = "", since: float = 60.0) -> Lines:
    """A minute: one source writes every five seconds, one every fifteen, one in half of the minutes."""
    lines = [(n * 5 + rng.uniform(0, 2), BUSY) for n in range(12)]
    lines += [(n * 15 + rng.uniform(0, 2), CALM) for n in range(4)]
    lines += [(rng.uniform(0, 59), SELDOM)] if rng.random() < 0.5 else []
    return sorted(line for line in lines if line[1] != without or line[0] < since)


def learnt(minutes: int) -> Silence:
    """Fit to so many usual minutes."""
    rng = random.Random(1)
    samples = SilenceSamples(60.0)
    made = facts([usual(rng) for _ in range(minutes)])
    samples.add(made, np.arange(len(made.group)))
    return samples.fit()


DETECTOR = learnt(300)


def test_usual_minutes_score_nothing_or_little() -> None:
    """Of five hundred others."""
    rng = random.Random(2)
    scores = DETECTOR.score(facts([usual(rng) for _ in range(500)]))[:500]
    assert (scores == 0).mean() > 0.97
    assert scores.max() < 3.0


@pytest.mark.parametrize(("source", "since"), [(BUSY, 30.0), (BUSY, 0.0), (CALM, 20.0)])
def test_a_source_that_stops_is_found_and_named(source: str, since: float) -> None:
    """Whether or not it wrote at the beginning of the window; the longer, the stranger."""
    rng = random.Random(3)
    made = facts([usual(rng, without=source, since=since), usual(rng)])
    stopped, other = DETECTOR.score(made)[:2]
    assert stopped > 3 > other
    (silent,) = findings_of(DETECTOR, made, 0, text)
    assert f"{silent.service}@{silent.host}" == source
    assert silent.value is not None
    assert silent.usual is not None
    assert silent.value > silent.usual
    assert silent.moment is not None
    assert silent.moment == pytest.approx(made.windows.end[0] - silent.value * SECOND, abs=1000)
    (sources,) = DETECTOR.silent_sources(made, np.array([0]))
    assert [*map(service_of, sources)] == ["nova-compute"]
    assert sentences_of(DETECTOR, made, 1) == []


@given(st.floats(10.0, 55.0), st.floats(0.1, 10.0))
@settings(max_examples=30, deadline=None)
def test_a_longer_silence_is_never_less_strange(since: float, earlier: float) -> None:
    """The same minute, cut off earlier."""
    late = usual(random.Random(4), without=BUSY, since=since)
    early = usual(random.Random(4), without=BUSY, since=since - earlier)
    scores = DETECTOR.score(facts([late, early]))
    assert scores[0] <= scores[1]


def test_who_often_rests_and_who_is_unknown_says_nothing_by_silence() -> None:
    """Half of all minutes are without the one, and training knows nothing of the other."""
    rng = random.Random(5)
    assert DETECTOR.score(facts([usual(rng, without=SELDOM, since=0.0)]))[0] == 0
    with_new = sorted([*usual(rng), (3.0, "heat-engine@d")])
    assert DETECTOR.score(facts([with_new]))[0] == 0


def test_only_whole_windows_over_everything_are_judged() -> None:
    """What is cut off or of one source has no say."""
    rng = random.Random(6)
    assert np.isnan(DETECTOR.score(facts([usual(rng)], whole=False))).all()
    scores = DETECTOR.score(facts([usual(rng)]))
    assert np.isnan(scores[1:]).all()
    assert sentences_of(DETECTOR, facts([usual(rng, without=BUSY, since=0.0)], whole=False), 0) == []


def calm(silent: float, *, known: bool = True) -> WindowFeatures:
    """A minute of a source that last wrote ``silent`` seconds before its end; the two minutes before may be known."""
    lines = [(n * 5.0, BUSY) for n in range(12)]
    lines += [(60 - silent, CALM)] * (known or silent < 60)
    return WindowFeatures.of(batch([sorted(lines)], before=120.0 * known), VOCABULARY, GROUPS)


def once_a_minute() -> Silence:
    """A quarter of an hour of a source that writes every five seconds, and one that writes once a minute."""
    rng = random.Random(9)
    minutes = [[*((n * 5.0, BUSY) for n in range(12)), (rng.uniform(20, 30), CALM)] for _ in range(15)]
    made = WindowFeatures.of(batch([sorted(lines) for lines in minutes], before=120.0), VOCABULARY, GROUPS)
    samples = SilenceSamples(60.0)
    samples.add(made, np.arange(len(made.group)))
    return samples.fit()


def test_who_writes_once_a_minute_is_missed_after_a_quarter_of_an_hour_of_training() -> None:
    """What is remembered from before the window tells; without it nothing is said."""
    detector = once_a_minute()
    on_time, due, late = (calm(silent) for silent in (50.0, 100.0, 170.0))
    assert detector.score(on_time)[0] == 0
    assert 0 < detector.score(due)[0] < detector.score(late)[0]
    (reason,) = sentences_of(detector, late, 0)
    assert reason.startswith("nova-compute on b has written nothing for 170 s (usually at most ")
    assert detector.score(calm(170.0, known=False))[0] == 0


def test_a_silence_has_a_rate_of_false_alarms_of_its_own() -> None:
    """What training makes rarer than once a day is so without any calibration; what is usual comes any time."""
    detector = once_a_minute()
    on_time, late = (float(detector.log_per_day(detector.score(calm(silent)))[0]) for silent in (50.0, 170.0))
    assert late < 0 < on_time
    assert np.isnan(detector.log_per_day(detector.score(calm(50.0)))[1])
    again = Silence.from_arrays(detector.arrays())
    assert again.log_per_day(again.score(calm(170.0)))[0] == late


def test_a_few_lines_teach_nothing() -> None:
    """Below the least number of gaps no source is expected."""
    assert learnt(1).score(facts([usual(random.Random(7), without=CALM, since=0.0)]))[0] == 0


def test_a_source_that_stopped_during_training_is_not_expected() -> None:
    """It was taken away, or moved: its long silence was normal."""
    rng = random.Random(1)
    made = facts([usual(rng, without=BUSY if minute >= 5 else "", since=0.0) for minute in range(30)])
    samples = SilenceSamples(60.0)
    samples.add(made, np.arange(len(made.group)))
    detector = samples.fit()
    assert "nova-compute@a" not in detector.arrays()["keys"].tolist()


def test_where_sources_have_other_names_nothing_is_silent() -> None:
    """Training on files knew no hosts, and serving does: none of the expected has ever written."""
    lines = [(n * 5.0, "nova-compute@elsewhere") for n in range(12)]
    strangers = WindowFeatures.of(batch([lines], before=120.0), VOCABULARY, GROUPS)
    assert once_a_minute().score(strangers)[0] == 0


def test_held_back_minutes_are_no_silence() -> None:
    """A stretch that training leaves out ends what is watched, and begins it anew."""
    rng = random.Random(1)
    made = facts([usual(rng) for _ in range(40)])
    samples = SilenceSamples(60.0)
    samples.add(made, np.array([n for n in range(40) if n not in range(10, 30)]))
    longest = dict(
        zip(samples.fit().arrays()["keys"].tolist(), samples.fit().arrays()["longest"].tolist(), strict=True)
    )
    assert longest[BUSY] < 10


def test_bundles_of_older_versions_judge_as_before() -> None:
    """By the silence that one window in two hundred is beyond, in spreads from that of one in twenty."""
    older = Silence((CALM,), np.array([20.0]), np.array([30.0]))
    again = Silence.from_arrays(older.arrays())
    for detector in (older, again):
        assert detector.score(calm(55.0))[0] == 2.5
        assert detector.score(calm(29.0))[0] == 0
        assert np.isnan(detector.log_per_day(detector.score(calm(55.0)))[0])


def moved(lines: Lines, hosts: dict[str, str]) -> Lines:
    """The same lines with other hosts; "" for none."""
    parts = [(second, *source.partition("@")) for second, source in lines]
    named = [(second, service, hosts.get(host, host)) for second, service, _, host in parts]
    return [(second, f"{service}@{host}" if host else service) for second, service, host in named]


def learnt_without_hosts() -> Silence:
    """Fit to minutes of the same two services as files tell them: without a host."""
    rng = random.Random(11)
    samples = SilenceSamples(60.0)
    hostless = batch([moved(usual(rng), {"a": "", "b": "", "c{1}": ""}) for _ in range(300)])
    hostless = dataclasses.replace(hostless, keys=[key.partition("@")[0] for key in hostless.keys])
    made = WindowFeatures.of(hostless, VOCABULARY, GROUPS)
    samples.add(made, np.arange(len(made.group)))
    return samples.fit()


HOSTLESS = learnt_without_hosts()


def alive_and_dead(seed: int, hosts: dict[str, str]) -> tuple[WindowFeatures, WindowFeatures]:
    """Make a usual minute on these hosts, and one in which all but the seldom source stop after ten seconds."""
    rng = random.Random(seed)
    alive = moved(usual(rng), hosts)
    dead = moved([line for line in usual(rng) if line[0] < 10 or line[1] == SELDOM], hosts)
    return facts([alive]), facts([dead])


@pytest.mark.parametrize(
    "hosts",
    [
        {"a": "ctl1", "b": "ctl2"},
        {"a": "ctl1.example.com", "b": "10.0.0.7"},
        {"a": "", "b": ""},
        {"a": "", "b": "ctl2"},
        {"a": "ctl1", "b": "ctl1"},
    ],
)
def test_what_was_trained_without_hosts_is_silent_only_where_all_hosts_are(hosts: dict[str, str]) -> None:
    """Whatever hosts are served, and named then without one."""
    alive, dead = alive_and_dead(12, hosts)
    assert HOSTLESS.score(alive)[0] == 0
    assert HOSTLESS.score(dead)[0] > 3
    (silent,) = findings_of(HOSTLESS, dead, 0, text)
    assert (silent.service, silent.host) == ("nova-compute", "")


STEPWISE = Silence.from_arrays({**HOSTLESS.arrays(), "step": np.array([15.0])})
"""As if it had been trained with steps of 15 s."""


def three_hosts(dead: str = "") -> WindowFeatures:
    """A minute of a service on three hosts that each wrote every 15 s for three; one may have stopped in the second."""
    sources = tuple(f"nova-compute@x{i}" for i in range(3))
    lines = [(second + 4.0 * i, source) for i, source in enumerate(sources) for second in range(-120, 60, 15)]
    lines = sorted(line for line in lines if line[1] != dead or line[0] < -35)
    made = batch([[line for line in lines if line[0] >= 0]], sources=sources)
    origin = np.array([source_id(source) for _, source in lines], np.uint32)
    time = made.start[0] + np.array([round(second * SECOND) for second, _ in lines])
    rest = np.zeros(len(sources), np.int64)
    seen = LastSeen(np.append(made.start[0] - 2 * MINUTE, rest), np.array([0, *[len(lines)] * 4]), origin, time)
    return WindowFeatures.of(dataclasses.replace(made, last_seen=seen), VOCABULARY, GROUPS)


def test_one_host_of_what_was_trained_without_hosts_is_missed_while_others_write_on() -> None:
    """Its name is not known to the bundle, but of how many it is one."""
    alive, dead = three_hosts(), three_hosts("nova-compute@x1")
    assert STEPWISE.score(alive)[0] == 0
    assert findings_of(STEPWISE, alive, 0, text) == []
    assert STEPWISE.log_per_day(STEPWISE.score(dead))[0] < 0
    (silent,) = findings_of(STEPWISE, dead, 0, text)
    assert (silent.kind, silent.service, silent.host, silent.count) == (FindingKind.SILENT, "nova-compute", "", 3)
    (said,) = sentences_of(STEPWISE, dead, 0)
    assert said == "one of 3 hosts of nova-compute has written nothing for 101 s (usually at most 15 s)"
    assert STEPWISE.silent_sources(dead, np.array([0])) == [("nova-compute",)]


def test_bundles_of_earlier_versions_judge_no_single_host() -> None:
    """They do not tell how exact gaps are known; what is stored now keeps its say."""
    dead = three_hosts("nova-compute@x1")
    arrays = STEPWISE.arrays()
    assert Silence.from_arrays(arrays).score(dead)[0] == STEPWISE.score(dead)[0] > 0
    older = Silence.from_arrays({name: array for name, array in arrays.items() if name != "step"})
    assert older.score(dead)[0] == 0
    assert "step" not in older.arrays()


@pytest.mark.parametrize("hosts", [{"a": "", "b": ""}, {"a": "x1", "b": "x2"}, {"a": "x1", "b": ""}])
def test_what_was_trained_with_hosts_is_expected_anywhere_where_these_are_gone(hosts: dict[str, str]) -> None:
    """All on other hosts, or on none: the service counts."""
    alive, dead = alive_and_dead(13, hosts)
    assert DETECTOR.score(alive)[0] == 0
    assert DETECTOR.score(dead)[0] > 3


@pytest.mark.parametrize("full", ["a.example.com", "A", "a.cloud.internal"])
def test_a_host_is_the_same_by_its_short_name_and_its_full_one(full: str) -> None:
    """The one that stopped is found, though the other's service writes."""
    rng = random.Random(14)
    lines = moved(usual(rng, without=BUSY, since=10.0), {"a": full, "b": "b.example.com"})
    made = WindowFeatures.of(batch([lines]), VOCABULARY, GROUPS)
    assert DETECTOR.score(made)[0] > 3
    (silent,) = findings_of(DETECTOR, made, 0, text)
    assert silent.host == "a"


def test_frames_of_earlier_versions_are_judged_as_they_were() -> None:
    """They number a source by the checksum of its whole key."""
    rng = random.Random(15)
    lines = usual(rng)
    made = batch([lines])
    numbers = {source_id(key): zlib.crc32(key.encode()) for key in (BUSY, CALM, SELDOM)}
    old = np.array([numbers[origin] for origin in made.last_seen.origin.tolist()], np.uint32)
    made = dataclasses.replace(made, last_seen=dataclasses.replace(made.last_seen, origin=old))
    assert DETECTOR.score(WindowFeatures.of(made, VOCABULARY, GROUPS))[0] == 0
