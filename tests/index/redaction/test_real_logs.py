"""What of harmless logs is masked wrongly: of our own everywhere, of real ones where they are beside the repository."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from tests.bench.bench_redact import DATA, FILES, lines_of, masked
from tests.own_logs import HARMLESS
from training.simulate import Scenario, stream_records

PATHS = [path for name in FILES for path in sorted(DATA.glob(name))]


def assert_harmless(lines: list[str]) -> None:
    """Not more than 1 % of the tokens is masked that is no id of a user or project and no address."""
    total, _, wrong = masked(lines)
    assert total > 500
    assert sum(wrong.values()) <= 0.01 * total, wrong.most_common(5)


def test_harmless_tokens_of_many_formats_stay() -> None:
    """Services, databases, queues, kernels and proxies, in lines written by hand."""
    assert_harmless(HARMLESS.read_text(encoding="utf-8").splitlines())


def test_harmless_tokens_of_a_simulated_cloud_stay() -> None:
    """Five minutes of all OpenStack services."""
    scenario = Scenario(3, datetime(2026, 3, 3, 8, tzinfo=UTC), 300.0)
    assert_harmless([orjson.loads(record.value)["log"] for record in stream_records(scenario)][:1000])


@pytest.mark.beside
@pytest.mark.skipif(not PATHS, reason="needs the logs in ../shared/data")
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_harmless_tokens_of_real_logs_stay(path: Path) -> None:
    """In no file."""
    assert_harmless(lines_of(path, 1_000))
