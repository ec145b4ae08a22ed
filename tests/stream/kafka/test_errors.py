"""Kafka's errors in our terms."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from models.errors import FatalError, InvalidError, TocsinError, TransientError
from stream.kafka.errors import MEANINGS, kafka_errors, translate

CODES = {
    name: getattr(KafkaError, name)
    for name in dir(KafkaError)
    if name.lstrip("_").isupper() and isinstance(getattr(KafkaError, name), int)
}


def test_the_map_names_only_errors_that_there_are() -> None:
    """A misspelt name would never be met."""
    assert len(MEANINGS) > 40
    assert set(MEANINGS) <= set(CODES)


@pytest.mark.parametrize("name", sorted(set(CODES) - {"NO_ERROR"}))
def test_every_code_becomes_one_of_our_errors_with_advice(name: str) -> None:
    """The message names what was tried, the code and what to do; what the map does not know stops the role."""
    kind, advice = MEANINGS.get(name, (FatalError, "restart the role; if it happens again, look at the broker's log"))
    error = translate(KafkaError(CODES[name]), "read a topic")
    assert type(error) is kind
    assert str(error).startswith("cannot read a topic: ")
    assert error.advice == advice
    assert "\n" not in str(error)


def test_what_the_library_calls_fatal_or_retriable_wins_over_the_map() -> None:
    """A fatal error ends the client instance whatever its code; a retriable one may be tried again."""
    fatal = KafkaError(KafkaError.REQUEST_TIMED_OUT, "gone", fatal=True)
    retriable = KafkaError(KafkaError.UNKNOWN, "busy", retriable=True)
    assert isinstance(translate(fatal, "send"), FatalError)
    assert isinstance(translate(retriable, "send"), TransientError)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN)), TransientError),
        (KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)), InvalidError),
        (KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)), FatalError),
        (KafkaException("no KafkaError inside"), FatalError),
        (BufferError("Local: Queue full"), TransientError),
    ],
)
def test_the_border_lets_only_our_errors_through(raised: Exception, expected: type[TocsinError]) -> None:
    """Inside the block Kafka's exceptions become ours and keep their cause."""
    with pytest.raises(expected) as caught, kafka_errors("send"):
        raise raised
    assert caught.value.__cause__ is raised
