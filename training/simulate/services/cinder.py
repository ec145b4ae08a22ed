"""cinder: volumes from request to deletion, attached to an instance or not."""

from random import Random
from typing import Final

from training.simulate.api_calls import SERVER_ERROR, ApiCall, log_in, serve
from training.simulate.event_loop import Answer, Steps
from training.simulate.log_files import Context, fork, request, uuid_text
from training.simulate.openstack import VIP, Instance, Owner, SimulatedCloud
from training.simulate.scenario import FaultKind
from training.simulate.services.nova import DRIVER, MANAGER

_FLOW: Final = "INFO cinder.volume.flows.manager.create_volume"
_MANAGER: Final = "INFO cinder.volume.manager"
_WSGI: Final = "INFO cinder.api.openstack.wsgi"
_API: Final = "INFO cinder.volume.api"
_SIZES: Final = (1, 5, 10, 20, 50, 100)
POLLS: Final = 12
"""Times that a client asks for a volume's state before it gives up."""


def api(cloud: SimulatedCloud, context: Context, call: ApiCall, rng: Random, said: str = "") -> Answer:
    """One call to cinder-api, which logs it when it comes, what it did, and when it goes."""
    file = cloud.cinder_api
    url = f"http://{VIP}:8776{call.path}"
    pid = rng.choice(file.pids)
    file.write(pid, _WSGI, context.text, f"{call.verb} {url}")
    status = yield from serve(cloud, file, context, call, rng, pid)
    if status < SERVER_ERROR:
        if said:
            file.write(pid, _API, context.text, said)
        file.write(pid, _WSGI, context.text, f"{url} returned with HTTP {status}")
    return status


def volume_life(cloud: SimulatedCloud, owner: Owner, rng: Random) -> Steps:
    """A user makes a volume, often attaches it to an instance for a while, and deletes it."""
    volume, size = uuid_text(rng), rng.choice(_SIZES)
    root = f"/v3/{owner.project}/volumes"
    yield from log_in(cloud, rng)
    context = request(rng, owner.identity)
    call = ApiCall("POST", root, 202, 810, 0.18, owner.address)
    said = "Create volume request issued successfully."
    if (yield from api(cloud, context, call, rng, said)) >= SERVER_ERROR:
        return
    made: list[bool] = []
    cloud.spawn(_create(cloud, context, volume, size, made, fork(rng)))
    for _ in range(POLLS):
        call = ApiCall("GET", f"{root}/{volume}", 200, 1100, 0.05, owner.address)
        said = "Volume info retrieved successfully."
        yield from api(cloud, request(rng, owner.identity), call, rng, said)
        if made:
            break
        yield rng.uniform(1.5, 3.0)
    yield rng.lognormvariate(2.0, 0.8)
    instance = _running(cloud, owner)
    if instance is not None and rng.random() < 0.8:  # noqa: PLR2004 - share of volumes that get attached
        yield from _use(cloud, instance, volume, rng)
    yield rng.lognormvariate(3.5, 0.9)
    context = request(rng, owner.identity)
    call = ApiCall("DELETE", f"{root}/{volume}", 202, 0, 0.1, owner.address)
    said = "Delete volume request issued successfully."
    if (yield from api(cloud, context, call, rng, said)) < SERVER_ERROR:
        cloud.spawn(_delete(cloud, context, rng.lognormvariate(0.3, 0.4)), 0.1)


def _running(cloud: SimulatedCloud, owner: Owner) -> Instance | None:
    running = [
        instance
        for compute in cloud.computes
        for instance in compute.instances.values()
        if instance.owner is owner and instance.state == "active"
    ]
    return running[0] if running else None


def _create(  # noqa: PLR0913
    cloud: SimulatedCloud, context: Context, volume: str, size: int, made: list[bool], rng: Random
) -> Steps:
    file = cloud.cinder_volume
    yield rng.uniform(0.2, 0.5)
    if cloud.silent(file):
        return
    spec = (
        f"Volume {volume}: being created as raw with specification: {{'status': 'creating', 'volume_name': "
        f"'volume-{volume}', 'volume_size': {size}}}"
    )
    file.write(file.pid, _FLOW, context.text, spec)
    yield rng.lognormvariate(0.2, 0.4)
    text = f"Volume volume-{volume} ({volume}): created successfully"
    file.write(file.pid, _FLOW, context.text, text)
    file.write(file.pid, _MANAGER, context.text, "Created volume successfully.")
    made.append(True)


