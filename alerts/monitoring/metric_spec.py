"""What one metric is, and how it is made in a registry."""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Metric: TypeAlias = Counter | Gauge | Histogram

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bucket bounds of durations, in seconds: 1, 2.5 and 5 of each power of ten, as Prometheus' own defaults go."""

SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)
"""Bucket bounds of shares and importances, from 0 to 1; a judgement: finer near 1, where windows fire."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What one metric is called and means; ``buckets`` are the upper bounds of a histogram."""

    name: str
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def shown(self) -> str:
        """Return the name with its labels, as tables show it."""
        return self.name + ("{" + ",".join(self.labels) + "}" if self.labels else "")


def make_metric(kind: type[Metric], spec: Spec, registry: CollectorRegistry) -> Any:
    """Make a metric of a kind, as a spec describes it, in a registry."""
    if kind is Histogram:
        return Histogram(spec.name, spec.meaning, spec.labels, registry=registry, buckets=spec.buckets)
    return kind(spec.name, spec.meaning, spec.labels, registry=registry)
