"""Templates: found in the package, escaped always, and all that they print passes ``shown``."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from alerts.messages.wording import kind_name, short_id
from stream.ui.pages.text import clipped, clock, cut, marked, moment, shown

STATIC: Final[Mapping[str, str]] = {
    "htmx.js": "text/javascript; charset=utf-8",
    "lanes.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""Files that are served as they are, and their types."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that never changes under its address, which holds its hash."""

    content: bytes
    kind: str
    digest: str


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Return the static files by name."""
    folder = files("stream.ui") / "static"
    served = {}
    for name, kind in STATIC.items():
        content = folder.joinpath(name).read_bytes()
        served[name] = StaticFile(content, kind, blake2b(content, digest_size=6).hexdigest())
    return served


@cache
def templates() -> Environment:
    """Return the templates."""
    environment = Environment(
        loader=PackageLoader("stream.ui"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        auto_reload=False,  # what an upgrade writes belongs to the next process
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clipped": clipped,
        "clock": clock,
        "cut": cut,
        "kind_name": kind_name,
        "marked": marked,
        "moment": moment,
        "short": short_id,
    }
    environment.globals["asset"] = _asset
    return environment


def render(template: str, /, **values: Any) -> str:
    """Return a template as HTML."""
    return templates().get_template(template).render(values)


def _asset(name: str) -> str:
    return f"/static/{name}?v={static_files()[name].digest}"