def _delete(cloud: SimulatedCloud, context: Context, took: float) -> Steps:
    file = cloud.cinder_volume
    yield took
    if not cloud.silent(file):
        file.write(file.pid, _MANAGER, context.text, "Deleted volume successfully.")


def _use(cloud: SimulatedCloud, instance: Instance, volume: str, rng: Random) -> Steps:
    """Attach the volume, work with it, detach it."""
    owner, file = instance.owner, instance.compute.nova
    instance.device += 1
    device = "vd" + "bcdefghijklmnop"[instance.device % 15]
    path = f"/v2.1/servers/{instance.id}/os-volume_attachments"
    context = request(rng, owner.identity)
    yield from serve(cloud, cloud.nova_api, context, ApiCall("POST", path, 200, 400, 0.5, owner.address), rng)
    if cloud.silent(file):
        return
    if not cloud.faults.active(FaultKind.SKIP, file):
        text = f"Attaching volume {volume} to /dev/{device}"
        file.write(file.pid, MANAGER, context.text, instance.tag + text)
    attachment = uuid_text(rng)
    root = f"/v3/{owner.project}/attachments"
    for verb, end, status, said in (
        ("POST", "", 200, ""),
        ("PUT", f"/{attachment}", 200, ""),
        ("POST", f"/{attachment}/action", 204, ""),
    ):
        call = ApiCall(verb, root + end, status, 520, 0.15, instance.compute.address)
        yield from api(cloud, context.child(rng), call, rng, said)
        if verb == "PUT" and not cloud.silent(cloud.cinder_volume):
            text = "attachment_update completed successfully."
            cloud.cinder_volume.write(cloud.cinder_volume.pid, _MANAGER, context.text, text)
    yield rng.lognormvariate(4.8, 0.8)
    if instance.state != "active":
        return
    context = request(rng, owner.identity)
    call = ApiCall("DELETE", f"{path}/{volume}", 202, 0, 0.2, owner.address)
    yield from serve(cloud, cloud.nova_api, context, call, rng)
    if not cloud.silent(file):
        yield from _detach(cloud, instance, context, volume, device, rng)


def _detach(  # noqa: PLR0913
    cloud: SimulatedCloud, instance: Instance, context: Context, volume: str, device: str, rng: Random
) -> Steps:
    file = instance.compute.nova

    def write(head: str, text: str) -> None:
        file.write(file.pid, head, context.text, text)

    write(MANAGER, f"{instance.tag}Detaching volume {volume}")
    yield rng.uniform(0.1, 0.3)
    text = f"Attempting to driver detach volume {volume} from mountpoint /dev/{device}"
    write("INFO nova.virt.block_device", instance.tag + text)
    for config in ("persistent", "live"):
        yield rng.uniform(0.2, 0.6)
        text = f"Successfully detached device {device} from instance {instance.id} from the {config} domain config."
        write(DRIVER, text)
    root = f"/v3/{instance.owner.project}/attachments/{uuid_text(rng)}"
    call = ApiCall("DELETE", root, 200, 20, 0.3, instance.compute.address)
    yield from api(cloud, context.child(rng), call, rng)
    volumes = cloud.cinder_volume
    if not cloud.silent(volumes):
        volumes.write(volumes.pid, _MANAGER, context.text, "Terminate volume connection completed successfully.")


def report(cloud: SimulatedCloud, rng: Random) -> Steps:
    """cinder-volume looks at its back end every minute and cinder-scheduler hears of it."""
    file = cloud.cinder_volume
    beat = 0
    while True:
        if not cloud.silent(file):
            context = request(rng)
            file.write(file.pid, _MANAGER, context.text, "Updating volume status")
            if cloud.debug:
                yield rng.uniform(0.2, 0.6)
                text = f"Received volume service update from storage-1@lvm: {{'free_capacity_gb': {900 - beat % 100}}}"
                scheduler = cloud.cinder_scheduler
                scheduler.write(scheduler.pid, "DEBUG cinder.scheduler.host_manager", context.text, text)
        beat += 1
        yield 60.0
