"""Questions to a cluster that moves: asked again where the answer may come, told at once where it will not."""

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException

from models.errors import InvalidError, TransientError
from stream.kafka import clients
from stream.kafka.clients import retry_until_known


def failing(code: int, times: int) -> Callable[[], int]:
    """Return a question that fails so often before it is answered with the number of the attempt."""
    asked = [0]

    def ask() -> int:
        asked[0] += 1
        if asked[0] <= times:
            raise KafkaException(KafkaError(code))
        return asked[0]

    return ask


@pytest.mark.parametrize("code", [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.COORDINATOR_LOAD_IN_PROGRESS])
def test_a_partition_that_moves_is_asked_for_again(code: int) -> None:
    """Until somebody has it."""
    assert retry_until_known(failing(code, 3), "ask") == 4


def test_what_no_waiting_mends_is_told_at_once() -> None:
    """A topic that is not there."""
    with pytest.raises(InvalidError, match="cannot ask"):
        retry_until_known(failing(KafkaError.UNKNOWN_TOPIC_OR_PART, 1), "ask")


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what was the matter."""
    monkeypatch.setattr(clients, "TIMEOUT_S", 0.2)
    with pytest.raises(TransientError, match="NOT_LEADER_FOR_PARTITION"):
        retry_until_known(failing(KafkaError.NOT_LEADER_FOR_PARTITION, 10**9), "ask")
