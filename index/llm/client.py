"""What a client of a language model is: questions, their answers, and the reasons why there may be none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from index.llm.prices import Price, Usage
from models.errors import TransientError

_OVERHEAD: Final = 4_096
"""Bytes that the provider adds to a prompt for the form of the answer: a judgement, meant as an upper bound."""


class LlmFailure(StrEnum):
    """Why there is no answer; also the label of a metric."""

    NO_KEY = "no_key"
    DENIED = "denied"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    REJECTED = "rejected"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    BROKEN_OFF = "broken_off"
    OVER_BUDGET = "over_budget"
    CANCELLED = "cancelled"


_WORDS: Final[Mapping[LlmFailure, tuple[str, str]]] = {
    LlmFailure.NO_KEY: ("no key for the language model", "set ANTHROPIC_API_KEY"),
    LlmFailure.DENIED: ("the provider does not accept the key, or its account", "check ANTHROPIC_API_KEY"),
    LlmFailure.RATE_LIMITED: ("the provider's rate limit is reached", ""),
    LlmFailure.OVERLOADED: ("the provider is overloaded", ""),
    LlmFailure.SERVER_ERROR: ("the provider has an error", ""),
    LlmFailure.REJECTED: ("the provider rejects the request", "check the names of the models"),
    LlmFailure.CONNECTION: ("the provider cannot be reached", "check ANTHROPIC_BASE_URL and the network"),
    LlmFailure.TIMEOUT: ("the model did not answer in time", ""),
    LlmFailure.BROKEN_OFF: ("the answer broke off", ""),
    LlmFailure.OVER_BUDGET: ("the budget for the language model is spent", ""),
    LlmFailure.CANCELLED: ("the incident ended before the model had answered", ""),
}
"""Problem and advice of each."""


class UnansweredError(TransientError):
    """There is no answer; ``failure`` says why."""

    def __init__(self, failure: LlmFailure) -> None:
        """Say why in words."""
        super().__init__(*_WORDS[failure])
        self.failure = failure


class Reservation(Protocol):
    """The money of one question: each attempt reserves its worst case, and is settled before the next one."""

    def take(self) -> bool:
        """Reserve what one attempt can cost at most; False where the budget does not allow it."""
        ...

    def settle(self, usd: float | None) -> None:
        """Replace the reservation by what the attempt has cost; None: nobody knows, so its worst case.

        Does nothing where no attempt is open.
        """
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt for one model."""

    model: str
    system: str
    user: str
    schema: Mapping[str, Any]
    """JSON Schema of the answer."""
    max_tokens: int
    """Of the answer, with what the model thinks."""
    effort: str = ""
    """How much the model may think (``low``, ``medium``, ``high``), where it takes that; "" for its default."""

    @property
    def size(self) -> int:
        """Return an upper bound of the prompt's tokens: its bytes, with those of the schema and what comes with it."""
        return len(self.system.encode()) + len(self.user.encode()) + len(str(self.schema)) + _OVERHEAD


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    text: str
    stop: str
    """The provider's word for why the answer ended."""
    usage: Usage


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait, in seconds, and how often to try; the settings ``llm_…`` give each, defaults are judgements."""

    connect: float = 5.0
    """To reach the provider."""
    idle: float = 20.0
    """Between two pieces of an answer."""
    total: float = 60.0
    """For a question with all its attempts and the pauses between them."""
    attempts: int = 4


class Client(Protocol):
    """What answers questions."""

    def ask(self, question: Question, price: Price, account: Reservation, cancelled: Callable[[], bool]) -> Reply:
        """Return the answer; ``cancelled`` is asked now and then whether it is still wanted.

        Raises:
            UnansweredError: there is none.
        """
        ...


class NoKeyClient:
    """The client where there is no key: answers nothing, and loads nothing."""

    def ask(self, question: Question, price: Price, account: Reservation, cancelled: Callable[[], bool]) -> Reply:
        """Refuse.

        Raises:
            UnansweredError: always.
        """
        del question, price, account, cancelled
        raise UnansweredError(LlmFailure.NO_KEY)

    def close(self) -> None:
        """Nothing is open."""
