"""What people see of versions in MLflow: a run for each training, a model version that points at ours, and aliases.

It is a mirror: nothing is ever read back from it to decide, and a server that does not answer costs seconds and no
training.  It speaks MLflow's public REST interface (version 2.0): MLflow's own client brings 41 packages, takes seconds
to import, and waits for minutes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import httpx
import orjson

from models.errors import TransientError
from models.registry.manifest import Manifest
from models.registry.training_run import TrainingRun
from models.rfc3339 import parse_time, time_text

TIMEOUT_S: Final = 5.0
"""Timeout of connecting, and between two pieces of an answer.  A judgement: a dead server costs a training so long."""

EXPERIMENT: Final = "tocsin"
"""Experiment in which the runs are; one of MLflow's own names, so that all clouds of a server are beside each other."""

VERSION_TAG: Final = "tocsin.version"
"""Tag of a model version of MLflow: our number, as MLflow counts for itself."""

GATE_FILE: Final = "gate.json"
"""Artefact of a run: the report of the gate that its version went through last."""

_EXISTS: Final = "RESOURCE_ALREADY_EXISTS"
_API: Final = "/api/2.0/mlflow/"
_ARTIFACTS: Final = "/api/2.0/mlflow-artifacts/artifacts/"
_MILLISECOND: Final = 1000
"""Microseconds."""


class MlflowMirror:
    """A tracking server at a URL, which may hold a user and a password.

    All methods raise TransientError where the server does not answer, or refuses.
    """

    def __init__(self, url: str, timeout_s: float | None = None) -> None:
        """Nothing is asked yet; ``timeout_s`` is ``TIMEOUT_S`` where it is not given."""
        self._url = url.rstrip("/")
        self._timeout_s = TIMEOUT_S if timeout_s is None else timeout_s

    def show_training(self, manifest: Manifest, store: str, run: TrainingRun) -> str:
        """Make a run of a training and a model version of what it registered; return the run's id."""
        with self._client() as client:
            experiment = _experiment(client)
            tags = _tags(manifest, store)
            created = _post(
                client,
                "runs/create",
                experiment_id=experiment,
                run_name=manifest.version,
                start_time=run.began // _MILLISECOND,
                tags=_pairs(tags),
            )
            run_id = str(created["run"]["info"]["run_id"])
            _post(
                client,
                "runs/log-batch",
                run_id=run_id,
                params=_pairs(run.params),
                metrics=_metrics(manifest, run.ended),
            )
            for name, data in {**run.artifacts, "manifest.json": manifest.to_json()}.items():
                _checked(client.put(f"{_ARTIFACTS}{experiment}/{run_id}/artifacts/{name}", content=data))
            _post(client, "runs/update", run_id=run_id, status="FINISHED", end_time=run.ended // _MILLISECOND)
            _post(client, "registered-models/create", may_exist=True, name=manifest.name)
            _post(
                client,
                "model-versions/create",
                name=manifest.name,
                source=f"mlflow-artifacts:/{experiment}/{run_id}/artifacts",
                run_id=run_id,
                description=f"{manifest.version} in {store}: {manifest.note}".removesuffix(": "),
                tags=_pairs(tags),
            )
        return run_id

    def show_alias(self, manifest: Manifest, alias: str) -> bool:
        """Let an alias stand for a version; False where the server does not know the version."""
        with self._client() as client:
            version = _version(client, manifest)
            if version is not None:
                number = version["version"]
                _post(client, "registered-models/alias", name=manifest.name, alias=alias, version=number)
        return version is not None

    def show_gate(self, manifest: Manifest, report: Mapping[str, Any]) -> bool:
        """Show the report of a gate with the run of a version; False where the server does not know the version."""
        failed = ", ".join(check["name"] for check in report["checks"] if check["passed"] is False)
        outcome = "passed" if report["passed"] else f"failed: {failed}"
        figures = {name: value for check in report["checks"] for name, value in check["figures"].items()}
        with self._client() as client:
            version = _version(client, manifest)
            if version is None:
                return False
            run_id, name = version["run_id"], version["name"]
            experiment = _experiment(client)
            data = orjson.dumps(report, option=orjson.OPT_INDENT_2)
            _checked(client.put(f"{_ARTIFACTS}{experiment}/{run_id}/artifacts/{GATE_FILE}", content=data))
            tags = {"tocsin.gate": outcome, "tocsin.gate.against": report["champion"]}
            time = parse_time(report["made"]) // _MILLISECOND
            metrics = [
                {"key": f"gate_{key}", "value": value, "timestamp": time, "step": 0}
                for key, value in {"passed": float(report["passed"]), **figures}.items()
            ]
            _post(client, "runs/log-batch", run_id=run_id, tags=_pairs(tags), metrics=metrics)
            for key, value in tags.items():
                _post(client, "model-versions/set-tag", name=name, version=version["version"], key=key, value=value)
        return True

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        try:
            with httpx.Client(base_url=self._url, timeout=self._timeout_s) as client:
                yield client
        except httpx.HTTPError as error:
            raise TransientError(
                f"MLflow does not answer: {type(error).__name__} {error}", "check TOCSIN_MLFLOW_URL; nothing else waits"
            ) from error


def _version(client: httpx.Client, manifest: Manifest) -> Mapping[str, Any] | None:
    """Return the server's record of a version, None where it has none."""
    filters = {"filter": f"name='{manifest.name}'"}
    answer = _checked(client.get(_API + "model-versions/search", params=filters)).json()
    for version in answer.get("model_versions", []):
        if {"key": VERSION_TAG, "value": manifest.ref} in version.get("tags", []):
            return dict(version)
    return None


def _experiment(client: httpx.Client) -> str:
    """Return the id of the experiment, which is made where it is missing."""
    answer = client.get(_API + "experiments/get-by-name", params={"experiment_name": EXPERIMENT})
    if answer.status_code == httpx.codes.NOT_FOUND:
        return str(_post(client, "experiments/create", name=EXPERIMENT)["experiment_id"])
    return str(_checked(answer).json()["experiment"]["experiment_id"])


def _post(client: httpx.Client, path: str, *, may_exist: bool = False, **body: Any) -> dict[str, Any]:
    answer = client.post(_API + path, json=body)
    if may_exist and answer.is_client_error and _EXISTS in answer.text:
        return {}
    record: dict[str, Any] = _checked(answer).json()
    return record


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        raise TransientError(
            f"MLflow refuses {answer.request.url.path} ({answer.status_code}): {answer.text[:200]}",
            "look at the server's log, and at user, password and hosts that it allows",
        )
    return answer


def _tags(manifest: Manifest, store: str) -> dict[str, str]:
    """What a version is, in words that one can search by."""
    facts = manifest.facts
    return {
        VERSION_TAG: manifest.ref,
        "tocsin.store": store,
        "tocsin.bundle": manifest.bundle,
        "tocsin.digest": manifest.digest,
        "tocsin.parent": manifest.parent,
        "tocsin.registered": time_text(manifest.registered),
        "tocsin.logs": f"{facts.get('from', '?')} to {facts.get('to', '?')}",
        "tocsin.by": manifest.by,
    }


def _pairs(values: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    return [{"key": name, "value": str(value)} for name, value in values.items() if value is not None and value != ""]


def _metrics(manifest: Manifest, time: int) -> Sequence[Mapping[str, Any]]:
    """All numbers that the facts of the training hold."""
    return [
        {"key": name, "value": float(value), "timestamp": time // _MILLISECOND, "step": 0}
        for name, value in manifest.facts.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
