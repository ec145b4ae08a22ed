"""What a call costs: the usage that an answer reports, and the prices in ``prices.toml``."""

import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Final

_MILLION: Final = 1_000_000
"""Tokens that a price is for."""
_PROVIDER: Final = re.compile(r"^(?:[a-z]{2,6}\.)?anthropic[./]")
"""What clouds that resell a model put before its name, such as ``eu.anthropic.``."""

_VERSION: Final = re.compile(r"(?:[-@]\d{8}|[-@]latest)?(?:-v\d+(?::\d+)?)?")
"""What may follow the name of a model in the table: a date or ``latest``, and a cloud's version."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the provider counted them; ``input`` is without those read from or put into its cache."""

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_read: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    input: float
    output: float
    cache_write: float
    cache_read: float
    long_from: int = 0
    """Tokens of a prompt above which everything costs ``long_factor`` times as much; 0 for never."""
    long_factor: float = 1.0
    effort: bool = False
    """The model takes the parameter ``effort``."""
    known: bool = True
    """The price is this model's own; else it is made of the highest of all."""

    def cost(self, usage: Usage) -> float:
        """Return the dollars that a call has cost."""
        prompt = usage.input + usage.cache_write + usage.cache_read
        factor = self.long_factor if self.long_from and prompt > self.long_from else 1.0
        tokens = (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_write * self.cache_write
            + usage.cache_read * self.cache_read
        )
        return factor * tokens / _MILLION

    def worst(self, prompt_bytes: int, max_tokens: int) -> float:
        """Return the most dollars that a call can cost: no token is shorter than a byte."""
        highest = max(self.input, self.cache_write)
        factor = self.long_factor if self.long_from and prompt_bytes > self.long_from else 1.0
        return factor * (prompt_bytes * highest + max_tokens * self.output) / _MILLION


def price_of(model: str) -> Price:
    """Return the price of a model; of one that is not in the table, the highest in every respect."""
    name = _PROVIDER.sub("", model)
    for model_name, price in _table().items():
        if name.startswith(model_name) and _VERSION.fullmatch(name[len(model_name) :]):
            return price
    prices = _table().values()
    return Price(
        input=max(price.input for price in prices),
        output=max(price.output for price in prices),
        cache_write=max(price.cache_write for price in prices),
        cache_read=max(price.cache_read for price in prices),
        known=False,
    )


@cache
def _table() -> dict[str, Price]:
    table = tomllib.loads(files("index.llm").joinpath("prices.toml").read_text(encoding="utf-8"))
    blank = Price(0, 0, 0, 0)
    return {entry.pop("name"): replace(blank, **entry) for entry in table["model"]}
