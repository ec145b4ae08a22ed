"""``review`` as the settings name it: windows of files or topics, played to incidents, with what explains them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from alerts.messages.alert import Alert
from alerts.messages.backends import names_in
from models.bundle import Bundle
from models.decode.log_files import list_files, read_file
from models.errors import InvalidError
from models.records import I64, Verdict
from models.rfc3339 import DAY
from models.schedule import OneScorer
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.kafka.stored import StoredBroker, StoredPartition
from stream.kafka.topic_specs import Topics
from stream.replay import earlier, lead, no_window
from stream.review.playback import PacedExplainer, Playback
from stream.review.report import Review
from stream.review.sources import ClosedTogether, in_order, record_of, windows_of_events, windows_of_files
from stream.review.truth import KnownFault, figures
from stream.settings import Settings
from stream.topics.anomalies import anomaly
from stream.topics.templates import TemplateNames
from stream.wiring.core import Components, load_bundle, make_broker, make_components, make_incident_policy, make_topics
from stream.wiring.explainer import make_explainer_of
from stream.wiring.learning import served_bundle
from stream.wiring.promotion import replay_schedule


@dataclass(frozen=True, slots=True)
class ReviewQuestion:
    """What is reviewed: files, or where ``paths`` is empty the topics; ``since`` and ``until`` are milliseconds."""

    paths: tuple[str, ...] = ()
    bundle: str | Path | None = None
    since: int | None = None
    until: int | None = None


def review_logs(settings: Settings, question: ReviewQuestion, progress: Callable[[int], None]) -> Review:
    """Run the pipeline on files or a stretch of the topics; ``progress`` gets the number of lines since the last call.

    No language model is asked, and what people said of incidents does not count.

    Raises:
        InvalidError: a path, the bundle or a setting cannot be used, or the range holds nothing.
        TransientError: the broker does not answer.
    """
    # The second reading would find nothing, and models cost money each time.
    if "-" in question.paths:
        raise InvalidError("review reads its files twice, so that it cannot read standard input", "name a file")
    if question.paths:
        parts = make_components(settings, load_bundle(settings, question.bundle))
        return _of_files(settings, question, parts, progress)
    parts = make_components(settings, load_bundle(settings, question.bundle or served_bundle(settings).path))
    return _of_topics(settings, question, parts)


def told(
    settings: Settings, bundle: Bundle, logs: Sequence[tuple[Sequence[Path], Sequence[Mapping[str, Any]]]]
) -> dict[str, float]:
    """Review labelled logs one after the other, and measure what people would have heard: what ``evaluate`` asks."""
    alerts: list[Alert] = []
    faults: list[KnownFault] = []
    days = 0.0
    for paths, known in logs:
        question = ReviewQuestion(tuple(map(str, paths)))
        result = _of_files(settings, question, make_components(settings, bundle), lambda _: None)
        alerts += result.alerts
        faults += map(KnownFault.from_record, known)
        days += (result.span[1] - result.span[0]) / DAY
    heard = figures(alerts, faults)
    out = {name: heard[name] for name in ("told", "own", "right", "false_incidents", "alerts_per_incident")}
    out["told_delay_median_s"] = heard["delay_median_s"]
    out["pages_per_day"] = round(sum(alert.page for alert in alerts) / days, 3) if days else None
    return {name: value for name, value in out.items() if value is not None}


def _of_files(
    settings: Settings, question: ReviewQuestion, parts: Components, progress: Callable[[int], None]
) -> Review:
    names: dict[str, frozenset[str]] = {}
    places: list[I64] = []
    lines = windows = unknown = 0
    templates: set[int] = set()
    verdicts: list[Verdict] = []
    for closed in windows_of_files(question.paths, parts.processor(), parts.scorer, parts.windows):
        names.update((f"{new.id:016x}", names_in(new.text)) for new in closed.new)
        windows += len(closed.verdicts)
        count = closed.lines.shape[1]
        lines += count
        progress(count)
        places.append(closed.lines)
        unknown += closed.unknown
        templates |= closed.templates
        verdicts += _asked(closed, question)
    if not lines:
        raise InvalidError(f"{', '.join(question.paths)}: there are no lines", "name log files that hold some")
    groups = [
        (closed.time, [anomaly(verdict, parts.bundle.id)[1] for verdict in closed.verdicts])
        for closed in in_order(verdicts, parts.windows)
    ]
    every = np.concatenate(places, axis=1)
    topics = make_topics(settings)
    stored = _stored_lines(question.paths, every) if groups else {}
    broker = StoredBroker("", stored={topics.logs_raw: stored})
    files = {file.number: str(file.path) for file in list_files(question.paths)}
    first, last = int(every[2].min()), int(every[2].max())
    span = (max(first, (question.since or 0) * 1000), last if question.until is None else question.until * 1000)
    review = incidents_of(settings, broker, topics, parts.bundle, groups, names.get)
    return replace(review.about(lines, windows, span, files), unknown=unknown / lines, templates=len(templates))


def _of_topics(settings: Settings, question: ReviewQuestion, parts: Components) -> Review:
    broker, topics = make_broker(settings), make_topics(settings)
    records = read_range(broker, topics.logs_events, earlier(question.since, lead(parts.windows)), question.until)
    groups: list[tuple[int, list[bytes]]] = []
    windows = 0
    first = last = None
    # As the roles judged them: by the version that was due, unless one is asked for.
    one = OneScorer(parts.scorer)
    schedule = one if question.bundle else replay_schedule(settings, broker, topics, parts)
    for closed in windows_of_events(records, question.since, schedule, parts.windows):
        windows += len(closed.verdicts)
        first, last = min(first or closed.time, closed.time), max(last or closed.time, closed.time)
        if fired := [anomaly(verdict, parts.bundle.id)[1] for verdict in closed.verdicts if verdict.fired]:
            groups.append((closed.time, fired))
    if first is None or last is None:
        raise no_window()
    templates = TemplateNames(broker, topics.templates)
    templates.refresh()
    return incidents_of(settings, broker, topics, parts.bundle, groups, templates.of).about(
        0, windows, (first, last), {}
    )


def _asked(closed: ClosedTogether, question: ReviewQuestion) -> list[Verdict]:
    """Return the windows that fired, those of the asked time only."""

    def is_asked(verdict: Verdict) -> bool:
        milliseconds = verdict.end // 1000
        begins = question.since is None or milliseconds > question.since
        return begins and (question.until is None or milliseconds <= question.until)

    return [verdict for verdict in closed.verdicts if verdict.fired and is_asked(verdict)]


def incidents_of(  # noqa: PLR0913 - what a role is made of
    settings: Settings,
    broker: Broker,
    topics: Topics,
    bundle: Bundle,
    groups: Iterable[tuple[int, list[bytes]]],
    names_of: Callable[[str], frozenset[str] | None],
) -> Review:
    """Make incidents of records of ``anomalies``, each group at its time (microseconds), explained by a bundle."""
    count = 0
    # A model costs money each time, and a review is made as often as one likes.
    quiet = settings.model_copy(update={"llm_enabled": False})
    with closing(make_explainer_of(PacedExplainer, quiet, broker, topics, lambda: bundle)) as explainer:
        playback = Playback(make_incident_policy(settings), explainer, names_of)
        for time, records in groups:
            count += len(records)
            playback.take(records, time)
        played = playback.finish()
    return Review(played.incidents, played.alerts, fired=count, bundle=bundle.id)


def _stored_lines(paths: Iterable[str], places: I64) -> Mapping[int, StoredPartition]:
    """Read files once more, as messages that a shipper would have sent at the times of their lines.

    ``places`` (3, n) are file, number and time (microseconds) of each line that was understood; the others came with
    the line before them.
    """
    stored = {}
    for file in list_files(list(paths)):
        values: list[bytes] = []
        for batch in read_file(file):
            source = batch.sources.get(file.number)
            values += batch.raw.values if source is None else [record_of(line, source) for line in batch.raw.values]
        _, numbers, times = places[:, places[0] == file.number]
        arrived = np.zeros(len(values), np.int64)
        arrived[numbers] = times // 1000
        stored[file.number] = StoredPartition(values, np.maximum.accumulate(arrived))
    return stored
