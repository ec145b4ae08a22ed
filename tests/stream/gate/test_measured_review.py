"""Commands in processes of their own: what they tell and take, and what is said where they fail."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.errors import FatalError
from stream.gate.measured_review import figures_that_got_worse, measured_review
from stream.wiring.core import DEMO_BUNDLE
from training.simulate import Scenario, stream_records


def test_a_review_is_measured_by_itself(tmp_path: Path) -> None:
    """Time and memory are those of the one process, however large the one is that starts it."""
    ballast = bytearray(1_100_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])
    lines = tmp_path / "lines.jsonl"
    scenario = Scenario(4, datetime(2026, 3, 3, 8, tzinfo=UTC), 60.0)
    lines.write_bytes(b"".join(record.value + b"\n" for record in stream_records(scenario)))
    measured = measured_review([str(lines)], DEMO_BUNDLE)
    assert measured.logs.lines == len(lines.read_bytes().splitlines())
    assert measured.logs.incidents == ()
    assert measured.cost == (measured.cpu_s, measured.peak_mb)
    assert measured.cpu_s > 0
    assert 50 < measured.peak_mb < 1000


def test_what_fails_says_why(tmp_path: Path) -> None:
    """In the words of the command that failed."""
    with pytest.raises(FatalError, match=r"`tocsin review .*` failed: .*no such file"):
        measured_review([str(tmp_path / "none.log")], DEMO_BUNDLE)
    spec = tmp_path / "sets.toml"
    spec.write_text("sets = 3\n")
    with pytest.raises(FatalError, match="`tocsin evaluate"):
        figures_that_got_worse(spec, DEMO_BUNDLE, DEMO_BUNDLE, tmp_path)
