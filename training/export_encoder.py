"""A BERT sentence encoder as an ONNX graph, built from ``config.json`` and ``model.safetensors``: no torch.

``python -m training.export_encoder MODEL OUT`` copies the folder MODEL of a sentence-transformers model to OUT, with
``onnx/model.onnx`` in place of the weights: TOCSIN_EMBEDDING_MODEL may then name OUT.  Most models on the Hugging Face
hub bring that file, and need none of this.  The libraries come with the extra ``train``.

Standard operators only: ONNX Runtime's own fused ones were not faster (measured on one thread).
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import orjson
from onnx import TensorProto, helper, numpy_helper
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models.errors import InvalidError, TocsinError
from models.records import F32

IDS: Final = "input_ids"
MASK: Final = "attention_mask"
STATE: Final = "last_hidden_state"
_OPSET: Final = 20
"""Version of ONNX's operators: the first one with Gelu."""

_IR: Final = 9
"""Version of ONNX's file format: the one that came with that version of the operators."""

_PREFIXES: Final = ("", "bert.")
_FAR_BELOW: Final = 1e4
"""Taken from the score of a masked position before the softmax: e^-10000 is 0 in any precision."""

_UNDERSTOOD: Final[Mapping[str, tuple[str | None, ...]]] = {
    "model_type": ("bert",),
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute", None),
}


def export_folder(model: Path, out: Path) -> Path:
    """Copy a model's folder to ``out``, with ``onnx/model.onnx`` in place of its weights; return the new file.

    Raises:
        InvalidError: ``model`` does not hold a BERT encoder, or ``out`` exists or cannot be written.
    """
    graph = to_onnx(model)
    try:
        shutil.copytree(model, out, ignore=shutil.ignore_patterns("*.safetensors", "*.bin", "*.h5", "onnx", "openvino"))
        path = out / "onnx" / "model.onnx"
        path.parent.mkdir()
        path.write_bytes(graph)
    except OSError as error:
        raise InvalidError(f"cannot write {out} ({error.strerror or error})", "name another folder") from error
    return path


def to_onnx(folder: Path) -> bytes:
    """Return the encoder of ``folder`` as ONNX: ids and mask (batch, length) int64 → states (batch, length, hidden).

    Raises:
        InvalidError: the folder does not hold a BERT encoder, or its weights do not fit its configuration.
    """
    config = _config(folder)
    weights = _weights(folder / "model.safetensors")
    prefix = next((prefix for prefix in _PREFIXES if f"{prefix}embeddings.word_embeddings.weight" in weights), None)
    if prefix is None:
        raise InvalidError(f"{folder} holds no weights of a BERT encoder", "take a model with onnx/model.onnx")
    try:
        return _Graph(config, {name.removeprefix(prefix): tensor for name, tensor in weights.items()}).build()
    except KeyError as error:
        raise InvalidError(
            f"{folder}: the weights or the configuration lack {error}", "copy the folder again"
        ) from error


def _weights(path: Path) -> dict[str, F32]:
    """Return name → tensor as float32; integers, which a BERT's weights do not need, are left out."""
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError, TypeError) as error:
        raise InvalidError(f"{path} holds no readable weights ({error})", "copy the model's folder again") from error
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items() if tensor.dtype.kind == "f"}


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config: dict[str, Any] = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InvalidError(f"{path} cannot be read ({error})", "copy the model's folder again") from error
    unlike = [f"{name} {config.get(name)!r}" for name, known in _UNDERSTOOD.items() if config.get(name) not in known]
    if unlike:
        raise InvalidError(f"{folder}: cannot export {', '.join(unlike)}", "take a model with onnx/model.onnx")
    return config


