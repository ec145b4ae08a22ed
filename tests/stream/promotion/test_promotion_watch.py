"""A worker follows promotions: it knows them before they are due, or does not judge."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from models.errors import FatalError, InvalidError
from models.records import I64, NO_TIME, WindowBatch
from models.registry.manifest import Manifest
from models.rfc3339 import SECOND
from models.scorer import Decisions, Scorer
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics
from stream.promotion import promotion_watch
from stream.promotion.due_scorers import DueScorers
from stream.promotion.promotion_watch import PromotionWatch
from stream.topics import promotions
from stream.topics.promotions import LEAST_LEAD_S, Promotion, StoredPromotion, promote, read_promotions
from tests.models.bundles import UNSEEN, Window, windows
from tests.stream.promotion.samples import load, promotion, scorer, version


@pytest.fixture
def topics(broker: Broker) -> Topics:
    """Topics of a prefix of one's own, on each broker."""
    names = Topics(f"promotion-{uuid.uuid4().hex[:8]}.")
    broker.ensure_topics(spec for spec in names.specs() if spec.name == names.models)
    return names


def watch_of(
    broker: Broker,
    topics: Topics,
    loader: Callable[[Manifest], Scorer] = load,
    given_up: list[tuple[StoredPromotion, str]] | None = None,
) -> tuple[PromotionWatch, CollectorRegistry]:
    """A watch that begins with version 1."""
    registry = CollectorRegistry()
    told = [] if given_up is None else given_up
    return (
        PromotionWatch(
            broker,
            topics.models,
            "nova",
            DueScorers(scorer(1), version(1), loader),
            lambda stored, why: told.append((stored, why)),
            Metrics.on(registry),
        ),
        registry,
    )


