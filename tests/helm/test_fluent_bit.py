"""The values for Fluent Bit's own chart fit the configuration that they run."""

import re
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "helm" / "fluent-bit"


def test_every_variable_of_the_configuration_is_set() -> None:
    """And none that it does not know; what outlives the pod is mounted; it may take its grace."""
    text = (FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load((FOLDER / "values.yaml").read_text(encoding="utf-8"))
    assert {entry["name"] for entry in values["env"]} == set(re.findall(r"\$\{(\w+)\}", text))
    variables = {entry["name"]: entry.get("value") for entry in values["env"]}
    mounts = {mount["mountPath"] for mount in values["daemonSetVolumeMounts"]}
    assert variables["TOCSIN_STATE"] in mounts
    assert {mount["name"] for mount in values["daemonSetVolumeMounts"]} == {
        volume["name"] for volume in values["daemonSetVolumes"]
    }
    assert values["terminationGracePeriodSeconds"] > yaml.safe_load(text)["service"]["grace"]
    assert f"--config={values['extraVolumeMounts'][0]['mountPath']}" in values["args"]