class _Graph:
    """Nodes and weights as they are added; methods return the name of their output."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, F32]) -> None:
        self._weights = weights
        self._layers: int = config["num_hidden_layers"]
        self._hidden: int = config["hidden_size"]
        self._heads: int = config["num_attention_heads"]
        self._epsilon: float = config["layer_norm_eps"]
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def build(self) -> bytes:
        """Return the whole model, serialised."""
        state, bias = self._embeddings(), self._attention_bias()
        for layer in range(self._layers):
            prefix = f"encoder.layer.{layer}."
            context = self._attention(f"{prefix}attention.self.", state, bias)
            attended = self._linear(f"{prefix}attention.output.dense.", context)
            state = self._layer_norm(f"{prefix}attention.output.LayerNorm.", self._node("Add", attended, state))
            inner = self._node("Gelu", self._linear(f"{prefix}intermediate.dense.", state))
            outer = self._linear(f"{prefix}output.dense.", inner)
            state = self._layer_norm(f"{prefix}output.LayerNorm.", self._node("Add", outer, state))
        self._nodes.append(helper.make_node("Identity", [state], [STATE]))
        shape = ["batch", "length"]
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in (IDS, MASK)],
            [helper.make_tensor_value_info(STATE, TensorProto.FLOAT, [*shape, self._hidden])],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="tocsin")
        onnx.checker.check_model(model)
        data: bytes = model.SerializeToString()
        return data

    def _embeddings(self) -> str:
        words = self._weight("embeddings.word_embeddings.weight")
        # Every token is of the first kind: a single text has no second part.
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        positions = self._constant("positions", self._weights["embeddings.position_embeddings.weight"] + kind)
        length = self._node("Shape", IDS, start=1, end=2)
        used = self._node("Slice", positions, self._constant("zero", np.zeros(1, np.int64)), length)
        return self._layer_norm("embeddings.LayerNorm.", self._node("Add", self._node("Gather", words, IDS), used))

    def _attention_bias(self) -> str:
        """What is added to the scores of attention, shape (batch, 1, 1, length): 0, or far below where masked."""
        mask = self._node("Cast", MASK, to=TensorProto.FLOAT)
        below = self._node("Sub", mask, self._constant("one", np.ones((), np.float32)))
        scaled = self._node("Mul", below, self._constant("far", np.array(_FAR_BELOW, np.float32)))
        return self._node("Unsqueeze", scaled, self._constant("axes", np.array([1, 2], np.int64)))

    def _attention(self, prefix: str, state: str, bias: str) -> str:
        size = self._hidden // self._heads
        split = self._constant("split", np.array([0, 0, self._heads, size], np.int64))

        def heads(name: str, order: list[int]) -> str:
            separate = self._node("Reshape", self._linear(f"{prefix}{name}.", state), split)
            return self._node("Transpose", separate, perm=order)

        product = self._node("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]))
        scaled = self._node("Div", product, self._constant("root", np.array(size**0.5, np.float32)))
        weight = self._node("Softmax", self._node("Add", scaled, bias), axis=-1)
        mixed = self._node("Transpose", self._node("MatMul", weight, heads("value", [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        return self._node("Reshape", mixed, self._constant("join", np.array([0, 0, self._hidden], np.int64)))

    def _linear(self, prefix: str, x: str) -> str:
        matrix = self._weight(f"{prefix}weight", np.transpose)
        return self._node("Add", self._node("MatMul", x, matrix), self._weight(f"{prefix}bias"))

    def _layer_norm(self, prefix: str, x: str) -> str:
        scale, bias = self._weight(f"{prefix}weight"), self._weight(f"{prefix}bias")
        return self._node("LayerNormalization", x, scale, bias, axis=-1, epsilon=self._epsilon)

    def _weight(self, name: str, change: Callable[[F32], F32] = np.asarray) -> str:
        return self._constant(name, change(self._weights[name]))

    def _constant(self, name: str, value: Any) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
        return name

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name


def main(arguments: Sequence[str] | None = None) -> int:
    """Export the folder that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.export_encoder",
        description="Copy a sentence-transformers model's folder, with onnx/model.onnx in place of its weights.",
        epilog="example: python -m training.export_encoder models/all-MiniLM-L6-v2 encoder",
    )
    parser.add_argument("model", type=Path, help="folder with config.json and model.safetensors")
    parser.add_argument("out", type=Path, help="folder to make")
    chosen = parser.parse_args(arguments)
    try:
        sys.stdout.write(f"{export_folder(chosen.model, chosen.out)}\n")
    except TocsinError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
