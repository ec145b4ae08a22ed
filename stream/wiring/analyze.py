"""``analyze`` as the settings name it: what reads the files, what ranks their lines, what is remembered."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from index.analyze import Means
from index.diagnosis.types import Diagnosis
from index.embedding.cached_embedder import CachedEmbedder
from index.embedding.open_embedder import BUILT_IN, find_model
from index.evidence.detector_scores import DetectorScores, judge
from index.evidence.types import Evidence
from index.lines.cached_files import Logs, Reader
from index.lines.log_lines import LogLines
from index.search.documents import Filter, Similar
from index.storage.file_cache import Cache, key_of
from models.bundle import Bundle
from models.errors import InvalidError
from models.templates.masks import Masks
from models.templates.matcher import TemplateTable
from stream.settings import Settings
from stream.wiring.core import DEMO_BUNDLE, decode_config, make_components
from stream.wiring.search_index import load_embedder, search_index_file

if TYPE_CHECKING:
    from index.embedding.base import Embedder

JUDGED: Final = "judged"
"""Kind of the cache's entries that hold what detectors said."""

_SIMILAR: Final = 5
_MB: Final = 1_000_000

Tell = Callable[[str], None]


def make_cache(settings: Settings) -> Cache:
    """What can be made again."""
    return Cache(settings.cache_path, settings.cache_mb * _MB)


def make_reader(settings: Settings, masks: Masks, tell: Tell) -> Reader:
    """What reads files."""
    return Reader(decode_config(settings), masks, make_cache(settings), version("tocsin"), tell)


@dataclass(frozen=True, slots=True)
class Normal:
    """What a bundle knows of normal operation, without its network: that is opened where it is needed."""

    path: Path
    id: str
    table: TemplateTable
    masks: Masks
    asked: bool
    """Whether it was asked for; the shipped one counts only where it fits."""


def load_normal(settings: Settings, path: Path | None) -> Normal | None:
    """The bundle that is asked for, or the shipped one; None where masks are set that are no bundle's.

    Raises:
        InvalidError: the one that is asked for cannot be used.
    """
    asked = path or settings.bundle
    if asked is not None:
        bundle = Bundle.load(asked)
        return Normal(asked, bundle.id, bundle.table, bundle.masks, asked=True)
    if settings.masks:
        return None
    # Its hashes are checked when it is opened: most logs are not its own, and then it never is.
    head = orjson.loads((DEMO_BUNDLE / "bundle.json").read_bytes())
    table = TemplateTable.from_bytes((DEMO_BUNDLE / "templates.jsonl").read_bytes())
    masks = Masks.from_records(orjson.loads((DEMO_BUNDLE / "masks.json").read_bytes()))
    return Normal(DEMO_BUNDLE, str(head["id"]), table, masks, asked=False)


def judgement(  # noqa: PLR0913 - one argument a part
    settings: Settings,
    normal: Normal,
    logs: Logs,
    material: LogLines,
    tenant: str,
    progress: Callable[[int], None],
) -> DetectorScores:
    """What the detectors of a bundle say; kept, as it follows from the bundle and the files alone."""
    kept = make_cache(settings)
    key = key_of(logs.key, tenant, normal.id, str(settings.false_alarms_per_day))
    data = kept.get(JUDGED, key)
    if data is not None:
        try:
            return DetectorScores.from_bytes(data)
        except InvalidError:
            kept.drop(JUDGED, key)
    parts = make_components(settings, Bundle.load(normal.path))
    judged = judge(material, parts.processor(), parts.scorer, parts.windows, progress)
    # Who cannot keep it was told so when the files were read.
    with suppress(InvalidError):
        kept.put(JUDGED, key, judged.to_bytes())
    return judged


def means_of(
    settings: Settings, tenant: str, judged: DetectorScores | None, known: TemplateTable | None, tell: Tell
) -> Means:
    """What ranks by words, meaning and memory."""
    opened = cache(lambda: load_embedder(settings, tell))
    embed = CachedEmbedder(make_cache(settings), _model_name(settings), opened)
    return Means(embed, judged, known, _recall(settings, tenant, opened, tell))


def asked_model(settings: Settings, issue: str, evidence: Evidence, base: Diagnosis) -> Diagnosis:
    """What a language model makes of it, as far as its answer stands on the lines; ``base`` where there is none."""
    # Loaded only where it is asked: the fast mode answers sooner without.
    from stream.wiring.llm import make_llm_explainer

    asked = replace(evidence, reasons=(f"somebody reports: {issue}", *evidence.reasons))
    return make_llm_explainer(settings)(
        key_of("analyze", asked.digest()), asked, base, lambda _: None, lambda: False
    ).diagnosis


def _recall(
    settings: Settings, tenant: str, opened: "Callable[[], Embedder]", tell: Tell
) -> Callable[[str], Sequence[Similar]] | None:
    path = search_index_file(settings)
    if not path.exists():
        return None

    def recall(text: str) -> Sequence[Similar]:
        # FAISS is imported where there is something to search.
        from index.search.snapshot import load

        hits = load(path, opened(), tell).search(text, _SIMILAR, Filter(tenant=tenant))
        return [hit.similar for hit in hits]

    return recall


def _model_name(settings: Settings) -> str:
    """What names a model's vectors without opening it: its folder and what stands in it, by size and time."""
    folder = None if settings.embedding_model == BUILT_IN else find_model(settings.embedding_model)
    if folder is None:
        from index.embedding.hashing_embedder import HashedEmbedder

        return HashedEmbedder.id
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = [(path.relative_to(folder).as_posix(), path.stat()) for path in files]
    return " ".join([str(folder.resolve()), *(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats)])
