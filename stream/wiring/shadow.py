"""A bundle that judges beside the one in use, as the settings name it, and what came of it."""

import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

import orjson

from alerts.messages.anomaly import Anomaly
from models.bundle import Bundle
from models.errors import InvalidError
from models.records import NO_TIME
from models.registry.address import CHALLENGER, CHAMPION
from models.registry.bundle_cache import fetch_version
from models.registry.manifest import Manifest
from models.registry.signature import trusted
from models.windows.config import WindowConfig
from stream.detect.partition_state import PartitionCheckpoint
from stream.gate.side_by_side import ShadowReport
from stream.gate.told_incidents import ToldIncident, told_incidents
from stream.kafka.clients import Broker
from stream.kafka.reader import Record, committed, read_range
from stream.kafka.topic_specs import Topics
from stream.review.sources import closes_at
from stream.settings import Settings
from stream.topics.anomalies import SCHEMA
from stream.topics.shadow_starts import ShadowStretch, shadow_stretches
from stream.topics.templates import TemplateNames
from stream.wiring.bundles import bundle_address, bundle_cache, open_store, show_in_mlflow, version_address
from stream.wiring.core import load_bundle, make_broker, make_topics
from stream.wiring.learning import served_bundle
from stream.wiring.review import incidents_of

_DETECT: Final = "detect"
"""The role whose commits say how far windows are judged."""


def shadow_settings(settings: Settings, bundle: str) -> Settings:
    """Return the settings of a worker that lets a bundle judge in shadow: ``NAME@VERSION``, an address, or a folder.

    Raises:
        InvalidError: it is none of these, or the champion, which judges already.
    """
    if Path(bundle).is_dir():
        return settings.model_copy(update={"bundle": Path(bundle).resolve()})
    address = version_address(settings, bundle)
    if address.ref == CHAMPION:
        raise InvalidError(f"{bundle} judges already", f"name another version, as {address.name}@{CHALLENGER}")
    return settings.model_copy(update={"bundle": str(address)})


def challenge(settings: Settings, model: str, by: str) -> Manifest:
    """Let the alias of the challenger stand for a version, which is fetched, verified and loaded before.

    Raises:
        TocsinError: the version is refused, or the store does not answer.
    """
    address = version_address(settings, model)
    store = open_store(settings, address.store)
    manifest = store.resolve(address)
    Bundle.load(fetch_version(store, manifest, bundle_cache(settings), trusted(settings.trusted_keys)).path)
    store.move_alias(manifest, CHALLENGER, time.time_ns() // 1000, by)
    show_in_mlflow(settings, lambda mirror: mirror.show_alias(manifest, CHALLENGER))
    return manifest


def set_side_by_side(settings: Settings, model: str = "") -> ShadowReport:
    """Set what a bundle told in shadow against what people were told meanwhile.

    It is the last stretch in which ``model`` judged (``NAME@VERSION``, or the folder), or where none is named whoever
    did; as far as both have come by now.  Incidents of both are made of their windows again, in the same way.

    Raises:
        TocsinError: it did not judge in shadow, its bundle cannot be had, or the broker does not answer.
    """
    broker, topics = make_broker(settings), make_topics(settings)
    shadow = topics.in_shadow()
    records = list(read_range(broker, shadow.anomalies)) if shadow.anomalies in broker.topics() else []
    stretch = _stretch(records, _name(settings, model) if model else "")
    until = _judged_until(broker, topics, shadow, stretch)
    in_use = load_bundle(settings, served_bundle(settings).path)
    name = stretch.start.model
    tried = load_bundle(settings, bundle_address(settings, name))
    live = read_range(broker, topics.anomalies, stretch.since // 1000)
    beside = (record for record in records if _bundle_of(record) == stretch.start.bundle)
    return ShadowReport(
        name,
        stretch.start.bundle,
        stretch.since,
        until,
        _told(settings, broker, topics, in_use, _closed(live, (stretch.since, until), in_use.windows)),
        _told(settings, broker, shadow, tried, _closed(beside, (stretch.since, until), tried.windows)),
    )


def _name(settings: Settings, model: str) -> str:
    """Return the name under which a shadow says that it begins."""
    if Path(model).is_dir():
        return str(Path(model).resolve())
    address = version_address(settings, model)
    return open_store(settings, address.store).resolve(address).version


def _stretch(records: Iterable[Record], model: str) -> ShadowStretch:
    stretches = [one for one in shadow_stretches(records) if model in {"", one.start.model}]
    if not stretches:
        raise InvalidError(
            f"{model} has not judged in shadow" if model else "nothing has judged in shadow",
            f"let it: `tocsin run --shadow {model or 'NAME@v13'}`",
        )
    return stretches[-1]


def _judged_until(broker: Broker, topics: Topics, shadow: Topics, stretch: ShadowStretch) -> int:
    """Return up to when both have judged every window, by the broker's clock in microseconds."""
    clocks = [
        state.mark.clock
        for names in (topics, shadow)
        for offset, metadata in committed(broker, names.group(_DETECT), names.logs_events).values()
        if (state := PartitionCheckpoint.restore(offset, metadata)) is not None and state.mark.clock != NO_TIME
    ]
    ends = clocks if stretch.until is None else [*clocks, stretch.until]
    return max(min(ends, default=stretch.since), stretch.since)


def _bundle_of(record: Record) -> str | None:
    """Return which bundle judged a window; None for another record."""
    window = orjson.loads(record.value or b"{}")
    return str(window["bundle"]) if window.get("schema") == SCHEMA else None


def _closed(
    records: Iterable[Record], span: tuple[int, int], config: WindowConfig
) -> Iterator[tuple[int, list[bytes]]]:
    """Yield windows that lie in a span of time (microseconds), each with when it closes, in that order."""
    values = [record.value for record in records if record.value is not None]
    windows = [(Anomaly.from_json(value), value) for value in values]
    timed = [
        (closes_at(window.end, window.key, config, is_session=window.session), value)
        for window, value in windows
        if span[0] <= window.start and window.end <= span[1]
    ]
    for moment, together in groupby(sorted(timed), key=itemgetter(0)):
        yield moment, [value for _, value in together]


def _told(
    settings: Settings, broker: Broker, topics: Topics, bundle: Bundle, windows: Iterable[tuple[int, list[bytes]]]
) -> tuple[ToldIncident, ...]:
    names = TemplateNames(broker, topics.templates)
    names.refresh()
    return told_incidents(incidents_of(settings, broker, topics, bundle, windows, names.of).to_record())
