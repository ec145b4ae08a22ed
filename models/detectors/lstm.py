"""The LSTM as a detector: surprise of each event given those before it, and of a session's end.

The network gives the negative log-likelihood of each next event (DeepLog, Du et al., CCS 2017, takes its rank instead,
which has one operating point only).  A window's raw score is the surprise above what is common, summed over the window.
"""

from typing import Any, Final

import numpy as np

from models.arrays import splits
from models.detectors.base import RawScores
from models.errors import InvalidError
from models.features.sequences import LENGTHS, SHARED, Sequences, build, kind_numbers, unique_rows
from models.features.vocabulary import NEW, Vocabulary
from models.onnx_runtime import ort
from models.records import BOOL, F32, F64, KeyKind, WindowBatch
from models.windows.batches import without

NEW_SURPRISE: Final = 12.0
"""Least surprise (nats) of an event whose template training did not see, a judgement: one in 160,000 events."""

COMMON: Final = np.array([8.0, 8.0, 4.0, 4.0, 4.0, 4.0, np.inf])
"""Surprise (nats) up to which an event adds nothing, per kind of sequence: chosen among 2, 4, 6 and 8 on labelled runs.

Sources and requests are woven from many tasks and often surprise; the life of one thing seldom does."""

INPUTS: Final = ("inputs", "targets")
"""Names of the network's inputs."""

BATCH_CELLS: Final = 256
"""Chunks times length of one run: the shape is always the same, so a result never depends on what else is scored."""

CACHED: Final = 50_000
"""Chunks whose surprise is remembered: a judgement, some tens of megabytes."""

_DIGITS: Final = 4
"""Decimals of a surprise: coarser than the rounding errors of different machines."""


class LstmDetector:
    """Scores windows with an ONNX network; keeps results of chunks met before, which changes nothing but speed."""

    name = "lstm"

    def __init__(self, onnx: bytes | None, vocabulary: Vocabulary, threads: int = 1) -> None:
        """Load the network; without one, no event surprises and no window has a raw score.

        Raises:
            InvalidError: it cannot be loaded, or has other inputs.
        """
        self.vocabulary = vocabulary
        self._cache: dict[bytes, F32] = {}
        self._session: Any = None
        if onnx is None:
            return
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises classes of its own without a common base
            raise InvalidError(f"the bundle's network cannot be loaded: {error}", "train the bundle again") from error
        names = tuple(sorted(node.name for node in self._session.get_inputs()))
        if names != INPUTS:
            raise InvalidError(f"the bundle's network takes {names}, not {INPUTS}", "train the bundle again")

    def warm(self) -> None:
        """Run the network once, so that what is wrong with it shows, and its first batch takes no longer than others.

        Raises:
            InvalidError: it cannot be run.
        """
        if self._session is None:
            return
        nothing = np.zeros((1, LENGTHS[0]), np.int32)
        try:
            self._run(np.zeros((*nothing.shape, 4), np.int32), nothing)
        except Exception as error:  # onnxruntime raises classes of its own without a common base
            raise InvalidError(f"the bundle's network cannot be run: {error}", "train the bundle again") from error

    def score(self, windows: WindowBatch, passed_over: BOOL | None = None) -> RawScores:
        """Return raw scores (windows,) and surprise (rows,) in nats.

        Rows that are ``passed_over`` (rows,) have no surprise and are no context of others.
        """
        if self._session is None:
            return RawScores(np.full(len(windows), np.nan), np.full(len(windows.time), np.nan, np.float32))
        if passed_over is not None and passed_over.any():
            raw, of_others = self._score(without(windows, passed_over))
            surprise = np.full(len(passed_over), np.nan, np.float32)
            surprise[~passed_over] = of_others
        else:
            raw, surprise = self._score(windows)
        return RawScores(raw, surprise)

    def _score(self, windows: WindowBatch) -> tuple[F64, F32]:
        """Return raw scores (windows,) and surprise (rows,) in nats."""
        rows = len(windows.time)
        flat = np.full(rows + len(windows), np.nan, np.float32)
        for sequences in build(windows, self.vocabulary):
            nll = self.surprise(sequences)
            scored = sequences.position >= 0
            flat[sequences.position[scored]] = nll[scored]
        surprise = _shared(windows, flat[:rows])
        raw = reduce(windows, surprise, flat[rows:])
        raw[kind_numbers(windows) == SHARED] = np.nan
        return raw, surprise

    def surprise(self, sequences: Sequences) -> F32:
        """Return the negative log-likelihood of each target (n, T), rounded; undefined where nothing is scored."""
        index, inverse = unique_rows(sequences)
        nll = np.zeros((len(index), sequences.inputs.shape[1]), np.float32)
        keys = [sequences.inputs[i].tobytes() + sequences.targets[i].tobytes() for i in index.tolist()]
        missing = []
        for i, key in enumerate(keys):
            known = self._cache.get(key)
            if known is None:
                missing.append(i)
            else:
                nll[i] = known
        if missing:
            rows = index[missing]
            computed = self._run(sequences.inputs[rows], sequences.targets[rows])
            nll[missing] = computed
            if len(self._cache) + len(missing) > CACHED:
                self._cache.clear()
            if len(missing) <= CACHED:
                self._cache.update(zip([keys[i] for i in missing], computed, strict=True))
        return nll[inverse]

    def _run(self, inputs: np.ndarray, targets: np.ndarray) -> F32:
        length = inputs.shape[1]
        if length not in LENGTHS:
            raise ValueError(f"chunks of length {length}; the network is run with {LENGTHS} only")
        batch = BATCH_CELLS // length
        out = np.empty(targets.shape, np.float32)
        for start in range(0, len(inputs), batch):
            part = inputs[start : start + batch]
            x = np.zeros((batch, length, inputs.shape[2]), np.int32)
            y = np.zeros((batch, length), np.int32)
            x[: len(part)] = part
            y[: len(part)] = targets[start : start + batch]
            (nll,) = self._session.run(None, {"inputs": x, "targets": y})
            out[start : start + len(part)] = nll[: len(part)]
        out = np.where(targets == NEW, np.maximum(out, NEW_SURPRISE), out)
        return np.round(out, _DIGITS).astype(np.float32)


