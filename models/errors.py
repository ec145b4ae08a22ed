"""Every error that Tocsin raises on purpose, named by what the caller should do.

TocsinError
├── InvalidError     reject the input: dead letter with the reason, or a usage error on the command line
├── TransientError   try again later: the outside world did not answer
└── FatalError       stop: going on would lose or falsify something

Each says what is wrong (``problem``) and what to do (``advice``); the command line prints both as one line and exits 2.
"""


class TocsinError(Exception):
    """Root of all expected errors: ``problem``, and ``advice`` where there is any; as text ``problem; advice``."""

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(problem, advice)
        self.problem = problem
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.problem}; {self.advice}" if self.advice else self.problem


class InvalidError(TocsinError):
    """The input cannot be used; nothing else is affected."""


class TransientError(TocsinError):
    """An outside part did not answer; the same call may succeed later."""


class FatalError(TocsinError):
    """The role must stop: continuing would lose or falsify results."""
