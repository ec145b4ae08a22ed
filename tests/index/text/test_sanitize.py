"""Text of others, made safe to show."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.text.neutral import REPLACEMENT, neutral

BAD = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ünïcödé, 日本語, emoji 🔥", None),
        ("\x1b[31mred\x1b[0m", "?red?"),
        ("\x1b]0;title\x07after", "?after"),
        ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "?click?"),
        ("\x9b2Jgone", "?gone"),
        ("a\rb\bc\x00d", "a?b?c?d"),
        ("a\r\nb\tc\n", "a b c "),
        ("user\u202egnp.exe", "user?gnp.exe"),
        ("zero\u200bwidth\ufeff", "zero?width?"),
        ("\u2066isolate\u2069", "?isolate?"),
        ("tag\U000e0041", "tag?"),
        ("half \ud800 pair", "half ? pair"),
        ("line\u2028separator", "line?separator"),
    ],
)
def test_what_acts_or_hides_is_shown(text: str, shown: str | None) -> None:
    """Codes and hidden characters become one visible sign each; letters of all languages stay."""
    assert neutral(text) == (text if shown is None else shown.replace("?", REPLACEMENT))


def test_lines_stay_where_they_are_wanted() -> None:
    """With lines, line ends and tabs stay, and a carriage return cannot overwrite what was read before."""
    assert neutral("a\r\n\tb\rc", lines=True) == f"a\n\tb{REPLACEMENT}c"


@settings(deadline=None)
@given(st.text(st.characters(), max_size=60), st.booleans())
def test_nothing_is_left_that_acts_and_twice_is_once(text: str, lines: bool) -> None:
    """Whatever the text, no control, format or private character is left, and a second pass changes nothing."""
    shown = neutral(text, lines=lines)
    assert not [each for each in shown if unicodedata.category(each) in BAD and each not in "\n\t"]
    assert ("\n" not in shown and "\t" not in shown) or lines
    assert neutral(shown, lines=lines) == shown
