"""Life of an instance as its user leads it: boot, wait, use, delete."""

from collections.abc import Callable
from random import Random
from typing import Final

from training.simulate.api_calls import SERVER_ERROR, ApiCall, log_in, serve
from training.simulate.event_loop import Answer, Steps
from training.simulate.log_files import NO_CONTEXT, Context, fork, request
from training.simulate.openstack import Instance, Owner, SimulatedCloud
from training.simulate.services import nova
from training.simulate.services.neutron import notify_nova

POLLS: Final = 60
"""Times that a client asks for an instance's state before it gives up."""
GONE: Final = 0.5
"""Share of users who look once more after an instance is gone."""
LIFE: Final = (6.6, 0.9)
"""Log-normal life of an instance: median 12 minutes."""
_NOVA_WSGI: Final = "INFO nova.api.openstack.wsgi"


def instance_life(cloud: SimulatedCloud, owner: Owner, rng: Random) -> Steps:
    """Boot an instance, wait until it is there, use it, delete it."""
    yield from log_in(cloud, rng)
    yield from _call(cloud, owner, ApiCall("GET", "/v2.1/flavors", 200, 2700, 0.02), rng)
    instance = cloud.new_instance(rng, owner)
    context = request(rng, owner.identity)
    yield from nova.prepare(cloud, instance, context, rng)
    call = ApiCall("POST", "/v2.1/servers", 202, 760, 0.3, owner.address)
    if (yield from serve(cloud, cloud.nova_api, context, call, rng)) >= SERVER_ERROR:
        return
    cloud.spawn(nova.build(cloud, instance, context, fork(rng)))
    for _ in range(POLLS):
        yield rng.uniform(1.6, 2.6)
        yield from _call(cloud, owner, ApiCall("GET", f"/v2.1/servers/{instance.id}", 200, 1890, 0.06), rng)
        if instance.state != "building":
            break
    if instance.state == "active":
        yield from use(cloud, instance, rng)
    yield from delete(cloud, instance, rng)


def use(cloud: SimulatedCloud, instance: Instance, rng: Random) -> Steps:
    """Live with an instance: look at it, reboot it, stop and start it, until its time is over."""
    end = cloud.engine.now + rng.lognormvariate(*LIFE) * 1e6
    while cloud.engine.now < end:
        yield min(rng.lognormvariate(5.0, 0.8), max((end - cloud.engine.now) / 1e6, 0.0) + 0.1)
        chance = rng.random()
        if chance < 0.5:  # noqa: PLR2004 - shares of actions
            call = ApiCall("GET", f"/v2.1/servers/{instance.id}", 200, 1890, 0.06)
            yield from _call(cloud, instance.owner, call, rng)
        elif chance < 0.7:  # noqa: PLR2004
            yield from _action(cloud, instance, _reboot, rng)
        elif chance < 0.8:  # noqa: PLR2004
            yield from _action(cloud, instance, _stop, rng)
            yield rng.lognormvariate(3.5, 0.8)
            yield from _action(cloud, instance, _start, rng)


def delete(cloud: SimulatedCloud, instance: Instance, rng: Random) -> Steps:
    """Delete an instance and wait until it is gone."""
    owner = instance.owner
    context = request(rng, owner.identity)
    path = f"/v2.1/servers/{instance.id}"
    call = ApiCall("DELETE", path, 204, 0, 0.2, owner.address)
    if (yield from serve(cloud, cloud.nova_api, context, call, rng)) >= SERVER_ERROR:
        return
    cloud.spawn(nova.destroy(cloud, instance, context, fork(rng)))
    for _ in range(3):
        yield rng.uniform(1.6, 2.6)
        if instance.state == "deleted":
            break
        yield from _call(cloud, owner, ApiCall("GET", path, 200, 1890, 0.06), rng)
    if instance.state == "deleted" and rng.random() < GONE:
        context = request(rng, owner.identity)
        pid = rng.choice(cloud.nova_api.pids)
        text = f"HTTP exception thrown: Instance {instance.id} could not be found."
        cloud.nova_api.write(pid, _NOVA_WSGI, context.text, text)
        call = ApiCall("GET", path, 404, 512, 0.03, owner.address)
        yield from serve(cloud, cloud.nova_api, context, call, rng, pid)


def _call(cloud: SimulatedCloud, owner: Owner, call: ApiCall, rng: Random) -> Answer:
    """A call of the user's client to nova-api."""
    from_user = ApiCall(call.verb, call.path, call.status, call.size, call.median, owner.address)
    return (yield from serve(cloud, cloud.nova_api, request(rng, owner.identity), from_user, rng))


def _action(
    cloud: SimulatedCloud,
    instance: Instance,
    work: Callable[[SimulatedCloud, Instance, Context, Random], Steps],
    rng: Random,
) -> Steps:
    owner = instance.owner
    context = request(rng, owner.identity)
    call = ApiCall("POST", f"/v2.1/servers/{instance.id}/action", 202, 0, 0.15, owner.address)
    status = yield from serve(cloud, cloud.nova_api, context, call, rng)
    if status < SERVER_ERROR and not cloud.silent(instance.compute.nova):
        yield rng.uniform(0.05, 0.2)
        yield from work(cloud, instance, context, rng)


def _reboot(cloud: SimulatedCloud, instance: Instance, context: Context, rng: Random) -> Steps:
    file = instance.compute.nova
    file.write(file.pid, nova.MANAGER, context.text, instance.tag + "Rebooting instance")
    yield rng.uniform(0.5, 3.0)
    file.write(file.pid, nova.DRIVER, NO_CONTEXT, instance.tag + "Instance destroyed successfully.")
    file.write(file.pid, nova.OS_VIF, context.text, f"Successfully unplugged vif {instance.vif}")
    yield rng.uniform(0.1, 0.3)
    file.write(file.pid, nova.OS_VIF, context.text, f"Successfully plugged vif {instance.vif}")
    cloud.spawn(notify_nova(cloud, instance, "network-vif-plugged", fork(rng)), rng.uniform(0.5, 1.5))
    yield rng.uniform(0.5, 1.2)
    nova.lifecycle(cloud, instance, "Resumed", rng)
    text = "Instance rebooted successfully."
    file.write(file.pid, nova.DRIVER, NO_CONTEXT, instance.tag + text)
    yield rng.uniform(0.02, 0.1)
    nova.lifecycle(cloud, instance, "Started", rng)


def _stop(cloud: SimulatedCloud, instance: Instance, context: Context, rng: Random) -> Steps:
    file, seconds = instance.compute.nova, rng.randrange(2, 9)
    yield float(seconds)
    if cloud.silent(file):
        return
    text = f"Instance shutdown successfully after {seconds} seconds."
    file.write(file.pid, nova.DRIVER, context.text, instance.tag + text)
    file.write(file.pid, nova.DRIVER, NO_CONTEXT, instance.tag + "Instance destroyed successfully.")
    yield rng.uniform(10.0, 14.0)
    nova.lifecycle(cloud, instance, "Stopped", rng)


def _start(cloud: SimulatedCloud, instance: Instance, context: Context, rng: Random) -> Steps:
    del context
    yield rng.uniform(0.8, 1.6)
    nova.lifecycle(cloud, instance, "Resumed", rng)
    if not cloud.silent(instance.compute.nova):
        file = instance.compute.nova
        file.write(file.pid, nova.DRIVER, NO_CONTEXT, instance.tag + "Instance running successfully.")
    yield rng.uniform(0.02, 0.1)
    nova.lifecycle(cloud, instance, "Started", rng)
