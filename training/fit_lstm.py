"""Train the network on sequences."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from models.features.sequences import Sequences, unique_rows
from models.features.vocabulary import NEW, START
from models.records import F64, I32
from training.network import NetworkConfig, network

if TYPE_CHECKING:
    import keras

BATCH: Final = 256
"""Sequences a training step."""
MAX_WEIGHT: Final = 1000.0
"""A sequence counts as often as it occurs, up to this: what always happens is learnt soon enough."""

_VALIDATION: Final = 10
"""One sequence in so many decides when training ends."""


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How long and how fast; ``patience`` epochs without gain end the training."""

    epochs: int = 16
    rate: float = 4e-3
    patience: int = 4
    hidden_inputs: float = 0.01
    """Share of input tokens shown as NEW, so that an unknown event in the context is nothing strange."""
    network: NetworkConfig = field(default_factory=NetworkConfig)


@dataclass(slots=True)
class Corpus:
    """Different sequences per padded length, with how often each occurs."""

    _parts: dict[int, list[tuple[Sequences, F64]]] = field(default_factory=dict)

    def add(self, parts: list[Sequences]) -> None:
        """Add the chunks of one batch of windows."""
        for sequences in parts:
            index, inverse = unique_rows(sequences)
            counts = np.bincount(inverse, minlength=len(index)).astype(np.float64)
            length = sequences.inputs.shape[1]
            self._parts.setdefault(length, []).append((_take(sequences, index), counts))

    def tables(self) -> list[tuple[I32, I32, F64]]:
        """Inputs (n, T, 4), targets (n, T) and weights (n, T) per length; targets that are not scored weigh nothing."""
        out = []
        for parts in self._parts.values():
            whole = Sequences(
                np.concatenate([part.inputs for part, _ in parts]),
                np.concatenate([part.targets for part, _ in parts]),
                np.concatenate([part.position for part, _ in parts]),
            )
            counts = np.concatenate([count for _, count in parts])
            index, inverse = unique_rows(whole)
            total = np.minimum(np.bincount(inverse, weights=counts, minlength=len(index)), MAX_WEIGHT)
            chosen = _take(whole, index)
            out.append((chosen.inputs, chosen.targets, total[:, None] * (chosen.position >= 0)))
        return out


def fit(
    corpus: Corpus, tokens: int, config: FitConfig, seed: int, tell: Callable[[str], None]
) -> tuple["keras.Model", float]:
    """Train; returns the model and its mean surprise (nats per event) on sequences kept for validation.

    Every tenth different sequence validates; the weights of the best epoch are kept.
    """
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = network(tokens, config.network)
    model.compile(optimizer=keras.optimizers.Adam(config.rate, clipnorm=1.0), loss=_mean_surprise)
    train, validate = _divide(corpus.tables(), rng)
    best, best_weights, waited = float("inf"), model.get_weights(), 0
    for epoch in range(config.epochs):
        # A cosine from the full rate to a twentieth of it.
        model.optimizer.learning_rate = config.rate * (0.525 + 0.475 * np.cos(np.pi * epoch / config.epochs))
        for inputs, targets, weights in _batches(train, rng):
            model.train_on_batch([_hide(inputs, config.hidden_inputs, rng), targets], weights)
        loss = _evaluate(model, validate or train)
        tell(f"epoch {epoch + 1} of {config.epochs}: {loss:.3f}, the mean surprise of an event; less is better")
        if loss < best - 1e-3:
            best, best_weights, waited = loss, model.get_weights(), 0
        else:
            waited += 1
            if waited > config.patience:
                break
    model.set_weights(best_weights)
    return model, best


def _mean_surprise(weights: object, surprise: object) -> object:
    from keras import ops

    return ops.sum(ops.cast(weights, "float32") * surprise) / (ops.sum(ops.cast(weights, "float32")) + 1e-6)


Table = tuple[I32, I32, npt.NDArray[np.float64]]


def _divide(tables: list[Table], rng: np.random.Generator) -> tuple[list[Table], list[Table]]:
    train, validate = [], []
    for table in tables:
        order = rng.permutation(len(table[0]))
        kept = order[: len(order) // _VALIDATION]
        used = order[len(order) // _VALIDATION :]
        train.append((table[0][used], table[1][used], table[2][used]))
        if len(kept):
            validate.append((table[0][kept], table[1][kept], table[2][kept]))
    return train, validate


def _batches(tables: list[Table], rng: np.random.Generator) -> Iterator[Table]:
    places = []
    for number, (inputs, _, __) in enumerate(tables):
        order = rng.permutation(len(inputs))
        places += [(number, order[start : start + BATCH]) for start in range(0, len(order), BATCH)]
    for i in rng.permutation(len(places)).tolist():
        number, offset = places[i]
        inputs, targets, weights = tables[number]
        yield inputs[offset], targets[offset], weights[offset].astype(np.float32)


def _hide(inputs: I32, share: float, rng: np.random.Generator) -> I32:
    out = inputs.copy()
    hidden = (rng.random(inputs.shape[:2]) < share) & (inputs[:, :, 0] > START)
    out[:, :, 0][hidden] = NEW
    return out


def _evaluate(model: "keras.Model", tables: list[Table]) -> float:
    total = weight = 0.0
    for inputs, targets, weights in tables:
        for start in range(0, len(inputs), 1024):
            part = slice(start, start + 1024)
            surprise = np.asarray(model.predict_on_batch([inputs[part], targets[part]]))
            total += float((surprise * weights[part]).sum())
            weight += float(weights[part].sum())
    return total / max(weight, 1e-9)


def _take(sequences: Sequences, index: npt.NDArray[np.int64]) -> Sequences:
    return Sequences(sequences.inputs[index], sequences.targets[index], sequences.position[index])
