"""The loop that learns: looks at what is due, trains beside the roles, and leaves the bundle for them to take over."""

import logging
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alerts.monitoring.metrics import Metrics
from index.storage.atomic_files import sole_writer
from models.bundle import Bundle
from models.errors import InvalidError, TocsinError, TransientError
from models.records import NO_TIME
from models.rfc3339 import SECOND, time_text
from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.learning import child
from stream.learning.folder import LearningFolder
from stream.learning.material import MAX_LINES, fired_windows, first_line, last_line, write_lines
from stream.learning.schedule import (
    LONGEST,
    MOST_LEFT_OUT,
    PATIENCE,
    LearningProgress,
    Span,
    left_out,
    next_lesson,
    share,
    stretch,
)

log = logging.getLogger(__name__)

EVERY_S: Final = 10.0
"""Seconds between two looks at what is due; a judgement."""


@dataclass(frozen=True, slots=True)
class LearnConfig:
    """``after`` is the span of the first lesson (microseconds), ``base`` the bundle that ships.

    ``environment`` is that of the training, which reads the worker's settings from it; ``clock`` returns microseconds
    since 1970.
    """

    folder: LearningFolder
    after: int
    base: Path
    environment: Mapping[str, str]
    clock: Callable[[], int]
    most_lines: int = MAX_LINES


class Learner:
    """Learns while ``run`` serves; the roles go on meanwhile, and a lesson that fails stops none of them."""

    def __init__(self, broker: Broker, topics: Topics, metrics: Metrics, config: LearnConfig) -> None:
        self._broker = broker
        self._topics = topics
        self._metrics = metrics
        self._config = config
        self._told = ""  # the last trouble that was logged, so that it is logged once

    def run(self, stop: threading.Event) -> None:
        """Learn whenever it is due until ``stop`` is set."""
        if missing := child.missing_libraries():
            self._metrics.lessons.labels("failed").inc()
            log.warning(
                "this worker cannot learn by itself: %s not installed; install tocsin[train], or run `tocsin train` "
                "elsewhere and set TOCSIN_BUNDLE",
                ", ".join(missing),
            )
            return
        while not stop.wait(EVERY_S):
            try:
                with sole_writer(self._config.folder.lock):
                    self._step(stop)
            except TransientError as error:
                log.debug("%s", error)  # another process learns, or the broker rests
            except Exception as error:
                if str(error) != self._told:
                    self._told = str(error)
                    log.warning(
                        "learning has to wait: %s", error, exc_info=not isinstance(error, TocsinError | OSError)
                    )

    def _step(self, stop: threading.Event) -> None:
        now = self._now()
        progress = self._progress(now)
        due = next_lesson(progress, self._config.after)
        self._metrics.next_lesson.set(max(due, 0) / SECOND)
        if due == NO_TIME or now < due:
            return
        # Minutes of logs count, not of clocks: this machine's may be wrong, and lines may have ceased to come.
        now = last_line(self._broker, self._topics.logs_raw, now)
        if now >= due:
            after = self._lesson(progress, stretch(progress, now), stop)
            if not stop.is_set():
                self._config.folder.write(after)
                self._tell(after)

    def _progress(self, now: int) -> LearningProgress:
        """Return the progress, with the time of the first line once there is one."""
        folder = self._config.folder
        progress = folder.progress()
        if progress.since == NO_TIME:
            progress = LearningProgress(since=first_line(self._broker, self._topics.logs_raw, now - LONGEST))
            if progress.since != NO_TIME:
                folder.write(progress)
                self._tell(progress)
        return progress

    def _lesson(self, progress: LearningProgress, span: Span, stop: threading.Event) -> LearningProgress:
        """Train on a stretch and return the progress with what came of it."""
        parts = left_out(fired_windows(self._broker, self._topics.anomalies, span), span)
        if share(parts, span) > MOST_LEFT_OUT:
            if span[1] - progress.since < PATIENCE:
                self._metrics.lessons.labels("postponed").inc()
                return progress.failed(span[1], f"windows fired in {share(parts, span):.0%} of the time")
            parts = ()
        name = f"bundle-{span[1] // SECOND}"
        training = self._train(progress, span, parts, name, stop)
        if training.problem:
            self._metrics.lessons.labels("failed").inc()
            return progress.failed(span[1], training.problem)
        self._metrics.lessons.labels("learned").inc()
        after = progress.succeeded(span[1], name)
        self._config.folder.discard_old(after)
        return after

    def _train(
        self, progress: LearningProgress, span: Span, parts: tuple[Span, ...], name: str, stop: threading.Event
    ) -> child.Training:
        folder = self._config.folder
        started = self._now()
        with tempfile.TemporaryDirectory(prefix=".lines-", dir=folder.path) as scratch:
            lines = Path(scratch) / "lines.jsonl"
            try:
                count = write_lines(self._broker, self._topics.logs_raw, span, lines, self._config.most_lines)
            except OSError as error:
                return child.Training(f"cannot write {lines} ({error.strerror})")
            facts = {"lines": count, "from": time_text(span[0]), "to": time_text(span[1]), "left_out": len(parts)}
            log.info("learning from the logs so far", extra=facts)
            base = folder.bundle(progress) or self._config.base
            args = child.arguments(lines, folder.path / name, base, parts)
            training = child.train(args, self._config.environment, folder.path / "lesson.log", stop)
        if not training.problem:
            training = child.Training(_defect(folder.path / name), training.peak_mb)
        seconds = (self._now() - started) // SECOND
        log.info("training ended", extra={"seconds": seconds, "peak_mb": round(training.peak_mb), "out": name})
        return training

    def _tell(self, progress: LearningProgress) -> None:
        """Log what is known now and when more will be."""
        due = time_text(max(next_lesson(progress, self._config.after), self._now()))
        if progress.problem:
            log.warning("nothing was learned: %s; the next lesson begins at %s", progress.problem, due)
        elif progress.bundle:
            minutes = progress.known_us // (60 * SECOND)
            log.info("learned from %d minutes of this cloud's logs; the next lesson begins at %s", minutes, due)
        else:
            log.info("the first lesson begins at %s; until then only errors, failures and crashes are told", due)

    def _now(self) -> int:
        """Return the time, in microseconds, to the millisecond, as the progress keeps it."""
        return self._config.clock() // 1000 * 1000


def _defect(path: Path) -> str:
    """Return what is wrong with a bundle, "" where nothing is."""
    try:
        Bundle.load(path)
    except InvalidError as error:
        return str(error)
    return ""
