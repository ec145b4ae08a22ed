"""Keras → ONNX, with proof that both say the same."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from models.errors import FatalError
from models.onnx_runtime import ort
from training.network import surprise_of

if TYPE_CHECKING:
    import keras

TOLERANCE: Final = 1e-4
"""Largest difference (nats) between Keras and ONNX Runtime that is accepted."""

_OPSET: Final = 17
"""ONNX operator set of the export: any ONNX Runtime that Tocsin accepts reads it."""


def to_onnx(model: "keras.Model", inputs: npt.NDArray[np.int32], targets: npt.NDArray[np.int32]) -> bytes:
    """Export the model; ``inputs`` (n, T, 4) and ``targets`` (n, T) are real sequences to compare on.

    Raises:
        FatalError: the exported network differs from the model, or has no LSTM node.
    """
    import tensorflow as tf
    import tf2onnx

    signature = (
        tf.TensorSpec((None, None, 4), tf.int32, name="inputs"),
        tf.TensorSpec((None, None), tf.int32, name="targets"),
    )
    function = tf.function(surprise_of(model))
    with tempfile.TemporaryDirectory() as folder:
        proto, _ = tf2onnx.convert.from_function(
            function, input_signature=signature, opset=_OPSET, output_path=str(Path(folder) / "lstm.onnx")
        )
    if not any(node.op_type == "LSTM" for node in proto.graph.node):
        raise FatalError("the exported network has no LSTM node: tf2onnx unrolled it", "use the versions of uv.lock")
    data: bytes = proto.SerializeToString()
    worst = difference(model, data, inputs, targets)
    if worst > TOLERANCE:
        raise FatalError(f"ONNX differs from Keras by {worst:.2g} nats", "use the versions of uv.lock")
    return data


def difference(
    model: "keras.Model", onnx: bytes, inputs: npt.NDArray[np.int32], targets: npt.NDArray[np.int32]
) -> float:
    """Largest absolute difference of the surprise between the two, in nats."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    (ours,) = session.run(None, {"inputs": inputs, "targets": targets})
    theirs = model.predict_on_batch([inputs, targets])
    return float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())
