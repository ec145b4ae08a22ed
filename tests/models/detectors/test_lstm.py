"""The LSTM detector: surprise of events; windows and scores of a network that is not ours."""

import numpy as np
import pytest
from hypothesis import given, settings
from onnx import TensorProto, helper

from models.detectors import lstm
from models.detectors.lstm import COMMON, NEW_SURPRISE, LstmDetector, reduce
from models.errors import InvalidError
from models.features.sequences import build
from models.records import ALL_SOURCES, KeyKind
from tests.models.bundles import Window, network, windows
from tests.models.detectors import normal
from tests.models.detectors.normal import CLAIM, COMPUTE, DONE, HEARTBEAT, STARTED, UNSEEN, VOCABULARY, at

NETWORK = network(len(VOCABULARY))


def detector() -> LstmDetector:
    """One that remembers nothing yet."""
    return LstmDetector(NETWORK, VOCABULARY)


DETECTOR = detector()


@given(normal.BATCHES)
@settings(max_examples=40, deadline=None)
def test_the_company_does_not_matter(batch: tuple[list[Window], list[int]]) -> None:
    """Alone, among others, in another order, met before or not: raw score and surprise are the same to the last bit."""
    chosen, order = batch
    together = detector().score(windows(chosen))
    assert together.surprise is not None
    low = windows(chosen).splits
    again = detector().score(windows([chosen[i] for i in order]))
    assert again.raw.tobytes() == together.raw[order].tobytes()
    for i, window in enumerate(chosen):
        alone = DETECTOR.score(windows([window]))
        assert alone.surprise is not None
        assert alone.raw.tobytes() == together.raw[i : i + 1].tobytes()
        assert alone.surprise.tobytes() == together.surprise[low[i] : low[i + 1]].tobytes()


def test_a_window_that_was_met_before_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network sees different chunks only, once, until too many are remembered; results stay as they were."""
    batch = windows(normal.normal(3, 20))
    fresh, ran = detector(), []
    run = LstmDetector._run

    def counted(self: LstmDetector, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        ran.append(len(inputs))
        return run(self, inputs, targets)

    monkeypatch.setattr(LstmDetector, "_run", counted)
    first = fresh.score(batch)
    assert sum(ran) < len(batch)
    ran.clear()
    assert fresh.score(batch).raw.tobytes() == first.raw.tobytes()
    assert ran == []
    monkeypatch.setattr(lstm, "CACHED", 5)
    small = detector()
    for _ in range(2):
        assert small.score(batch).raw.tobytes() == first.raw.tobytes()
        assert len(small._cache) <= 5


def test_windows_over_everything_have_no_say_but_keep_what_is_known() -> None:
    """How the lines of many services interleave is chance: NaN; surprise found in their sources is passed on."""
    rows = [(1, HEARTBEAT), (2, CLAIM), (3, STARTED)]
    batch = windows([at(rows), at(rows, ALL_SOURCES)])
    scored = DETECTOR.score(batch)
    assert scored.surprise is not None
    assert np.isnan(scored.raw).tolist() == [False, True]
    assert np.isfinite(scored.surprise[:3]).all()
    assert np.isnan(scored.surprise[3:]).all()


def test_rows_that_are_passed_over_are_not_there() -> None:
    """Neither they nor what follows them surprise more than without them; a window may consist of nothing else."""
    noisy = windows([at([(1, HEARTBEAT), (2, UNSEEN), (2, CLAIM)]), at([(1, UNSEEN)]), at([(1, CLAIM)], "req-1")])
    quiet = windows([at([(1, HEARTBEAT), (2, CLAIM)]), at([]), at([(1, CLAIM)], "req-1")])
    passed_over = noisy.template == UNSEEN
    scored, wanted = DETECTOR.score(noisy, passed_over), DETECTOR.score(quiet)
    assert scored.surprise is not None
    assert wanted.surprise is not None
    assert scored.raw.tolist() == wanted.raw.tolist()
    assert scored.surprise[~passed_over].tolist() == wanted.surprise.tolist()
    assert np.isnan(scored.surprise[passed_over]).all()
    assert DETECTOR.score(noisy, np.zeros(5, np.bool_)).raw.tolist() == DETECTOR.score(noisy).raw.tolist()


def test_rows_of_an_earlier_window_of_the_batch_are_known_in_the_later_one() -> None:
    """Two windows of one key close at once: what is fresh in the first is old in the second, by the row's id."""
    batch = windows([Window((HEARTBEAT, CLAIM)), Window((HEARTBEAT, CLAIM, DONE), fresh=1, context=2)])
    batch.row_ids[:] = [7, 5, 7, 5, 9]
    surprise = DETECTOR.score(batch).surprise
    assert surprise is not None
    assert surprise[:2].tolist() == surprise[2:4].tolist()
    assert np.isfinite(surprise).all()
    batch = windows([Window((DONE,)), Window((HEARTBEAT, DONE)), Window((HEARTBEAT, DONE, CLAIM), fresh=1, context=2)])
    batch.row_ids[:] = [5, 7, 5, 7, 5, 9]
    surprise = DETECTOR.score(batch).surprise
    assert surprise is not None
    # Behind an error a row was seen too early; its step's own window tells.
    assert surprise[0] != surprise[2]
    assert surprise[1:3].tolist() == surprise[3:5].tolist()
    batch = windows([Window((HEARTBEAT, CLAIM)), Window((HEARTBEAT, CLAIM, DONE), fresh=1, context=2)])
    batch.row_ids[:] = [7, 5, 17, 15, 9]
    surprise = DETECTOR.score(batch).surprise
    assert surprise is not None
    assert np.isnan(surprise[2:4]).all()


