"""The check for drift as the settings name it: which bundle, and which logs."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.pipeline import scored_files
from models.rfc3339 import parse_time
from models.windows.scoring import WindowScorer
from models.windows.store import WindowStore
from stream.drift.counts import DriftCounts
from stream.drift.report import DriftReport, judge
from stream.learning.material import write_recent_lines
from stream.settings import Settings
from stream.wiring.core import load_bundle, make_broker, make_components, make_topics
from stream.wiring.learning import served_bundle


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
        paths = question.paths
        if not paths:
            path = Path(folder) / "recent.jsonl"
            broker, topic = make_broker(settings), make_topics(settings).logs_raw
            write_recent_lines(broker, topic, question.days, time.time_ns() // 1000, path)
            paths = (str(path),)
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
