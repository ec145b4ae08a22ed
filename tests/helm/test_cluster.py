"""The chart as a real API server of Kubernetes takes it: applied, applied again, and its pods admitted."""

import copy
import shutil
from collections.abc import Iterator

import pytest

from tests.helm.api_server import ApiServer, running
from tests.helm.charting import CRDS, Object, objects, pods, read_values, value_files

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SHAPES = {path.name.removesuffix("-values.yaml"): path for path in value_files()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Give a server."""
    if missing := [name for name in ("etcd", "kube-apiserver") if shutil.which(name) is None]:
        pytest.skip(f"{' and '.join(missing)} missing: see tests/README.md")
    with running(tmp_path_factory.mktemp("cluster")) as server:
        server.make_namespace("default-values")
        yield server


def builtin(values: dict[str, object]) -> list[Object]:
    """Return the objects that a cluster without operators knows."""
    return [document for document in objects(values) if not (CRDS / document["apiVersion"].split("/")[0]).is_dir()]


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_shape_is_installed_upgraded_and_admitted(server: ApiServer, shape: str) -> None:
    """The upgrade changes no field that cannot change; each pod fits the standard `restricted`."""
    values = read_values(SHAPES[shape])
    server.make_namespace(shape)
    for document in builtin(values):
        server.apply(document, shape)
    newer = copy.deepcopy(values)
    newer.setdefault("image", {}).update(tag="0.2.0", digest="")
    # A hook's job and the test's pod are deleted before they are made again.
    again = [document for document in builtin(newer) if document["kind"] not in {"Job", "Pod"}]
    for document in again:
        server.apply(document, shape)
    for number, spec in enumerate(pods(builtin(values))):
        spec.setdefault("restartPolicy", "Always")
        name = f"{shape}-{number}"
        server.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}, shape)


def test_a_pod_that_may_be_root_is_not_admitted(server: ApiServer) -> None:
    """The namespace is as strict as it says."""
    (spec,) = [spec for spec in pods(builtin({})) if "restartPolicy" not in spec]
    spec = copy.deepcopy(spec) | {"securityContext": {}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root"}, "spec": spec}
    with pytest.raises(AssertionError, match="runAsNonRoot"):
        server.apply(pod, "default-values")


def test_an_unknown_field_is_refused(server: ApiServer) -> None:
    """Validation is strict."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}, "automount": True}
    with pytest.raises(AssertionError, match="automount"):
        server.apply(account, "default-values")
