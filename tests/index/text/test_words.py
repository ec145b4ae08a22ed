"""The words of log lines and of prose about them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text.words import MAX_TEXT, STOP, stem, words

REQUEST = "req-772c28a4-455d-4e72-b258-cbec9ee5486f"


@pytest.mark.parametrize(
    ("line", "prose"),
    [
        ("nova.exception.NoValidHost", "no valid host"),
        ("PortBindingFailed: Binding failed for port", "port binding failure"),
        ("oslo_messaging.exceptions.MessagingTimeout", "messaging timed out"),
        ("HTTPConnectionPool", "http connection pool"),
        ("os_vif.exception.PlugException", "vif plug"),
        ("ERROR_VOLUME_DETACH", "volumes detached with errors"),
        ("HTTP exception 503", "503"),
    ],
)
def test_a_name_shares_its_words_with_prose(line: str, prose: str) -> None:
    """Every word of the prose stands in the name."""
    assert set(words(prose)) <= set(words(line))


def test_a_name_counts_as_a_whole_too() -> None:
    """The same name is a stronger sign than its parts."""
    assert "nova.compute.manager" in words("2026-03-02 08:00:00.000 7 ERROR nova.compute.manager boom")
    assert "novalidhost" in words("raise NoValidHost(reason)")


@pytest.mark.parametrize(
    "value",
    [
        "772c28a4-455d-4e72-b258-cbec9ee5486f",
        REQUEST,
        "0x7f3c2a10",
        "4ae1f0b29cde11ff",
        "10.0.20.26:9696",
        "fa:16:3e:12:ab:cd",
        "2026-03-02 08:00:00.123",
        "https://10.0.0.1/v2.1/1e0bcaa6/servers",
        "1234567",
        "<*>",
    ],
)
def test_values_that_never_come_again_are_no_words(value: str) -> None:
    """They would make every line unlike every other."""
    assert words(f"volume {value} gone") == words("volume gone")


def test_codes_stay() -> None:
    """Status codes, error numbers and ports say what happened."""
    assert words("error 1213, status 503, port 5672") == ["error", "1213", "statu", "503", "port", "5672"]


def test_forms_of_a_word_are_one() -> None:
    """And different words are not."""
    assert len({stem(word) for word in ("failed", "fails", "failing", "failure", "fail")}) == 1
    assert len({stem(word) for word in ("attach", "attaching", "attached", "attachment", "attaches")}) == 1
    assert stem("host") != stem("hostel")
    assert stem("retries") == stem("retry")


def test_what_every_text_holds_is_left_out() -> None:
    """Small words of English, and the frame of a traceback."""
    assert words("Traceback (most recent call last):") == ["recent", "call", "last"]
    assert not set(words("it is in the file of a host")) & STOP


@given(st.text(max_size=300))
def test_any_text_has_words_in_lower_case(text: str) -> None:
    """Nothing raises, and case makes no difference to what is found."""
    found = words(text)
    assert all(word == word.lower() and word for word in found)
    assert found == words(text)


@pytest.mark.parametrize(
    "piece", ["a", "A", "aB", "1", "a.", "a:", "0f", "fe:", "1.", "req-", "-", "time", "<*", "/a", "\x00"]
)
def test_a_huge_text_is_looked_at_in_part_and_once(piece: str) -> None:
    """A line of a megabyte must not stop a search: no pattern begins anew at every character."""
    text = piece * (1_000_000 // len(piece))
    assert words(text + " volume") == words(text[:MAX_TEXT])
