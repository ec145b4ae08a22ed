"""Windows and bundles made by hand, for tests: a network with an LSTM node and random weights, without TensorFlow."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from models.arrays import splits
from models.bundle import Bundle
from models.calibration.fusion import Fusion, fit_extremes
from models.calibration.tails import Calibration, fit_tail
from models.detectors.ensemble import DetectorSet
from models.detectors.error_rate import Levels
from models.detectors.novelty import Novelty
from models.features.vocabulary import END, SPECIAL, Vocabulary
from models.features.window_features import Groups
from models.records import VALUES, KeyKind, LastSeen, WindowBatch, source_id
from models.rfc3339 import SECOND
from models.templates.masks import Masks
from models.templates.matcher import mine, template_id
from models.windows.config import WindowConfig

START = 1_700_000_000 * SECOND
TEXTS = {"instance started": 5, "instance stopped": 5, "volume attached": 4, "port bound": 3}
TEMPLATES = [template_id(text) for text in TEXTS]
UNSEEN = template_id("kernel panic")
HIDDEN = 8


@dataclass(frozen=True)
class Window:
    """A window of templates one second apart; ``fresh`` None stands for all rows.

    ``seconds`` since the window's start, ``levels``, ``marks``, ``counts`` and ``values`` (the first of each row)
    may be given per row.
    """

    templates: tuple[int, ...]
    key: str = "nova/nova-compute"
    kind: KeyKind = KeyKind.SOURCE
    fresh: int | None = None
    context: int = 0
    tenant: str = "cloud"
    surprise: tuple[float, ...] | None = None
    seconds: tuple[float, ...] | None = None
    levels: tuple[int, ...] | None = None
    values: tuple[float, ...] | None = None
    marks: tuple[int, ...] | None = None
    counts: tuple[int, ...] | None = None
    continuations: int = 0
    whole: bool = True


def windows(chosen: list[Window]) -> WindowBatch:
    """Make one batch of several windows, in order."""
    n = len(chosen)
    sizes = np.array([len(window.templates) for window in chosen], np.int64)
    rows = int(sizes.sum())
    second = np.array([s for w in chosen for s in w.seconds or range(len(w.templates))], np.float64)
    fresh = [len(w.templates) if w.fresh is None else w.fresh for w in chosen]
    surprise = [w.surprise or (float("nan"),) * len(w.templates) for w in chosen]
    values = np.full((rows, VALUES), np.nan, np.float32)
    values[:, 0] = [v for w in chosen for v in w.values or (float("nan"),) * len(w.templates)]
    return WindowBatch(
        tenants=[window.tenant for window in chosen],
        kinds=np.array([window.kind for window in chosen], np.uint8),
        keys=[window.key for window in chosen],
        start=np.full(n, START, np.int64),
        end=np.full(n, START + 60 * SECOND, np.int64),
        splits=splits(sizes),
        new_rows=np.array(fresh, np.int64),
        context=np.array([window.context for window in chosen], np.int64),
        continuations=np.array([window.continuations for window in chosen], np.int64),
        complete=np.array([window.whole for window in chosen], np.bool_),
        time=(START + second * SECOND).astype(np.int64),
        template=np.array([t for window in chosen for t in window.templates], np.uint64),
        origin=np.repeat(np.array([source_id(window.key) for window in chosen], np.uint32), sizes),
        level=np.array([level for w in chosen for level in w.levels or (2,) * len(w.templates)], np.uint8),
        marks=np.array([mark for w in chosen for mark in w.marks or (0,) * len(w.templates)], np.uint8),
        count=np.array([count for w in chosen for count in w.counts or (1,) * len(w.templates)], np.int64),
        partition=np.zeros(rows, np.int32),
        offset=np.arange(rows, dtype=np.int64),
        values=values,
        surprise=np.array([s for each in surprise for s in each], np.float32),
        row_ids=np.arange(rows, dtype=np.int64),
        last_seen=LastSeen.nothing(np.full(n, START, np.int64)),
    )


def network(tokens: int, seed: int = 1) -> bytes:
    """Make an ONNX network with the inputs and outputs of a trained one; the end of a session always surprises it."""
    rng = np.random.default_rng(seed)

    def weights(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(rng.normal(0, 0.7, shape).astype(np.float32), name)

    def whole(name: str, values: list[int]) -> TensorProto:
        return numpy_helper.from_array(np.array(values, np.int64), name)

    nodes = [
        helper.make_node("Gather", ["inputs", "first"], ["token"], axis=2),
        helper.make_node("Gather", ["table", "token"], ["x"], axis=0),
        helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["xt", "w", "r", "b"], ["y"], hidden_size=HIDDEN),
        helper.make_node("Squeeze", ["y", "one"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["h"], perm=[1, 0, 2]),
        helper.make_node("MatMul", ["h", "out"], ["odds"]),
        helper.make_node("Add", ["odds", "bias"], ["logits"]),
        helper.make_node("LogSoftmax", ["logits"], ["log_p"], axis=-1),
        helper.make_node("Unsqueeze", ["targets", "last"], ["at"]),
        helper.make_node("GatherElements", ["log_p", "at"], ["picked"], axis=2),
        helper.make_node("Neg", ["picked"], ["negative"]),
        helper.make_node("Squeeze", ["negative", "last"], ["surprise"]),
    ]
    bias = np.zeros(tokens, np.float32)
    bias[END] = -6.0
    constants = [
        numpy_helper.from_array(bias, "bias"),
        numpy_helper.from_array(np.array(0, np.int64), "first"),
        whole("one", [1]),
        whole("last", [2]),
        weights("table", tokens, HIDDEN),
        weights("w", 1, 4 * HIDDEN, HIDDEN),
        weights("r", 1, 4 * HIDDEN, HIDDEN),
        weights("b", 1, 8 * HIDDEN),
        weights("out", HIDDEN, tokens),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [
            helper.make_tensor_value_info("inputs", TensorProto.INT32, ["n", "t", 4]),
            helper.make_tensor_value_info("targets", TensorProto.INT32, ["n", "t"]),
        ],
        [helper.make_tensor_value_info("surprise", TensorProto.FLOAT, ["n", "t"])],
        initializer=constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def bundle(raw: npt.NDArray[np.float64] | None = None, seed: int = 1) -> Bundle:
    """Make a bundle of four templates; ``raw`` are the scores of normal windows, by default 500 small ones."""
    vocabulary = Vocabulary(TEMPLATES)
    scores = np.random.default_rng(seed).exponential(1.0, 500) if raw is None else raw
    calibration = Calibration(dict.fromkeys((0, 1), fit_tail(scores, 4.0)))
    parts = dict.fromkeys(("lstm", "novelty", "levels"), calibration)
    strength = Calibration.strength(calibration, np.zeros(len(scores), np.int32), scores)
    extremes = fit_extremes(strength, np.arange(len(scores)) // 5, 1.0)
    groups = Groups(["nova/nova-compute"])
    known = np.arange(SPECIAL, len(vocabulary))
    companions = DetectorSet(
        groups,
        (Novelty({1: known, len(groups) - 1: known}), Levels(np.full(len(groups), 0.01))),
        np.arange(len(vocabulary), dtype=np.float64),
        np.full(len(vocabulary), len(groups) - 1),
        np.full(len(groups), 1000),
    )
    return Bundle(
        onnx=network(len(vocabulary), seed),
        vocabulary=vocabulary,
        table=mine(TEXTS),
        masks=Masks.default(),
        detectors=companions,
        calibration=Fusion(parts, dict.fromkeys((0, 1), extremes)),
        windows=WindowConfig(),
        facts={"seed": seed},
    )
