"""Words of log lines and of prose about them, so that both meet: ``NoValidHost`` and "no valid host" share theirs.

A name counts as a whole and in its parts (``nova.compute.manager``, ``os_vif``, ``PortBindingFailed``).  Values that
are never the same twice (ids, addresses, times, long numbers) are left out; codes of three to five digits stay.
"""

import re
from collections.abc import Iterator
from typing import Final

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

VERSION: Final = 1
"""Part of what is kept with vectors: raised when the same text would give other words."""

MAX_TEXT: Final = 65_536
"""Characters of a text that are looked at."""

_VALUES: Final = re.compile(
    r"<\*>"  # what the masks of templates leave
    r"|[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>,;)\]}]+"
    r"|(?:req-)?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|\b[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]?"
    r"|\b[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?\b"
    r"|\b[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}\b"
    r"|\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:[:/][0-9]+)?\b"
    r"|\b0[xX][0-9a-fA-F]+\b"
    r"|\b(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{8,}\b"
)
_NAME: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9]*(?:[._:/-]+[A-Za-z][A-Za-z0-9]*)*|(?<![A-Za-z0-9.])[0-9]{3,5}(?![A-Za-z0-9.])"
)
_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TIMED_OUT: Final = re.compile(r"\b[Tt]im(?:e|ed|es|ing)[ _-][Oo]ut")
_WHOLE: Final = 40  # characters; a longer name is a path, told by its parts
_SHORTEST: Final = 2
_STEMMED: Final = 5  # letters; shorter words keep their ending
_DIGITS: Final = range(3, 6)

STOP: Final = (ENGLISH_STOP_WORDS - {"down", "full", "empty", "cannot", "not", "no", "system", "fire", "detail"}) | {
    "py",
    "line",
    "file",
    "site",
    "packages",
    "usr",
    "lib",
    "python",
    "self",
    "return",
    "traceback",
}
"""Words that say nothing about a fault, and what every traceback is made of."""

_ENDINGS: Final = (
    ("ization", "iz"),
    ("ations", "at"),
    ("ation", "at"),
    ("ings", ""),
    ("ing", ""),
    ("ures", ""),
    ("ure", ""),
    ("ions", ""),
    ("ion", ""),
    ("ments", ""),
    ("ment", ""),
    ("able", ""),
    ("ible", ""),
    ("ated", "at"),
    ("ates", "at"),
    ("ate", "at"),
    ("ied", "y"),
    ("ies", "y"),
    ("ed", ""),
    ("es", ""),
    ("s", ""),
    ("e", ""),
)


def words(text: str) -> list[str]:
    """Return the words of a text in order, repeated ones too: lower case, names whole and in their stemmed parts."""
    return list(_words(_TIMED_OUT.sub("timeout", _VALUES.sub(" ", text[:MAX_TEXT]))))


def _words(text: str) -> Iterator[str]:
    for match in _NAME.finditer(text):
        name = match[0]
        parts = _PART.findall(name)
        if len(parts) > 1 and len(name) <= _WHOLE:
            yield name.lower()
        for part in parts:
            word = part.lower()
            if word.isdigit():
                if len(word) in _DIGITS:
                    yield word
            elif len(word) >= _SHORTEST and word not in STOP:
                yield stem(word)


def stem(word: str) -> str:
    """Return a lower-case word without its ending: failed, fails, failing and failure are one."""
    if len(word) < _STEMMED:
        return word
    for ending, put in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEMMED - 2:
            return word[: -len(ending)] + put
    return word
