"""What a training refuses, and what it tells at its end."""

import random
from pathlib import Path

import pytest

from models.bundle import Bundle
from models.errors import InvalidError
from models.pipeline import PipelineConfig
from training.datasets import Survey, survey
from training.report import MIN_EVENTS, check_enough, report

LINE = "2026-03-02 08:{:02d}:{:02d}.000 7 INFO nova.compute.manager [-] all quiet\n"
DEMO = Bundle.load(Path(__file__).parents[2] / "stream" / "demo_bundle")


def look(path: Path) -> Survey:
    """Survey a file or folder."""
    return survey([path], PipelineConfig(), None, lambda _: None)


def logs(count: int, gap_s: int = 1) -> str:
    """So many lines, so many seconds apart."""
    return "".join(LINE.format(*divmod(n * gap_s, 60)) for n in range(count))


NOISE = random.Random(1).randbytes(200_000)
PROSE = b"".join(b"sentence number %d of a book that nobody logged\n" % n for n in range(1000))
TABLE = b"".join(b"%d,%d,abc\n" % (n, n * n) for n in range(1000))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (logs(3).encode(), "3 events of 3 lines are too few"),
        (logs(MIN_EVENTS - 1).encode(), "are too few"),
        (logs(MIN_EVENTS, 0).encode(), "within 0 s are too short a time"),
        (NOISE, "names a time"),
        (b"\x7fELF" + NOISE, "names a time"),
        (PROSE, "none of the 1,000 lines names a time"),
        (TABLE, "names a time"),
    ],
    ids=["three", "few", "a moment", "noise", "binary", "prose", "table"],
)
def test_what_nobody_can_learn_from_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    """With what to give instead."""
    path = tmp_path / "odd.log"
    path.write_bytes(content)
    with pytest.raises(InvalidError, match=told) as refused:
        check_enough(look(path))
    assert "a quarter of an hour at least" in refused.value.advice


def test_a_little_that_is_enough_passes(tmp_path: Path) -> None:
    """Also beside lines without a time, which do not make the span longer."""
    (tmp_path / "nova-compute.log").write_text(logs(MIN_EVENTS))
    (tmp_path / "banner.log").write_text("no time in this line\n")
    data = look(tmp_path)
    check_enough(data)
    assert [high - low for low, high in data.spans.values()] == [(MIN_EVENTS - 1) * 1_000_000]
    assert (data.timeless, dict(data.worst)) == (1, {str(tmp_path / "banner.log"): 1})


def test_the_report_names_services_hosts_and_what_is_missing(tmp_path: Path) -> None:
    """Of a short time on two hosts, much of it not understood."""
    for host in ("compute1", "compute2"):
        path = tmp_path / host / "nova-compute.log"
        path.parent.mkdir()
        path.write_text(logs(150))
    (tmp_path / "banner.log").write_text("no time in this line\n" * 100)
    first, *others = report(look(tmp_path), DEMO)
    services = DEMO.detectors.groups.services
    assert first.startswith(f"learnt from 2 minutes of logs; 13 of {len(services)} services are live: cinder-api")
    assert [sentence.split(" training")[0] for sentence in others[:2]] == [
        "  cinder-scheduler: shadow;",
        "  nova-conductor: shadow;",
    ]
    assert "on 2 hosts: compute1, compute2" in others
    assert "missing: 25% of the lines were not understood or have no time; mend that first" in others
    assert any(sentence.startswith("missing: a whole day") for sentence in others)


def test_logs_without_a_host_say_what_follows(tmp_path: Path) -> None:
    """A service is silent as a whole."""
    path = tmp_path / "nova-compute.log"
    path.write_text(logs(150))
    assert any(sentence.startswith("the logs name no host") for sentence in report(look(path), DEMO))
