"""Vocabulary: template ids as tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidError
from models.features.vocabulary import NEW, SPECIAL, Vocabulary

IDS = st.lists(st.integers(min_value=1, max_value=2**64 - 1), max_size=20)


@given(IDS, IDS)
def test_known_ids_have_tokens_of_their_own_and_others_are_new(known: list[int], others: list[int]) -> None:
    """Every known id has one token of its own, whatever the order of the ids; any other is NEW."""
    vocabulary = Vocabulary(known)
    asked = [*known, *others]
    tokens = vocabulary.encode(np.array(asked, np.uint64)).tolist()
    expected = {number: SPECIAL + place for place, number in enumerate(sorted(set(known)))}
    assert tokens == [expected.get(number, NEW) for number in asked]
    assert len(vocabulary) == SPECIAL + len(expected)


@given(IDS, IDS)
def test_json_keeps_the_tokens(known: list[int], rare: list[int]) -> None:
    """What was written reads back with the same tokens, and knows what is rare."""
    vocabulary = Vocabulary(known, rare)
    again = Vocabulary.from_json(vocabulary.to_json())
    assert again.ids.tolist() == vocabulary.ids.tolist()
    assert again.is_rare(np.array([*rare, *known], np.uint64)).tolist() == [True] * len(rare) + [
        number in rare for number in known
    ]


def test_a_list_of_ids_is_read_as_well() -> None:
    """As older versions wrote it: nothing is rare."""
    vocabulary = Vocabulary.from_json(["000000000000000a"])
    assert vocabulary.ids.tolist() == [10]
    assert not vocabulary.is_rare(np.array([10, 11], np.uint64)).any()


@pytest.mark.parametrize(
    "damaged", [["xyz"], [None], ["10000000000000000"], 5, {"templates": []}, {"rare": ["x"], "templates": []}]
)
def test_a_damaged_vocabulary_is_refused(damaged: object) -> None:
    """What is no list of 64-bit numbers in hexadecimal is refused with advice."""
    with pytest.raises(InvalidError, match="train the bundle again"):
        Vocabulary.from_json(damaged)  # type: ignore[arg-type]
