"""One process of Tocsin: its broker, bundle and metrics, and the roles that it serves.

A role is imported where it is made: one of ingest needs neither Faust nor FAISS, and 50 MB less memory.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from alerts.messages.signed_receipt import Signer
from alerts.monitoring.health import LoopHealth
from alerts.monitoring.metrics import Metrics
from alerts.monitoring.metrics_server import serve_metrics
from models.errors import TocsinError
from models.rfc3339 import SECOND, parse_time
from models.schedule import OneScorer, ScorerSchedule
from stream.kafka.clients import Broker
from stream.kafka.rights import check_rights
from stream.kafka.security.access_rules import access_rules, merged
from stream.kafka.topic_specs import Topics
from stream.promotion.alias_poll import AliasPoll
from stream.promotion.promotion_watch import PromotionWatch
from stream.runtime.renewal import CredentialWatch, watch_credentials
from stream.runtime.roles import Roles
from stream.settings import Settings
from stream.wiring.core import (
    Components,
    load_bundle,
    load_rules,
    make_broker,
    make_components,
    make_incident_policy,
    make_tls,
    make_topics,
    topic_specs,
)
from stream.wiring.learning import ServedBundle, describe_learning, served_bundle
from stream.wiring.promotion import make_poll, make_watch

if TYPE_CHECKING:
    from stream.deliver.role import Deliver
    from stream.detect.role import Detect
    from stream.explain.role import ExplainRole
    from stream.ingest.role import Ingest, IngestConfig
    from stream.learning.learner import Learner

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Process:
    """What the roles of one process share."""

    settings: Settings
    broker: Broker
    topics: Topics
    components: Components
    served: ServedBundle
    registry: CollectorRegistry
    metrics: Metrics
    credentials: CredentialWatch
    watch: PromotionWatch | None = None
    poll: AliasPoll | None = None
    health: LoopHealth = field(default_factory=LoopHealth)

    @classmethod
    def connect(cls, settings: Settings, *, shadow: bool = False) -> "Process":
        """Load the bundle, reach the broker and create the topics that are missing.

        In a ``shadow`` the bundle judges beside the one in use: what it says goes to topics of its own.

        Raises:
            InvalidError: there is no bundle, or it cannot be used.
            TransientError: the broker does not answer.
        """
        served = served_bundle(settings)
        # Before the certificates are read: what is renewed meanwhile is seen.
        credentials = watch_credentials(settings)
        components = make_components(settings, load_bundle(settings, served.path))
        broker, topics = make_broker(settings), make_topics(settings)
        if shadow:
            topics = topics.in_shadow()
        broker.ensure_topics(topic_specs(settings, topics), settings.replication)
        registry = CollectorRegistry()
        metrics = Metrics.on(registry)
        metrics.bundle_info.labels(components.bundle.id).set(1)
        newest = components.bundle.facts.get("to")
        if newest and not components.bundle.is_general:
            metrics.bundle_trained.set(parse_time(newest) / SECOND)
        _tell_store(served, metrics)
        facts = {"kafka": broker.bootstrap, "prefix": settings.topic_prefix, "bundle": components.bundle.id}
        log.info("connected", extra=facts)
        if served.progress is not None:
            metrics.bundle_learned.set(served.progress.known_us / SECOND)
            log.info("%s", describe_learning(settings, served.progress))
        # A shadow serves the version that it was given, whichever is promoted, and takes none back.
        watch = None if shadow else make_watch(settings, broker, topics, served, components, metrics)
        poll = make_poll(settings, metrics)
        return cls(settings, broker, topics, components, served, registry, metrics, credentials, watch, poll)

    @property
    def schedule(self) -> ScorerSchedule:
        """Which bundle judges when."""
        return self.watch or OneScorer(self.components.scorer)

    @contextmanager
    def metrics_served(self) -> Iterator[None]:
        """Serve ``/metrics``, ``/healthz`` and ``/readyz`` inside the context, unless the port is 0."""
        if not self.settings.metrics_port:
            yield
            return
        settings = self.settings
        token = "" if settings.metrics_token is None else settings.metrics_token.get_secret_value()
        server = serve_metrics(
            self.registry, settings.metrics_port, settings.metrics_host, self.health, make_tls(settings), token
        )
        try:
            yield
        finally:
            server.stop()

    def start(
        self,
        roles: Sequence[str],
        *,
        publish_all: bool = False,
        ingest: "IngestConfig | None" = None,
        clock: Callable[[], int] | None = None,
    ) -> Roles:
        """Start roles on the running event loop; a simulation passes its own ``clock`` (microseconds).

        Raises:
            FatalError: Kafka does not grant the rights that they need.
        """
        check_rights(self.broker, merged(rule for role in roles for rule in access_rules(self.topics, role)), roles)
        if self.topics.suffix and "detect" in roles:
            self._announce_shadow()
        served = Roles(self.metrics, self.health)
        if (watch := self.watch) is not None and {"ingest", "detect", "explain"} & set(roles):
            served.start_thread("models", lambda: watch)
        if "ingest" in roles:
            served.start_thread("ingest", lambda: self._ingest(ingest))
        if "detect" in roles:
            served.start("detect", self._detect(publish_all=publish_all))
        if "explain" in roles:
            served.start_thread("explain", lambda: self._explain(clock))
        if "deliver" in roles:
            served.start_thread("deliver", self._deliver)
        if "detect" in roles and self.served.progress is not None and self.settings.learn_after_s:
            served.start_thread("learn", self._learner)
        return served

    def is_outdated(self) -> bool:
        """Return whether there is another bundle to serve by now, or certificates or secrets were renewed.

        A bundle that a promotion tells of is taken over when it is due, without an end of this process.
        """
        if self.credentials.is_renewed():
            log.info("certificates or secrets were renewed: this process commits its work and goes on with them")
            return True
        if self.served.manifest is not None and (self.poll is None or not self.poll.has_changed()):
            return False
        try:
            newest = served_bundle(self.settings)
        except TocsinError as error:
            # Somebody changed the folder or the store; what is served goes on as it is.
            log.warning("%s", error)
            return False
        if newest.problem:
            log.warning("the new version is not served: %s", newest.problem)
        is_promoted = self.watch is not None and newest.manifest in self.watch.versions()
        return newest.path != self.served.path and not is_promoted

    def _announce_shadow(self) -> None:
        """Say on the topic from when on which bundle judges there."""
        from stream.topics.shadow_starts import ShadowStart, announce_shadow

        manifest, bundle = self.served.manifest, self.components.bundle
        model = str(self.served.path) if manifest is None else manifest.version
        announce_shadow(self.broker, self.topics.anomalies, ShadowStart(bundle.id, model))
        log.info("this process tells nobody: it judges beside the bundle in use", extra={"model": model})

    def _deliver(self) -> "Deliver":
        from stream.deliver.role import Deliver
        from stream.wiring.sinks import deliver_config

        return Deliver(self.broker, self.topics, self.metrics, deliver_config(self.settings, self.health))

    def _learner(self) -> "Learner":
        from stream.wiring.learning import make_learner

        return make_learner(self.settings, self.broker, self.topics, self.metrics)

    def _ingest(self, config: "IngestConfig | None") -> "Ingest":
        from stream.ingest.reading import Reading
        from stream.ingest.role import Ingest
        from stream.wiring.core import ingest_config

        config = config or ingest_config(self.settings)
        bundle, watch = self.components.bundle, self.watch
        bundle_at = None if watch is None else lambda moment: watch.scorer_at(moment).bundle
        config = replace(config, services=Reading(bundle).services, bundle_at=bundle_at, health=self.health)
        return Ingest(
            self.broker, self.topics, self.components.processor(), bundle.templates_version, self.metrics, config
        )

    def _detect(self, *, publish_all: bool) -> "Detect":
        from stream.detect.role import Detect, DetectConfig

        config = DetectConfig(self.components.windows, publish_all=publish_all, health=self.health)
        if self.watch is not None:
            config = replace(config, count=self.watch.count)
        return Detect(self.broker, self.topics, self.schedule, self.metrics, config, self.registry)

    def _explain(self, clock: Callable[[], int] | None) -> "ExplainRole":
        from stream.explain.role import ExplainConfig, ExplainRole, wall_clock
        from stream.wiring.explainer import make_explainer

        bundle_now = None if self.watch is None else self.watch.bundle_now
        explainer = make_explainer(self.settings, self.broker, self.topics, self.components.bundle, bundle_now)
        key = self.settings.receipt_key
        signer = Signer("" if key is None else key.get_secret_value(), load_rules(self.settings).version)
        config = ExplainConfig(make_incident_policy(self.settings), clock or wall_clock, signer, self.health)
        return ExplainRole(self.broker, self.topics, self.metrics, config, explainer)


def _tell_store(served: ServedBundle, metrics: Metrics) -> None:
    """Say which version of a store is served, and whether the store has confirmed it."""
    metrics.models_store_up.set(not served.problem)
    if served.manifest is not None:
        metrics.model_version.labels(served.manifest.name).set(served.manifest.number)
        log.info("model", extra={"version": served.manifest.version, "digest": served.manifest.digest})
    if served.problem:
        log.warning("the bundle is the last one on this disk, as the store gives none: %s", served.problem)
