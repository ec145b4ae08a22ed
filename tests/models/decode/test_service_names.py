"""Services: told from the name of a source alone."""

import pytest

from models.decode.service_names import service_of, unit_service


@pytest.mark.parametrize(
    ("source", "service"),
    [
        ("/var/log/nova/nova-compute.log", "nova-compute"),
        ("/var/log/nova/nova-compute.log.1", "nova-compute"),
        ("/var/log/nova/nova-compute.log-20260303.gz", "nova-compute"),
        ("/var/log/nova/nova-compute.log.2026-03-03T12.xz", "nova-compute"),
        ("/var/log/neutron/server.log", "neutron-server"),
        ("/var/log/syslog", "syslog"),
        ("/var/log/rabbitmq/rabbit@ctl1.log", "rabbitmq"),
        ("/var/log/rabbitmq/rabbit@ctl1.log.1", "rabbitmq"),
        ("/var/log/kern.log.2", "kern"),
        ("/srv/logs/app.txt", "app"),
        ("/app.log", "app"),
        ("/var/log/pods/api/0.log", "api"),
        ("/var/log/containers/api-7d_prod_web-" + "0a" * 32 + ".log", "web"),
        ("/var/log/containers/other.log", "containers-other"),
        ("/", "/"),
        ("nova/nova-api", "nova/nova-api"),
        ("host-1", "host-1"),
        ("", ""),
    ],
)
def test_the_service_of_a_source(source: str, service: str) -> None:
    """The stem of a file without what rotation added, with its folder where the stem lacks it; else the source."""
    assert service_of(source) == service


@pytest.mark.parametrize(
    ("unit", "service"),
    [("cron.service", "cron"), ("ssh.socket", "ssh.socket"), ("su", "su"), ("ceph-osd@3.service", "ceph-osd")],
)
def test_the_service_of_a_unit(unit: str, service: str) -> None:
    """Without what systemd adds to its name."""
    assert unit_service(unit) == service
