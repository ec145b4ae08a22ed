"""Which embedder a setting means, and where its model is found.  Nothing is fetched unless ``fetch`` is called."""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from index.embedding.encoder_config import NETWORK
from index.embedding.hashing_embedder import HashedEmbedder
from models.errors import InvalidError, TransientError

if TYPE_CHECKING:
    from index.embedding.base import Embedder

BUILT_IN: Final = "built-in"
"""The name that asks for the embedder without a model."""

DEFAULT_OWNER: Final = "sentence-transformers"
"""Owner on the hub of a model that is named without one."""

_SMALL: Final = ("*.json", "1_Pooling/*", "2_Normalize/*")
"""Patterns of the files that are needed beside the network."""

_WEIGHTS: Final = "model.safetensors"


def open_embedder(model: str, tell: Callable[[str], None], threads: int = 1) -> "Embedder":
    """Return the embedder that ``model`` names.

    ``model`` is ``built-in``, a folder, or a name (``owner/name`` in the local cache of the Hugging Face hub; an
    installed package that holds the folder ``model``).  For a name that is not on this machine the built-in embedder is
    returned, and ``tell`` is called with a line that says so.

    Raises:
        InvalidError: a folder is named that is not there, or the model cannot be served.
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

    return SentenceEmbedder(folder, model, threads)


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

    Without ``onnx/model.onnx`` on the hub the folder holds the weights, which ``training.export_encoder`` can export.

    Raises:
        InvalidError: the hub knows no such model, or ``model`` is no name.
        TransientError: the hub does not answer.
    """
    from httpx import HTTPError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name = _with_owner(model)
    try:
        # Where the network is there, the weights are not needed; else it can be made of them.
        folder = Path(snapshot_download(name, allow_patterns=[*_SMALL, NETWORK]))
        if not (folder / NETWORK).is_file():
            folder = Path(snapshot_download(name, allow_patterns=[*_SMALL, _WEIGHTS]))
    except (HfHubHTTPError, HFValidationError) as error:
        raise InvalidError(f"cannot fetch {name} ({_first_line(error)})", "check its name on the hub") from error
    except (OSError, LocalEntryNotFoundError, HTTPError) as error:
        raise TransientError(
            f"cannot fetch {name} ({_first_line(error)})",
            "try again, or copy its folder here and set TOCSIN_EMBEDDING_MODEL",
        ) from error
    return folder


def _packaged(model: str) -> Path | None:
    """Return the folder ``model`` of an installed package of that name; the package itself is not imported."""
    module = re.sub(r"[-.]+", "_", model)
    spec = find_spec(module) if module.isidentifier() else None
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / "model"
        if (folder / "config.json").is_file():
            return folder
    return None


def _cached(model: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(_with_owner(model), local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    complete = (folder / "config.json").is_file() and ((folder / NETWORK).is_file() or (folder / _WEIGHTS).is_file())
    return folder if complete else None


def _with_owner(model: str) -> str:
    return model if "/" in model else f"{DEFAULT_OWNER}/{model}"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
