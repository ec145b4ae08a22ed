"""The rules that keep the packages apart."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ALLOWED = {
    "models": {"models"},
    "training": {"training", "models"},
    "index": {"index", "models"},
    "alerts": {"alerts", "index", "models"},
    "stream": {"stream", "alerts", "index", "models"},
}

# Folders and files of each package in order: each may import only those before it.
ORDER = {
    "models": "errors whole_files onnx_runtime targets rfc3339 findings records arrays verdicts decode templates"
    " windows features detectors calibration bundle registry scorer schedule pipeline",
    "training": "simulate datasets held_out tensorflow_import network export export_encoder fit_lstm fit_signs"
    " fit_detectors fault_screening calibration report train platform_bundle evaluate cli",
    "index": "text storage lines embedding search evidence episodes diagnosis redaction llm explain analyze incident",
    "alerts": "messages incidents routing sinks delivery monitoring",
    "stream": "own_command kafka settings planning topics promotion heartbeat ingest detect explain deliver replay"
    " review gate drift learning wiring doctor runtime ui demo cli",
}

# Where an outside library may be imported; what is not listed may be imported anywhere.
HOMES = {
    "aiohttp": {"stream/deliver/votes_server.py"},
    "aiokafka": {"stream/kafka/"},
    "backports": {"models/decode/log_files.py"},
    "aws_msk_iam_sasl_signer": {"stream/kafka/security/"},
    "anthropic": {"index/llm/claude.py"},
    "boto3": {"models/registry/s3_objects.py"},
    "botocore": {"models/registry/s3_objects.py"},
    "confluent_kafka": {"stream/kafka/"},
    "cryptography": {"models/registry/signature.py"},
    "faiss": {"index/search/vectors.py"},
    "faust": {"stream/kafka/", "stream/detect/role.py"},
    "httpx": {
        "alerts/sinks/http_transport.py",
        "index/embedding/open_embedder.py",
        "models/registry/mlflow_mirror.py",
        "stream/ui/web/oidc.py",
    },
    "huggingface_hub": {"index/embedding/open_embedder.py"},
    "httpx2": {"index/llm/claude.py"},
    "jinja2": {"stream/ui/web/"},
    "joserfc": {"stream/ui/web/oidc.py"},
    "jsonschema": {"alerts/routing/rules.py"},
    "keras": {"training/"},
    "mode": {"stream/kafka/"},
    "markupsafe": {"stream/ui/"},
    "onnx": {"training/"},
    "onnxruntime": {"models/onnx_runtime.py"},
    "polars": {"index/episodes/", "index/incident.py", "models/", "training/", "index/lines/", "index/evidence/"},
    "prometheus_client": {"alerts/monitoring/", "stream/detect/role.py", "stream/runtime/"},
    "pydantic": {"stream/settings/"},
    "pydantic_settings": {"stream/settings/"},
    "safetensors": {"training/export_encoder.py"},
    "starlette": {"stream/ui/web/"},
    "tensorflow": {"training/"},
    "tf2onnx": {"training/"},
    "tokenizers": {"index/embedding/sentence_encoder.py"},
    "uvicorn": {"stream/ui/web/"},
    "yaml": {"alerts/routing/", "index/search/", "stream/kafka/security/access_rules.py"},
}

READS_ENVIRONMENT = {
    "stream/settings/environment.py",
    "models/onnx_runtime.py",
    "stream/runtime/native_threads.py",
    "training/tensorflow_import.py",
}


def sources() -> Iterator[Path]:
    """Every source file of the packages."""
    for package in ALLOWED:
        yield from sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    """Models < index < alerts < stream, and models < training; outside libraries only where they live."""
    name = str(path.relative_to(ROOT))
    package = name.split("/", maxsplit=1)[0]
    for line, module in imported(path):
        first = module.split(".")[0]
        assert first not in ALLOWED or first in ALLOWED[package], f"{name}:{line}: {package} must not import {first}"
        homes = HOMES.get(first)
        assert homes is None or any(name.startswith(home) for home in homes), f"{name}:{line}: {first} lives in {homes}"


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_folders_import_only_those_before_them(path: Path) -> None:
    """Inside a package arrows point one way, too: ``ORDER`` is the way of the data."""
    package, _, rest = str(path.relative_to(ROOT)).partition("/")
    order = ORDER[package].split()
    own = rest.split("/")[0].removesuffix(".py")
    if own == "__init__":
        return
    assert own in order, f"{package}/{own} has no place in ORDER"
    for line, module in imported(path):
        parts = module.split(".")
        if parts[0] == package and len(parts) > 1 and parts[1] != own:
            before = order.index(parts[1]) < order.index(own)
            assert before, f"{package}/{rest}:{line}: {own} must not import {parts[1]}, which comes after it"


def test_folders_are_small() -> None:
    """A folder holds at most 15 files beside its ``__init__.py``."""
    counts = Counter(str(path.parent.relative_to(ROOT)) for path in sources() if path.name != "__init__.py")
    assert counts
    assert {folder: n for folder, n in counts.items() if n > 15} == {}


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_small_and_read_no_environment(path: Path) -> None:
    """A file has at most 400 lines, and only the settings read the environment."""
    name = str(path.relative_to(ROOT))
    text = path.read_text()
    assert text.count("\n") <= 400, f"{name} has more than 400 lines: cut it in two"
    assert name in READS_ENVIRONMENT or not re.search(r"\bos\.(environ|getenv)", text), f"{name} reads the environment"


def test_every_package_says_what_it_is() -> None:
    """The first line of a package is a sentence."""
    assert list(sources())
    for path in sources():
        if path.name == "__init__.py":
            first = path.read_text().splitlines()[0]
            assert re.match(r'"""[A-Z].{20,}', first), f"{path}: {first}"


def test_packages_are_all_listed() -> None:
    """Every package folder stands in pyproject.toml, or an installed Tocsin would lack it."""
    listed = (ROOT / "pyproject.toml").read_text()
    assert list(sources())
    for path in sources():
        if path.name == "__init__.py":
            package = ".".join(path.parent.relative_to(ROOT).parts)
            assert f'"{package}"' in listed, f"{package} is missing from [tool.setuptools] packages"
