"""A worker of a champion follows its promotions, and takes back what it cannot serve."""

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from models.registry.manifest import Manifest
from models.templates.matcher import mine
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics
from stream.promotion.promotion_watch import PromotionWatch
from stream.settings import Settings
from stream.topics.promotions import Promotion, PromotionKind, promote, read_promotions
from stream.wiring.bundles import make_registrar, open_store
from stream.wiring.core import load_bundle, make_components
from stream.wiring.explainer import make_explainer
from stream.wiring.learning import served_bundle
from stream.wiring.promotion import make_poll, make_watch
from tests.models.bundles import bundle


@pytest.fixture
def settings(embedded: EmbeddedBroker, tmp_path: Path) -> Settings:
    """Settings of a worker that follows a champion, which is the first of two versions."""
    made = Settings(
        kafka_bootstrap_servers=embedded.bootstrap,
        models=f"file://{tmp_path}/store",
        bundle=f"file://{tmp_path}/store/nova@champion",
        cache_path=tmp_path / "cache",
    )
    for seed in (1, 2):
        bundle(seed=seed).write(tmp_path / f"bundle-{seed}")
        make_registrar(made, "nova")(tmp_path / f"bundle-{seed}")
    open_store(made).move_alias(version(made, 1), "champion", 0, "anna")
    return made


def version(settings: Settings, number: int) -> Manifest:
    """A version of the store."""
    return next(entry for entry in open_store(settings).versions("nova") if entry.number == number)


def watch_of(settings: Settings) -> PromotionWatch | None:
    """What a worker with these settings follows."""
    broker, topics = Broker(settings.kafka_bootstrap_servers), Topics()
    broker.ensure_topics(spec for spec in topics.specs() if spec.name == topics.models)
    parts = make_components(settings, load_bundle(settings))
    return make_watch(settings, broker, topics, served_bundle(settings), parts, Metrics.on(CollectorRegistry()))


def run_until(watch: PromotionWatch, condition: Callable[[], bool]) -> None:
    """Let a watch run until something is so."""
    stop = threading.Event()
    thread = threading.Thread(target=watch.run, args=(stop,))
    thread.start()
    while not condition():
        time.sleep(0.05)
    stop.set()
    thread.join()


def order(settings: Settings) -> Promotion:
    """The promotion of the second version."""
    return Promotion(uuid.uuid4().hex, PromotionKind.PROMOTE, version(settings, 2), version(settings, 1), 30.0, "anna")


def test_only_a_champion_follows(settings: Settings, tmp_path: Path) -> None:
    """A fixed version and a folder stay what they are; the former has no alias to look at, either."""
    assert watch_of(settings) is not None
    for fixed in (f"{settings.models}/nova@v1", str(tmp_path / "bundle-1")):
        other = settings.model_copy(update={"bundle": fixed})
        assert watch_of(other) is None
        assert make_poll(other, Metrics.on(CollectorRegistry())) is None


def test_a_promoted_version_is_fetched_and_judges_when_it_is_due(settings: Settings) -> None:
    """From the store to the cache and into memory, while the old one goes on."""
    watch = watch_of(settings)
    assert watch is not None
    stored = promote(Broker(settings.kafka_bootstrap_servers), Topics().models, order(settings))
    run_until(watch, lambda: bool(watch.versions()))
    assert watch.scorer_at(stored.since - 1).bundle_id == bundle(seed=1).id
    assert watch.scorer_at(stored.since).bundle_id == bundle(seed=2).id
    assert watch.bundle_now().id == bundle(seed=1).id
    assert len(list((settings.cache_path / "bundles").glob("nova_v*"))) == 2


def test_a_version_that_cannot_be_served_is_taken_back(settings: Settings, tmp_path: Path) -> None:
    """By a rollback on the topic and the alias in the store, with the reason; a rollback itself never is."""
    watch = watch_of(settings)
    assert watch is not None
    promotion = order(settings)
    open_store(settings).move_alias(promotion.manifest, "champion", 0, "anna")
    (tmp_path / "store" / "nova_v02" / "lstm.onnx").write_bytes(b"damaged")
    broker, topics = Broker(settings.kafka_bootstrap_servers), Topics()
    stored = promote(broker, topics.models, promotion)
    run_until(watch, lambda: len(list(read_promotions(broker, topics.models))) > 1)
    _, back = read_promotions(broker, topics.models)
    assert (back.promotion.kind, back.promotion.manifest.number) == (PromotionKind.ROLLBACK, 1)
    assert "lstm.onnx is damaged" in back.promotion.reason
    assert open_store(settings).alias("nova", "champion") == 1
    watch.look()
    assert watch.scorer_at(stored.since).bundle_id == bundle(seed=1).id


def test_an_explanation_reads_lines_as_the_bundle_that_is_due(settings: Settings) -> None:
    """With its templates; as long as nothing changes nothing is made anew."""
    first, second = bundle(seed=1), replace(bundle(seed=2), table=mine({"volume detached": 3}))
    current = [first]
    broker = Broker(settings.kafka_bootstrap_servers)
    with closing(make_explainer(settings, broker, Topics(), first, lambda: current[0])) as explainer:
        reader = explainer._reader()
        assert explainer._reader() is reader
        assert reader.known == frozenset(first.table)
        current[0] = second
        assert explainer._reader().known == frozenset(second.table)