def test_a_score_is_the_sum_of_what_is_above_common() -> None:
    """Surprise that is common for the kind adds nothing; all that is above is added up over old and fresh rows."""
    session = at([(1, CLAIM), (2, CLAIM), (3, CLAIM)], "req-1")
    batch = windows([Window((HEARTBEAT,) * 3, COMPUTE), session, Window((HEARTBEAT,) * 3, "volume:1", KeyKind.SESSION)])
    surprise = np.array([7.9, 8.0, 10.5, 9.0, np.nan, 3.0, 4.0, 4.25, 5.0], np.float32)
    ends = np.array([99.0, 8.5, np.nan], np.float32)
    assert reduce(batch, surprise, ends).tolist() == [2.5, 1.0 + 0.5, 0.25 + 1.0]
    assert COMMON[[0, 1, 3]].tolist() == [8.0, 8.0, 4.0]


def test_surprise_of_unseen_templates_has_a_floor() -> None:
    """Whatever the network thinks of the token."""
    surprise = DETECTOR.score(windows([at([(1, UNSEEN), (2, HEARTBEAT), (3, UNSEEN)])])).surprise
    assert surprise is not None
    assert (surprise[[0, 2]] >= NEW_SURPRISE).all()


def test_chunks_of_a_length_that_is_not_run_are_an_error() -> None:
    """Shapes are fixed, or a result would depend on them."""
    (sequences,) = build(windows([at([(1, HEARTBEAT)])]), VOCABULARY)
    with pytest.raises(ValueError, match="length 3"):
        DETECTOR._run(sequences.inputs[:, :3], sequences.targets[:, :3])


def test_an_empty_batch_is_fine() -> None:
    """No windows, no scores."""
    scored = DETECTOR.score(windows([]))
    assert scored.surprise is not None
    assert (len(scored.raw), len(scored.surprise)) == (0, 0)


def test_what_is_no_network_is_refused() -> None:
    """Bytes of anything else, and a network that takes something else: with advice."""
    with pytest.raises(InvalidError, match=r"cannot be loaded.*train the bundle again"):
        LstmDetector(b"no network", VOCABULARY)
    shape = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "other", [shape], [out])
    other = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(InvalidError, match="train the bundle again") as refused:
        LstmDetector(other.SerializeToString(), VOCABULARY)
    assert "('x',)" in str(refused.value)
