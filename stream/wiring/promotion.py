"""Promotions of the version that a worker serves: following them, making them, and giving up what cannot be served."""

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from alerts.monitoring.metrics import Metrics
from models.bundle import Bundle
from models.errors import InvalidError, TocsinError
from models.registry.address import CHAMPION, ModelAddress, parse_bundle, version_number
from models.registry.bundle_cache import fetch_version
from models.registry.manifest import Manifest
from models.registry.model_store import ModelStore
from models.registry.signature import trusted
from models.schedule import OneScorer, ScorerSchedule
from models.scorer import Scorer
from stream.gate.report import permits
from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.promotion.alias_poll import AliasPoll
from stream.promotion.due_scorers import DueScorers
from stream.promotion.promotion_watch import PromotionWatch
from stream.settings import Settings
from stream.topics.promotions import Promotion, PromotionKind, StoredPromotion, promote, read_promotions
from stream.wiring.bundles import bundle_cache, current_user, open_store, show_in_mlflow
from stream.wiring.core import Components, make_components, topic_specs
from stream.wiring.learning import ServedBundle

log = logging.getLogger(__name__)

WORKER: Final = "tocsin"
"""Who rolls back what no person did."""


def followed_address(settings: Settings) -> ModelAddress | None:
    """Return the address of the settings where it follows promotions: that of a champion, and no fixed version."""
    address = parse_bundle(str(settings.bundle)) if settings.bundle is not None else None
    return address if isinstance(address, ModelAddress) and address.ref == CHAMPION else None


def make_watch(  # noqa: PLR0913 - the composition root passes each part
    settings: Settings, broker: Broker, topics: Topics, served: ServedBundle, parts: Components, metrics: Metrics
) -> PromotionWatch | None:
    """Return what follows the promotions of the champion that is served; None where another bundle is."""
    address = followed_address(settings)
    if address is None or served.manifest is None:
        return None
    scorers = DueScorers(parts.scorer, served.manifest, scorer_loader(settings, address, parts))

    def give_up(stored: StoredPromotion, why: str) -> None:
        log.error("%s is given up: %s", stored.promotion.manifest.version, why)
        # A rollback that cannot be served either is for people: two bad versions would call each other back for ever.
        if stored.promotion.kind is PromotionKind.PROMOTE:
            take_back(settings, broker, topics, stored.promotion, why)

    return PromotionWatch(broker, topics.models, address.name, scorers, give_up, metrics)


def make_poll(settings: Settings, metrics: Metrics) -> AliasPoll | None:
    """Return what looks at the alias of the settings; None where they name none."""
    address = parse_bundle(str(settings.bundle)) if settings.bundle is not None else None
    if not isinstance(address, ModelAddress) or version_number(address.ref) is not None:
        return None
    # One client for all looks: a new one of S3 reads its models of the interface anew and opens connections of its own.
    opened = cache(lambda: open_store(settings, address.store))
    return AliasPoll(opened, address, metrics.models_store_up.set)


def scorer_loader(settings: Settings, address: ModelAddress, parts: Components) -> Callable[[Manifest], Scorer]:
    """Return what fetches a version, verifies it, and makes a scorer of it that fits the windows of ``parts``."""

    def load(manifest: Manifest) -> Scorer:
        store = open_store(settings, address.store)
        path = fetch_version(store, manifest, bundle_cache(settings), trusted(settings.trusted_keys)).path
        bundle = Bundle.load(path)
        check_windows(parts.bundle, bundle, manifest.version)
        scorer = make_components(settings, bundle).scorer
        scorer.warm()
        return scorer

    return load


def check_windows(before: Bundle, after: Bundle, version: str) -> None:
    """Check that a bundle judges the windows that workers form.

    Raises:
        InvalidError: it was trained on others.
    """
    if after.windows != before.windows:
        raise InvalidError(
            f"{version} was trained on windows of other lengths than the bundle in use",
            f"train it with the same, or set TOCSIN_BUNDLE to {version} and start the workers anew",
        )


def replay_schedule(settings: Settings, broker: Broker, topics: Topics, parts: Components) -> ScorerSchedule:
    """Return the schedule by which a stretch of the topics was judged: that of the champion, where there is one."""
    address = followed_address(settings)
    if address is None or topics.models not in broker.topics():
        return OneScorer(parts.scorer)
    scorers = DueScorers(parts.scorer, None, scorer_loader(settings, address, parts))
    scorers.add(read_promotions(broker, topics.models), address.name)
    return scorers


@dataclass(frozen=True, slots=True)
class PromotionOrder:
    """What somebody wants: which version is to judge, from ``lead_s`` seconds from now on, and why."""

    address: ModelAddress
    lead_s: float
    kind: PromotionKind = PromotionKind.PROMOTE
    by: str = ""
    reason: str = ""
    force: str = ""
    """Why it is to be promoted whatever its gate says."""


