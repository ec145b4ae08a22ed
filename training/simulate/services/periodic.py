"""What nova, keystone and the load balancer do by the clock, and what breaks a little on any normal day."""

from collections.abc import Callable
from random import Random
from typing import Final

from training.simulate.api_calls import ApiCall, serve
from training.simulate.event_loop import Steps
from training.simulate.log_files import NO_CONTEXT, SimulatedLogFile, fork, request, uuid_text
from training.simulate.openstack import VIP, Compute, SimulatedCloud

AUDIT_S: Final = 60.0
"""Seconds between two audits of a host's resources, as nova's ``update_resources_interval`` has it by default."""
POWER_SYNC_S: Final = 600.0
"""Seconds; nova's ``sync_power_state_interval`` by default."""
HOST_SYNC_S: Final = 120.0
"""Seconds; nova's ``scheduler_instance_sync_interval`` by default."""
IMAGE_CACHE_S: Final = 2400.0
"""Seconds; nova's ``image_cache.manager_interval`` by default."""
TOKEN_FLUSH_S: Final = 3600.0
"""Seconds between two runs of keystone's job that removes expired tokens."""
CHECK_S: Final = 10.0
"""Seconds between two health checks of the load balancer."""
MEETS_DELETION: Final = 0.15
"""Share of power synchronisations that run while an instance is being deleted."""
_HOST: Final = (131_072, 4_000, 64)
_TRACKER: Final = "INFO nova.compute.resource_tracker"
_CACHE: Final = "INFO nova.virt.libvirt.imagecache"


def audit(cloud: SimulatedCloud, compute: Compute, rng: Random) -> Steps:
    """The resource tracker counts what is used and tells placement."""
    file = compute.nova
    memory, disk, vcpus = _HOST
    beat = rng.randrange(5)
    while True:
        if not cloud.silent(file):
            context = request(rng)
            if cloud.debug:
                text = f"Auditing locally available compute resources for {compute.host} (node: {compute.host})"
                file.write(file.pid, "DEBUG" + _TRACKER[4:], context.text, text)
            paths = [f"/resource_providers/{compute.node}/allocations"]
            if beat % 5 == 0:
                paths += [
                    f"/resource_providers/{compute.node}/{part}" for part in ("inventories", "aggregates", "traits")
                ]
            for path in paths:
                call = ApiCall("GET", path, 200, 420, 0.02, compute.address)
                yield from serve(cloud, cloud.placement, context.child(rng, cloud.service), call, rng)
            flavors = [instance.flavor for instance in compute.instances.values()]
            text = (
                f"Final resource view: name={compute.host} phys_ram={memory}MB"
                f" used_ram={512 + sum(flavor.memory for flavor in flavors)}MB phys_disk={disk}GB"
                f" used_disk={sum(flavor.disk for flavor in flavors)}GB total_vcpus={vcpus}"
                f" used_vcpus={sum(flavor.vcpus for flavor in flavors)} pci_stats=[]"
            )
            if not cloud.silent(file):
                file.write(file.pid, _TRACKER, context.text, text)
        beat += 1
        yield AUDIT_S + rng.uniform(-1.0, 2.0)


def sync_power(cloud: SimulatedCloud, compute: Compute, rng: Random) -> Steps:
    """nova-compute compares database and hypervisor; now and then an instance is just being deleted."""
    file = compute.nova
    while True:
        if not cloud.silent(file):
            count = len(compute.instances)
            if rng.random() < MEETS_DELETION:
                text = (
                    f"While synchronizing instance power states, found {count + 1} instances in the database and"
                    f" {count} instances on the hypervisor."
                )
                file.write(file.pid, "WARNING nova.compute.manager", request(rng).text, text)
        yield POWER_SYNC_S


def sync_hosts(cloud: SimulatedCloud, compute: Compute, rng: Random) -> Steps:
    """nova-compute tells the schedulers which instances it has."""
    while True:
        if not cloud.silent(compute.nova):
            text = f"Successfully synced instances from host '{compute.host}'."
            for pid in cloud.scheduler.pids:
                cloud.scheduler.write(pid, "INFO nova.scheduler.host_manager", request(rng).text, text)
        yield HOST_SYNC_S


def check_images(cloud: SimulatedCloud, compute: Compute, rng: Random) -> Steps:
    """The image cache manager looks at base images."""
    file = compute.nova
    while True:
        if not cloud.silent(file):
            context = request(rng)
            names = {
                image: f"/var/lib/nova/instances/_base/{image.replace('-', '')}" for image in sorted(compute.images)
            }
            for image, base in names.items():
                file.write(file.pid, _CACHE, context.text, f"image {image} at ({base}): checking")
                yield 0.01
            file.write(file.pid, _CACHE, context.text, f"Active base files: {' '.join(names.values())}")
        yield IMAGE_CACHE_S


def usage_audit(cloud: SimulatedCloud, compute: Compute, rng: Random) -> Steps:
    """nova-compute audits usage once an hour."""
    file = compute.nova
    while True:
        if not cloud.silent(file):
            text = f"Running instance usage audit for host {compute.host}. {len(compute.instances)} instances."
            file.write(file.pid, "INFO nova.compute.manager", request(rng).text, text)
        yield 3600.0


