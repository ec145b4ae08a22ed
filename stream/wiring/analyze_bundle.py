"""What a bundle knows of normal operation, and what its detectors say of files, for ``analyze``."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from index.evidence.bundle_fit import BundleFit, bundle_fit
from index.evidence.detector_scores import DetectorScores, judge
from index.lines.cached_files import Logs
from index.lines.log_lines import LogLines
from index.storage.file_cache import Cache, key_of
from models.bundle import Bundle
from models.detectors.silence import Silence
from models.errors import InvalidError
from models.records import HOST_MARK
from models.templates.masks import Masks
from models.templates.matcher import TemplateTable
from stream.settings import Settings
from stream.wiring.bundles import bundle_place
from stream.wiring.core import make_components

_JUDGED: Final = "judged"
"""Kind of the cache's entries that hold what detectors said."""

_FORM: Final = 3
"""Version of how they are judged; to be raised when another answer may come of the same bundle and files."""


@dataclass(frozen=True, slots=True)
class NormalOperation:
    """What a bundle of the user's knows of normal operation, without its network: that is opened where it is needed."""

    path: Path
    id: str
    table: TemplateTable
    masks: Masks
    services: frozenset[str]
    hosts: frozenset[str]
    """Hosts whose services it expects to write."""

    def fit(self, material: LogLines) -> BundleFit:
        """Return what it has in common with some logs."""
        return bundle_fit(material, self.table, self.services, self.hosts)


def load_normal_operation(settings: Settings, path: str | Path | None) -> NormalOperation | None:
    """Read the bundle at ``path``, which may be an address, else the one in the settings; None where neither names one.

    No other bundle stands in: what one cloud expects of its hosts and services says nothing of another.

    Raises:
        InvalidError: the one that is named cannot be used.
    """
    named = path or settings.bundle
    if named is None:
        return None
    chosen = bundle_place(settings, named).path
    bundle = Bundle.load(chosen)
    keys = [
        str(key)
        for detector in bundle.detectors.detectors
        if isinstance(detector, Silence)
        for key in detector.arrays()["keys"].tolist()
    ]
    hosts = frozenset(key.partition(HOST_MARK)[2] for key in keys) - {""}
    return NormalOperation(
        chosen, bundle.id, bundle.table, bundle.masks, frozenset(bundle.detectors.groups.services), hosts
    )


def tell_fit(normal: NormalOperation, fit: BundleFit, tell: Callable[[str], None]) -> None:
    """Say where a bundle does not fit the logs, or does not know all their services."""
    if not fit.fits:
        tell(
            f"bundle {normal.path} does not fit these logs: {fit.text()}; used without detectors; "
            "train one on logs like these with `tocsin train`"
        )
    elif fit.other_services:
        count = len(fit.other_services)
        tell(
            f"bundle {normal.path} does not know {count} service{'s' if count != 1 else ''} of these logs "
            f"({fit.others()}): its detectors do not judge {'them' if count != 1 else 'it'}"
        )


def score_lines(  # noqa: PLR0913 - one argument a part
    settings: Settings,
    cache: Cache,
    normal: NormalOperation,
    logs: Logs,
    material: LogLines,
    tenant: str,
    *,
    complete: bool,
    progress: Callable[[int], None],
) -> DetectorScores:
    """Return what the detectors of a bundle say, from the cache if it was asked before.

    The answer follows from the bundle, the files and the setting of false alarms alone; ``complete`` says whether the
    logs hold all services that the bundle knows.
    """
    key = key_of(logs.key, tenant, normal.id, str(settings.false_alarms_per_day), str(_FORM))
    data = cache.get(_JUDGED, key)
    if data is not None:
        try:
            return DetectorScores.from_bytes(data)
        except InvalidError:
            cache.drop(_JUDGED, key)
    parts = make_components(settings, Bundle.load(normal.path))
    scores = judge(material, parts.processor(), parts.scorer, parts.windows, complete=complete, progress=progress)
    # A cache that cannot be written was reported when the files were read.
    with suppress(InvalidError):
        cache.put(_JUDGED, key, scores.to_bytes())
    return scores
