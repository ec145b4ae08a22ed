"""The check for drift as the settings name it: which bundle, and which logs."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.pipeline import scored_files
from models.rfc3339 import parse_time
from models.windows.scoring import WindowScorer
from models.windows.store import WindowStore
from stream.drift.counts import DriftCounts
from stream.drift.report import DriftReport, judge
from stream.settings import Settings
from stream.wiring.core import load_bundle, make_components
from stream.wiring.learning import served_bundle
from stream.wiring.versions.recent_lines import recent_lines


@dataclass(frozen=True, slots=True)
class DriftQuestion:
    """Which logs are looked at: ``paths``, or where there are none the last ``days`` of the topic.

    Without ``bundle`` it is the one in use.
    """

    paths: tuple[str, ...] = ()
    days: float = 1.0
    bundle: str | Path | None = None


def check_drift(settings: Settings, question: DriftQuestion, progress: Callable[[int], None]) -> DriftReport:
    """Read logs by a bundle and judge whether they still look as in its training; ``progress`` gets numbers of lines.

    Raises:
        InvalidError: the bundle or a path cannot be used, or there are no lines.
        TransientError: the broker does not answer.
    """
    bundle = load_bundle(settings, question.bundle or served_bundle(settings).path)
    with tempfile.TemporaryDirectory(prefix="tocsin-drift-") as folder:
        paths = question.paths or recent_lines(settings, question.days, Path(folder))
        parts = make_components(settings, bundle)
        counts = DriftCounts()
        scorer = WindowScorer(WindowStore(parts.windows), parts.scorer.decide)
        for decided, processed in scored_files(paths, parts.processor(), scorer):
            counts.add_windows(decided)
            if processed is not None:
                counts.add_lines(processed)
                progress(processed.received)
    known, newest = frozenset(bundle.detectors.groups.services), bundle.facts.get("to")
    return judge(counts, known, bundle.calibration.usual, parse_time(newest) if newest else None)
