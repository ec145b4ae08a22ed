"""nova on the server side: what services do to build and to delete an instance."""

from random import Random
from typing import Final

from training.simulate.api_calls import SERVER_ERROR, ApiCall, serve
from training.simulate.event_loop import Steps
from training.simulate.log_files import NO_CONTEXT, Context, fork, request
from training.simulate.openstack import Instance, SimulatedCloud
from training.simulate.scenario import FaultKind
from training.simulate.services import neutron
from training.simulate.tracebacks import PORT_FAILURE, VIF_TIMEOUT

MANAGER: Final = "INFO nova.compute.manager"
DRIVER: Final = "INFO nova.virt.libvirt.driver"
OS_VIF: Final = "INFO os_vif"
_MANAGER: Final = "nova.compute.manager"
VIF_TIMEOUT_S: Final = 120.0
"""``vif_plugging_timeout`` of this cloud (the default is 300 s)."""
NO_HOST: Final = 0.002
"""Share of requests that no host can take: a warning that belongs to normal days."""
UNEXPECTED: Final = 0.03
"""Share of instances whose interface is reported again after the build: a harmless warning."""


def prepare(cloud: SimulatedCloud, instance: Instance, context: Context, rng: Random) -> Steps:
    """nova-api looks at image, network and quota before it accepts an instance."""
    for file, path, size in (
        (cloud.glance, f"/v2/images/{instance.image}", 1180),
        (cloud.neutron, f"/v2.0/networks?id={instance.owner.network}", 730),
        (cloud.neutron, f"/v2.0/quotas/{instance.owner.project}", 380),
        (cloud.neutron, f"/v2.0/ports?fields=id&project_id={instance.owner.project}", 900),
    ):
        yield from serve(cloud, file, context.child(rng), ApiCall("GET", path, 200, size, 0.03), rng)


def build(cloud: SimulatedCloud, instance: Instance, context: Context, rng: Random) -> Steps:
    """From the scheduler to the running instance."""
    start = cloud.engine.now
    flavor, compute = instance.flavor, instance.compute
    resources = f"MEMORY_MB%3A{flavor.memory}%2CVCPU%3A{flavor.vcpus}"
    query = f"/allocation_candidates?limit=1000&resources={resources}"
    if cloud.debug:
        text = f"Starting to schedule for instances: ['{instance.id}']"
        cloud.scheduler.write(cloud.scheduler.pid, "DEBUG nova.scheduler.manager", context.text, text)
    candidates = context.child(rng, cloud.service)
    yield from serve(cloud, cloud.placement, candidates, ApiCall("GET", query, 200, 1200, 0.03), rng)
    if rng.random() < NO_HOST:
        instance.state = "error"
        _no_valid_host(cloud, instance, context)
        return
    claim = ApiCall("PUT", f"/allocations/{instance.id}", 204, 0, 0.04)
    yield from serve(cloud, cloud.placement, context.child(rng, cloud.service), claim, rng)
    yield rng.uniform(0.1, 0.4)
    file = compute.nova
    if cloud.silent(file):
        # The request lies in the queue of a service that no longer reads it: the instance stays in BUILD.
        return
    compute.instances[instance.id] = instance
    text = f"Claim successful on node {compute.host}"
    file.write(file.pid, "INFO nova.compute.claims", context.text, instance.tag + text)
    status = yield from neutron.create_port(cloud, instance, context, rng)
    if status >= SERVER_ERROR:
        _fail(cloud, instance, context, "Instance failed network setup after 1 attempt(s)", PORT_FAILURE)
        return
    yield rng.uniform(0.05, 0.3)
    file.write(file.pid, DRIVER, context.text, instance.tag + "Creating image(s)")
    if instance.image not in compute.images:
        compute.images.add(instance.image)
        call = ApiCall("GET", f"/v2/images/{instance.image}/file", 200, 2_400_000, 2.5, compute.address)
        yield from serve(cloud, cloud.glance, context.child(rng), call, rng)
    yield rng.lognormvariate(-0.3, 0.35)
    yield from _spawn_guest(cloud, instance, context, rng, start)


def _spawn_guest(cloud: SimulatedCloud, instance: Instance, context: Context, rng: Random, start: int) -> Steps:
    file = instance.compute.nova
    spawn = cloud.engine.now
    skipping = neutron.broken(cloud, instance, FaultKind.SKIP)
    if not skipping:
        file.write(file.pid, OS_VIF, context.text, f"Successfully plugged vif {instance.vif}")
    if neutron.broken(cloud, instance, FaultKind.HANG):
        yield VIF_TIMEOUT_S
        _time_out(cloud, instance, context)
        yield from neutron.delete_port(cloud, instance, context, rng)
        return
    plugging = neutron.plug(cloud, instance, context, fork(rng))
    if not skipping:
        cloud.spawn(plugging)
    yield rng.uniform(0.6, 1.4)
    for event in ("Started", "Paused"):
        _lifecycle(cloud, instance, event, rng)
        yield rng.uniform(0.02, 0.1)
    pending = "During sync_power_state the instance has a pending task (spawning). Skip."
    file.write(file.pid, MANAGER, request(rng).text, instance.tag + pending)
    yield rng.uniform(2.2, 3.4)
    if cloud.silent(file):
        return
    file.write(file.pid, DRIVER, NO_CONTEXT, instance.tag + "Instance spawned successfully.")
    now = cloud.engine.now
    took = f"Took {(now - spawn) / 1e6:.2f} seconds to spawn the instance on the hypervisor."
    file.write(file.pid, MANAGER, context.text, instance.tag + took)
    _lifecycle(cloud, instance, "Resumed", rng)
    yield rng.uniform(0.1, 0.3)
    took = f"Took {(cloud.engine.now - start) / 1e6:.2f} seconds to build instance."
    file.write(file.pid, MANAGER, context.text, instance.tag + took)
    instance.state = "active"
    cloud.spawn(neutron.metadata(cloud, instance, fork(rng)), rng.uniform(8, 20))
    if rng.random() < UNEXPECTED:
        event = (
            f"Received unexpected event network-vif-plugged-{instance.port} for instance with vm_state active and"
            " task_state None."
        )
        yield rng.uniform(0.2, 2.0)
        service = request(rng, cloud.service).child(rng)
        file.write(file.pid, "WARNING nova.compute.manager", service.text, instance.tag + event)


