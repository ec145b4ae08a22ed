"""``analyze`` as the settings name it: read files, choose tenant and bundle, rank with what there is, diagnose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from index.analyze import Analysis, Resources, analyze
from index.diagnosis.report import About, report
from index.diagnosis.types import Diagnosis
from index.embedding.cached_embedder import CachedEmbedder
from index.embedding.open_embedder import BUILT_IN, find_model
from index.evidence.bundle_fit import BundleFit
from index.evidence.issue import Issue
from index.evidence.types import Evidence
from index.lines.cached_files import Logs, Reader, read_logs
from index.lines.parsed_file import join_files
from index.search.documents import Filter, Similar
from index.storage.file_cache import Cache, key_of
from models.decode.log_files import kept_stdin
from models.errors import InvalidError
from models.templates.masks import Masks
from stream.settings import Settings
from stream.wiring.analyze_bundle import NormalOperation, load_normal_operation, score_lines, tell_fit
from stream.wiring.core import decode_config, load_failures, load_masks
from stream.wiring.search_index import load_embedder, search_index_file

if TYPE_CHECKING:
    from index.embedding.base import Embedder

_SIMILAR: Final = 5
"""Past incidents and runbooks that are looked up: as many as evidence holds (``EvidenceLimits.similar``)."""

_TENANTS: Final = 5
"""Tenants that an error names: enough to choose from, on one line."""

_ALWAYS: Final = 2
"""Parts that every ranking has: words, and oddness or detectors."""

_NO_BUNDLE: Final = "No bundle judged: what is usual here is not known (TOCSIN_BUNDLE, --bundle)."

_NAMED: Final = 5
"""Unreadable files that are named: enough to see which they are, on one line."""

_BYTES_PER_MB: Final = 1_000_000

Tell: TypeAlias = Callable[[str], None]
"""Called with a warning that does not affect the result."""


@dataclass(frozen=True, slots=True)
class IssueQuestion:
    """What ``tocsin analyze`` is asked; None leaves the choice to the settings or to the files."""

    issue: Issue
    paths: tuple[str, ...]
    tenant: str | None = None
    bundle: str | Path | None = None
    fast: bool = False
    """Rank by words and detectors alone: no embeddings, no past incidents, no language model."""


@dataclass(frozen=True, slots=True)
class JudgingBundle:
    """The bundle that was asked for: its folder and id, and how it fits."""

    path: str
    id: str
    fit: BundleFit

    @classmethod
    def of(cls, normal: NormalOperation, fit: BundleFit) -> "JudgingBundle":
        """Name a bundle."""
        return cls(str(normal.path), normal.id, fit)

    def text(self) -> str:
        """Say in a sentence whether it judged."""
        if self.fit.fits:
            return f"Bundle {self.path} judged: {self.fit.text()}."
        return f"Bundle {self.path} does not fit these logs: {self.fit.text()}; used without detectors."

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON carries it."""
        return {
            "path": self.path,
            "id": self.id,
            "judged": self.fit.fits,
            "known": round(self.fit.known, 3),
            "services": self.fit.services,
            "services_here": self.fit.services_here,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a question; ``cached`` counts the files that were not read again."""

    about: About
    analysis: Analysis
    cached: int
    judge: JudgingBundle | None
    """None where no bundle was named."""
    fast: bool

    @property
    def evidence(self) -> Evidence:
        """The lines that it stands on."""
        return self.analysis.evidence

    @property
    def diagnosis(self) -> Diagnosis:
        """What the issue is put down to."""
        return self.analysis.diagnosis

    def after(self, seconds: float) -> "Result":
        """Return the same with the time that it took."""
        diagnosis = replace(self.diagnosis, seconds=round(seconds, 3))
        return replace(self, analysis=replace(self.analysis, diagnosis=diagnosis))

    def to_markdown(self) -> str:
        """Return the report."""
        return report(self.about, self.evidence, self.diagnosis, [other.text() for other in self.analysis.others])

    def to_record(self) -> dict[str, Any]:
        """Return the result as JSON carries it."""
        about = self.about
        return {
            "issue": about.issue,
            "ranking": "fast" if self.fast else "hybrid",
            "bundle": None if self.judge is None else self.judge.to_record(),
            "logs": {
                "files": about.files,
                "lines": about.lines,
                "refused": about.refused,
                "kept": self.cached,
                "unreadable": list(about.unreadable),
            },
            **self.diagnosis.to_record(self.evidence),
            "others": [other.to_record() for other in self.analysis.others],
        }


def make_cache(settings: Settings) -> Cache:
    """Return the folder of what was read and computed before."""
    return Cache(settings.cache_path, settings.cache_mb * _BYTES_PER_MB)


def analyze_logs(settings: Settings, question: IssueQuestion, tell: Tell, progress: Callable[[int], None]) -> Result:
    """Answer a question; ``progress`` gets the number of lines read or scored since the last call.

    Raises:
        InvalidError: a setting, a path, the tenant or the bundle cannot be used.
    """
    failures = load_failures(settings)
    normal = load_normal_operation(settings, question.bundle)
    store = make_cache(settings)
    logs = _read(question.paths, settings, store, normal.masks if normal else load_masks(settings), tell, progress)
    tenant = _tenant(logs, question)
    if logs.unreadable:
        tell(f"left out, as no text can be read in it (binary or noise): {_first(logs.unreadable)}")
    material = join_files(logs.names, logs.files, normal.table if normal else None, tenant)
    resources, judge = Resources(known_failures=failures), None
    if normal is not None:
        judge = JudgingBundle.of(normal, normal.fit(material))
        tell_fit(normal, judge.fit, tell)
        if judge.fit.fits:
            complete = judge.fit.complete
            scores = score_lines(settings, store, normal, logs, material, tenant, complete=complete, progress=progress)
            resources = replace(resources, detector_scores=scores, known_templates=normal.table)
    if not question.fast:
        resources = _with_models(resources, settings, store, tenant, question.issue, tell)
    analysis = analyze(material, question.issue, resources)
    about = About(
        issue=question.issue.text,
        files=len(logs.files),
        lines=logs.received,
        refused=logs.refused,
        ranking=_ranking(resources, settings),
        judge=judge.text() if judge else _NO_BUNDLE,
        unreadable=logs.unreadable,
    )
    return Result(about, analysis, logs.kept, judge, fast=question.fast)


def _ranking(resources: Resources, settings: Settings) -> str:
    """Say what the lines were ranked by, and only what took part."""
    parts = ["words", "oddness" if resources.detector_scores is None else "detectors"]
    if resources.embed is None:
        return f"{_listed(parts)} (fast)"
    if _model_folder(settings) is not None:
        parts.append("meaning")
    if resources.find_similar is not None:
        parts.append("search index")
    return f"{_listed(parts)} (hybrid)" if len(parts) > _ALWAYS else f"{_listed(parts)} (without a model)"


def _listed(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _read(  # noqa: PLR0913 - one argument a part
    paths: Sequence[str], settings: Settings, store: Cache, masks: Masks, tell: Tell, progress: Callable[[int], None]
) -> Logs:
    reader = Reader(decode_config(settings), masks, store, version("tocsin"), tell)
    with kept_stdin(paths) as stdin:
        return read_logs(paths, reader, stdin, progress)


def _tenant(logs: Logs, question: IssueQuestion) -> str:
    """Return whose lines to analyse: the tenant that is named, or the only one.

    Raises:
        InvalidError: there are no lines, several tenants and none named, or none of the named one.
    """
    tenants = logs.tenants
    shown = ", ".join(tenants[:_TENANTS])
    if not tenants:
        raise _no_lines(question.paths, logs)
    if question.tenant is not None and question.tenant not in tenants:
        raise InvalidError(f"no line is of tenant {question.tenant}", f"there are {shown}")
    if question.tenant is None and len(tenants) > 1:
        shown += " …" if len(tenants) > _TENANTS else ""
        raise InvalidError(f"these logs hold lines of {len(tenants)} tenants ({shown})", "choose one with --tenant")
    return question.tenant or tenants[0]


def _no_lines(paths: Sequence[str], logs: Logs) -> InvalidError:
    if logs.unreadable:
        what = "is unreadable: it holds" if len(logs.unreadable) == 1 else "are unreadable: they hold"
        return InvalidError(
            f"{_first(logs.unreadable)} {what} no text (binary or noise)",
            "name log files; unpack other archives than gz, xz",
        )
    where = ", ".join(paths)
    if logs.received:
        return InvalidError(
            f"{where}: none of {logs.received} lines can be understood",
            "see `tocsin templates` and the setting formats",
        )
    return InvalidError(f"{where}: there are no lines", "name log files that hold some")


def _first(names: Sequence[str]) -> str:
    """Return the first names."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _with_models(  # noqa: PLR0913 - one argument a part
    resources: Resources, settings: Settings, store: Cache, tenant: str, issue: Issue, tell: Tell
) -> Resources:
    """Return the resources with embeddings, past incidents and, where a key is set, a language model."""
    embedder = cache(lambda: load_embedder(settings, tell))
    return replace(
        resources,
        embed=CachedEmbedder(store, _model_name(settings), embedder),
        find_similar=_search(settings, tenant, embedder, tell),
        explain=partial(_explain, settings, issue.text),
    )


