"""Which embedder a setting means, and where its model is found.  Nothing is fetched unless ``fetch`` is called."""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from index.embedding.hashing_embedder import HashedEmbedder
from models.errors import InvalidError, TransientError

if TYPE_CHECKING:
    from index.embedding.base import Embedder

BUILT_IN: Final = "built-in"
"""The name that asks for the embedder without a model."""

DEFAULT_OWNER: Final = "sentence-transformers"

_SMALL: Final = ("*.json", "1_Pooling/*", "2_Normalize/*")
_NETWORK: Final = "onnx/model.onnx"
_WEIGHTS: Final = "model.safetensors"


def open_embedder(model: str, cache: Path, tell: Callable[[str], None], threads: int = 1) -> "Embedder":
    """Return the embedder that ``model`` means, with what must be made kept below ``cache``.

    ``model`` is ``built-in``, a folder, or a name (``owner/name`` in the local cache of the Hugging Face hub; an
    installed package that holds the folder ``model``).  Where a name is not to be found, the built-in embedder takes
    its place and ``tell`` is told so.

    Raises:
        InvalidError: a folder is named that is not there, or the model found cannot be served.
        ModuleNotFoundError: the model must be exported, and ``onnx`` is not installed.
    """
    if model == BUILT_IN:
        return HashedEmbedder()
    folder = find_model(model)
    if folder is None:
        tell(
            f"no model {model} on this machine: texts are compared by their words, without a model; get it with "
            f"`tocsin index fetch`, or set TOCSIN_EMBEDDING_MODEL to a folder, or to {BUILT_IN}"
        )
        return HashedEmbedder()
    # ONNX Runtime and the hub's client are imported where a model is used, not with every command.
    from index.embedding.sentence_encoder import SentenceEmbedder

    return SentenceEmbedder(folder, cache, model, threads)


def find_model(model: str) -> Path | None:
    """Return the folder of a model that is on this machine, None for a name that is not.

    Raises:
        InvalidError: ``model`` is written as a path, and no folder is there.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if path.is_absolute() or model.startswith((".", "~")):
        raise InvalidError(f"there is no folder {model}", "correct TOCSIN_EMBEDDING_MODEL")
    return _packaged(model) or _cached(model)


def fetch(model: str) -> Path:
    """Fetch a model by name from the Hugging Face hub into its local cache; return its folder.

    Raises:
        InvalidError: the hub knows no such model, or ``model`` is no name.
        TransientError: the hub does not answer.
    """
    from httpx import HTTPError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name = _full(model)
    try:
        # Where the network is there, the weights are not needed.
        folder = Path(snapshot_download(name, allow_patterns=[*_SMALL, _NETWORK]))
        if not (folder / _NETWORK).is_file():
            folder = Path(snapshot_download(name, allow_patterns=[*_SMALL, _WEIGHTS]))
    except (HfHubHTTPError, HFValidationError) as error:
        raise InvalidError(f"cannot fetch {name} ({_first(error)})", "check its name on the hub") from error
    except (OSError, LocalEntryNotFoundError, HTTPError) as error:
        raise TransientError(
            f"cannot fetch {name} ({_first(error)})",
            "try again, or copy its folder here and set TOCSIN_EMBEDDING_MODEL",
        ) from error
    return folder


def _packaged(model: str) -> Path | None:
    """Folder ``model`` of an installed package of that name; the package itself is not imported."""
    module = re.sub(r"[-.]+", "_", model)
    spec = find_spec(module) if module.isidentifier() else None
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "model"
        if (folder / "config.json").is_file():
            return folder
    return None


def _cached(model: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(_full(model), local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    whole = (folder / "config.json").is_file() and ((folder / _NETWORK).is_file() or (folder / _WEIGHTS).is_file())
    return folder if whole else None


def _full(model: str) -> str:
    return model if "/" in model else f"{DEFAULT_OWNER}/{model}"


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
