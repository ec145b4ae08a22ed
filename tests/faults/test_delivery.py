"""A short storm: services fail in turn and the deliver role is killed; nothing is lost, doubled or left open."""

from pathlib import Path
from random import Random

import pytest

from tests.faults.delivery import plan, run
from tests.kafka_server import KafkaServer


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_is_lost_doubled_or_left_open(kafka_server: KafkaServer, tmp_path: Path) -> None:
    """The long form is ``python -m tests.faults.delivery``."""
    storm = run(kafka_server.bootstrap, tmp_path, minutes=1.0, incidents=25, kills=2, seed=3, say=print)
    assert storm.clean, "\n".join(storm.lines())
    assert storm.kills == 2


def test_a_storm_is_the_same_for_the_same_seed() -> None:
    """So that what failed can be looked at again."""
    assert plan(20, 60.0, Random(5)) == plan(20, 60.0, Random(5))
    assert len(plan(20, 60.0, Random(5))) >= 80
