"""Weights from a ``.safetensors`` file, as NumPy arrays; the library of that name comes with torch-sized extras only.

The format: eight bytes little-endian length, a JSON object (name → dtype, shape, begin and end), the raw numbers.
"""

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from models.errors import InvalidError
from models.records import F32

_HEAD: Final = 8
_MAX_HEAD: Final = 100_000_000  # bytes, the format's own limit
_TYPES: Final[Mapping[str, Any]] = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


def read_tensors(path: Path) -> dict[str, F32]:
    """Return name → tensor as float32; tensors of other types than 16, 32 and 64 bit floats are left out.

    Raises:
        InvalidError: the file cannot be read, or is not whole.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _tensors(data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidError(f"{path} holds no readable weights ({error})", "copy the model's folder again") from error


def _tensors(data: mmap.mmap) -> dict[str, F32]:
    length = int.from_bytes(data[:_HEAD], "little")
    start = _HEAD + length
    if not 0 < length <= _MAX_HEAD or start > len(data):
        raise ValueError("its head is cut")
    out = {}
    for name, entry in orjson.loads(data[_HEAD:start]).items():
        kind = _TYPES.get(entry.get("dtype"))
        if kind is None:
            continue
        begin, end = entry["data_offsets"]
        if start + end > len(data):
            raise ValueError(f"{name} is cut")
        array = np.frombuffer(data[start + begin : start + end], kind)
        out[name] = array.reshape(entry["shape"]).astype(np.float32, copy=False)
    return out
