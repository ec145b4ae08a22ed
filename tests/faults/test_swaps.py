"""Promotions and kills while lines flow: a short form of ``python -m tests.faults.swaps``."""

from pathlib import Path

import pytest

from stream.kafka.clients import Broker
from tests.faults.swaps import swaps


@pytest.mark.kafka
@pytest.mark.slow
def test_each_window_is_judged_by_the_version_that_was_due(kafka: Broker, tmp_path: Path) -> None:
    """Three promotions and two kills: what was told is what a replay decides, each by the bundle of its time."""
    outcome = swaps(kafka.bootstrap, tmp_path, seconds=60.0, count=3, kills=2, tenants=5, seed=7)
    assert outcome.is_exact, str(outcome)
    assert len(set(outcome.bundles.values())) > 1
