"""Minutes of a tenant as windows over everything, of lines given by second and source."""

import dataclasses

import numpy as np

from models.features.vocabulary import Vocabulary
from models.records import ALL_SOURCES, WindowBatch, source_id
from models.rfc3339 import SECOND
from models.windows.all_sources import last_seen_entries
from tests.models.bundles import TEMPLATES, Window, windows

BUSY, CALM, SELDOM = "nova-compute@a", "nova-compute@b", "cinder-volume@c{1}"
VOCABULARY = Vocabulary(TEMPLATES)
MINUTE = 60 * SECOND
Lines = list[tuple[float, str]]


def batch(
    chosen: list[Lines], *, whole: bool = True, before: float = 0.0, sources: tuple[str, ...] = (BUSY, CALM, SELDOM)
) -> WindowBatch:
    """Windows over everything, a minute each, of lines given by second and source; and one window of each source.

    ``before`` seconds before them are known too.
    """
    made = [
        Window((TEMPLATES[0],) * len(lines), ALL_SOURCES, seconds=tuple(second for second, _ in lines), whole=whole)
        for lines in chosen
    ]
    made += [Window((TEMPLATES[0],), key) for key in sources]
    origins = [source_id(source) for lines in chosen for _, source in lines]
    out = windows(made)
    later = np.arange(len(made)) * MINUTE
    out = dataclasses.replace(
        out,
        start=out.start + later,
        end=out.end + later,
        time=out.time + np.repeat(later, np.diff(out.splits)),
    )
    origin = np.array([*origins, *map(source_id, sources)], np.uint32)
    window = np.repeat(np.arange(len(made)), np.diff(out.splits))
    everything = np.arange(len(made)) < len(chosen)
    floor = out.start - np.where(everything, round(before * SECOND), 0)
    last = last_seen_entries(
        window, origin, out.time, np.arange(len(made)), out.splits[1:], floor, everything, 15 * SECOND
    )
    return dataclasses.replace(out, origin=origin, last_seen=last)
