"""Cases 03, 04, 26, 28 and 29: what is made of lines of many hosts, services and texts."""

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl
import pytest
from click.testing import CliRunner

from models.detectors.novelty import REMARK, Novelty
from models.pipeline import PipelineConfig, windows_of_files
from models.records import ALL_SOURCES, KeyKind, Level, RawSpan
from models.templates.masks import Masks
from models.templates.matcher import mine, template_id
from models.windows.config import WindowConfig
from models.windows.store import WindowStore
from stream.cli import tocsin
from stream.wiring.core import DEMO_BUNDLE
from tests.models.detectors import normal
from tests.models.windows.test_store import Row, frame
from training.simulate import Scenario, stream_records

CLOUD: Final = ("controller-1", "compute-1", "compute-2", "storage-1", "network-1")
"""Hosts of the simulated cloud, which the shipped bundle knows."""
SERVICES: Final = ("keystone", "cinder", "glance", "neutron", "nova")
OSLO: Final = (
    "2025-03-04 10:{m:02}:{s:02}.123 7 {level} {logger} [req-{n:08x}-1111-4222-8333-444455556666 u t - - -] {text}"
)
UWSGI: Final = (
    "[pid: 7|app: 0|req: {n}/{n}] 10.0.0.1 () {{58 vars in 1024 bytes}} [Tue Mar  4 10:{m:02}:{s:02} 2025] GET /{p} => "
    "generated 250 bytes in 9 msecs (HTTP/1.1 {status}) 5 headers in 180 bytes (1 switches on core 0)"
)
APACHE: Final = '10.0.0.1 - - [04/Mar/2025:10:{m:02}:{s:02} +0000] "GET /{p} HTTP/1.1" {status} 12 "-" "curl"'
WSGI: Final = '10.0.0.1 "GET /{p} HTTP/1.1" status: {status} len: {n} time: 0.12'


