"""The encoder served by ONNX Runtime against sentence-transformers, and folders that cannot be served."""

import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest

from index.embedding.sentence_encoder import SentenceEmbedder
from models.errors import InvalidError
from tests.index.embedding.reference import TEXTS, VECTORS
from tests.index.embedding.weights import minilm


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of networks made once for the whole file."""
    pytest.importorskip("onnx")
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def embedder(cache: Path) -> SentenceEmbedder:
    """The encoder of the package of weights."""
    return SentenceEmbedder(minilm(), cache)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the folder whose small files may be spoilt; the weights are linked."""
    folder = tmp_path / "model"
    shutil.copytree(minilm(), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").symlink_to(minilm() / "model.safetensors")
    return folder


def test_vectors_are_those_of_sentence_transformers(embedder: SentenceEmbedder) -> None:
    """Within 1e-4, whatever the text: empty, long, foreign, hostile; ``reference.py`` recorded the vectors."""
    reference = np.load(VECTORS)
    assert reference.shape == (len(TEXTS), embedder.size)
    assert np.abs(embedder.embed(TEXTS) - reference).max() < 1e-4


def test_a_text_has_one_vector_whatever_stands_beside_it(embedder: SentenceEmbedder) -> None:
    """Batches differ, vectors do not; they have length 1 and keep the order of the texts."""
    together = embedder.embed(TEXTS)
    assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    for row in (0, 1, 7, 10, len(TEXTS) - 1):
        assert np.abs(embedder.embed([TEXTS[row]])[0] - together[row]).max() < 1e-5
    assert embedder.embed([]).shape == (0, embedder.size)


def test_like_meaning_is_nearer_than_like_words(embedder: SentenceEmbedder) -> None:
    """What a model is for: a paraphrase beats a sentence that shares words."""
    one, same, other = embedder.embed(
        ["the disk cannot be connected to the server", "volume attachment failed", "the server cannot be cheap"]
    )
    assert one @ same > one @ other


def test_half_a_surrogate_pair_is_embedded_like_a_question_mark(embedder: SentenceEmbedder) -> None:
    """JSON may carry it, and one bad line must not stop a batch."""
    odd, plain = embedder.embed(["port \ud83d down", "port ? down"])
    assert np.array_equal(odd, plain)


def test_a_network_is_made_once(cache: Path, embedder: SentenceEmbedder) -> None:
    """The second start takes it from the cache; a damaged one is made again."""
    (kept,) = cache.iterdir()
    made = kept.stat().st_mtime_ns
    again = SentenceEmbedder(minilm(), cache)
    assert kept.stat().st_mtime_ns == made
    assert again.id == embedder.id
    kept.write_bytes(b"no network")
    mended = SentenceEmbedder(minilm(), cache)
    assert np.array_equal(mended.embed(["port down"]), embedder.embed(["port down"]))


def test_a_folder_with_a_network_needs_no_other(cache: Path, copy: Path, embedder: SentenceEmbedder) -> None:
    """``onnx/model.onnx`` is served as it is, without weights and without a cache."""
    (kept,) = cache.iterdir()
    (copy / "onnx").mkdir()
    (copy / "onnx" / "model.onnx").symlink_to(kept)
    (copy / "model.safetensors").unlink()
    served = SentenceEmbedder(copy, copy / "never")
    assert not (copy / "never").exists()
    assert np.array_equal(served.embed(["port down"]), embedder.embed(["port down"]))


def test_length_and_pooling_follow_the_folder(cache: Path, copy: Path, embedder: SentenceEmbedder) -> None:
    """Fewer tokens: the rest of a text does not count; another pooling: other vectors; both: another id."""
    (copy / "sentence_bert_config.json").write_bytes(orjson.dumps({"max_seq_length": 8}))
    short = SentenceEmbedder(copy, cache)
    one, two = short.embed(["a b c d e f g", "a b c d e f volume"])
    assert np.array_equal(one, two)
    (copy / "1_Pooling" / "config.json").write_bytes(orjson.dumps({"pooling_mode": "cls"}))
    first = SentenceEmbedder(copy, cache)
    assert not np.allclose(first.embed(["port down"]), short.embed(["port down"]), atol=1e-3)
    assert len({embedder.id, short.id, first.id}) == 3


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("config.json", b"{", "config.json cannot be read"),
        (
            "config.json",
            orjson.dumps({"max_position_embeddings": 512}),
            "names no hidden_size or max_position_embeddings",
        ),
        ("modules.json", orjson.dumps([{"type": "sentence_transformers.models.Dense", "path": "x"}]), "needs Dense"),
        ("1_Pooling/config.json", orjson.dumps({"pooling_mode": "max"}), "pooling by max"),
        ("tokenizer.json", b"{}", "tokenizer.json cannot be used"),
        ("model.safetensors", b"\x10\0\0\0\0\0\0\0{}", "holds no readable weights"),
        ("model.safetensors", b"", "holds no readable weights"),
        ("model.safetensors", b"\x02\0\0\0\0\0\0\0{}", "holds no weights of a BERT encoder"),
    ],
)
def test_a_folder_that_cannot_be_served_says_why(cache: Path, copy: Path, file: str, content: bytes, told: str) -> None:
    """One line with what to do; nothing of it stays in the cache."""
    before = set(cache.iterdir())
    (copy / file).unlink()
    (copy / file).write_bytes(content)
    with pytest.raises(InvalidError, match=told):
        SentenceEmbedder(copy, cache)
    assert set(cache.iterdir()) == before


def test_another_architecture_is_refused_by_name(tmp_path: Path, copy: Path) -> None:
    """A graph of BERT over other weights would give numbers without meaning."""
    pytest.importorskip("onnx")
    config = orjson.loads((copy / "config.json").read_bytes())
    (copy / "config.json").write_bytes(orjson.dumps(config | {"model_type": "mpnet"}))
    with pytest.raises(InvalidError, match=r"cannot export model_type 'mpnet'; give a folder"):
        SentenceEmbedder(copy, tmp_path / "cache")
