"""glance: images that users upload, share and delete."""

from random import Random

from training.simulate.api_calls import ApiCall, log_in, serve
from training.simulate.event_loop import Steps
from training.simulate.log_files import request, uuid_text
from training.simulate.openstack import Owner, SimulatedCloud


def image_life(cloud: SimulatedCloud, owner: Owner, rng: Random) -> Steps:
    """A user uploads an image, looks at it and deletes it later."""
    image = uuid_text(rng)
    yield from log_in(cloud, rng)
    for verb, path, status, size, median in (
        ("POST", "/v2/images", 201, 880, 0.12),
        ("PUT", f"/v2/images/{image}/file", 204, 0, 6.0),
        ("GET", f"/v2/images/{image}", 200, 1180, 0.03),
        ("PATCH", f"/v2/images/{image}", 200, 1210, 0.08),
        ("GET", "/v2/images?limit=20", 200, 9800, 0.08),
        ("GET", "/v2/schemas/image", 200, 6200, 0.01),
    ):
        call = ApiCall(verb, path, status, size, median, owner.address)
        yield from serve(cloud, cloud.glance, request(rng, owner.identity), call, rng)
        yield rng.lognormvariate(0.5, 0.8)
    yield rng.lognormvariate(6.0, 0.8)
    call = ApiCall("DELETE", f"/v2/images/{image}", 204, 0, 0.3, owner.address)
    yield from serve(cloud, cloud.glance, request(rng, owner.identity), call, rng)
