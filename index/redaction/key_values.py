"""Values of secret keys, in all the ways that people and programs write a key and its value.

``key=value``, JSON (also as a string within JSON), YAML, headers, flags, URL queries (also encoded), Python's repr,
XML, pairs of name and value.
"""

import re
from collections.abc import Iterator
from typing import Final

from index.redaction.kinds import NAMES, Kinds, Pair

_QUOTE: Final = r"""(?:\\*["'`]|&(?:quot|apos|\#3[49]);|\\+u002[27]|%2[27])"""

_SUFFIX: Final = r"(?:[-_.]?(?i:value|hash|b64|base64|plain|plaintext|text|string|new|old|[0-9]{1,3}))?"

_SEPARATOR: Final = rf"""(?x:
    (?P<close>{_QUOTE})?\]?
    (?:
        (?P<named>(?:[ \t]{{0,4}},|[ \t]{{0,4}}:\s{{0,4}}\{{)\s{{0,20}}{_QUOTE}(?i:val|value){_QUOTE}\s{{0,4}}:\s{{0,4}}
        | \s{{1,40}}(?i:val|value)[ \t]{{0,4}}[=:][ \t]{{0,4}})
        | (?P<plain>[ \t]{{0,20}}(?:=>|->|:=|\+=)[ \t]{{0,40}}
        | [ \t]{{1,20}}={{1,2}}[ \t]{{0,40}}
        | ={{1,2}}(?:[ \t]{{1,4}}(?![a-z_][\w.-]{{0,30}}=))?
        | [ \t]{{0,20}}:(?!:|//)[ \t]{{0,40}})
        | (?P<encoded>%3[AaDd](?:%20|\+)?)
        | (?P<list>[ \t]{{0,4}},[ \t]{{0,4}}(?=[ub]?{_QUOTE}))
        | (?P<flag>[ \t]{{1,4}}(?!-))
        | (?P<tag>>)
    )
)"""

_AHEAD: Final = re.compile(
    r"""[\w.-]{1,80}+(?:["'`\\\]=:,>%&+]|[ \t]+(?:[=:>,-]|[\w-]{1,20}+[ \t]{0,4}["'\]]?[=:])"""
    r"""|\s+(?i:val)|(?P<space>[ \t]))"""
)
"""What stands behind the hint of a key, if a value follows; a quick look before the slow one."""

_STARTED: Final = re.compile(r"[<-][^ \t]*\Z")
"""What stands before the hint of a flag or an element, whose value follows a space."""

_BACK: Final = 24
"""Characters before a hint in which its key may begin (a judgement: the longest prefixes of keys are shorter)."""

_FORTH: Final = 160
"""Characters behind a hint in which key and separator end; a longer value is always secret (a judgement)."""

_VALUE: Final = re.compile(
    r"""(?x:
        [^\s"'`,;&<>|\]})\\]
        | [,;&|\]})](?![\s"'\\]|$|[\w.-]{1,40}["']?\s?[=:])
        | ["'](?=[\w!@\#$%^*])
        | <(?!/|[A-Z_]+_[0-9]+>|[A-Za-z_]+[\s>])
        | >(?!\s|$|["'<])
        | \\(?!\\*["'])(?!\\*[nrt](?:[\w.-]{0,40}\s?[=:]|\s|$|["'\\-]))
    )+""",
    re.MULTILINE,
)
_ENCODED: Final = re.compile(r"(?:(?!%2[267Cc]|%7[Dd]|%0[AaDd]|%3[Bb])[^\s\"'<>&,;])+")
_OPEN: Final = re.compile(rf"[uUbBrRfF]{{0,2}}(?P<quote>{_QUOTE})")
_CHAIN: Final = re.compile(r"""(?:[ ]?\+[ ]?|[ ](?=["'])|)[ub]?(?P<quote>["'])""")
_SCHEME: Final = re.compile(r"(?i)(?:bearer|basic|digest|negotiate|ntlm|token|apikey|aws4-hmac-sha256)(?:[ ]|%20|\+)+")
_BLOCK: Final = re.compile(
    r"[|>][+-]?[0-9]?[ \t\r]*\n(?P<value>(?P<indent>[ \t]+)[^\n]+(?:\n(?P=indent)[^\n]+){0,400})"
)
_ITEM: Final = re.compile(r"""(?P<quote>\\*["'])(?P<value>(?:(?!(?P=quote))[^\n]){1,2000})(?P=quote)""")
_OBJECT: Final = re.compile(r"""\{(?:[ \t]*(?:[ub]?\\*["']|\Z)|[ \t])""")
_FURTHER: Final = re.compile(r"[=:]|\S{40}")
_GLUED: Final = re.compile(r"[\w!@#$%^*]+")

