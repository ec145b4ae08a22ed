"""What a bundle knows of normal operation, and what its detectors say of files, for ``analyze``."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from index.evidence.detector_scores import DetectorScores, fits, judge
from index.lines.cached_files import Logs
from index.lines.log_lines import LogLines
from index.storage.file_cache import Cache, key_of
from models.bundle import Bundle
from models.errors import InvalidError
from models.templates.masks import Masks
from models.templates.matcher import TemplateTable
from stream.settings import Settings
from stream.wiring.core import DEMO_BUNDLE, make_components

_JUDGED: Final = "judged"
"""Kind of the cache's entries that hold what detectors said."""


@dataclass(frozen=True, slots=True)
class NormalOperation:
    """What a bundle knows of normal operation, without its network: that is opened where it is needed."""

    path: Path
    id: str
    table: TemplateTable
    masks: Masks
    requested: bool
    """Whether the user named it; the shipped one counts only where it fits."""


def load_normal_operation(settings: Settings, path: Path | None) -> NormalOperation | None:
    """Read the bundle at ``path`` or in the settings, else the shipped one; None where masks are set without a bundle.

    Raises:
        InvalidError: the one that is named cannot be used.
    """
    chosen = path or settings.bundle
    if chosen is not None:
        bundle = Bundle.load(chosen)
        return NormalOperation(chosen, bundle.id, bundle.table, bundle.masks, requested=True)
    if settings.masks:
        return None
    # Its hashes are checked when it is opened: most logs are not its own, and then it never is.
    head = orjson.loads((DEMO_BUNDLE / "bundle.json").read_bytes())
    table = TemplateTable.from_bytes((DEMO_BUNDLE / "templates.jsonl").read_bytes())
    masks = Masks.from_records(orjson.loads((DEMO_BUNDLE / "masks.json").read_bytes()))
    return NormalOperation(DEMO_BUNDLE, str(head["id"]), table, masks, requested=False)


def fitting(normal: NormalOperation | None, material: LogLines, tell: Callable[[str], None]) -> NormalOperation | None:
    """Return the bundle if it knows most of the lines, else None; ``tell`` gets a warning where the user named it."""
    if normal is None or fits(material, normal.table):
        return normal
    if normal.requested:
        tell("the bundle does not know most of these lines and is left out; train one on logs like these")
    return None


def score_lines(  # noqa: PLR0913 - one argument a part
    settings: Settings,
    cache: Cache,
    normal: NormalOperation,
    logs: Logs,
    material: LogLines,
    tenant: str,
    progress: Callable[[int], None],
) -> DetectorScores:
    """Return what the detectors of a bundle say, from the cache if it was asked before.

    The answer follows from the bundle, the files and the setting of false alarms alone.
    """
    key = key_of(logs.key, tenant, normal.id, str(settings.false_alarms_per_day))
    data = cache.get(_JUDGED, key)
    if data is not None:
        try:
            return DetectorScores.from_bytes(data)
        except InvalidError:
            cache.drop(_JUDGED, key)
    parts = make_components(settings, Bundle.load(normal.path))
    scores = judge(material, parts.processor(), parts.scorer, parts.windows, progress)
    # A cache that cannot be written was reported when the files were read.
    with suppress(InvalidError):
        cache.put(_JUDGED, key, scores.to_bytes())
    return scores