def _explain(settings: Settings, issue: str, evidence: Evidence, base: Diagnosis) -> Diagnosis:
    """Return what a language model says, as far as the lines support it; ``base`` where none is set or none answers."""
    # Imported only where a model is asked, so that --fast answers sooner.
    from stream.wiring.llm import make_llm_explainer

    reported = replace(evidence, reasons=(f"somebody reports: {issue}", *evidence.reasons))
    return make_llm_explainer(settings)(
        key_of("analyze", reported.digest()), reported, base, lambda _: None, lambda: False
    ).diagnosis


def _search(
    settings: Settings, tenant: str, embedder: "Callable[[], Embedder]", tell: Tell
) -> Callable[[str], Sequence[Similar]] | None:
    """Return what finds past incidents and runbooks; None where there is no search index."""
    path = search_index_file(settings)
    if not path.exists():
        return None

    def find_similar(text: str) -> Sequence[Similar]:
        # FAISS is imported where there is something to search.
        from index.search.snapshot import load

        hits = load(path, embedder(), tell).search(text, _SIMILAR, Filter(tenant=tenant))
        return [hit.similar for hit in hits]

    return find_similar


def _model_name(settings: Settings) -> str:
    """Name a model's vectors without opening it: its folder and the files in it, by size and time."""
    folder = _model_folder(settings)
    if folder is None:
        from index.embedding.hashing_embedder import HashedEmbedder

        return HashedEmbedder.id
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = [(path.relative_to(folder).as_posix(), path.stat()) for path in files]
    return " ".join([str(folder.resolve()), *(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats)])


def _model_folder(settings: Settings) -> Path | None:
    """Return the folder of the model that embeds, None where texts are compared without one."""
    return None if settings.embedding_model == BUILT_IN else find_model(settings.embedding_model)
