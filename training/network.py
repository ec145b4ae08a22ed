"""The network: an LSTM over template sequences that gives the surprise of each next event."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.features.sequences import GAPS, KINDS, LEVELS

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of the layers."""

    token_size: int = 32
    side_size: int = 8
    hidden: int = 64
    dropout: float = 0.1


def network(tokens: int, config: NetworkConfig) -> "keras.Model":
    """A Keras model: inputs (n, T, 4) and targets (n, T), both int32 → surprise (n, T) in nats.

    ``tokens`` is the size of the vocabulary.  The surprise is computed inside, so that the exported network gives one
    number per event instead of a distribution over all templates.
    """
    import keras
    from keras import layers, ops

    inputs = keras.Input((None, 4), dtype="int32", name="inputs")
    targets = keras.Input((None,), dtype="int32", name="targets")
    parts: list[Any] = [
        layers.Embedding(tokens, config.token_size, name="token")(inputs[:, :, 0]),
        layers.Embedding(GAPS, config.side_size, name="gap")(inputs[:, :, 1]),
        layers.Embedding(LEVELS, config.side_size, name="level")(inputs[:, :, 2]),
        layers.Embedding(KINDS, config.side_size, name="kind")(inputs[:, :, 3]),
    ]
    hidden = layers.LSTM(config.hidden, return_sequences=True, name="lstm")(layers.Concatenate()(parts))
    hidden = layers.Dropout(config.dropout)(hidden)
    logits = layers.Dense(tokens, name="next")(hidden)
    chosen = ops.sum(logits * ops.one_hot(targets, tokens), axis=-1)
    return keras.Model([inputs, targets], ops.logsumexp(logits, axis=-1) - chosen, name="tocsin_lstm")