def _lifecycle(cloud: SimulatedCloud, instance: Instance, event: str, rng: Random) -> None:
    if not cloud.silent(instance.compute.nova):
        file = instance.compute.nova
        file.write(file.pid, MANAGER, request(rng).text, f"{instance.tag}VM {event} (Lifecycle Event)")


def lifecycle(cloud: SimulatedCloud, instance: Instance, event: str, rng: Random) -> None:
    """Libvirt tells nova-compute what became of a guest."""
    _lifecycle(cloud, instance, event, rng)


def _no_valid_host(cloud: SimulatedCloud, instance: Instance, context: Context) -> None:
    file = cloud.conductor
    logger = "WARNING nova.scheduler.utils"
    text = (
        "Failed to compute_task_build_instances: No valid host was found. There are not enough hosts available.\n"
        "Traceback (most recent call last):\n\n"
        '  File "/usr/lib/python3/dist-packages/oslo_messaging/rpc/server.py", line 244, in inner\n'
        "    return func(*args, **kwargs)\n           ^^^^^^^^^^^^^^^^^^^^^\n"
        "nova.exception.NoValidHost: No valid host was found. There are not enough hosts available.\n"
    )
    file.write(file.pid, logger, context.text, text)
    text = "Setting instance to ERROR state.: nova.exception_Remote.NoValidHost_Remote: No valid host was found."
    file.write(file.pid, logger, context.text, instance.tag + text)


def _time_out(cloud: SimulatedCloud, instance: Instance, context: Context) -> None:
    file = instance.compute.nova
    waited = (
        f"Timeout waiting for [('network-vif-plugged', '{instance.port}')] for instance with vm_state building and"
        " task_state spawning: eventlet.timeout.Timeout: 120 seconds"
    )
    file.write(file.pid, "WARNING nova.virt.libvirt.driver", context.text, instance.tag + waited)
    _fail(
        cloud,
        instance,
        context,
        "Failed to allocate network(s): nova.exception.VirtualInterfaceCreateException: Virtual Interface creation"
        " failed",
        VIF_TIMEOUT,
    )


def _fail(cloud: SimulatedCloud, instance: Instance, context: Context, text: str, trace: tuple[str, ...]) -> None:
    file = instance.compute.nova
    instance.state = "error"
    instance.compute.instances.pop(instance.id, None)
    if not cloud.silent(file):
        file.write(file.pid, f"ERROR {_MANAGER}", context.text, instance.tag + text)
        file.trace(file.pid, _MANAGER, instance.tag, trace)


def destroy(cloud: SimulatedCloud, instance: Instance, context: Context, rng: Random) -> Steps:
    """nova-compute deletes an instance."""
    compute = instance.compute
    file = compute.nova
    if compute.instances.pop(instance.id, None) is None:
        # It never came to run on a host: nova-api only forgets it.
        instance.state = "deleted"
        return
    yield rng.uniform(0.05, 0.3)
    if cloud.silent(file):
        return

    def say(head: str, text: str, where: str = context.text) -> None:
        file.write(file.pid, head, where, text)

    begin = cloud.engine.now
    say(MANAGER, instance.tag + "Terminating instance")
    yield rng.uniform(0.2, 0.8)
    say(DRIVER, instance.tag + "Instance destroyed successfully.", NO_CONTEXT)
    say(OS_VIF, f"Successfully unplugged vif {instance.vif}")
    yield rng.uniform(0.05, 0.2)
    say(DRIVER, f"{instance.tag}Deleting instance files /var/lib/nova/instances/{instance.id}_del")
    yield rng.uniform(0.05, 0.2)
    say(DRIVER, f"{instance.tag}Deletion of /var/lib/nova/instances/{instance.id}_del complete")
    took = (cloud.engine.now - begin) / 1e6
    say(MANAGER, f"{instance.tag}Took {took:.2f} seconds to destroy the instance on the hypervisor.")
    begin = cloud.engine.now
    yield from neutron.delete_port(cloud, instance, context, rng)
    if cloud.silent(file):
        return
    took = (cloud.engine.now - begin) / 1e6
    say(MANAGER, f"{instance.tag}Took {took:.2f} seconds to deallocate network for instance.")
    call = ApiCall("DELETE", f"/allocations/{instance.id}", 204, 0, 0.03, compute.address)
    yield from serve(cloud, cloud.placement, context.child(rng, cloud.service), call, rng)
    say("INFO nova.scheduler.client.report", f"Deleted allocations for instance {instance.id}")
    instance.state = "deleted"
    yield rng.uniform(12.0, 16.0)
    _lifecycle(cloud, instance, "Stopped", rng)
