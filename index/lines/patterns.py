"""How logs tell of failures: regular expressions that both Python's ``re`` and Polars read.

Both rankings use them: that of an incident's lines (``index.evidence.severity``) and that of lines by an issue
(``index.evidence.relevance``).
"""

from typing import Final

UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""An id as most services write it, in small letters."""

FAILURE_WORDS: Final = (
    r"(?i)\b(?:fail(?:s|ed|ure|ing)?|errors?|exceptions?|time[ds]?[ -]?out|refused|unable|denied|exceed(?:s|ed)|"
    r"no valid host|not found|unreachable|lost|abort(?:s|ed|ing)?|cannot|could not|rejected|unexpected(?:ly)?|"
    r"no space|broken|disconnect(?:ed)?|retry(?:ing)?|reconnect(?:ing)?|rollback|rolling back|revert(?:ed|ing)?|"
    r"killed|deadlock|invalid)\b"
)
"""Words of programs about failures, whatever the level."""

HARMLESS_WARNING: Final = r"(?i)deprecat|backwards? compatib"
"""Warnings about a later version: they are there on every day."""

EXCEPTION_LINE: Final = r"^(?:\s*)((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:_Remote)?)(?:: |:?\s*$)"
"""The line of a traceback that names what was raised: ``nova.exception.NoValidHost: …``."""

RELAYED_ERROR: Final = (
    r"(?i)\bremote ?error|_Remote\b|\(HTTP 5\d\d\)|ClientException|returned HTTP 5|MessagingTimeout|HttpException: 5|"
    r"Server Error for url|InternalServerError"
)
"""Words of a service that got an error as an answer from another one."""

_STATUS: Final = r"""(?i)(?:status(?:[ _]code)?["']?: ?|status code |code["']?: ?|HTTP/[\d.]+"? |HTTP )"""
"""What stands before an HTTP status."""

ANY_STATUS: Final = r"(?i)status|http|code"
"""A quick look at a template, before the slower one for a status at its messages."""

HTTP_STATUS: Final = _STATUS + r"([1-5]\d\d)\b"
"""An HTTP status, which is the group."""

HTTP_ERROR: Final = _STATUS + r"([45])\d\d\b"
"""An HTTP status of 400 and above; its first digit is the group."""

CLIENT_ERROR: Final = _STATUS + r"4\d\d\b"
SERVER_ERROR: Final = _STATUS + r"5\d\d\b"

HTTP_CALL: Final = r"""\b(GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS) ([^\s"?]+)"""
"""An HTTP request: its verb and its path without parameters are the groups."""

PATH_ID: Final = r"(?i)/(?:[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|[0-9]+)\b"
"""A part of a path that names one thing: a uuid with or without dashes, or a number."""

OUTCOME_CODE: Final = (
    r"(?i)\b(?:errno|exit(?:ed|s)?|code|status|signal|rc|return(?:ed|s)?|got|answer(?:ed|s)?|respon(?:ded|ds|se)|error|"
    r"http(?:/[0-9.]+)?)\W{1,3}(?:(?:with|a|an|code|status)\W{1,3}){0,3}-?[0-9]{1,5}\b"
)
"""A number that says how something ended, so that two of them are two outcomes."""

PEER: Final = r"\b((?:[0-9]{1,3}\.){3}[0-9]{1,3})\b"
"""An IPv4 address, which is the group."""
