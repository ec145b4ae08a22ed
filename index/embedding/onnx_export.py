"""A BERT encoder as an ONNX graph, built straight from ``config.json`` and ``model.safetensors``: no torch.

Only this file imports ``onnx``, which the extra ``train`` brings; its result is kept, so that who serves needs ONNX
Runtime alone.  Standard operators only: ONNX Runtime's own fused ones were not faster (measured on one thread).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import orjson
from onnx import TensorProto, helper, numpy_helper

from index.embedding.safetensors_reader import read_tensors
from models.errors import InvalidError
from models.records import F32

IDS: Final = "input_ids"
MASK: Final = "attention_mask"
STATE: Final = "last_hidden_state"
_OPSET: Final = 20  # the first one with Gelu
_IR: Final = 9
_PREFIXES: Final = ("", "bert.")
_FAR_BELOW: Final = 1e4
"""Taken from the weight of a masked position before the softmax: e^-10000 is 0."""

_UNDERSTOOD: Final[Mapping[str, tuple[str | None, ...]]] = {
    "model_type": ("bert",),
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute", None),
}


def export(folder: Path) -> bytes:
    """Return the encoder of ``folder`` as ONNX: ids and mask (batch, length) int64 → states (batch, length, hidden).

    Raises:
        InvalidError: the folder does not hold a BERT encoder, or its weights do not fit its configuration.
    """
    config = _config(folder)
    weights = read_tensors(folder / "model.safetensors")
    prefix = next((p for p in _PREFIXES if f"{p}embeddings.word_embeddings.weight" in weights), None)
    if prefix is None:
        raise InvalidError(f"{folder} holds no weights of a BERT encoder", "give a folder with onnx/model.onnx")
    graph = _Graph(config, {name.removeprefix(prefix): tensor for name, tensor in weights.items()})
    try:
        return graph.build()
    except KeyError as error:
        raise InvalidError(
            f"{folder}: the weights or the configuration lack {error}", "copy the folder again"
        ) from error


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config: dict[str, Any] = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InvalidError(f"{path} cannot be read ({error})", "copy the model's folder again") from error
    unlike = [f"{name} {config.get(name)!r}" for name, known in _UNDERSTOOD.items() if config.get(name) not in known]
    if unlike:
        raise InvalidError(f"{folder}: cannot export {', '.join(unlike)}", "give a folder with onnx/model.onnx")
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
        state, far = self._embedded(), self._far()
        for layer in range(self._layers):
            at = f"encoder.layer.{layer}."
            heard = self._linear(f"{at}attention.output.dense.", self._attention(f"{at}attention.self.", state, far))
            state = self._normalised(f"{at}attention.output.LayerNorm.", self._node("Add", heard, state))
            inner = self._node("Gelu", self._linear(f"{at}intermediate.dense.", state))
            state = self._normalised(
                f"{at}output.LayerNorm.", self._node("Add", self._linear(f"{at}output.dense.", inner), state)
            )
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

    def _embedded(self) -> str:
        words = self._weight("embeddings.word_embeddings.weight")
        # Every token is of the first kind: a single text has no second part.
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        places = self._constant("places", self._weights["embeddings.position_embeddings.weight"] + kind)
        length = self._node("Shape", IDS, start=1, end=2)
        here = self._node("Slice", places, self._constant("zero", np.zeros(1, np.int64)), length)
        return self._normalised("embeddings.LayerNorm.", self._node("Add", self._node("Gather", words, IDS), here))

    def _far(self) -> str:
        """What is added to the weights of attention, shape (batch, 1, 1, length): 0, or far below where masked."""
        mask = self._node("Cast", MASK, to=TensorProto.FLOAT)
        below = self._node("Sub", mask, self._constant("one", np.ones((), np.float32)))
        scaled = self._node("Mul", below, self._constant("far", np.array(_FAR_BELOW, np.float32)))
        return self._node("Unsqueeze", scaled, self._constant("axes", np.array([1, 2], np.int64)))

    def _attention(self, at: str, state: str, far: str) -> str:
        size = self._hidden // self._heads
        split = self._constant("split", np.array([0, 0, self._heads, size], np.int64))

        def heads(name: str, order: list[int]) -> str:
            apart = self._node("Reshape", self._linear(f"{at}{name}.", state), split)
            return self._node("Transpose", apart, perm=order)

        product = self._node("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]))
        scaled = self._node("Div", product, self._constant("root", np.array(size**0.5, np.float32)))
        weight = self._node("Softmax", self._node("Add", scaled, far), axis=-1)
        mixed = self._node("Transpose", self._node("MatMul", weight, heads("value", [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        return self._node("Reshape", mixed, self._constant("join", np.array([0, 0, self._hidden], np.int64)))

    def _linear(self, at: str, x: str) -> str:
        matrix = self._weight(f"{at}weight", np.transpose)
        return self._node("Add", self._node("MatMul", x, matrix), self._weight(f"{at}bias"))

    def _normalised(self, at: str, x: str) -> str:
        scale, bias = self._weight(f"{at}weight"), self._weight(f"{at}bias")
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
