"""Levels: names and numbers of all formats on one scale."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decode.formats.levels import LEVEL_WORD, LEVELS, level_expr, level_of
from models.records import Level


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("trace", Level.DEBUG),
        ("Notice", Level.INFO),
        ("WARN", Level.WARNING),
        (" err ", Level.ERROR),
        ("SeVeRe", Level.ERROR),
        ("fatal", Level.CRITICAL),
        ("emerg", Level.CRITICAL),
        ("chatty", Level.UNKNOWN),
        ("", Level.UNKNOWN),
    ],
)
def test_names_are_known_in_any_spelling(name: str, level: Level) -> None:
    """With spaces around them too; what is no level is unknown."""
    assert level_of(name) == level


@pytest.mark.parametrize(
    ("number", "level"),
    [
        (0, Level.CRITICAL),
        (2, Level.CRITICAL),
        (3, Level.ERROR),
        (4, Level.WARNING),
        (6, Level.INFO),
        (7, Level.DEBUG),
        (10, Level.DEBUG),
        (30, Level.WARNING),
        (50, Level.CRITICAL),
        (60, Level.CRITICAL),
        (8, Level.UNKNOWN),
        (1000, Level.UNKNOWN),
        (-1, Level.UNKNOWN),
    ],
)
def test_numbers_are_syslogs_or_pythons(number: int, level: Level) -> None:
    """The same as text and as a number of either sort."""
    assert level_of(number) == level_of(float(number)) == level
    if number >= 0:
        assert level_of(str(number)) == level


@given(st.text(max_size=12) | st.integers() | st.floats())
def test_anything_has_a_level(value: str | float) -> None:
    """Whatever a record names as its level; nothing raises."""
    assert level_of(value) in Level


@given(st.sampled_from(sorted(LEVELS)))
def test_a_column_and_a_value_agree(name: str) -> None:
    """Both readers know the same names."""
    column = pl.DataFrame({"level": [name, "chatty", None]}).select(level_expr("level")).to_series().to_list()
    assert column == [level_of(name), Level.UNKNOWN, Level.UNKNOWN]


def test_every_word_of_the_pattern_is_a_level() -> None:
    """A header's level would else be taken off and lost."""
    words = LEVEL_WORD.removeprefix("(?:").removesuffix(")").split("|")
    assert all(level_of(word) != Level.UNKNOWN for word in words)
