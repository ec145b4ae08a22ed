"""One process of Tocsin: a broker, a bundle, metrics, and the roles that it serves."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from alerts.messages.signed_receipt import Signer
from alerts.monitoring.metrics import Metrics
from alerts.monitoring.metrics_server import serve_metrics
from models.rfc3339 import SECOND, parse_time
from stream.deliver.role import Deliver
from stream.detect.role import Detect, DetectConfig
from stream.explain.role import Alerting, AlertingConfig, wall_clock
from stream.ingest.role import Ingest, IngestConfig
from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.runtime.roles import Roles
from stream.settings import Settings
from stream.wiring.core import (
    Parts,
    broker_of,
    bundle_of,
    ingest_config,
    parts_of,
    policy_of,
    rules_of,
    specs_of,
    topics_of,
)
from stream.wiring.explainer import explainer_of
from stream.wiring.sinks import deliver_config


@dataclass(frozen=True, slots=True)
class Cloud:
    """Everything that the roles of one process share."""

    settings: Settings
    broker: Broker
    topics: Topics
    parts: Parts
    registry: CollectorRegistry
    metrics: Metrics

    @classmethod
    def connect(cls, settings: Settings) -> "Cloud":
        """Load the bundle, reach the broker and create the topics that are missing.

        Raises:
            InvalidError: no bundle, or one that does not fit.
            TransientError: the broker does not answer.
        """
        parts = parts_of(settings, bundle_of(settings))
        broker = broker_of(settings)
        broker.ensure_topics(specs_of(settings), settings.replication)
        registry = CollectorRegistry()
        metrics = Metrics.on(registry)
        metrics.bundle_info.labels(parts.bundle.id).set(1)
        if newest := parts.bundle.facts.get("to"):
            metrics.bundle_trained.set(parse_time(newest) / SECOND)
        return cls(settings, broker, topics_of(settings), parts, registry, metrics)

    @contextmanager
    def metrics_served(self) -> Iterator[None]:
        """Serve ``/metrics`` while the context lasts, unless the port is 0."""
        if not self.settings.metrics_port:
            yield
            return
        server = serve_metrics(self.registry, self.settings.metrics_port, self.settings.metrics_host)
        try:
            yield
        finally:
            server.stop()

    def start(
        self,
        roles: Sequence[str],
        *,
        publish_all: bool = False,
        ingest: IngestConfig | None = None,
        clock: Callable[[], int] = wall_clock,
    ) -> Roles:
        """Start roles on the running event loop; a simulation brings its own ``clock`` (microseconds)."""
        running = Roles(self.metrics)
        if "ingest" in roles:
            running.start_thread("ingest", lambda: self._ingest(ingest or ingest_config(self.settings)))
        if "detect" in roles:
            running.start("detect", self._detect(publish_all=publish_all))
        if "explain" in roles:
            running.start_thread("explain", lambda: self._alerting(clock))
        if "deliver" in roles:
            config = deliver_config(self.settings)
            running.start_thread("deliver", lambda: Deliver(self.broker, self.topics, self.metrics, config))
        return running

    def _ingest(self, config: IngestConfig) -> Ingest:
        version = self.parts.bundle.templates_version
        return Ingest(self.broker, self.topics, self.parts.processor(), version, self.metrics, config)

    def _detect(self, *, publish_all: bool) -> Detect:
        config = DetectConfig(self.parts.windows, publish_all=publish_all)
        version = self.parts.bundle.templates_version
        return Detect(self.broker, self.topics, self.parts.scorer, version, self.metrics, config, self.registry)

    def _alerting(self, clock: Callable[[], int]) -> Alerting:
        explainer = explainer_of(self.settings, self.broker, self.topics, self.parts.bundle)
        key = self.settings.receipt_key
        signer = Signer("" if key is None else key.get_secret_value(), rules_of(self.settings).version)
        config = AlertingConfig(policy_of(self.settings), clock, signer)
        return Alerting(self.broker, self.topics, self.metrics, config, explainer)