_JOINTS: Final = re.compile(r"""["'+\s]+""")

_FLAG: Final = re.compile(r"(?<![\w-])--?[\w.-]*\Z")
_TUPLE: Final = re.compile(r"""(?:\([ ]?[ub]?\\*["']|["']--)[\w.-]*\Z""")
_TAG: Final = re.compile(r"<[\w:.-]*\Z")
_ELEMENT: Final = re.compile(r"[^<>\n]{0,200}>(?P<value>[^<>]{1,4000})</")
_LINE_START: Final = re.compile(r"(?:\A|\n)[ \t]*(?:- )?(?:export )?[\w.-]*\Z")

_PLACEHOLDER: Final = re.compile(
    r"%\(\w+\)s|%s|\?|:\w*(?:pass|token|secret|key|user)\w*"
    r"|\$\{[\w.:-]+\}?|\$[A-Z_]+|\{\{?[\w. ]*\}?\}|<[A-Za-z_.]+(?: [^<>]*)?>?"
)
_CALL: Final = re.compile(r"(?=[a-z_.]*[._])[a-z_]\w*(?:\.[A-Za-z_]\w*)*\(.*")
_MARKS: Final = re.compile(r"[*.\-_#\\/=:+~]+|[xX]{3,}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,6}(?:\.[0-9]+)?[smhd%]?")

_IDENTIFIER: Final = "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_HANDLE: Final = re.compile(r"0[xX][0-9a-fA-F]+[lL]?|[0-9]+[lL]?")
"""Sessions of ZooKeeper and cookies of OpenFlow: numbers that say which, and open nothing."""

_COUNTED: Final = frozenset({"TOKEN", "KEY", "SECRET", "USER", "PROJECT", "DOMAIN", "COOKIE"})
"""Labels of keys that also count things: ``tokens: 512``."""


def compile_pair(pair: Pair) -> re.Pattern[str]:
    """Return what finds the keys of a pair, with what stands between key and value."""
    parts = [f"(?i:{pair.keys})"] if pair.keys else []
    if pair.words:
        parts += [f"(?<![A-Za-z])(?i:{pair.words})", f"(?<=[a-z])(?=[A-Z])(?i:{pair.words})"]
    return re.compile(f"(?P<key>(?:{'|'.join(parts)}){_SUFFIX}){_SEPARATOR}")


def values(text: str, position: int, key: re.Pattern[str], pair: Pair) -> Iterator[tuple[str, int, int]]:
    """Yield key, start and end of the values whose key has a hint at a position in the text."""
    ahead = _AHEAD.match(text, position)
    start = max(text.rfind("\n", 0, position) + 1, position - _BACK)
    if ahead is None or (ahead["space"] is not None and _STARTED.search(text, start, position) is None):
        return
    match = key.search(text, start, position + _FORTH)
    while match is not None and match.end("key") <= position:
        match = key.search(text, match.end("key"), position + _FORTH)
    if match is None or match.start("key") > position:
        return
    end = text.find("\n", match.end())
    end = len(text) if end < 0 else end
    if pair.value is not None:
        end = min(end, match.end() + _FORTH)
    before = text[max(0, match.start() - 80) : match.start()]
    if match["list"] is not None and _TUPLE.search(before) is None:
        return
    if match["tag"] is not None or (match["flag"] is not None and _FLAG.search(before) is None):
        element = _ELEMENT.match(text, match.end("key"), end) if _TAG.search(before) is not None else None
        if element is not None:
            yield match["key"], *element.span("value")
        return
    for low, high in _extent(text, match, end, pair.label):
        yield before[len(before.rstrip(_IDENTIFIER)) :] + match["key"], low, high


