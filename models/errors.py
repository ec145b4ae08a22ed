"""Every error that Tocsin raises on purpose, named by what the caller should do.

TocsinError
├── InvalidError     reject the input: dead letter with the reason, or a usage error on the command line
├── TransientError   try again later: the outside world did not answer
└── FatalError       stop: going on would lose or falsify something

The command line prints the message as one line and exits 2, so a message says what is wrong *and* what to do.
"""


class TocsinError(Exception):
    """Root of all expected errors."""


class InvalidError(TocsinError):
    """The input cannot be used; nothing else is affected."""


class TransientError(TocsinError):
    """An outside part did not answer; the same call may succeed later."""


class FatalError(TocsinError):
    """The role must stop: continuing would lose or falsify results."""
