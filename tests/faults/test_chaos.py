"""The short form of the chaos run; ``python -m tests.faults.chaos`` is the long one."""

from pathlib import Path

import pytest

from stream.kafka.clients import Broker
from stream.wiring.core import DEMO_BUNDLE
from tests.faults.chaos import chaos


@pytest.mark.kafka
@pytest.mark.timeout(900)
def test_killed_workers_lose_and_change_no_window(kafka: Broker, tmp_path: Path) -> None:
    """With ingest and detect killed and workers that come and go, windows and scores are those of the files."""
    # The sender may have to rest while a worker says good-bye: on a busy machine for long.
    outcome = chaos(
        kafka.bootstrap, tmp_path, DEMO_BUNDLE, count=24_000, kills=4, tenants=6, rate=1500.0, seed=11, idle_s=30
    )
    assert outcome.exact, str(outcome)
    assert outcome.kills == 4
    assert outcome.expected
