"""Services: told from the name of a source alone."""

import pytest

from models.decode.service_names import place_of, service_of, unit_service


@pytest.mark.parametrize(
    ("source", "service"),
    [
        ("/var/log/nova/nova-compute.log", "nova-compute"),
        ("/var/log/nova/nova-compute.log.1", "nova-compute"),
        ("/var/log/nova/nova-compute.log-20260303.gz", "nova-compute"),
        ("/var/log/nova/nova-compute.log.2026-03-03T12.xz", "nova-compute"),
        ("/var/log/neutron/server.log", "neutron-server"),
        ("/var/log/syslog", "syslog"),
        ("/var/log/apache2/keystone-access.log", "apache2-keystone-access"),
        ("/var/log/rabbitmq/rabbit@ctl1.log", "rabbitmq"),
        ("/var/log/rabbitmq/os@localhost.log", "rabbitmq"),
        ("/var/log/openstack/rabbit@ctl1.log.3.gz", "rabbitmq"),
        ("/var/log/rabbitmq/rabbit@ctl1.log.1", "rabbitmq"),
        ("/var/log/kern.log.2", "kern"),
        ("/var/log/ceph/ceph-mon.ctl1.log", "ceph-mon"),
        ("/var/log/ceph/5f4dcc3b-aaaa-4bbb-8ccc-123456789abc/ceph-mgr.ctl1.abcdef.log.1.gz", "ceph-mgr"),
        ("/var/log/ceph/ceph.audit.log", "ceph.audit"),
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
    ("source", "service", "host"),
    [
        ("/home/me/logs-copy/controller/var/log/nova/nova-api.log", "nova-api", "controller"),
        ("/home/me/logs-copy/controller/var/log/nova/nova-api.log.2.gz", "nova-api", "controller"),
        ("/copies/os-db3/var/log/mysql/error.log", "mysql-error", "os-db3"),
        ("/copies/rack2-blade7/var/log/syslog", "syslog", "rack2-blade7"),
        ("/home/me/var/log/nova/nova-api.log", "nova-api", ""),
        ("/home/me/case26/nova/nova-api.log", "nova-api", ""),
        ("/home/me/controller1/nova/nova-api.log", "nova-api", "controller1"),
        ("/home/me/controller1/nova-api.log", "nova-api", "controller1"),
        ("/home/me/compute-02/neutron/dhcp-agent.log", "neutron-dhcp-agent", "compute-02"),
        ("/var/log/remote/ctl1.cloud.example.com/nova-api.log", "nova-api", "ctl1.cloud.example.com"),
        ("/srv/logs/overcloud-novacompute-0/compute-0/nova/nova-compute.log", "nova-compute", "compute-0"),
        (
            "/cases/sosreport-controller-1-03911234-2026-11-30-abcdefg/var/log/neutron/server.log",
            "neutron-server",
            "controller-1",
        ),
        ("/cases/sosreport-cmp7-2026-11-30-abcdefg/sos_commands/logs/journalctl", "journalctl", "cmp7"),
        (
            "/must-gather/quay-io/namespaces/openstack/pods/nova-api-0/nova-api/nova-api/logs/current.log",
            "nova-api",
            "",
        ),
        ("/must-gather/namespaces/openstack/pods/nova-api-0/api/api/logs/previous.insecure.log", "api", ""),
        ("/home/me/work/nova-api.log", "nova-api", ""),
        ("/home/me/work/neutron/server.log", "neutron-server", ""),
        ("/home/me/work/rabbit@ctl1.log", "rabbitmq", "ctl1"),
        ("/var/log/rabbitmq/rabbit@ctl1-sasl.log", "rabbitmq", "ctl1"),
        ("/var/log/rabbitmq/os@localhost.log", "rabbitmq", ""),
        ("/var/log/apache2/error.log", "apache2-error", ""),
        ("/var/log/ceph/ceph-osd.3.log", "ceph-osd", ""),
        ("nova-api", "nova-api", ""),
    ],
)
def test_the_place_of_a_source(source: str, service: str, host: str) -> None:
    """The host of a folder that is plainly named like one, else none."""
    assert place_of(source) == (service, host)


@pytest.mark.parametrize(
    ("unit", "service"),
    [("cron.service", "cron"), ("ssh.socket", "ssh.socket"), ("su", "su"), ("ceph-osd@3.service", "ceph-osd")],
)
def test_the_service_of_a_unit(unit: str, service: str) -> None:
    """Without what systemd adds to its name."""
    assert unit_service(unit) == service
