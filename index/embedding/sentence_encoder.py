"""A folder of sentence-transformers, served by ONNX Runtime and ``tokenizers``: no torch.

The network of a folder is its ``onnx/model.onnx``, or is made once from ``model.safetensors``
(``index.embedding.onnx_export``) and kept in a cache.  Pooling, length and case follow the folder's own files; vectors
are always normalised, as inner products are taken for cosines.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from index.embedding.encoder_config import form_of
from index.storage.atomic_files import write_file
from models.errors import InvalidError
from models.records import F32

GRAPH: Final = 1
"""Version of ``index.embedding.onnx_export``: a cached network of another is not taken."""

BATCH_TOKENS: Final = 512
"""Tokens of one run, padding included: few, so that what a layer makes stays in the processor's cache."""

_CHARACTERS_PER_TOKEN: Final = 256
"""A text is cut behind so many characters a token before it is split: no prose comes near."""


class SentenceEmbedder:
    """Texts → unit vectors of ``size`` numbers, equal to those of sentence-transformers (which may be longer than 1).

    ``id`` is a hash over all that decides; vectors of equal ids may be compared.
    """

    share = 0.35

    def __init__(self, folder: Path, cache: Path, name: str | None = None, threads: int = 1) -> None:
        """Load the model in ``folder``; a network that must be made is kept below ``cache``.

        Raises:
            InvalidError: the folder is no model that can be served, or the cache cannot be written.
            ModuleNotFoundError: the network must be made, and ``onnx`` is not installed.
        """
        self.name = name or folder.name
        self._form = form_of(folder)
        self.size = self._form.size
        network = _digest(folder, folder / "config.json", _network(folder) or folder / "model.safetensors")
        words = _digest(folder, folder / "tokenizer.json")
        self.id = hashlib.sha256(f"{network} {words} {self._form}".encode()).hexdigest()[:16]
        self._tokenizer = _tokenizer(folder, self._form.tokens)
        self._session = _session(folder, cache / f"{network}-{GRAPH}.onnx", threads)
        self._inputs = [each.name for each in self._session.get_inputs()]

    def embed(self, texts: Sequence[str]) -> F32:
        """Return one unit vector a text, shape (texts, size); a text that comes twice is computed once."""
        place = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        limit = self._form.tokens * _CHARACTERS_PER_TOKEN
        clean = [_clean(text[:limit], lower=self._form.lower) for text in place]
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(clean)]
        vectors = np.empty((len(place), self.size), np.float32)
        for rows in _batches([len(each) for each in ids]):
            vectors[rows] = self._run([ids[row] for row in rows])
        return vectors[[place[text] for text in texts]]

    def _run(self, ids: list[list[int]]) -> F32:
        inputs = np.zeros((len(ids), max(map(len, ids))), np.int64)
        mask = np.zeros_like(inputs)
        for row, each in enumerate(ids):
            inputs[row, : len(each)] = each
            mask[row, : len(each)] = 1
        given = {"input_ids": inputs, "attention_mask": mask, "token_type_ids": np.zeros_like(inputs)}
        states: F32 = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        if self._form.pooling == "cls":
            pooled = states[:, 0]
        else:
            share = mask / mask.sum(axis=1, keepdims=True)
            pooled = np.matmul(share.astype(np.float32)[:, None, :], states)[:, 0]
        norms = np.linalg.norm(pooled, axis=1, keepdims=True)
        unit: F32 = pooled / np.maximum(norms, np.finfo(np.float32).tiny)
        return unit


def _clean(text: str, *, lower: bool) -> str:
    # Half a surrogate pair, as JSON may carry, is no Unicode text and would be refused.
    whole = text if text.isascii() else text.encode("utf-8", "replace").decode()
    return whole.lower() if lower else whole


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows of each run: texts of like length together, so that little is padded."""
    rows: list[int] = []
    for row in np.argsort(lengths, kind="stable").tolist():
        # Ascending: the newest is the longest, and the others are padded to it.
        if rows and (len(rows) + 1) * lengths[row] > BATCH_TOKENS:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def _network(folder: Path) -> Path | None:
    path = folder / "onnx" / "model.onnx"
    return path if path.is_file() else None


def _digest(folder: Path, *files: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InvalidError(f"{folder} is no model: {path.name} cannot be read ({error.strerror})") from error
    return digest.hexdigest()[:16]


def _session(folder: Path, kept: Path, threads: int) -> ort.InferenceSession:
    network = _network(folder)
    if network is not None:
        return _load(network, threads)
    if kept.is_file():
        try:
            return _load(kept, threads)
        except InvalidError:
            # A cache is made again, not mourned.
            kept.unlink()
    from index.embedding.onnx_export import export

    write_file(kept, [export(folder)])
    return _load(kept, threads)


def _load(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own without a common base
        raise InvalidError(f"the network {path} cannot be loaded ({error})", "copy the model's folder again") from error
    names = {each.name for each in session.get_inputs()}
    if not {"input_ids", "attention_mask"} <= names <= {"input_ids", "attention_mask", "token_type_ids"}:
        raise InvalidError(f"the network {path} takes {sorted(names)}: no encoder of texts", "give another model")
    return session


def _tokenizer(folder: Path, tokens: int) -> Any:
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises Exception itself
        raise InvalidError(f"{path} cannot be used ({error})", "copy the model's folder again") from error
    # The file may bring settings of its own, such as padding to a fixed length.
    tokenizer.no_padding()
    tokenizer.enable_truncation(tokens)
    return tokenizer
