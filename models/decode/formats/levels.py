"""Names and numbers of severity, of all formats, as one scale."""

from typing import Final

import polars as pl

from models.records import Level

_NAMES: Final = {
    Level.DEBUG: "trace debug fine finer finest verbose d t debug1 debug2 debug3 debug4 debug5",
    Level.INFO: "info information informational notice audit i n log config",
    Level.WARNING: "warn warning w",
    Level.ERROR: "error err severe failure e",
    Level.CRITICAL: "critical crit fatal emerg emergency alert panic f c",
}
LEVELS: Final[dict[str, Level]] = {
    spelling: level
    for level, names in _NAMES.items()
    for name in names.split()
    for spelling in (name, name.upper(), name.capitalize())
}
"""Every known name, in the usual spellings, to its Level."""

_SYSLOG: Final = (
    Level.CRITICAL,
    Level.CRITICAL,
    Level.CRITICAL,
    Level.ERROR,
    Level.WARNING,
    Level.INFO,
    Level.INFO,
    Level.DEBUG,
)
SEVERITIES: Final[dict[str, Level]] = {str(number): level for number, level in enumerate(_SYSLOG)}
"""Syslog severities 0 to 7 (RFC 5424), also journald's PRIORITY."""

_PYTHON: Final = {
    10: Level.DEBUG,
    20: Level.INFO,
    30: Level.WARNING,
    40: Level.ERROR,
    50: Level.CRITICAL,
    60: Level.CRITICAL,
}
LEVEL_WORD: Final = (
    r"(?:TRACE|DEBUG|FINE|INFO|NOTICE|AUDIT|WARN|WARNING|ERROR|ERR|SEVERE|CRITICAL|CRIT|FATAL|ALERT|EMERG|PANIC|"
    r"trace|debug|info|notice|warn|warning|error|err|critical|crit|fatal|alert|emerg|panic|"
    r"Trace|Debug|Info|Notice|Warn|Warning|Error|Critical|Fatal)"
)
"""Pattern of a level's name where a header may or may not have one."""


def level_of(value: str | float) -> Level:
    """A level's name or number: 0 to 7 as syslog counts, 10 to 60 as Python's logging does."""
    if isinstance(value, str):
        text = value.strip()
        found = LEVELS.get(text) or LEVELS.get(text.lower()) or SEVERITIES.get(text)
        return (
            found if found is not None else _number(int(text)) if text.isascii() and text.isdigit() else Level.UNKNOWN
        )
    return _number(value)


def _number(value: float) -> Level:
    if value in range(len(_SYSLOG)):
        return _SYSLOG[int(value)]
    return _PYTHON.get(int(value), Level.UNKNOWN) if abs(value) <= max(_PYTHON) else Level.UNKNOWN


def level_expr(column: str) -> pl.Expr:
    """A column of level names as Level numbers."""
    return pl.col(column).replace_strict(LEVELS, default=int(Level.UNKNOWN), return_dtype=pl.UInt8).fill_null(0)
