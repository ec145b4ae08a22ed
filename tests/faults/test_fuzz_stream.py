"""The short form of the fuzz run on Apache Kafka; ``python -m tests.faults.fuzz_stream`` is the long one."""

from pathlib import Path

import pytest

from stream.kafka.clients import Broker
from tests.faults.fuzz_stream import sent, settle
from tests.integration.streamed import Deployment


@pytest.mark.kafka
@pytest.mark.slow
def test_hostile_records_stop_no_role_and_are_all_accounted_for(kafka: Broker, unique: str, tmp_path: Path) -> None:
    """Ingest and detect live to the end, the metrics add up, and a replay tells the windows of the stream."""
    settled = settle(Deployment(kafka, unique, tmp_path), sent(6000, 3, huge=1))
    settled.check()
    assert len(settled.published) > 100
