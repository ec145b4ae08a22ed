"""Text of strangers made harmless: what a model says, before people read it, and log lines, before a model does."""

import re
import tomllib
import unicodedata
from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Final

LINK: Final = "[link]"
"""What stands in place of a link that is not allowed."""

_TERMINAL: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_].*?(?:\x1b\\|$)|[ -/]*[0-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]",
    re.DOTALL,
)
_UNSEEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
"""Categories of characters that steer a terminal, hide text or turn its direction."""

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


def plain(text: str, limit: int, allowed: Collection[str] = ()) -> str:
    """Return one line of plain text: no markup, terminal codes, hidden characters or pings, no link but the allowed.

    ``allowed`` are the beginnings of links that may stay.
    """
    text = _MARKDOWN_LINK.sub(r"\1 \2", visible(text))
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


def visible(text: str) -> str:
    """Return a text without terminal codes and without characters that nobody sees; breaks become blanks."""
    text = _TERMINAL.sub("", unicodedata.normalize("NFC", text))
    return "".join(
        " " if char in "\n\r\t\v\f\x85\u2028\u2029" else "" if unicodedata.category(char) in _UNSEEN else char
        for char in text
    )


def legible(text: str) -> str:
    """Return a text as ``visible`` does, with its lines: a code between a key and its value would hide a secret."""
    return "\n".join(line if line.isprintable() else visible(line) for line in text.split("\n"))


def suspect(text: str) -> bool:
    """Tell whether a log line speaks to whoever reads it: orders, an answer's form, reassurance."""
    plain = _SPACE.sub(" ", unicodedata.normalize("NFKC", visible(text)))
    return _any("suspect", plain)


def reassures(text: str) -> bool:
    """Tell whether a sentence says that all is well, or that an alert may be put aside."""
    return _any("reassuring", text)


def commands(text: str) -> bool:
    """Tell whether a text holds what a shell or a database would run."""
    return _any("commands", text)


def _may_stay(link: str, allowed: Collection[str]) -> bool:
    return any(link == start or link.startswith(start.rstrip("/") + "/") for start in allowed)


def _any(kind: str, text: str) -> bool:
    return any(pattern.search(text) for pattern in _phrases()[kind])


@cache
def _phrases() -> dict[str, tuple[re.Pattern[str], ...]]:
    table = tomllib.loads(files("index.text").joinpath("phrases.toml").read_text("utf-8"))
    return {kind: tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns) for kind, patterns in table.items()}
