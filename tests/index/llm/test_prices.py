"""Prices: what a call costs, and what it can cost at most."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.llm.prices import Usage, price_of


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("claude-haiku-5-5", 0.10 + 0.50),
        ("claude-sonnet-5-5", 2.00 + 10.00),
        ("claude-sonnet-5-5-20260928", 2.00 + 10.00),
        ("claude-haiku-4-5@20251001", 1.00 + 5.00),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", 5.00 + 25.00),
    ],
)
def test_a_model_has_its_price_under_each_of_its_names(model: str, dollars: float) -> None:
    """Dates, aliases and the names that resellers give are the same model."""
    price = price_of(model)
    assert price.known
    # In parts, as a prompt of a million tokens may have a price of its own.
    assert 1_000 * price.cost(Usage(1_000, 1_000)) == pytest.approx(dollars)


@pytest.mark.parametrize("model", ["claude-sonnet-5-9", "claude-haiku-5-5-turbo", "gpt-oss", "", "claude"])
def test_an_unknown_model_is_the_dearest(model: str) -> None:
    """A name that begins like a known one is not that one."""
    price = price_of(model)
    assert not price.known
    assert price.input >= 15
    assert price.output >= 75
    assert not price.effort


def test_the_cache_has_its_own_prices() -> None:
    """Reading costs a tenth, writing a quarter more."""
    price = price_of("claude-haiku-4-5")
    assert price.cost(Usage(cache_write=1_000_000)) == pytest.approx(1.25)
    assert price.cost(Usage(cache_read=1_000_000)) == pytest.approx(0.10)


def test_a_long_prompt_costs_more() -> None:
    """Above its limit all tokens have the higher price."""
    price = price_of("claude-haiku-5-5")
    assert price.cost(Usage(100_000, 1_000)) == pytest.approx(0.0105)
    assert price.cost(Usage(100_001, 1_000)) == pytest.approx(0.0525, rel=1e-4)


@given(
    st.sampled_from(["claude-haiku-5-5", "claude-sonnet-5-5", "unknown"]),
    st.integers(0, 300_000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 8_000),
)
def test_no_call_costs_more_than_its_worst_case(model: str, size: int, used: float, cached: float, limit: int) -> None:
    """However the tokens of a prompt of so many bytes fall, and whatever is cached of it."""
    price = price_of(model)
    tokens = int(size * used)
    written = int(tokens * cached)
    worst = price.worst(size, limit)
    assert price.cost(Usage(tokens - written, limit, cache_write=written)) <= worst * (1 + 1e-9)
