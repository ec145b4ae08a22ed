"""Lines without what is no part of their text: line ends, NULs, terminal codes, marks; cut where they are too long."""

from collections import Counter
from typing import Final

import polars as pl

CUT: Final = " …[cut]"
"""Ends a line that was longer than the limit."""
_UNWANTED: Final = "[\x00\x1b]"
_TERMINAL: Final = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]?[0-~])"
"""CSI and OSC sequences and two-character escapes (ECMA-48)."""
_ESCAPED: Final = r"(?:#033|\^\[|\\(?:x1[bB]|u001[bB]|033|e))\[[0-?]*[ -/]*[@-~]"
"""The same where the escape character itself is written in other ones: by rsyslog, ``cat -v``, ``repr``, JSON."""
_STRIPPED: Final = r"^\[[0-9;]{1,12}m"
"""The same where somebody took the escape character away."""
_BEGINS: Final = rf"^[\x{{feff}}\x{{fffe}}\x{{fffd}}]|{_STRIPPED}"
_WRITTEN: Final = ["#033[", "^[[", "\\x1b[", "\\x1B[", "\\u001b[", "\\u001B[", "\\033[", "\\e["]
"""How ``_ESCAPED`` begins."""
_MARK: Final = "\ufeff\ufffe\ufffd"


def cleaned(text: pl.Series, max_line: int, notes: Counter[str]) -> pl.Series:
    """Cut line ends, NULs and terminal codes out of lines, and what is beyond ``max_line`` bytes; counts into notes."""
    if text.str.ends_with("\n").any() or text.str.ends_with("\r").any():
        text = text.str.strip_chars_end("\r\n")
    unwanted = text.str.contains(_UNWANTED)
    if unwanted.any():
        nul = text.str.contains("\0", literal=True)
        notes["nul_byte"] += int(nul.sum())
        rows = unwanted.fill_null(value=False).arg_true()
        some = text.gather(rows).str.replace_all("\0", "", literal=True).str.replace_all(_TERMINAL, "")
        # UTF-16 cut into lines at its line feeds: behind the NULs the mark and half a line end are left.
        some = some.str.strip_chars_end("\r\n").str.strip_chars_start(_MARK)
        text = text.clone().scatter(rows, some)
    long = text.str.len_bytes() > max_line
    if long.any():
        rows = long.fill_null(value=False).arg_true()
        notes["overlong"] += len(rows)
        text = text.clone().scatter(rows, pl.Series([_cut(line, max_line) for line in text.gather(rows).to_list()]))
    return text


def _cut(line: str, max_line: int) -> str:
    mark = CUT.encode()
    return (line.encode()[: max(0, max_line - len(mark))].decode("utf-8", "ignore") + CUT)[:max_line]


def needs_cleaning(text: pl.Series) -> pl.Series:
    """Which lines that no format knew have a byte-order mark, or escapes as rsyslog writes them."""
    return text.str.contains(_BEGINS) | text.str.contains_any(_WRITTEN)


def uncoloured(text: pl.Series) -> pl.Series:
    """Lines without byte-order marks and without escapes that are written in other characters."""
    text = text.str.strip_chars_start(_MARK)
    if text.str.contains_any(_WRITTEN).any():
        text = text.str.replace_all(_ESCAPED, "")
    stripped = text.str.contains(_STRIPPED).fill_null(value=False)
    if stripped.any():
        rows = stripped.arg_true()
        text = text.clone().scatter(rows, text.gather(rows).str.replace_all(r"\[[0-9;]{0,12}m", ""))
    return text
