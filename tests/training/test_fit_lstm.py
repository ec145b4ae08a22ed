"""Training the network: what it learns, when it stops, and what a sequence weighs."""

import numpy as np
import pytest

from models.features.sequences import CHUNK, build
from models.features.vocabulary import NEW, PAD, START, Vocabulary
from models.records import KeyKind, WindowBatch
from tests.models.bundles import TEMPLATES, Window, windows
from training import fit_lstm as module
from training.fit_lstm import Corpus, FitConfig, fit
from training.network import NetworkConfig, network

A, B, C, D = TEMPLATES
VOCABULARY = Vocabulary(TEMPLATES)
SMALL = FitConfig(epochs=60, rate=2e-2, patience=60, network=NetworkConfig(8, 2, 16, 0.0))


def request(*rows: int) -> Window:
    """Make a session."""
    return Window(rows, "req-1", KeyKind.SESSION)


def corpus(*batches: WindowBatch) -> Corpus:
    """Collect the sequences of batches."""
    out = Corpus()
    for batch in batches:
        out.add(build(batch, VOCABULARY))
    return out


def content(collected: Corpus) -> set[tuple[bytes, bytes, bytes]]:
    """All different sequences with their weights."""
    return {
        (inputs[i].tobytes(), targets[i].tobytes(), weights[i].tobytes())
        for inputs, targets, weights in collected.tables()
        for i in range(len(inputs))
    }


def test_equal_sequences_are_kept_once_and_weigh_as_often_as_they_occur() -> None:
    """In one batch or in many; what is not scored weighs nothing."""
    chosen = [request(A, B), request(C), request(A, B), Window((A, B, C), fresh=1, context=2)]
    whole = corpus(windows(chosen))
    assert content(whole) == content(corpus(*(windows([each]) for each in chosen)))
    total = sum(weights.sum() for _, __, weights in whole.tables())
    assert total == 2 * 3 + 2 + 1
    assert sum(len(inputs) for inputs, _, __ in whole.tables()) == 3


def test_what_always_happens_weighs_no_more_than_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is common is learnt soon enough."""
    monkeypatch.setattr(module, "MAX_WEIGHT", 10.0)
    ((_, __, weights),) = corpus(windows([request(A)] * 50), windows([request(A)] * 50)).tables()
    assert weights.max() == 10.0


def test_hidden_inputs_become_new_but_never_padding_or_begin() -> None:
    """So that an unknown event in the context is nothing strange."""
    (table,) = corpus(windows([request(A, B)])).tables()
    inputs = np.repeat(table[0], 500, axis=0)
    hidden = module._hide(inputs, 0.5, np.random.default_rng(1))
    changed = hidden[:, :, 0] != inputs[:, :, 0]
    assert 0.4 < changed[inputs[:, :, 0] > START].mean() < 0.6
    assert not changed[inputs[:, :, 0] <= START].any()
    assert (hidden[:, :, 0][changed] == NEW).all()
    assert (hidden[:, :, 1:] == inputs[:, :, 1:]).all()
    assert PAD in inputs[:, :, 0]


@pytest.mark.train
@pytest.mark.usefixtures("tensorflow")
def test_it_learns_what_follows_what() -> None:
    """After a while a fixed order is no surprise, and an order never seen is one."""
    chosen = [request(*(A, B, C, D)[:n]) for n in (2, 4)] + [Window((A, B) * 20), Window((C, D, D) * 10)]
    told: list[str] = []
    model, loss = fit(corpus(windows(chosen * 3)), len(VOCABULARY), SMALL, 1, told.append)
    assert loss < 0.5
    assert told[0].startswith("epoch 1 of 60: ")
    assert float(told[0].split()[4].rstrip(",")) > 1.0

    def surprise(*rows: int) -> list[float]:
        (sequences,) = build(windows([request(*rows)]), VOCABULARY)
        found = model.predict_on_batch([sequences.inputs, sequences.targets])[0]
        return [float(each) for each in found[: len(rows) + 1]]

    assert max(surprise(A, B, C, D)) < 1.5
    assert surprise(A, D)[1] > 2.5
    assert surprise(A, B, C)[3] > 2.5  # the end comes too early


@pytest.mark.train
@pytest.mark.usefixtures("tensorflow")
def test_the_weights_of_the_best_epoch_are_kept() -> None:
    """Where a wild rate makes things worse, training stops after some patience, and the loss told is that kept."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, len(TEMPLATES), (60, 6)).tolist()
    collected = corpus(windows([request(*(TEMPLATES[i] for i in each)) for each in rows]))
    config = FitConfig(epochs=20, rate=1.0, patience=1, network=NetworkConfig(8, 2, 16, 0.0))
    told: list[str] = []
    model, loss = fit(collected, len(VOCABULARY), config, 1, told.append)
    losses = [float(sentence.split()[4].rstrip(",")) for sentence in told]
    assert len(losses) < 20
    assert loss == pytest.approx(min(losses), abs=2e-3)
    _, validate = module._divide(collected.tables(), np.random.default_rng(1))
    assert module._evaluate(model, validate) == pytest.approx(loss, abs=1e-4)


@pytest.mark.train
@pytest.mark.usefixtures("tensorflow")
def test_surprise_is_the_negative_log_likelihood_of_the_target() -> None:
    """Over all tokens the likelihoods add up to one; and no event changes the surprise of those before it."""
    import keras

    keras.utils.set_random_seed(1)
    model = network(len(VOCABULARY), NetworkConfig(8, 2, 16, 0.5))
    (sequences,) = build(windows([Window((A, B, C) * (CHUNK // 3))]), VOCABULARY)
    tokens = len(VOCABULARY)
    inputs = np.repeat(sequences.inputs, tokens, axis=0)
    targets = np.tile(np.arange(tokens, dtype=np.int32)[:, None], (1, inputs.shape[1]))
    surprise = np.asarray(model.predict_on_batch([inputs, targets]))
    assert np.exp(-surprise).sum(axis=0) == pytest.approx(np.ones(inputs.shape[1]), abs=1e-5)
    changed = inputs.copy()
    changed[:, 10:] = 0
    again = np.asarray(model.predict_on_batch([changed, targets]))
    assert again[:, :10] == pytest.approx(surprise[:, :10], abs=1e-5)
    assert again[:, 10:] != pytest.approx(surprise[:, 10:], abs=1e-3)
