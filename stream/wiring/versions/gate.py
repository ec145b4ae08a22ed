"""The gate and the labels as the settings name them: bundles, logs, votes and the store."""

import gzip
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from alerts.incidents.incident import Incident
from alerts.messages.feedback import Feedback
from alerts.messages.wording import short_id
from models.errors import InvalidError
from models.registry.address import CHAMPION, check_name
from models.registry.bundle_diff import compare_bundles
from models.rfc3339 import DAY, SECOND
from stream.gate import checks
from stream.gate.labels import LabelledIncident, LabelStore, stretch_of, votes_on
from stream.gate.measured_review import figures_that_got_worse, measured_review
from stream.gate.report import GateCheck, GateReport
from stream.gate.shadow_checks import SHADOW, shadow_checks
from stream.gate.told_incidents import ReviewedLogs
from stream.learning.material import write_lines
from stream.settings import Settings
from stream.wiring.bundles import (
    BundlePlace,
    bundle_address,
    bundle_place,
    open_objects,
    open_store,
    show_in_mlflow,
    store_url,
    version_address,
)
from stream.wiring.core import load_bundle, load_rules, make_broker, make_topics
from stream.wiring.promotion import check_windows
from stream.wiring.review import ReviewQuestion, review_logs
from stream.wiring.shadow import set_side_by_side
from stream.wiring.versions.recent_lines import recent_lines

MOST_LABELLED: Final = 200_000
"""Lines of one labelled incident that are kept, the newest where there are more: a judgement, megabytes when packed."""


@dataclass(frozen=True, slots=True)
class GateQuestion:
    """Which bundle is to follow which, and by what it is judged.

    Both are ``NAME@VERSION``, an address or a folder; without ``champion`` it is the champion of the challenger's name.
    Recent logs are those of ``paths``, or the last ``days`` of the topic, or none where that is 0.  ``accepted`` are
    exceptions that somebody accepts, by their names in the report.
    """

    challenger: str
    champion: str = ""
    paths: tuple[str, ...] = ()
    days: float = 0.0
    spec: Path | None = None
    accepted: frozenset[str] = frozenset()
    shadow_hours: float = 0.0
    """For how long it must have judged in shadow; 0: it need not."""


@dataclass(frozen=True, slots=True)
class _Work:
    """Where both bundles lie, and a folder for what is read meanwhile."""

    settings: Settings
    champion: Path
    challenger: Path
    scratch: Path
    progress: Callable[[str], None]


def run_gate(settings: Settings, question: GateQuestion, progress: Callable[[str], None]) -> GateReport:
    """Set a challenger against a champion, and keep the report beside the version; ``progress`` is told each step.

    Raises:
        TocsinError: a bundle, the logs or the store cannot be used.
    """
    challenger, champion = _places(settings, question)
    if challenger.path == champion.path:
        raise InvalidError(f"{question.challenger} is the champion itself", "name the version that is to follow it")
    old, new = (load_bundle(settings, place.path) for place in (champion, challenger))
    check_windows(old, new, question.challenger)
    labels = _label_store(settings, challenger, question)
    made = [checks.known_services(compare_bundles(old, new))]
    with tempfile.TemporaryDirectory(prefix="tocsin-gate-") as folder:
        scratch = Path(folder)
        known = labels.labels() if labels is not None else []
        work = _Work(settings, champion.path, challenger.path, scratch, progress)
        made += _on_recent_logs(work, question, known)
        made.append(_on_labels(work, labels, known))
        made += _in_shadow(work, question, known)
        if question.spec is None:
            made.append(checks.not_asked("evaluation", "--evaluation SPEC.toml evaluates both"))
        else:
            progress(f"evaluating both on {question.spec}")
            made.append(
                checks.evaluation(figures_that_got_worse(question.spec, champion.path, challenger.path, scratch))
            )
    report = GateReport(
        _name(challenger),
        _digest(challenger),
        _name(champion),
        _digest(champion),
        time.time_ns() // 1000,
        tuple(check.accepting(question.accepted) for check in made),
    )
    if challenger.manifest is not None:
        store = open_store(settings, version_address(settings, question.challenger).store)
        manifest, record = challenger.manifest, report.to_record()
        store.put_report(manifest, record)
        show_in_mlflow(settings, lambda mirror: mirror.show_gate(manifest, record))
    return report


def collect_labels(
    settings: Settings,
    name: str,
    voted: Iterable[tuple[Incident, Feedback | None]],
    progress: Callable[[str], None],
) -> list[LabelledIncident]:
    """Keep what people voted real or noise, with the lines around it, and return what is new.

    Lines that the topic no longer holds cannot be kept: ``progress`` is told of such a vote.

    Raises:
        TocsinError: broker or store do not answer.
    """
    broker, topic = make_broker(settings), make_topics(settings).logs_raw
    store = LabelStore(open_objects(settings, store_url(settings)), check_name(name))
    new = []
    with tempfile.TemporaryDirectory(prefix="tocsin-labels-") as folder:
        path = Path(folder) / "lines.jsonl"
        for incident, label in votes_on(voted):
            lines = None
            if not store.has_lines(label.id):
                if not write_lines(broker, topic, stretch_of(incident), path, MOST_LABELLED):
                    progress(f"{short_id(label.id)} is not kept: {topic} holds none of its lines any more")
                    continue
                lines = gzip.compress(path.read_bytes(), mtime=0)
            if store.put(label, lines):
                new.append(label)
    return new


