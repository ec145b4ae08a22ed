"""The watch over services: who of the bundle's has not shown since the start."""

from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from stream.ingest.service_watch import SETTLED_S, BundleServices, ServiceWatch

SERVICES = BundleServices(frozenset({"nova-api", "keystone", "backup"}), frozenset({"nova-api", "keystone"}))


def counted(registry: CollectorRegistry, service: str) -> float | None:
    """Lines of a service as Prometheus sees them."""
    return registry.get_sample_value("tocsin_service_lines_total", {"service": service})


def test_who_never_came_is_told_once_and_stands_at_zero() -> None:
    """Not before the shippers have had their time, and not of services that write seldom."""
    registry = CollectorRegistry()
    watch = ServiceWatch(SERVICES, Metrics.on(registry))
    assert watch.tell(10_000.0, [0]) == []
    watch.count({"nova-api": 2, "unheard": 1}, 100.0)
    assert (counted(registry, "nova-api"), counted(registry, "keystone")) == (2, 0)
    assert counted(registry, "unheard") is None
    assert watch.tell(100.0 + SETTLED_S - 1, [0]) == []
    missing, unknown = watch.tell(100.0 + SETTLED_S, [0])
    assert missing == "3 services of the bundle, 1 of them in these logs; missing: keystone"
    assert unknown == "1 service is not in the bundle, so only its errors count: unheard"
    assert watch.tell(100.0 + 2 * SETTLED_S, [0]) == []


def test_who_came_in_time_is_not_told() -> None:
    """Counted from then on."""
    registry = CollectorRegistry()
    watch = ServiceWatch(SERVICES, Metrics.on(registry))
    watch.count({"nova-api": 1}, 0.0)
    watch.count({"keystone": 1}, SETTLED_S - 1)
    assert watch.tell(SETTLED_S, [0]) == []
    assert counted(registry, "keystone") == 1


def test_another_cloud_s_bundle_is_told() -> None:
    """None of its services is in these logs."""
    watch = ServiceWatch(SERVICES, Metrics.on(CollectorRegistry()))
    watch.count({"log/nova": 1}, 0.0)
    (sentence,) = watch.tell(SETTLED_S, [0])
    assert sentence.startswith("3 services of the bundle (backup, keystone, nova-api), 0 of them in these logs")