def carry_out(
    settings: Settings, broker: Broker | None, topics: Topics, order: PromotionOrder
) -> tuple[Manifest, StoredPromotion | None]:
    """Promote a version: on the topic, and then by the alias; without a broker by the alias alone.

    Returns:
        The version, and its promotion as Kafka has stored it.

    Raises:
        TocsinError: the version is refused, does not fit, has not passed a gate that is required, or store or broker do
            not answer.
    """
    by = order.by or current_user()
    store = open_store(settings, order.address.store)
    manifest = store.resolve(order.address)
    cache, keys = bundle_cache(settings), trusted(settings.trusted_keys)
    bundle = Bundle.load(fetch_version(store, manifest, cache, keys).path)
    number = store.alias(manifest.name, CHAMPION)
    previous = None
    if number is not None:
        previous = store.resolve(ModelAddress(store.url, manifest.name, f"v{number}"))
        check_windows(Bundle.load(fetch_version(store, previous, cache, keys).path), bundle, manifest.version)
    report = _gate_report(settings, store, order, manifest, previous)
    stored = None
    if broker is not None:
        broker.ensure_topics(spec for spec in topic_specs(settings) if spec.name == topics.models)
        promotion = Promotion(
            uuid.uuid4().hex, order.kind, manifest, previous, order.lead_s, by, order.reason or order.force, report
        )
        stored = promote(broker, topics.models, promotion)
    store.move_alias(manifest, CHAMPION, time.time_ns() // 1000, by)
    show_in_mlflow(settings, lambda mirror: mirror.show_alias(manifest, CHAMPION))
    return manifest, stored


def _gate_report(
    settings: Settings, store: ModelStore, order: PromotionOrder, manifest: Manifest, previous: Manifest | None
) -> dict[str, Any]:
    """Return the report that stands in the promotion's record; empty where no gate was asked.

    Raises:
        InvalidError: the gate is required, and not passed.
    """
    # Back is always free; and the first version follows none that it could be set against.
    if order.kind is PromotionKind.ROLLBACK or previous is None or manifest.digest == previous.digest:
        return {}
    report = store.report(manifest)
    if not (why := permits(report, manifest.digest, previous.digest)):
        return report or {}
    if order.force:
        return {**(report or {}), "forced": order.force, "why_not": why}
    if settings.gate == "required":
        raise InvalidError(
            f"{manifest.version} is not promoted: {why}",
            f"run `tocsin models gate {manifest.version}`, or give a reason: --force REASON",
        )
    log.warning("%s: %s; TOCSIN_GATE=required would refuse it", manifest.version, why)
    return {}


def version_before(broker: Broker, topics: Topics, name: str) -> Manifest:
    """Return the version to which a rollback goes: the one before the last promotion.

    Raises:
        InvalidError: none is known, or somebody was faster, such as a worker.
    """
    stored = read_promotions(broker, topics.models) if topics.models in broker.topics() else ()
    last = _last(stored, name)
    if last is None or last.previous is None:
        raise InvalidError(f"nothing was promoted before {name}@{CHAMPION}", "name a version: `--to v3`")
    if last.kind is PromotionKind.ROLLBACK:
        # The version before is the one that was taken back.
        raise InvalidError(
            f"{last.by} went back from {last.previous.version} to {last.manifest.version} already: {last.reason}",
            "to go back further, name a version: `--to v3`",
        )
    return last.previous


def _last(stored: Iterable[StoredPromotion], name: str) -> Promotion | None:
    """Return the last promotion of a name."""
    promotions = [one.promotion for one in stored if one.promotion.manifest.name == name]
    return promotions[-1] if promotions else None


def take_back(settings: Settings, broker: Broker, topics: Topics, promotion: Promotion, why: str) -> None:
    """Roll a promotion back, as it cannot be served; what fails is logged, for a worker must go on.

    Of several workers the first one does it, but for those that look in the same moment: their records say the same.
    """
    if promotion.previous is None:
        return
    rollback = Promotion(
        uuid.uuid4().hex, PromotionKind.ROLLBACK, promotion.previous, promotion.manifest, 0.0, WORKER, why
    )
    try:
        last = _last(read_promotions(broker, topics.models), promotion.manifest.name)
        if last is None or last.id != promotion.id:
            return
        promote(broker, topics.models, rollback)
        address = followed_address(settings)
        if address is not None:
            open_store(settings, address.store).move_alias(promotion.previous, CHAMPION, time.time_ns() // 1000, WORKER)
    except TocsinError as error:
        log.warning("the rollback is not complete: %s", error)