def labels_of(settings: Settings, name: str) -> list[LabelledIncident]:
    """Return the labels that the store keeps for a name, the oldest incident first."""
    return LabelStore(open_objects(settings, store_url(settings)), check_name(name)).labels()


def _places(settings: Settings, question: GateQuestion) -> tuple[BundlePlace, BundlePlace]:
    """Return where challenger and champion lie on this disk."""
    challenger = _place(settings, question.challenger)
    if question.champion:
        return challenger, _place(settings, question.champion)
    if challenger.manifest is None:
        raise InvalidError(f"{question.challenger} is a folder", "name what it is to follow: --against BUNDLE")
    address = version_address(settings, question.challenger)
    return challenger, bundle_place(settings, str(replace(address, ref=CHAMPION)))


def _place(settings: Settings, name: str) -> BundlePlace:
    return bundle_place(settings, bundle_address(settings, name))


def _label_store(settings: Settings, challenger: BundlePlace, question: GateQuestion) -> LabelStore | None:
    if challenger.manifest is None:
        return None
    address = version_address(settings, question.challenger)
    return LabelStore(open_objects(settings, address.store), address.name)


def _on_recent_logs(work: _Work, question: GateQuestion, labels: Sequence[LabelledIncident]) -> Iterator[GateCheck]:
    """Check what both tell of recent logs, and what that takes."""
    settings, paths = work.settings, question.paths
    if not paths and question.days:
        work.progress(f"reading the last {question.days:g} days of lines")
        paths = recent_lines(settings, question.days, work.scratch)
    if not paths:
        how = "name log files, or --days of the topics"
        for name in ("unknown lines", "templates", "new incidents", "lost incidents", "pages", "cost"):
            yield checks.not_asked(name, how)
        return
    work.progress("reviewing them by the champion")
    old = measured_review(paths, work.champion)
    work.progress("reviewing them by the challenger")
    new = measured_review(paths, work.challenger)
    budget = load_rules(settings).budget
    pages_a_day = None if budget is None else budget.pages * DAY / SECOND / budget.per_s
    yield checks.unknown_lines(old.logs, new.logs)
    yield checks.templates(old.logs, new.logs)
    yield checks.new_incidents(old.logs, new.logs, labels, settings.false_alarms_per_day)
    yield checks.lost_incidents(old.logs, new.logs, labels)
    yield checks.pages(old.logs, new.logs, pages_a_day, settings.false_alarms_per_day)
    yield checks.cost(old.cost, new.cost)


def _on_labels(work: _Work, store: LabelStore | None, labels: Sequence[LabelledIncident]) -> GateCheck:
    """Check what both tell of the lines around the incidents that people voted on."""
    if store is None or not labels:
        return checks.not_asked("votes", "`tocsin models labels NAME --collect` keeps what people voted on")
    verdicts = []
    for number, label in enumerate(labels, 1):
        work.progress(f"reviewing voted incident {number} of {len(labels)}")
        path = work.scratch / f"{label.id}.jsonl.gz"
        path.write_bytes(store.lines(label))
        old, new = (_tells(work.settings, bundle, path, label) for bundle in (work.champion, work.challenger))
        path.unlink()
        verdicts.append((label, old, new))
    return checks.votes(verdicts)


def _in_shadow(work: _Work, question: GateQuestion, labels: Sequence[LabelledIncident]) -> Iterator[GateCheck]:
    """Check what the challenger told in shadow, beside the one in use."""
    if not question.shadow_hours:
        yield checks.not_asked(SHADOW, "--shadow-hours asks that it judged beside the one in use")
        return
    work.progress("setting what it told in shadow beside what people were told")
    try:
        report = set_side_by_side(work.settings, question.challenger)
    except InvalidError as error:
        yield GateCheck(SHADOW, False, str(error))  # noqa: FBT003 - it has not passed
        return
    yield from shadow_checks(report, question.shadow_hours, labels, work.settings.false_alarms_per_day)


def _tells(settings: Settings, bundle: Path, lines: Path, label: LabelledIncident) -> bool:
    """Whether a bundle tells the incident of a label from the lines around it."""
    review = review_logs(settings, ReviewQuestion((str(lines),), bundle), lambda _: None)
    logs = ReviewedLogs.from_record(review.to_record())
    return any(incident.episode.is_same(label.episode) for incident in logs.incidents)


def _name(place: BundlePlace) -> str:
    return str(place.path) if place.manifest is None else place.manifest.version


def _digest(place: BundlePlace) -> str:
    return "" if place.manifest is None else place.manifest.digest
