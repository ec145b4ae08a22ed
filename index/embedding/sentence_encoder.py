"""A folder of sentence-transformers, served by ONNX Runtime and ``tokenizers``: no torch.

The network of a folder is its ``onnx/model.onnx``.  Pooling, length and case follow the folder's own files; vectors are
always normalised, as inner products are taken for cosines.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from tokenizers import Tokenizer

from index.embedding.encoder_config import NETWORK, EncoderConfig, read_config
from models.errors import InvalidError
from models.onnx_runtime import ort
from models.records import F32

BATCH_TOKENS: Final = 512
"""Tokens of one run, padding included; a judgement: few, so that a layer's output stays in the processor's cache."""

_CHARACTERS_PER_TOKEN: Final = 256
"""A text is cut behind so many characters a token before it is split, to bound the work; a judgement: words of prose
have a tenth of that."""


class SentenceEmbedder:
    """Makes unit vectors of texts, the same as sentence-transformers where the model itself normalises.

    ``id`` is a hash over everything that decides what a vector is.
    """

    share = 0.35
    """A judgement; ``tests/bench/bench_index.py`` measures how well hits are found with it."""

    def __init__(self, folder: Path, name: str | None = None, threads: int = 1) -> None:
        """Load the model in ``folder``.

        Raises:
            InvalidError: the folder is no model that can be served.
        """
        self.name = name or folder.name
        self._config = read_config(folder)
        self.size = self._config.size
        network = folder / NETWORK
        if not network.is_file():
            raise InvalidError(
                f"{folder} holds no {NETWORK}",
                f"make it with `python -m training.export_encoder {folder} NEW_FOLDER` (needs tocsin[train]), and set "
                "TOCSIN_EMBEDDING_MODEL to NEW_FOLDER",
            )
        network_digest = _digest(folder, folder / "config.json", network)
        words_digest = _digest(folder, folder / "tokenizer.json")
        self.id = hashlib.sha256(f"{network_digest} {words_digest} {_form(self._config)}".encode()).hexdigest()[:16]
        self._tokenizer = _tokenizer(folder, self._config.tokens)
        self._session = _session(network, threads)
        self._inputs = [tensor.name for tensor in self._session.get_inputs()]

    def embed(self, texts: Sequence[str]) -> F32:
        """Return one unit vector a text, shape (texts, size); equal texts are computed once."""
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        limit = self._config.tokens * _CHARACTERS_PER_TOKEN
        clean = [_clean(text[:limit], lower=self._config.lower) for text in row_of]
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(clean)]
        vectors = np.empty((len(row_of), self.size), np.float32)
        for rows in _batches([len(ids) for ids in tokens]):
            vectors[rows] = self._run([tokens[row] for row in rows])
        return vectors[[row_of[text] for text in texts]]

    def _run(self, tokens: list[list[int]]) -> F32:
        """Return unit vectors, shape (texts, size), of the ids of each text's tokens."""
        inputs = np.zeros((len(tokens), max(map(len, tokens))), np.int64)
        mask = np.zeros_like(inputs)
        for row, ids in enumerate(tokens):
            inputs[row, : len(ids)] = ids
            mask[row, : len(ids)] = 1
        arrays = {"input_ids": inputs, "attention_mask": mask, "token_type_ids": np.zeros_like(inputs)}
        states: F32 = self._session.run(None, {name: arrays[name] for name in self._inputs})[0]
        if self._config.pooling == "cls":
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
    """Return the rows of each run: texts of similar length together, so that little is padded."""
    rows: list[int] = []
    for row in np.argsort(lengths, kind="stable").tolist():
        # Ascending: the newest is the longest, and the others are padded to it.
        if rows and (len(rows) + 1) * lengths[row] > BATCH_TOKENS:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def _form(config: EncoderConfig) -> str:
    """Return the configuration as ids of vectors have it; it must not change, or all kept vectors are made again."""
    return f"Form(tokens={config.tokens}, size={config.size}, lower={config.lower}, pooling={config.pooling!r})"


def _digest(folder: Path, *files: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InvalidError(
                f"{folder} is no model: {path.name} cannot be read ({error.strerror})", "copy the model's folder again"
            ) from error
    return digest.hexdigest()[:16]


def _session(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own without a common base
        raise InvalidError(f"the network {path} cannot be loaded ({error})", "copy the model's folder again") from error
    names = {tensor.name for tensor in session.get_inputs()}
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
