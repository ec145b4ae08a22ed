"""Metrics of the store of bundles and of promotions: a part of ``Metrics``, in a file of its own for its length."""

from dataclasses import dataclass
from typing import Annotated

from prometheus_client import Counter, Gauge

from alerts.monitoring.metric_spec import Spec


@dataclass(frozen=True, slots=True)
class ModelMetrics:
    """What is known of the version in use."""

    model_version: Annotated[
        Gauge,
        Spec("tocsin_model_version", "1", "Number of the version in use, where the bundle is from a store.", ("name",)),
    ]
    model_load_failures: Annotated[
        Counter,
        Spec("tocsin_model_load_failures_total", "failures", "Times that a promoted version could not be loaded."),
    ]
    models_store_up: Annotated[
        Gauge,
        Spec(
            "tocsin_models_store_up",
            "0 or 1",
            "0 while the store of bundles does not answer, or what it holds is refused: the last one on disk is used.",
        ),
    ]
