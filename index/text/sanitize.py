"""Text that others wrote made safe: for a terminal, a chat, a log, a page, and for a language model to read.

A log line may move a terminal's cursor, change its title, hide words in characters without width, or turn the direction
of reading so that people see what is not there.  All text from outside passes ``escape_control`` before it is shown or
sent: each terminal code and each hidden character becomes one visible replacement character, so that a reader sees that
something was there.  Letters of every language stay.  What searches such a text (redaction, ``suspect``) searches it
with these characters and without them, as a hidden character may split two words or stand within one.
"""

import re
import tomllib
import unicodedata
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands in place of each terminal code and each hidden character."""

LINK: Final = "[link]"
"""Stands in place of a link that is not allowed."""

_TERMINAL_CODE: Final = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor, screen
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"  # titles, links, strings
    "|\x1b[ -/]*[0-~]?"
)
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"  # control characters and line ends but tab and \n
    "\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff"  # format
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # format, beyond 16 bits
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0"  # letters and marks without a shape
    "\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff"  # specials, tags, selectors of variants
    "\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff]"  # surrogates and private use
)
"""What steers a terminal, hides text or turns its direction."""

_MARKDOWN_LINK: Final = re.compile(r"!?\[([^\]\n]*)\]\s*\(\s*<?([^)\s>]*)>?[^)]*\)")
_REFERENCE: Final = re.compile(r"!?\[([^\]\n]*)\]\s*\[[^\]\n]*\]")
_PING: Final = re.compile(r"<[!@#][^>\s]*>|(?<!\w)@(?:channel|here|everyone|all)\b", re.IGNORECASE)
_SLACK_LINK: Final = re.compile(r"<([a-z][a-z0-9+.-]*:[^|>\s]*)(?:\|[^>]*)?>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[A-Za-z!?][^<>]*>")
_LINK: Final = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,15}:\\?/\\?/|\b(?:javascript|data|mailto|vbscript|file|tel):|\bwww\.)[^\s\"'<>|)\]}]*"
    r"|\b(?:[a-z0-9-]+\.)+[a-z]{2,24}/[^\s\"'<>|)\]}]*",
    re.IGNORECASE,
)
"""The last kind is a site without a scheme: clients make links of these too."""

_MARKS: Final = re.compile(r"[`*~]{1,3}|^#{1,6}\s+|^>\s+|^[-=]{3,}$", re.MULTILINE)
_SPACE: Final = re.compile(r"\s+")


def escape_control(text: str, *, keep_lines: bool = False) -> str:
    """Return text in which nothing acts or hides: each code or hidden character is one replacement character.

    Tabs and line ends become spaces, so that a line stays one line; with ``keep_lines`` line ends stay.  A second pass
    changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _HIDDEN.sub(REPLACEMENT, _TERMINAL_CODE.sub(REPLACEMENT, text.replace("\r\n", "\n"))).replace("\t", " ")
    return text if keep_lines else text.replace("\n", " ")


def strip_markup(text: str, limit: int, allowed: Collection[str] = ()) -> str:
    """Return one line of at most ``limit`` characters without markup, pings and links, and with ``escape_control``.

    ``allowed`` are the beginnings of links that may stay.
    """
    text = _MARKDOWN_LINK.sub(r"\1 \2", escape_control(text))
    text = _REFERENCE.sub(r"\1", text)
    text = _SLACK_LINK.sub(r"\1", text)
    text = _LINK.sub(lambda match: match[0] if _may_stay(match[0], allowed) else LINK, text)
    # After the links, as they may hold marks; until nothing is left, as what is taken out may join two halves.
    before = ""
    while before != text:
        before, text = text, _TAG.sub("", _PING.sub("", text))
    text = _MARKS.sub("", text).replace("<", "(").replace(">", ")")
    text = _SPACE.sub(" ", text).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def suspect(text: str) -> bool:
    """Tell whether a log line speaks to whoever reads it: orders, an answer's form, reassurance."""
    return _any("suspect", unicodedata.normalize("NFKC", escape_control(text)))


def reassures(text: str) -> bool:
    """Tell whether a sentence says that all is well, or that an alert may be put aside."""
    return _any("reassuring", text)


def commands(text: str) -> bool:
    """Tell whether a text holds what a shell or a database would run."""
    return _any("commands", text)


def _may_stay(link: str, allowed: Collection[str]) -> bool:
    return any(link == start or link.startswith(start.rstrip("/") + "/") for start in allowed)


def _any(kind: str, text: str) -> bool:
    """Tell whether a phrase of a kind stands in a text: a hidden character may split two words or stand within one."""
    text = escape_control(text)
    readings = {_SPACE.sub(" ", text.replace(REPLACEMENT, gap)) for gap in ("", " ")}
    return any(pattern.search(reading) for reading in readings for pattern in _phrases()[kind])


@cache
def _phrases() -> dict[str, tuple[re.Pattern[str], ...]]:
    table = tomllib.loads(files("index.text").joinpath("phrases.toml").read_text("utf-8"))
    return {kind: tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns) for kind, patterns in table.items()}
