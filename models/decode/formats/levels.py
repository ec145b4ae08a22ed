"""Names and numbers of severity, of all formats, as one scale."""

from typing import Final

import polars as pl

from models.records import Level

_NAMES: Final = {
    Level.DEBUG: "trace debug fine finer finest verbose d t debug1 debug2 debug3 debug4 debug5 dbg dbug trc trace2 debu"
    " trac fein",
    Level.INFO: "info information informational notice audit i n log config inf note system statement detail hint",
    Level.WARNING: "warn warning w wrn warni",
    Level.ERROR: "error err severe failure e eror erro errors",
    Level.CRITICAL: "critical crit fatal emerg emergency alert panic f c ftl pnc emer dpanic fata pani",
}
_TRANSLATED: Final = {
    Level.INFO: "hinweis anweisung tipp zusammenhang infos instruction astuce notifica istruzione nota comando dica"
    " сообщение замечание информация оператор подробности подсказка контекст 日志 注意 语句 信息",
    Level.WARNING: "warnung attention avertissement advertencia attenzione aviso предупреждение 警告",
    Level.ERROR: "fehler schwerwiegend erreur grave errore ошибка 错误 エラー",
    Level.CRITICAL: "panik panique pánico panico pânico fatale важно паника 致命错误 严重错误",
}
"""As PostgreSQL, MariaDB and Java write them in German, French, Italian, Spanish, Portuguese, Russian, Chinese."""
TRANSLATED: Final = "|".join(word.upper() for words in _TRANSLATED.values() for word in words.split())
"""Pattern of these names in capitals; they are words of sentences otherwise."""
LEVELS: Final[dict[str, Level]] = {
    spelling: level
    for level, names in (*_NAMES.items(), *_TRANSLATED.items())
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
_NODE: Final = {
    10: Level.DEBUG,
    20: Level.DEBUG,
    30: Level.INFO,
    40: Level.WARNING,
    50: Level.ERROR,
    60: Level.CRITICAL,
}
"""Levels of pino and bunyan, Node.js's loggers: one step below those of Python's logging."""
LEVEL_WORD: Final = (
    r"(?:TRACE|DEBUG|FINE|INFO|NOTICE|AUDIT|WARN|WARNING|ERROR|ERR|SEVERE|CRITICAL|CRIT|FATAL|ALERT|EMERG|PANIC|"
    r"trace|debug|info|notice|warn|warning|error|err|critical|crit|fatal|alert|emerg|panic|"
    r"Trace|Debug|Info|Notice|Warn|Warning|Error|Critical|Fatal)"
)
"""Pattern of a level's name where a header may or may not have one."""


def _bare(text: str) -> str:
    """A level's name without what stands around it, in small letters: ``[ERROR]``, ``LOG_ERR``."""
    return text.strip(_AROUND).lower().removeprefix("log_")


_AROUND: Final = " \t[](){}<>:|\"'"
"""What stands around a level's name."""


def level_of(value: str | float, *, is_node: bool = False) -> Level:
    """A level's name or number: 0 to 7 as syslog counts, 10 to 60 as Python's logging or Node.js's loggers do.

    ``is_node``: a whole number ``level`` beside a text ``msg``, as pino and bunyan write them; who counts as Python
    does writes ``levelno`` or calls the text ``message``.
    """
    if is_node and value in _NODE:
        return _NODE[int(value)]
    if isinstance(value, str):
        text = value.strip()
        level = LEVELS.get(text) or SEVERITIES.get(text) or LEVELS.get(_bare(text))
        if level is not None:
            return level
        # Longer numbers are none, and would cost to read.
        return _number(int(text)) if text.isascii() and text.isdigit() and len(text) < 4 else Level.UNKNOWN  # noqa: PLR2004
    return _number(value)


def otel_level_of(number: object) -> Level:
    """OpenTelemetry's severity number (1 to 24, four for each of trace, debug, info, warn, error, fatal), or its name.

    ``SEVERITY_NUMBER_ERROR2`` is a name.
    """
    if isinstance(number, str):
        number = int(number) if number.isdecimal() and number.isascii() and len(number) < 3 else _otel_name(number)  # noqa: PLR2004
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 24:  # noqa: PLR2004
        return Level.UNKNOWN
    return (Level.DEBUG, Level.DEBUG, Level.INFO, Level.WARNING, Level.ERROR, Level.CRITICAL)[(number - 1) // 4]


def _otel_name(text: str) -> int:
    names = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    word = text.removeprefix("SEVERITY_NUMBER_").rstrip("234")
    return names.index(word) * 4 + 1 if word in names else 0


def _number(value: float) -> Level:
    if value in range(len(_SYSLOG)):
        return _SYSLOG[int(value)]
    return _PYTHON.get(int(value), Level.UNKNOWN) if abs(value) <= max(_PYTHON) else Level.UNKNOWN


def level_expr(column: str) -> pl.Expr:
    """A column of level names as Level numbers."""
    return pl.col(column).replace_strict(LEVELS, default=int(Level.UNKNOWN), return_dtype=pl.UInt8).fill_null(0)