def _shared(windows: WindowBatch, fresh: F32) -> F32:
    """Surprise of all rows: the fresh ones', and for older rows what is remembered or was computed in this very batch.

    Where several windows of the batch have the row, the last one counts, as it would be remembered.
    """
    surprise = np.where(np.isnan(fresh), windows.surprise, fresh)
    unknown = np.flatnonzero(np.isnan(surprise))
    if len(unknown):
        known = np.flatnonzero(~np.isnan(fresh))
        order = np.argsort(windows.row_ids[known], kind="stable")
        ids, values = windows.row_ids[known][order], fresh[known][order]
        if len(ids):
            last = np.maximum(np.searchsorted(ids, windows.row_ids[unknown], "right") - 1, 0)
            surprise[unknown] = np.where(ids[last] == windows.row_ids[unknown], values[last], np.nan)
    return surprise.astype(np.float32)


def reduce(windows: WindowBatch, surprise: F32, ends: F32) -> F64:
    """Return the raw score of each window (windows,): surprise above ``COMMON``, summed over its events.

    The END of a session counts as an event.  Sums are made of whole numbers, so they do not depend on the batch.
    """
    common = COMMON[kind_numbers(windows)]
    of_row = np.repeat(common, np.diff(windows.splits))
    excess = np.maximum(np.nan_to_num(surprise.astype(np.float64), nan=0.0) - of_row, 0.0)
    # Integers add up exactly, in any order: the same window has the same score in any batch.
    total = splits(np.round(excess * 10**_DIGITS).astype(np.int64))
    raw = (total[windows.splits[1:]] - total[windows.splits[:-1]]).astype(np.float64)
    end = np.maximum(np.nan_to_num(ends.astype(np.float64), nan=0.0) - common, 0.0)
    raw += np.where(windows.kinds == KeyKind.SESSION, np.round(end * 10**_DIGITS), 0.0)
    return raw / 10**_DIGITS
