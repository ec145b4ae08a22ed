"""Rendering the chart with Helm's engine, and what Kubernetes says of the objects."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from helm_python import Chart

from tests.helm.generated import CHART

Values = Mapping[str, Any]
Object = dict[str, Any]

RELEASE: Final = "shop"
NAMESPACE: Final = "watch"

VERSIONS: Final = tuple(f"1.{minor}" for minor in range(25, 38))
"""Versions of Kubernetes that the chart is validated for."""

CRDS: Final = Path(__file__).resolve().parents[1] / "data" / "crds"


def value_files() -> list[Path]:
    """Return the shapes of ``ci/``."""
    return sorted((CHART / "ci").glob("*-values.yaml"))


def read_values(path: Path) -> dict[str, Any]:
    """Return what a values file holds."""
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values


@cache
def loaded() -> Chart:
    """Return the chart, which is read once."""
    return Chart.load(CHART)


def rendered(values: Values) -> str:
    """Return all manifests as one stream of YAML documents.

    Raises:
        HelmError: the schema, or a template, refuses the values.
    """
    chart = loaded()
    chart.validate_schema(dict(values))
    manifests = chart.render(dict(values), name=RELEASE, namespace=NAMESPACE)
    return "".join(f"---\n{text}\n" for path, text in sorted(manifests.items()) if path.endswith(".yaml"))


def objects(values: Values) -> list[Object]:
    """Return all objects; see ``rendered``."""
    return [document for document in yaml.safe_load_all(rendered(values)) if document]


def of_kind(manifests: list[Object], kind: str) -> dict[str, Object]:
    """Return the objects of a kind by their name."""
    return {document["metadata"]["name"]: document for document in manifests if document["kind"] == kind}


def pods(manifests: list[Object]) -> list[Object]:
    """Return the spec of every pod that the objects would make."""
    specs = []
    for document in manifests:
        match document["kind"]:
            case "Deployment" | "Job":
                specs.append(document["spec"]["template"]["spec"])
            case "CronJob":
                specs.append(document["spec"]["jobTemplate"]["spec"]["template"]["spec"])
            case "Pod":
                specs.append(document["spec"])
    return specs
