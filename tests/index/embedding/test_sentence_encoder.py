"""The encoder served by ONNX Runtime against sentence-transformers, and folders that cannot be served."""

import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest

from index.embedding.sentence_encoder import SentenceEmbedder
from models.errors import InvalidError
from tests.index.embedding.reference import TEXTS, VECTORS
from tests.index.embedding.weights import encoder, minilm


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network, made once for the whole file."""
    return encoder(tmp_path_factory.mktemp("models") / "minilm")


@pytest.fixture(scope="module")
def embedder(folder: Path) -> SentenceEmbedder:
    """The encoder of that folder."""
    return SentenceEmbedder(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder whose small files may be spoilt; the network is linked."""
    copied = tmp_path / "model"
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("onnx"))
    (copied / "onnx").mkdir()
    (copied / "onnx" / "model.onnx").symlink_to(folder / "onnx" / "model.onnx")
    return copied


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


def test_a_folder_without_a_network_says_how_to_make_one() -> None:
    """Weights alone are not served; one command makes a folder that is."""
    with pytest.raises(InvalidError, match=r"holds no onnx/model\.onnx; .*python -m training\.export_encoder "):
        SentenceEmbedder(minilm())


def test_the_id_is_that_of_the_files(folder: Path, copy: Path, embedder: SentenceEmbedder) -> None:
    """Wherever a folder lies: vectors of equal ids may be compared."""
    assert SentenceEmbedder(copy).id == SentenceEmbedder(folder, "another name").id == embedder.id


def test_length_and_pooling_follow_the_folder(copy: Path, embedder: SentenceEmbedder) -> None:
    """Fewer tokens: the rest of a text does not count; another pooling: other vectors; both: another id."""
    (copy / "sentence_bert_config.json").write_bytes(orjson.dumps({"max_seq_length": 8}))
    short = SentenceEmbedder(copy)
    one, two = short.embed(["a b c d e f g", "a b c d e f volume"])
    assert np.array_equal(one, two)
    (copy / "1_Pooling" / "config.json").write_bytes(orjson.dumps({"pooling_mode": "cls"}))
    first = SentenceEmbedder(copy)
    assert not np.allclose(first.embed(["port down"]), short.embed(["port down"]), atol=1e-3)
    assert len({embedder.id, short.id, first.id}) == 3


@pytest.mark.parametrize(
    ("file", "content", "message"),
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
        ("onnx/model.onnx", b"no network", "the network .* cannot be loaded"),
    ],
)
def test_a_folder_that_cannot_be_served_says_why(copy: Path, file: str, content: bytes, message: str) -> None:
    """One line with what to do."""
    (copy / file).unlink()
    (copy / file).write_bytes(content)
    with pytest.raises(InvalidError, match=message):
        SentenceEmbedder(copy)
