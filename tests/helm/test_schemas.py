"""Every shape of the chart against the schemas of Kubernetes and of the operators whose resources it makes."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from helm_python import lint
from kubernetes_validate import utils

from tests.helm.charting import CRDS, VERSIONS, Object, objects, read_values, rendered, value_files
from tests.helm.generated import CHART

DEFINITIONS: Final = "#/$defs/"
SCHEMAS: Final = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"

FILES = {path.name.removesuffix("-values.yaml"): path for path in value_files()}


@pytest.mark.parametrize("shape", sorted(FILES))
def test_helm_has_no_complaint(shape: str) -> None:
    """Its linter, with warnings as errors."""
    report = lint(CHART, read_values(FILES[shape]), strict=True, kube_version="v1.37.0")
    assert report["errors"] == []
    # An icon is recommended, and there is none.
    assert [line for line in report["messages"] if "icon is recommended" not in line["error"]] == []


@cache
def builtin_objects() -> tuple[tuple[str, Object], ...]:
    """Return the objects of all shapes that Kubernetes itself knows, with the name of the shape."""
    return tuple(
        (shape, document)
        for shape, path in FILES.items()
        for document in objects(read_values(path))
        if not (CRDS / document["apiVersion"].split("/")[0]).is_dir()
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strictly: a field that the version does not know is an error."""
    monkeypatch.setattr(utils, "schema_contents", cache(utils.schema_contents))
    for shape, document in builtin_objects():
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            pytest.fail(f"{shape}: {document['kind']} {document['metadata']['name']}: {error.message}")


@pytest.fixture(scope="module")
def kubeconform() -> str:
    """Give kubeconform's path; without it the test is skipped, in CI it fails."""
    places = [os.environ.get("PATH", ""), str(Path.home() / "go" / "bin")]
    command = shutil.which("kubeconform", path=os.pathsep.join(places))
    if command is None:
        pytest.skip("kubeconform is missing: go install github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0")
    return command


def standalone(folder: Path, version: str) -> None:
    """Write the schemas of the kinds that the chart makes, with references replaced by what they refer to."""
    source = SCHEMAS / f"v{version}.0-local-strict"
    definitions = json.loads((source / "_definitions.json").read_text())["$defs"]

    def whole(schema: Any) -> Any:
        if isinstance(schema, list):
            return [whole(part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        if isinstance(name := schema.get("$ref"), str):
            return whole(definitions[name.partition(DEFINITIONS)[2]])
        return {key: whole(part) for key, part in schema.items()}

    for kind, api in {(document["kind"], document["apiVersion"]) for _, document in builtin_objects()}:
        group, _, number = api.rpartition("/")
        name = "-".join(part for part in (kind.lower(), group.split(".")[0], number) if part) + ".json"
        (folder / name).write_text(json.dumps(whole(json.loads((source / name).read_text()))))


@pytest.mark.kubeconform
@pytest.mark.parametrize("version", VERSIONS)
def test_kubeconform_takes_every_shape(kubeconform: str, version: str, tmp_path: Path) -> None:
    """Strictly, custom resources as well: a second opinion from other code."""
    standalone(tmp_path, version)
    manifests = "".join(rendered(read_values(path)) for path in FILES.values())
    command = [kubeconform, "-strict", "-summary", "-output", "json", "-kubernetes-version", f"{version}.0"]
    command += ["-schema-location", str(tmp_path / "{{.ResourceKind}}{{.KindSuffix}}.json")]
    command += ["-schema-location", str(CRDS / "{{.Group}}" / "{{.ResourceKind}}_{{.ResourceAPIVersion}}.json")]
    done = subprocess.run(command, input=manifests, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["resources"] == []
    assert done.returncode == 0
    documents = [document for document in yaml.safe_load_all(manifests) if document]
    assert report["summary"] == {"valid": len(documents), "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.kubeconform
def test_kubeconform_sees_a_misspelt_field(kubeconform: str) -> None:
    """The schemas of custom resources are strict, too."""
    monitor = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "x"},
        "spec": {"selector": {}, "podMetricsEndpoints": [{"port": "metrics", "intervall": "30s"}]},
    }
    command = [kubeconform, "-strict", "-output", "json"]
    command += ["-schema-location", str(CRDS / "{{.Group}}" / "{{.ResourceKind}}_{{.ResourceAPIVersion}}.json")]
    done = subprocess.run(command, input=json.dumps(monitor), capture_output=True, text=True, check=False)
    assert "intervall" in done.stdout
    assert done.returncode == 1