@contextmanager
def running(watch: PromotionWatch) -> Iterator[None]:
    """Let a watch run."""
    stop = threading.Event()
    thread = threading.Thread(target=watch.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something."""
    while not condition():
        time.sleep(0.02)


def test_a_promotion_is_due_by_the_brokers_clock(broker: Broker, topics: Topics) -> None:
    """Its lead counts from when Kafka stored it, is at least the least, and everyone reads the same."""
    before = time.time_ns() // 1000
    stored = promote(broker, topics.models, promotion(2, previous=1, lead_s=45.0))
    hasty = promote(broker, topics.models, promotion(3, previous=2, lead_s=0.0))
    after = time.time_ns() // 1000
    assert before - SECOND <= stored.since - 45 * SECOND <= after + SECOND
    assert before - SECOND <= hasty.since - LEAST_LEAD_S * SECOND <= after + SECOND
    assert list(read_promotions(broker, topics.models)) == [stored, hasty]
    watch, _ = watch_of(broker, topics)
    watch.look()
    assert [one.since for one in watch.timeline.promotions] == [stored.since, hasty.since]


def test_a_worker_makes_a_version_ready_and_judges_with_it_when_it_is_due(broker: Broker, topics: Topics) -> None:
    """Before the moment with the old one, from it on with the new one, without a restart."""
    watch, registry = watch_of(broker, topics)
    with running(watch):
        assert watch.scorer_at(0).bundle_id == scorer(1).bundle_id
        stored = promote(broker, topics.models, promotion(2, previous=1))
        until(lambda: len(watch.timeline.promotions) == 1)
        assert watch.scorer_at(stored.since - 1).bundle_id == scorer(1).bundle_id
        assert watch.scorer_at(stored.since).bundle_id == scorer(2).bundle_id
        until(lambda: registry.get_sample_value("tocsin_model_version", {"name": "nova"}) == 1.0)
    assert watch.versions() == [version(2)]


def test_who_has_not_read_the_topic_does_not_judge(embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the next look, and stops where none succeeds for long."""
    topics = Topics("unread.")
    Broker(embedded.bootstrap).ensure_topics(spec for spec in topics.specs() if spec.name == topics.models)
    watch, _ = watch_of(Broker(embedded.bootstrap), topics)
    judged: list[str] = []
    thread = threading.Thread(target=lambda: judged.append(watch.scorer_at(0).bundle_id))
    thread.start()
    thread.join(0.2)
    assert judged == []
    watch.look()
    thread.join()
    assert judged == [scorer(1).bundle_id]
    monkeypatch.setattr(promotion_watch, "FRESH_S", -1.0)
    monkeypatch.setattr(promotion_watch, "GIVE_UP_S", 0.1)
    with pytest.raises(FatalError, match="it is not known which bundle is due"):
        watch.due(np.zeros(1, np.int64))


def test_a_version_that_is_refused_is_given_up_once(embedded: EmbeddedBroker) -> None:
    """With the reason; what judged before goes on."""
    topics = Topics("refused.")
    Broker(embedded.bootstrap).ensure_topics(spec for spec in topics.specs() if spec.name == topics.models)

    def refuse(manifest: Manifest) -> Scorer:
        raise InvalidError(f"{manifest.version} is damaged", "register it again")

    given_up: list[tuple[StoredPromotion, str]] = []
    watch, registry = watch_of(Broker(embedded.bootstrap), topics, refuse, given_up)
    with running(watch):
        stored = promote(Broker(embedded.bootstrap), topics.models, promotion(2, previous=1))
        until(lambda: bool(given_up))
        assert watch.scorer_at(stored.since).bundle_id == scorer(1).bundle_id
        until(lambda: registry.get_sample_value("tocsin_model_load_failures_total") == 1.0)
    assert given_up == [(stored, "nova@v2 is damaged; register it again")]


def test_what_is_no_promotion_is_passed_over() -> None:
    """And one whose manifest was changed is none."""
    record = promotion(2, previous=1).to_json()
    assert Promotion.from_json(record) == promotion(2, previous=1)
    with pytest.raises(InvalidError, match="digest is not that of its manifest"):
        Promotion.from_json(record.replace(b"bundle-2", b"bundle-3"))
    for foreign in (b"{}", b"text", record.replace(b"tocsin.promotion/1", b"tocsin.promotion/2")):
        with pytest.raises(InvalidError):
            Promotion.from_json(foreign)


class Told(Scorer):
    """A scorer for which every window fires, or none."""

    def __init__(self, number: int, *, fires: bool) -> None:
        """Take the bundle of a version."""
        super().__init__(scorer(number).bundle)
        self._fires = fires

    def decide(self, windows: WindowBatch, foreign_until: int | I64 = NO_TIME) -> Decisions:
        """Decide, whatever the windows are."""
        return replace(super().decide(windows, foreign_until), fired=np.full(len(windows), self._fires))


class Once(threading.Event):
    """An end after one look."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - as of the event
        """Do not wait, and end."""
        self.set()
        return True


@pytest.mark.parametrize("is_fault", [False, True], ids=["alone", "as the version before"])
def test_a_version_that_rings_alone_is_given_up(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, unique: str, *, is_fault: bool
) -> None:
    """Once it is due and has judged enough; the version before is asked, and loaded where it is not in memory."""
    monkeypatch.setattr(promotions, "LEAST_LEAD_S", 1.0)
    broker, topics = Broker(embedded.bootstrap), Topics(unique)
    broker.ensure_topics(spec for spec in topics.specs() if spec.name == topics.models)
    old, new = (replace(version(number), bundle=scorer(number).bundle_id) for number in (1, 2))
    scorers = DueScorers(scorer(2), new, lambda _: Told(1, fires=is_fault))
    given_up: list[tuple[StoredPromotion, str]] = []
    watch = PromotionWatch(
        broker,
        topics.models,
        "nova",
        scorers,
        lambda stored, why: given_up.append((stored, why)),
        Metrics.on(CollectorRegistry()),
    )
    stored = promote(broker, topics.models, replace(promotion(2), manifest=new, previous=old, lead_s=6.0))
    watch.run(Once())
    batch = windows([Window((UNSEEN,), key=f"nova/nova-compute@{n}") for n in range(200)])
    rung = Told(2, fires=True).decide(batch)
    watch.count(rung, np.arange(200))
    until(lambda: time.time_ns() // 1000 > stored.since)
    for _ in range(2):
        watch.run(Once())
        assert given_up == []
        watch.count(rung, np.arange(200))
    watch.run(Once())
    why = "400 of 400 windows; where it rings, it fires 400 times and the version before 0 times"
    assert given_up == ([] if is_fault else [(stored, f"nova@v2 fires far too often: {why}")])
