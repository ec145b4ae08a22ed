"""Image and pipelines, as far as files can be read against each other."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in (ROOT / ".github" / "workflows").glob("*.yml")
}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_the_image_has_every_package_and_runs_as_a_number() -> None:
    """From bases that cannot change; Kubernetes cannot tell a name from root."""
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    }
    assert [name for name in copied if not (ROOT / name).exists()] == []
    packages = re.search(r"packages = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.DOTALL)
    assert packages is not None
    assert {name.split(".")[0] for name in re.findall(r'"([\w.]+)"', packages[1])} <= copied
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert not copied & set(ignored)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == 2 * [
        next(iter(re.findall(r"^FROM (\S+@sha256:[0-9a-f]{64})", DOCKERFILE, re.MULTILINE)))
    ]
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["10001:10001"]


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_workflows_call_targets_and_have_no_rights_of_their_own(name: str) -> None:
    """What runs can be run by anybody; each job names the rights that it needs, and no action can change."""
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert "permissions" in job
        assert "timeout-minutes" in job or "uses" in job
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
            if step["uses"].startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": False}
        elif "GITHUB_OUTPUT" not in step["run"]:
            target = re.search(r"\bmake ([a-z-]+)", step["run"])
            assert target is not None
            assert target[1] in TARGETS


def test_every_long_run_of_the_nightly_is_a_target() -> None:
    """The matrix names them."""
    matrix = WORKFLOWS["nightly"]["jobs"]["long"]["strategy"]["matrix"]["target"]
    assert set(matrix) <= TARGETS