def _extent(text: str, match: re.Match[str], end: int, label: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of the value behind a key; of a list, those of its items."""
    position = match.end()
    if (block := _BLOCK.match(text, position)) is not None:
        yield block.span("value")
        return
    if _OBJECT.match(text, position, end) is not None:
        return
    if text.startswith("[", position):
        items = list(_ITEM.finditer(text, position, min(end, (text.find("]", position, end) + 1) or end)))
        if items:
            yield from (item.span("value") for item in items)
            return
    if (opened := _OPEN.match(text, position, end)) is not None:
        low = opened.end()
        high = _quoted(text, low, end, opened["quote"])
        if (scheme := _SCHEME.match(text, low, high)) is not None:
            low = scheme.end()
        yield low, high
        return
    yield from _bare(text, match, position, end, label)


def _bare(text: str, match: re.Match[str], position: int, end: int, label: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of a value without quotes."""
    if (scheme := _SCHEME.match(text, position, end)) is not None:
        position = scheme.end()
        if scheme[0].lower().startswith(("digest", "aws4")):
            yield position, _rest(text, position, end)
            return
        if _OBJECT.match(text, position, end) is not None:
            return
    if (whole := (_ENCODED if match["encoded"] is not None else _VALUE).match(text, position, end)) is not None:
        high = whole.end()
        if label == "PASSWORD" and match["plain"] is not None and _alone(text, match.start()):
            rest = _rest(text, high, end)
            if _FURTHER.search(text, high, rest) is None:
                high = rest  # a passphrase of several words
        yield position, position + len(text[position:high].rstrip(".,;:)]}>|"))


def _alone(text: str, position: int) -> bool:
    """Return whether a key is the first of its line."""
    return _LINE_START.search(text, max(0, position - 80), position) is not None


def _rest(text: str, position: int, end: int) -> int:
    """Return the end of the rest of a line, without quotes, spaces and backslashes at its end."""
    return position + len(text[position:end].rstrip(" \t\r\"'\\"))


def _quoted(text: str, low: int, end: int, quote: str) -> int:
    """Return the end of a quoted value: before its closing quote, after all that is glued to it, or with the line."""
    high = _closing(text, low, end, quote)
    if high is None:
        return _rest(text, low, end)
    if quote in {'"', "'"}:
        while (more := _CHAIN.match(text, high + 1, end)) is not None:
            further = _closing(text, more.end(), end, more["quote"])
            if further is None:
                break
            high = further
        if (glued := _GLUED.match(text, high + 1, end)) is not None:
            high = glued.end()
    return high


def _closing(text: str, low: int, end: int, quote: str) -> int | None:
    position = low
    while (position := text.find(quote, position, end)) >= 0:
        slashes = 0
        while position - slashes > low and text[position - slashes - 1] == "\\":
            slashes += 1
        # Within quotes of its own level an escaped quote has more backslashes; pairs of them are backslashes.
        if slashes == 0 or (not quote.startswith("\\") and slashes % 2 == 0):
            return position
        position += 1
    return None


def is_secret(value: str, key: str, pair: Pair, kinds: Kinds) -> bool:
    """Return whether the value of a key is one, and not a placeholder, a word of state, code or a count."""
    if len(value) > _FORTH and pair.value is None:
        return True
    low, label = value.lower(), pair.label
    if pair.value is not None and pair.value.fullmatch(_JOINTS.sub("", value)) is None:
        return False
    if not low.strip() or low in kinds.nothing or (label in NAMES and low in kinds.words):
        return False
    return not (_is_placeholder(value, key.lower()) or _is_count(value, label))


def _is_placeholder(value: str, key: str) -> bool:
    """Return whether a value is a variable, marks, a call, the name of its own key, or a working directory."""
    if _PLACEHOLDER.fullmatch(value) or _MARKS.fullmatch(value) or _CALL.fullmatch(value):
        return True
    low = value.lower()
    return low == key or low.endswith(f".{key}") or (key == "pwd" and value.startswith("/"))


def _is_count(value: str, label: str) -> bool:
    """Return whether a value counts or numbers something: ``tokens: 512``, a session's number, up to two digits."""
    if value.isdigit() and len(value) < 3:  # noqa: PLR2004 - no password is so short
        return True
    if label == "COOKIE" and _HANDLE.fullmatch(value):
        return True
    return label in _COUNTED and _NUMBER.fullmatch(value) is not None