def request(form: str, logger: str, path: str) -> Callable[[int], str]:
    """Return what writes the n-th line of a server's log: the last three requests fail."""

    def line(n: int) -> str:
        status = 500 if n >= 717 else 200
        place = {"m": n * 5 // 60, "s": n * 5 % 60, "n": n, "p": path, "status": status}
        text = WSGI.format(**place)
        return form.format(**place, level="INFO", logger=logger, text=text)

    return line


def failing(logger: str, text: str) -> Callable[[int], str]:
    """Return what writes the n-th line of a service: the last three are errors."""

    def line(n: int) -> str:
        level, said = ("ERROR", text) if n >= 717 else ("INFO", f"Periodic task {n} done")
        return OSLO.format(m=n * 5 // 60, s=n * 5 % 60, n=n, level=level, logger=logger, text=said)

    return line


@pytest.mark.parametrize(
    ("folder", "name", "line"),
    [
        ("nova", "nova-api", request(OSLO, "nova.osapi_compute.wsgi.server", "v2.1/servers")),
        ("glance", "glance-api", request(OSLO, "eventlet.wsgi.server", "v2/images")),
        ("placement", "placement-uwsgi", request(UWSGI, "", "resource_providers")),
        ("cinder", "cinder-api", request(UWSGI, "", "v3/volumes")),
        ("heat", "heat-api", request(APACHE, "", "v1/stacks")),
        ("barbican", "barbican-api", request(APACHE, "", "v1/secrets")),
        ("cinder", "cinder-volume", failing("cinder.volume.manager", "Volume group is full")),
        ("octavia", "octavia-worker", failing("octavia.controller.worker", "Amphora did not answer")),
        ("ironic", "ironic-conductor", failing("ironic.conductor.manager", "Failed to deploy node")),
    ],
)
@pytest.mark.parametrize("bundle", [(), ("--bundle", str(DEMO_BUNDLE))], ids=["no bundle", "another cloud's"])
def test_case_03_only_what_the_files_hold_is_blamed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    name: str,
    line: Callable[[int], str],
    bundle: tuple[str, ...],
) -> None:
    """An hour of one service, which fails at its end: its own fault, and no word of others."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_EMBEDDING_MODEL", "built-in")
    monkeypatch.setenv("TOCSIN_CACHE_PATH", str(tmp_path / "cache"))
    Path(folder).mkdir()
    Path(folder, f"{name}.log").write_text("".join(line(n) + "\n" for n in range(720)))
    args = ["analyze", "--issue", f"{name} fails", "--logs", folder, "--fast", *bundle]
    result = CliRunner().invoke(tocsin, [*args, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    record = orjson.loads(result.stdout)
    assert (record["service"], record["services"]) == (name, [name])
    page = CliRunner().invoke(tocsin, args).stdout
    assert [other for other in (*CLOUD, *SERVICES) if other in page and other != folder] == []


START: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@cache
def cloud() -> tuple[dict[str, Any], ...]:
    """Ten minutes of a simulated cloud."""
    return tuple(orjson.loads(record.value) for record in stream_records(Scenario(5, START, 600.0)))


def shifted(record: dict[str, Any], seconds: float) -> dict[str, Any]:
    """A record whose line was written by a clock that is so many seconds ahead."""
    match = re.match(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(.*)", record["log"], re.DOTALL)
    if match is None or not seconds:
        return record
    when = datetime.fromisoformat(match[1]) + timedelta(seconds=seconds)
    return {**record, "log": f"{when:%F %T}{match[2]}"}


@pytest.mark.parametrize(
    "ahead",
    [
        {"compute-1": 30},
        {"compute-1": 300},
        {"compute-1": -30},
        {"controller-1": 30},
        {"controller-1": -300},
        {"compute-2": 3600},
        {"network-1": -3600},
        {"storage-1": 5},
        {"compute-1": 30, "storage-1": -45},
        {"compute-1": 7, "compute-2": 70},
    ],
    ids=str,
)
def test_case_04_a_wrong_clock_blinds_nobody(tmp_path: Path, ahead: dict[str, float]) -> None:
    """Every line stands in the windows over everything, and nothing is late."""
    path = tmp_path / "skew.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(shifted(record, ahead.get(record["host"], 0))) for record in cloud()))
    config = PipelineConfig()
    store = WindowStore(config.windows)
    rows: set[int] = set()
    for batch in windows_of_files([path], config.processor(mine({"x": 1})), store):
        everything = [i for i, key in enumerate(batch.keys) if key == ALL_SOURCES]
        rows.update(int(n) for i in everything for n in batch.offset[batch.splits[i] : batch.splits[i + 1]])
    assert store.counts.late == 0
    assert len(rows) == len(cloud())


@pytest.mark.parametrize(
    ("before", "anew"),
    [
        ([(0, 39_999, 100)], [(0, 99, 900)]),
        ([(0, 9, 100)], [(0, 99, 900)]),
        ([(0, 999, 100), (1000, 1999, 150)], [(0, 49, 900), (50, 99, 905)]),
        ([(0, 99, 100)], [(0, 0, 900)]),
        ([(500, 999, 100)], [(0, 999, 900)]),
        ([(0, 99, 100)], [(0, 99, 101), (100, 199, 102)]),
    ],
)
def test_case_26_a_topic_made_anew(before: list[tuple[int, int, int]], anew: list[tuple[int, int, int]]) -> None:
    """First and last offset of frames and the broker's time: what starts again is new, and counted."""
    store = WindowStore(WindowConfig())
    for first, last, clock in (*before, *anew):
        data = frame([Row(("t", int(KeyKind.SOURCE), "a"), clock, 0, last)], {0: clock})
        store.add(replace(data, raw={0: RawSpan(first, last, data.raw[0].clock, data.raw[0].clock)}))
    assert (store.counts.restarts, store.counts.duplicates) == (1, 0)
    assert store.counts.rows == len(before) + len(anew)


@pytest.mark.parametrize(
    ("first", "last", "dropped"), [(0, 99, 1), (50, 149, 0), (100, 199, 0), (0, 9, 1), (99, 99, 1)]
)
def test_case_26_what_is_sent_twice_is_no_new_topic(first: int, last: int, dropped: int) -> None:
    """Frames of one topic that overlap, as after a restart: they came to the broker before."""
    store = WindowStore(WindowConfig())
    for begin, end in ((0, 99), (first, last)):
        data = frame([Row(("t", int(KeyKind.SOURCE), "a"), 100, 0, end)], {0: 100})
        store.add(replace(data, raw={0: RawSpan(begin, end, data.raw[0].clock, data.raw[0].clock - begin)}))
    assert (store.counts.restarts, store.counts.duplicates) == (0, dropped)


RNG: Final = random.Random(5)


def word() -> str:
    """A word of letters."""
    return "".join(RNG.choices("abcdefghijklmnopqrstuvwxyz", k=RNG.randint(5, 12)))


@pytest.mark.parametrize(
    ("text", "template"),
    [
        (lambda: f"Pod {word()} bound to node {word()} by {word()}", "Pod <*> bound to node <*> by <*>"),
        (lambda: f"Rebuild of {word()} from {word()} finished", "Rebuild of <*> from <*> finished"),
        (lambda: f"User {word()} logged in to server {word()}", "User <*> logged in to server <*>"),
        (lambda: f"User {word().title()} {word().title()} logged in", "User <*> <*> logged in"),
        (lambda: f"{word()} bound {word()} to {word()}", "<*> bound <*> to <*>"),
        (lambda: f"{word()}: zone {word()}: {word()} transferred", "<*> zone <*> <*> transferred"),
        (lambda: f'{{"user": "{word()}", "role": "{word()}"}}', '{"user": <*> "role": <*>'),
        (lambda: f"Scheduling hosts: {word()}, {word()}, {word()}", "Scheduling hosts: <*> <*> <*>"),
        (lambda: f"Resolved {word()}.{word()}.example to {word()}.internal", "Resolved <*> to <*>"),
        (lambda: f"[{word()}] task {word()} on queue {word()} finished", "<*> task <*> on queue <*> finished"),
        (lambda: f"Benutzer {word()}ä meldet {word()}ü ab", "Benutzer <*> meldet <*> ab"),
        (lambda: f"Image {word()} ({RNG.randint(1, 9999)} MB) saved by {word()}", "Image <*> (<*> MB) saved by <*>"),
        (lambda: f"Job {word().upper()} replaced {word().upper()} now", "Job <*> replaced <*> now"),
    ],
)
def test_case_28_words_that_vary_freely(text: Callable[[], str], template: str) -> None:
    """Two or three of them, at the begin, at the end and within: one template, not one a line."""
    masked = Masks.default().text(pl.Series([text() for _ in range(2000)]))
    table = mine(Counter(masked.to_list()))
    assert {" ".join(mined.words) for mined in table.templates} == {template}


def test_case_28_texts_of_their_own_stay_apart() -> None:
    """Names of states and of commands are no values, however many texts there are."""
    texts = [f"Instance {state} by {who}" for state in ("started", "stopped") for who in ("user", "admin", "system")]
    many = [f"Volume {word()} {state} on {word()}" for state in ("attached", "detached") for _ in range(1000)]
    table = mine(Counter(Masks.default().text(pl.Series(texts + many)).to_list()))
    assert {" ".join(mined.words) for mined in table.templates} == {
        *texts,
        "Volume <*> attached on <*>",
        "Volume <*> detached on <*>",
    }


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((Level.DEBUG,) * 10, 0.0),
        ((Level.DEBUG,), 0.0),
        ((Level.INFO,) * 10, REMARK),
        ((Level.INFO,), REMARK),
        ((Level.DEBUG,) * 5 + (Level.INFO,) * 5, REMARK),
        ((Level.INFO,) * 3 + (Level.WARNING,), 4.0),
        ((Level.DEBUG,) * 9 + (Level.ERROR,), 1.0),
    ],
    ids=lambda value: str(value)[:40],
)
def test_case_29_new_texts_of_little_weight(levels: tuple[Level, ...], expected: float) -> None:
    """Debugging switched on, or words changed by an upgrade, is no alarm or one remark; a new warning counts."""
    detector = Novelty(normal.tokens_of_groups(normal.NORMAL), Level.INFO)
    events = [(n, template_id(f"a text of number {n}")) for n in range(len(levels))]
    assert normal.score(detector, normal.at(events, levels=levels)) == [expected]
