"""The encoder served by ONNX Runtime against sentence-transformers, and folders that cannot be served."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import orjson
import pytest

from index.embedding.sentence_encoder import SentenceEmbedder
from models.errors import InvalidError
from tests.index.embedding.weights import minilm

TEXTS = [
    "No valid host was found. There are not enough hosts available.",
    "",
    " \t\n ",
    "x",
    "NoValidHost_Remote: nova.exception_Remote.NoValidHost",
    "2026-03-02 08:00:00.000 7 ERROR nova.compute.manager [req-772c28a4-455d-4e72-b258-cbec9ee5486f - - - - -] boom",
    "Die Verbindung zum Server ist abgebrochen: größer, Ärger, ß, ﬁ",
    "网络 端口 未就绪 ネットワーク 네트워크",
    "emoji 🔥🔥 and \x1b[31mterminal codes\x1b[0m, \x00 and \ufffd",
    "{'code': 500, 'message': \"Traceback (most recent call last):\\n  File \\\"/usr/lib/python3/x.py\\\"\"}",
    "word " * 900,
    "https://10.0.0.1:9696/v2.0/ports.json?tenant_id=" + "a" * 300,
    "[CLS] [SEP] [MASK] [PAD] hidden words of the tokenizer",
    "No valid host was found. There are not enough hosts available.",
    *(" ".join(["volume", "attach", "port", "binding", "failed"][: n % 5 + 1] * n) for n in range(1, 40, 3)),
]

REFERENCE = """
import sys, numpy, orjson
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
numpy.save(sys.argv[2], model.encode(orjson.loads(sys.stdin.buffer.read()), normalize_embeddings=True))
"""


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


@pytest.mark.slow
@pytest.mark.timeout(900)  # torch comes from a cold disk
@pytest.mark.skipif(find_spec("sentence_transformers") is None, reason="sentence-transformers is not installed")
def test_vectors_are_those_of_sentence_transformers(embedder: SentenceEmbedder, tmp_path: Path) -> None:
    """Within 1e-4, whatever the text: empty, long, foreign, hostile."""
    out = tmp_path / "reference.npy"
    # A process of its own: torch brings threads and warnings along.
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REFERENCE, str(minilm()), str(out)],
        input=orjson.dumps(TEXTS),
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=True,
        capture_output=True,
    )
    reference = np.load(out)
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
