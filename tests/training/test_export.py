"""Keras to ONNX: both say the same, and what does not is refused."""

import numpy as np
import onnx
import pytest

from models.detectors.lstm import LstmDetector
from models.errors import FatalError
from models.features.sequences import GAPS, KINDS, LENGTHS, LEVELS, build
from models.features.vocabulary import Vocabulary
from tests.models.bundles import TEMPLATES, Window, windows
from training import export
from training.export import TOLERANCE, difference, to_onnx
from training.network import NetworkConfig, network

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("tensorflow")]

VOCABULARY = Vocabulary(TEMPLATES)
TOKENS = len(VOCABULARY)


def sequences(count: int, length: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Make random inputs (n, T, 4) and targets (n, T)."""
    rng = np.random.default_rng(seed)
    columns = [rng.integers(0, most, (count, length)) for most in (TOKENS, GAPS, LEVELS, KINDS)]
    return np.stack(columns, axis=-1).astype(np.int32), rng.integers(0, TOKENS, (count, length)).astype(np.int32)


@pytest.fixture(scope="module")
def model(tensorflow: None) -> object:
    """An untrained network with large weights, so that a difference shows."""
    import keras

    keras.utils.set_random_seed(3)
    made = network(TOKENS, NetworkConfig(8, 4, 16, 0.3))
    made.set_weights([3.0 * weight for weight in made.get_weights()])
    return made


@pytest.fixture(scope="module")
def exported(model: object) -> bytes:
    """The same as ONNX."""
    return to_onnx(model, *sequences(4, 8))


def test_both_say_the_same_whatever_the_shape(model: object, exported: bytes) -> None:
    """Of one chunk or many, of every length that is run."""
    for n, length in enumerate(LENGTHS):
        assert difference(model, exported, *sequences(1 + 7 * n, length, n)) < TOLERANCE


def test_an_export_is_run_by_the_detector_and_gives_what_keras_gives(model: object, exported: bytes) -> None:
    """Through padding, fixed shapes and the cache."""
    batch = windows([Window(tuple(TEMPLATES) * 3), Window(tuple(TEMPLATES[:2]) * 20, fresh=5, context=9)])
    detector = LstmDetector(exported, VOCABULARY)
    built = list(build(batch, VOCABULARY))
    assert built
    for chunks in built:
        theirs = np.asarray(model.predict_on_batch([chunks.inputs, chunks.targets]))  # type: ignore[attr-defined]
        ours = detector.surprise(chunks)
        scored = chunks.position >= 0
        assert np.abs(ours - theirs)[scored].max() < 2e-4
        assert np.ptp(theirs[scored]) > 0.1


def test_the_network_keeps_its_lstm_and_names_its_inputs(exported: bytes) -> None:
    """One node, not one a step: or a worker would be slow and a length fixed."""
    graph = onnx.load_model_from_string(exported).graph
    assert [node.op_type for node in graph.node].count("LSTM") == 1
    assert {each.name for each in graph.input} == {"inputs", "targets"}


def test_an_export_looks_targets_up(exported: bytes) -> None:
    """It multiplies nothing by one-hot targets, which would cost as much as the LSTM; no index is checked twice."""
    kinds = {node.op_type for node in onnx.load_model_from_string(exported).graph.node}
    assert {"Split", "LogSoftmax"} <= kinds
    assert not {"OneHot", "Less", "Where", "Exp"} & kinds


def test_dropout_is_left_out(exported: bytes) -> None:
    """The same input has the same surprise every time."""
    node_types = {node.op_type for node in onnx.load_model_from_string(exported).graph.node}
    assert not {kind for kind in node_types if "Dropout" in kind or "Random" in kind}


def test_an_export_that_differs_is_refused(model: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here because nothing is equal enough; in earnest because libraries do not fit."""
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(FatalError, match=r"ONNX differs from Keras by .* use the versions of uv\.lock"):
        to_onnx(model, *sequences(2, 4))


def test_a_network_without_lstm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would not be what the bundle says that it is."""
    import keras

    inputs = keras.Input((None, 4), dtype="int32")
    targets = keras.Input((None,), dtype="int32")
    other = keras.Model([inputs, targets], keras.ops.cast(inputs[:, :, 0] - targets, "float32"))
    monkeypatch.setattr(export, "surprise_of", lambda model: lambda *arguments: model([*arguments]))
    with pytest.raises(FatalError, match="no LSTM node"):
        to_onnx(other, *sequences(2, 4))
