"""Line formats: one file a family, and the order in which they are tried."""

from typing import Final

from models.decode.formats import generic, java, oslo, platform, structured, syslog, web
from models.decode.formats.base import FACTS, LineFormat
from models.decode.formats.user import FormatSpec, compile_format

FORMATS: Final[tuple[LineFormat, ...]] = (
    *oslo.FORMATS,
    *java.FORMATS,
    *syslog.FORMATS,
    *web.FORMATS,
    *platform.FORMATS,
    *structured.FORMATS,
    *generic.FORMATS,
    *platform.LOOSE,
    *generic.LOOSE,
)
"""Most telling first: each is tried only on lines that none before it knew."""

__all__ = ["FACTS", "FORMATS", "FormatSpec", "LineFormat", "compile_format"]
