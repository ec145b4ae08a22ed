"""Dead letters and the point past which there are too many."""

import base64

import orjson
import pytest

from models.errors import FatalError
from models.records import Reject
from stream.topics.dead_letters import MAX_PAYLOAD_BYTES, SCHEMA, DeadLimit, DeadWatch, dead_letter

REJECT = Reject(3, "wrong_type", "line is int, not text")
LIMIT = DeadLimit(share=0.5, least=10, window=100)


def test_a_letter_says_why_where_from_and_what() -> None:
    """Everything that is needed to mend the shipper stands in the record."""
    letter = orjson.loads(dead_letter(REJECT, b'{"log": 5}', "t.logs.raw", 2, 41))
    assert letter == {
        "schema": SCHEMA,
        "reason": "wrong_type",
        "detail": "line is int, not text",
        "origin": {"topic": "t.logs.raw", "partition": 2, "offset": 41},
        "size": 10,
        "payload": '{"log": 5}',
    }


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"\x80" * (MAX_PAYLOAD_BYTES + 1), b"\xe2\x82"])
def test_bytes_that_are_no_text_are_base64(payload: bytes) -> None:
    """Broken encodings are told to the byte."""
    letter = orjson.loads(dead_letter(REJECT, payload, "t", 0, 0))
    assert "payload" not in letter
    assert base64.b64decode(letter["payload_base64"]) == payload[:MAX_PAYLOAD_BYTES]


def test_a_long_payload_is_cut_and_its_size_told() -> None:
    """logs.raw holds the rest."""
    letter = orjson.loads(dead_letter(REJECT, b"x" * 1_000_000, "t", 0, 0))
    assert letter["payload"] == "x" * MAX_PAYLOAD_BYTES
    assert letter["size"] == 1_000_000


@pytest.mark.parametrize("character", ["é", "€", "🔥"])
@pytest.mark.parametrize("before", [1, 2, 3, 4])
def test_text_that_is_cut_stays_text(character: str, before: int) -> None:
    """No character is cut in two."""
    text = "a" * (MAX_PAYLOAD_BYTES - before) + character * 9
    letter = orjson.loads(dead_letter(REJECT, text.encode(), "t", 0, 0))
    whole = before // len(character.encode())
    assert letter["payload"] == "a" * (MAX_PAYLOAD_BYTES - before) + character * whole


def test_a_letter_of_control_characters_fits_into_a_message() -> None:
    """Escapes make JSON up to six times as long."""
    assert len(dead_letter(REJECT, b"\0" * MAX_PAYLOAD_BYTES, "t", 0, 0)) < 1_000_000


def stopped(watch: DeadWatch, *batches: tuple[int, int]) -> bool:
    """Say whether the watch stops the role over batches of so many lines and so many bad ones."""
    try:
        for lines, rejects in batches:
            watch.count(lines, rejects)
    except FatalError:
        return True
    return False


def test_a_few_bad_lines_among_few_are_no_alarm() -> None:
    """At the start every line may be bad by chance; only a number of them counts."""
    assert not stopped(DeadWatch(LIMIT), *[(1, 1)] * 9)


def test_too_many_bad_lines_stop_the_role_with_advice() -> None:
    """The error tells the numbers, where to look and what to set."""
    watch = DeadWatch(LIMIT)
    watch.count(9, 9)
    with pytest.raises(FatalError, match=r"10 of the last 10 lines .* logs\.dead.*TOCSIN_DEAD_LIMIT_SHARE"):
        watch.count(1, 1)


def test_the_share_itself_is_still_allowed() -> None:
    """Exactly half is not more than half."""
    watch = DeadWatch(LIMIT)
    assert not stopped(watch, (40, 20))
    assert stopped(watch, (1, 1))


def test_bad_lines_of_long_ago_are_forgotten() -> None:
    """Only the last window counts, however long the role has run."""
    assert not stopped(DeadWatch(LIMIT), (40, 9), *[(50, 0)] * 4, (9, 9), (100, 0), (9, 9))


def test_good_lines_of_long_ago_do_not_hide_bad_ones() -> None:
    """A million good lines yesterday do not excuse a broken shipper today."""
    watch = DeadWatch(LIMIT)
    assert not stopped(watch, (1_000_000, 0), (100, 40))
    assert stopped(watch, (100, 80))


def test_a_share_of_one_never_stops_the_role() -> None:
    """Whoever wants all of it in logs.dead can have it."""
    assert not stopped(DeadWatch(DeadLimit(share=1.0, least=1, window=10)), (1000, 1000))
