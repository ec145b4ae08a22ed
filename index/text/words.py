"""Words of log lines and of prose about them, so that both meet: ``NoValidHost`` and "no valid host" share theirs.

A name counts as a whole and in its parts (``nova.compute.manager``, ``os_vif``, ``PortBindingFailed``).  Values that
are never the same twice (ids, addresses, times, long numbers) are left out; codes of three to five digits stay.
"""

import re
from collections.abc import Iterator
from typing import Final

VERSION: Final = 1
"""Version of the words, kept with vectors; to be raised when the same text would give other words."""

MAX_TEXT: Final = 65_536
"""Characters of a text that are read (64 KiB): a bound on the work."""

_VALUES: Final = re.compile(
    r"<\*>"  # what the masks of templates leave
    r"|\b[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s\"'<>,;)\]}]+"
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
_WHOLE: Final = 40
"""Characters up to which a name is a word of its own; a longer one is a path, of which parts count (a judgement)."""

_SHORTEST: Final = 2
"""Letters of the shortest word (a judgement: ``vm``, ``ip``)."""

_STEMMED: Final = 5
"""Letters from which a word loses its ending (a judgement: shorter ones would become too much alike)."""

_DIGITS: Final = range(3, 6)
"""Digits of numbers that are words: HTTP statuses, error codes, ports."""

STOP: Final = frozenset(
    """
    a about after again all also am an and any are as at be because been before being both but by can could did do does
    doing done each either else etc for from further get got had has have having he her here him his how however i if in
    into is it its just may me might more most must my nor now of on once one only or other our out over own per rather
    same she should since so some such than that the their them then there these they this those through thus to too
    under until upon us very via was we were what when where which while who whom why will with would yet you your
    file line lib packages py python self site traceback usr
    """.split()  # noqa: SIM905 - reads better than a column of strings
)
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