def flush_tokens(cloud: SimulatedCloud, rng: Random) -> Steps:
    """Keystone forgets old tokens and counts its keys."""
    file = cloud.keystone
    while True:
        text = f"Total expired tokens removed: {rng.randrange(40, 900)}"
        file.write(file.pid, "INFO keystone.token.persistence.backends.sql", NO_CONTEXT, text)
        yield 1.0
        text = "Loaded 3 Fernet keys from /etc/keystone/fernet-keys/, but `[fernet_tokens] max_active_keys = 5`"
        file.write(file.pid, "INFO keystone.common.fernet_utils", NO_CONTEXT, text)
        yield TOKEN_FLUSH_S


def check_health(cloud: SimulatedCloud, file: SimulatedLogFile, rng: Random) -> Steps:
    """The load balancer asks an API whether it lives."""
    call = ApiCall("GET", "/", 200, 380, 0.002, VIP)
    while True:
        yield from serve(cloud, file, request(rng), call, rng)
        yield CHECK_S


def monitor(cloud: SimulatedCloud, rng: Random) -> Steps:
    """A monitoring system lists everything once a minute."""
    calls = (
        (cloud.nova_api, "/v2.1/servers/detail?all_tenants=True&limit=1000", 90_000, 0.6),
        (cloud.nova_api, "/v2.1/os-hypervisors/detail", 5_200, 0.08),
        (cloud.nova_api, "/v2.1/os-services", 3_100, 0.05),
        (cloud.neutron, "/v2.0/agents", 8_200, 0.06),
        (cloud.neutron, "/v2.0/networks", 12_000, 0.12),
        (cloud.neutron, "/v2.0/ports", 64_000, 0.4),
        (cloud.neutron, "/v2.0/routers", 9_000, 0.15),
        (cloud.cinder_api, f"/v3/{cloud.service[33:65]}/os-services", 900, 0.04),
        (cloud.cinder_api, f"/v3/{cloud.service[33:65]}/volumes/detail?all_tenants=True", 30_000, 0.3),
        (cloud.glance, "/v2/images?limit=1000", 11_000, 0.08),
    )
    while True:
        for file, path, size, median in calls:
            context = request(rng, cloud.service)
            yield from serve(cloud, file, context, ApiCall("GET", path, 200, size, median, "10.20.0.30"), rng)
            yield 0.05
        yield 55.0


def _wrong_password(cloud: SimulatedCloud, rng: Random) -> None:
    address = rng.choice(cloud.owners).address
    text = f"Authorization failed. The request you have made requires authentication. from {address}"
    file = cloud.keystone
    file.write(rng.choice(file.pids), "WARNING keystone.server.flask.application", request(rng).text, text)


def _reset_connection(cloud: SimulatedCloud, rng: Random) -> None:
    file = rng.choice((cloud.conductor, cloud.cinder_volume, cloud.dhcp, cloud.scheduler, cloud.cinder_scheduler))
    if not cloud.silent(file):
        text = (
            "A recoverable connection/channel error occurred, trying to reconnect: [Errno 104] Connection reset by peer"
        )
        file.write(file.pid, "INFO oslo.messaging._drivers.impl_rabbit", NO_CONTEXT, text)


def _lost_namespace(cloud: SimulatedCloud, rng: Random) -> None:
    name = f"qrouter-{rng.choice(cloud.owners).router}"
    text = (
        f"Exit code: 1; Cmd: ['ip', 'netns', 'exec', '{name}', 'ip', '-4', 'neigh']; Stdin: ; Stdout: ; Stderr: Cannot"
        f' open network namespace "{name}": No such file or directory'
    )
    cloud.l3.write(cloud.l3.pid, "ERROR neutron.agent.linux.utils", request(rng).text, text)


def _unknown_port(cloud: SimulatedCloud, rng: Random) -> None:
    context = request(rng, rng.choice(cloud.owners).identity)
    pid = rng.choice(cloud.neutron.pids)
    text = "show failed (client error): The resource could not be found."
    cloud.neutron.write(pid, "INFO neutron.api.v2.resource", context.text, text)
    call = ApiCall("GET", f"/v2.0/ports/{uuid_text(rng)}", 404, 280, 0.03)
    cloud.spawn(_quietly(cloud, call, fork(rng)))


def _quietly(cloud: SimulatedCloud, call: ApiCall, rng: Random) -> Steps:
    yield from serve(cloud, cloud.neutron, request(rng, rng.choice(cloud.owners).identity), call, rng)


MISHAPS: Final[tuple[tuple[float, Callable[[SimulatedCloud, Random], None]], ...]] = (
    (5.0, _wrong_password),
    (6.0, _unknown_port),
    (0.5, _reset_connection),
    (0.1, _lost_namespace),
)
"""Times an hour, at any hour: what goes wrong on a day that nobody would call bad."""


def mishaps(
    cloud: SimulatedCloud, per_hour: float, happen: Callable[[SimulatedCloud, Random], None], rng: Random
) -> Steps:
    """Something small goes wrong at random moments."""
    while True:
        yield rng.expovariate(per_hour / 3600.0)
        happen(cloud, rng)
