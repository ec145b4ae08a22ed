"""The rules that keep the packages apart."""

import ast
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

HOMES = {
    "aiokafka": {"stream/kafka"},
    "anthropic": {"index/llm/claude.py"},
    "confluent_kafka": {"stream"},
    "faiss": {"index/search/vectors.py"},
    "faust": {"stream"},
    "httpx": {"alerts/sinks/http_transport.py", "index/embedding/open_embedder.py"},
    "huggingface_hub": {"index/embedding/open_embedder.py"},
    "httpx2": {"index/llm/claude.py"},
    "jsonschema": {"alerts/routing/rules.py"},
    "keras": {"training"},
    "onnx": {"training", "index/embedding/onnx_export.py"},
    "onnxruntime": {"models/detectors", "training/export.py", "index/embedding/sentence_encoder.py"},
    "polars": {
        "models",
        "training",
        "index/lines/entries.py",
        "index/evidence/gather.py",
        "index/lines/log_lines.py",
        "index/evidence/selection.py",
        "index/lines/program_names.py",
        "index/evidence/severity.py",
        "index/lines/parsed_file.py",
        "index/lines/log_records.py",
        "index/evidence/stopped_sources.py",
        "index/evidence/request_trace.py",
    },
    "prometheus_client": {"alerts", "stream"},
    "pydantic": {"stream/settings.py"},
    "pydantic_settings": {"stream/settings.py"},
    "scipy": {"index/search/tfidf.py"},
    "tensorflow": {"training"},
    "tf2onnx": {"training"},
    "tokenizers": {"index/embedding/sentence_encoder.py"},
}

READS_ENVIRONMENT = {"stream/settings.py", "stream/runtime/native_threads.py", "training/tensorflow_import.py"}


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
def test_files_stay_small_and_read_no_environment(path: Path) -> None:
    """A file has at most 400 lines, and only the settings read the environment."""
    name = str(path.relative_to(ROOT))
    text = path.read_text()
    assert text.count("\n") <= 400, f"{name} has more than 400 lines: cut it in two"
    reads = "environ" in text or "getenv" in text
    assert not reads or name in READS_ENVIRONMENT or "os.environ" not in text, f"{name} reads the environment"


def test_packages_are_all_listed() -> None:
    """Every package folder stands in pyproject.toml, or an installed Tocsin would lack it."""
    listed = (ROOT / "pyproject.toml").read_text()
    for path in sources():
        if path.name == "__init__.py":
            package = ".".join(path.parent.relative_to(ROOT).parts)
            assert f'"{package}"' in listed, f"{package} is missing from [tool.setuptools] packages"
