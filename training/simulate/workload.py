"""When users come: Poisson arrivals whose rate follows the hour of the day and the day of the week."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Final

from models.rfc3339 import SECOND
from training.simulate.api_calls import ApiCall, log_in, serve
from training.simulate.event_loop import Steps
from training.simulate.log_files import fork, request
from training.simulate.openstack import Instance, Owner, SimulatedCloud
from training.simulate.services import instance_lifecycle as instances
from training.simulate.services import periodic
from training.simulate.services.cinder import report, volume_life
from training.simulate.services.glance import image_life
from training.simulate.services.neutron import report_agents, router_life, sync_dhcp

_DAY: Final = (
    0.25, 0.22, 0.20, 0.20, 0.21, 0.25, 0.35, 0.55, 0.80, 0.95, 1.00, 1.00,
    0.92, 0.95, 1.00, 1.00, 0.95, 0.85, 0.70, 0.58, 0.48, 0.40, 0.34, 0.29,
)  # fmt: skip
WEEKEND: Final = 0.35
"""Share of a working day's rate."""
_SATURDAY: Final = 5
"""``datetime.weekday()`` of the first day of the weekend."""
_MINUTE: Final = 60
"""Seconds."""
RUNNING: Final = 30
"""Instances on each host when the simulation begins."""

Life = Callable[[SimulatedCloud, Owner, Random], Steps]


def rhythm(now: int) -> float:
    """Share of the full rate at a time in microseconds: 1 around noon of a working day, 0.2 before dawn."""
    return _rhythm(now // (SECOND * _MINUTE))


@lru_cache(maxsize=4)
def _rhythm(minute: int) -> float:
    moment = datetime.fromtimestamp(minute * _MINUTE, UTC)
    here, then = _DAY[moment.hour], _DAY[(moment.hour + 1) % 24]
    level = here + (then - here) * moment.minute / _MINUTE
    return level * (WEEKEND if moment.weekday() >= _SATURDAY else 1.0)


def browse(cloud: SimulatedCloud, owner: Owner, rng: Random) -> Steps:
    """A user looks around in the dashboard."""
    yield from log_in(cloud, rng)
    project = owner.project
    pages = (
        (cloud.nova_api, "/v2.1/servers/detail?limit=21", 14_000, 0.25),
        (cloud.nova_api, "/v2.1/limits?reserved=1", 820, 0.06),
        (cloud.nova_api, "/v2.1/flavors/detail", 6_100, 0.04),
        (cloud.neutron, f"/v2.0/networks?project_id={project}", 1_900, 0.08),
        (cloud.neutron, f"/v2.0/security-groups?project_id={project}", 2_900, 0.09),
        (cloud.neutron, f"/v2.0/floatingips?project_id={project}", 700, 0.06),
        (cloud.cinder_api, f"/v3/{project}/volumes/detail?limit=21", 5_600, 0.12),
        (cloud.cinder_api, f"/v3/{project}/limits", 600, 0.04),
        (cloud.glance, "/v2/images?limit=21&visibility=public", 9_900, 0.07),
    )
    for _ in range(rng.randrange(3, 12)):
        file, path, size, median = rng.choice(pages)
        call = ApiCall("GET", path, 200, size, median, owner.address)
        yield from serve(cloud, file, request(rng, owner.identity), call, rng)
        yield rng.lognormvariate(1.0, 0.9)


ARRIVALS: Final[tuple[tuple[float, Life], ...]] = (
    (320.0, instances.instance_life),
    (200.0, volume_life),
    (50.0, router_life),
    (15.0, image_life),
    (420.0, browse),
)
"""How often each happens in a full hour at rate 1."""


def arrivals(cloud: SimulatedCloud, per_hour: float, life: Life, rng: Random) -> Steps:
    """Starts lives at random: candidates come at the full rate and are taken with the rhythm's share (thinning)."""
    rate = per_hour * cloud.scenario.rate / 3600.0
    while True:
        yield rng.expovariate(rate)
        taken, owner = rng.random(), rng.choice(cloud.owners)
        if taken < rhythm(cloud.engine.now):
            cloud.spawn(life(cloud, owner, fork(rng)))


def populate(cloud: SimulatedCloud) -> None:
    """Start everything that a running cloud consists of."""
    rng = cloud.seeds

    def start(steps: Steps, within: float) -> None:
        cloud.spawn(steps, rng.uniform(0.0, within))

    for per_hour, life in ARRIVALS:
        if cloud.scenario.rate > 0:
            start(arrivals(cloud, per_hour, life, fork(rng)), 1.0)
    for per_hour, happen in periodic.MISHAPS:
        start(periodic.mishaps(cloud, per_hour, happen, fork(rng)), 1.0)
    for compute in cloud.computes:
        compute.images.update(cloud.images)
        start(periodic.audit(cloud, compute, fork(rng)), periodic.AUDIT_S)
        start(periodic.sync_power(cloud, compute, fork(rng)), periodic.POWER_SYNC_S)
        start(periodic.sync_hosts(cloud, compute, fork(rng)), periodic.HOST_SYNC_S)
        start(periodic.check_images(cloud, compute, fork(rng)), periodic.IMAGE_CACHE_S)
        start(periodic.usage_audit(cloud, compute, fork(rng)), 3600.0)
        start(report_agents(cloud, compute.ovs, 5.0, fork(rng)), 30.0)
    start(report_agents(cloud, cloud.network_ovs, 5.0, fork(rng)), 30.0)
    for file in (cloud.nova_api, cloud.neutron, cloud.cinder_api, cloud.glance, cloud.keystone):
        start(periodic.check_health(cloud, file, fork(rng)), periodic.CHECK_S)
    start(periodic.monitor(cloud, fork(rng)), 60.0)
    start(periodic.flush_tokens(cloud, fork(rng)), 3600.0)
    start(sync_dhcp(cloud, fork(rng)), 300.0)
    start(report(cloud, fork(rng)), 60.0)
    _settle(cloud, rng)


def _settle(cloud: SimulatedCloud, rng: Random) -> None:
    """Instances that run already, each somewhere in its life."""
    count = round(RUNNING * len(cloud.computes) * min(cloud.scenario.rate, 1.0) * rhythm(cloud.engine.now))
    for _ in range(count):
        instance = cloud.new_instance(rng, rng.choice(cloud.owners))
        instance.state = "active"
        instance.compute.instances[instance.id] = instance
        cloud.spawn(_go_on(cloud, instance, fork(rng)), rng.uniform(0.0, 300.0))


def _go_on(cloud: SimulatedCloud, instance: Instance, rng: Random) -> Steps:
    yield from instances.use(cloud, instance, rng)
    yield from instances.delete(cloud, instance, rng)
