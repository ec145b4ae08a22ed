"""What the files of a sentence-transformers folder say of how texts become vectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from models.errors import InvalidError

NETWORK: Final = "onnx/model.onnx"
"""Where a folder holds its network."""

_LEGACY: Final = "pooling_mode_"
_POOLINGS: Final[Mapping[str, str]] = {
    "mean": "mean",
    "cls": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
}
_MODULES: Final = ("Transformer", "Pooling", "Normalize")


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """How a model makes vectors of texts."""

    tokens: int
    """Of a text, at most; the rest is cut off."""
    size: int
    """Numbers of a vector."""
    lower: bool
    """Texts are put into lower case first."""
    pooling: str
    """What of the tokens' states stands for the text: their ``mean``, or that of the first one (``cls``)."""


def read_config(folder: Path) -> EncoderConfig:
    """Read the configuration of a model's folder.

    Raises:
        InvalidError: the folder is none of sentence-transformers, or needs a step that is not served here.
    """
    if not (folder / "config.json").is_file():
        raise InvalidError(
            f"{folder} is no folder of a sentence-transformers model: it has no config.json",
            "correct TOCSIN_EMBEDDING_MODEL",
        )
    modules = _read(folder / "modules.json", [])
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if unknown := [kind for kind in kinds if kind not in _MODULES]:
        raise InvalidError(f"{folder} needs {', '.join(unknown)}, which is not served here", "give another model")
    poolings = (module["path"] for module, kind in zip(modules, kinds, strict=True) if kind == "Pooling")
    pooling = _pooling(folder / next(poolings, "1_Pooling") / "config.json")
    config = _read(folder / "config.json", {})
    own = _read(folder / "sentence_bert_config.json", {})
    # As sentence-transformers does: its own file, else the tokenizer's, never above the model's positions.
    limits = [own.get("max_seq_length") or _read(folder / "tokenizer_config.json", {}).get("model_max_length")]
    limits.append(config.get("max_position_embeddings"))
    tokens = min((int(limit) for limit in limits if limit), default=0)
    size = config.get("hidden_size")
    if not tokens or not isinstance(size, int):
        raise InvalidError(f"{folder}: config.json names no hidden_size or max_position_embeddings", "copy it again")
    return EncoderConfig(tokens, size, bool(own.get("do_lower_case")), pooling)


def _pooling(path: Path) -> str:
    config = _read(path, {})
    named = config.get("pooling_mode") or [
        name for name, on in config.items() if name.startswith(_LEGACY) and on is True
    ]
    modes = [named] if isinstance(named, str) else list(named) or ["mean"]
    if len(modes) != 1 or modes[0] not in _POOLINGS:
        raise InvalidError(f"{path}: pooling by {', '.join(map(str, modes))} is not served here", "give another model")
    return _POOLINGS[modes[0]]


def _read(path: Path, default: Any) -> Any:
    if not path.is_file():
        return default
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InvalidError(f"{path} cannot be read ({error})", "copy the model's folder again") from error
    if not isinstance(value, type(default)):
        raise InvalidError(f"{path} holds no {type(default).__name__}", "copy the model's folder again")
    return value
