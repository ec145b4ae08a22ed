"""Which bundle a worker serves: the user's, else the newest that it has learned by itself, else the one that ships."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alerts.monitoring.metrics import Metrics
from models.records import NO_TIME
from models.registry.manifest import Manifest
from models.rfc3339 import SECOND, time_text
from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.learning.child import missing_libraries
from stream.learning.folder import LearningFolder
from stream.learning.learner import LearnConfig, Learner
from stream.learning.schedule import LearningProgress, next_lesson
from stream.settings import Settings
from stream.settings.environment import environment
from stream.wiring.bundles import bundle_place

PLATFORM_BUNDLE: Final = Path(__file__).parents[1] / "platform_bundle"
"""The bundle that ships: what OpenStack clouds have in common; ``training/platform_bundle.py`` makes it."""


@dataclass(frozen=True, slots=True)
class ServedBundle:
    """The folder of the bundle to serve; ``progress`` is None where the user has named it.

    ``manifest`` is that of a version from a store, ``problem`` why the store could not be asked for a newer one.
    """

    path: Path
    progress: LearningProgress | None = None
    manifest: Manifest | None = None
    problem: str = ""


def served_bundle(settings: Settings) -> ServedBundle:
    """Return the bundle that a worker with these settings serves now.

    Raises:
        TocsinError: the folder of what was learned holds something else, or the user's bundle cannot be had.
    """
    if settings.bundle is not None:
        place = bundle_place(settings, settings.bundle)
        return ServedBundle(place.path, None, place.manifest, place.problem)
    folder = learning_folder(settings)
    progress = folder.progress()
    return ServedBundle(folder.bundle(progress) or PLATFORM_BUNDLE, progress)


def learning_folder(settings: Settings) -> LearningFolder:
    """Return the folder of what was learned of the logs under this prefix of topics."""
    return LearningFolder(settings.state_path / (settings.topic_prefix.strip(".") or "default"))


def make_learner(settings: Settings, broker: Broker, topics: Topics, metrics: Metrics) -> Learner:
    """Return the loop that trains beside the roles."""
    after = round(settings.learn_after_s * SECOND)
    folder = learning_folder(settings)
    config = LearnConfig(folder, after, PLATFORM_BUNDLE, environment(), lambda: time.time_ns() // 1000)
    return Learner(broker, topics, metrics, config)


def describe_learning(settings: Settings, progress: LearningProgress) -> str:
    """Return what is known of this cloud and when more will be, as a sentence."""
    known = (
        f"learned from {progress.known_us // (60 * SECOND)} minutes of this cloud's logs"
        if progress.bundle
        else "no bundle of this cloud yet: errors, failures and crashes are told, and nothing else"
    )
    return f"{known}; {_next(settings, progress)}"


def advice_on_learning(settings: Settings, progress: LearningProgress) -> str:
    """Return what to do so that the worker learns, "" where it does."""
    if not settings.learn_after_s or missing_libraries():
        return (
            "install tocsin[train] and set TOCSIN_LEARN_AFTER_S, or run `tocsin train` elsewhere and set TOCSIN_BUNDLE"
        )
    return f"look at {learning_folder(settings).path}/lesson.log" if progress.problem else ""


def _next(settings: Settings, progress: LearningProgress) -> str:
    if not settings.learn_after_s:
        return "it does not learn by itself (learn_after_s is 0)"
    if missing := missing_libraries():
        return f"it cannot learn by itself: {', '.join(missing)} not installed"
    due = next_lesson(progress, round(settings.learn_after_s * SECOND))
    after = f" after a lesson that failed ({progress.problem})" if progress.problem else ""
    if due == NO_TIME:
        return f"sequences, rates and silence {settings.learn_after_s / 60:.0f} minutes after the first line"
    what = "it learns again" if progress.bundle else "sequences, rates and silence"
    return f"{what} from {time_text(due)[:16]}Z on{after}"
