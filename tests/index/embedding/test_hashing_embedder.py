"""The embedder without a model."""

import hashlib

import numpy as np

from index.embedding.hashing_embedder import SIZE, HashedEmbedder

EMBEDDER = HashedEmbedder()


def test_vectors_are_the_same_for_ever() -> None:
    """They are kept in files: a change of any bit needs another id."""
    vector = EMBEDDER.embed(["PortBindingFailed: Binding failed for port <*> on host compute-1"])[0]
    coarse = np.round(vector * 1000).astype(np.int16)
    assert EMBEDDER.id == "hashed-384-1.1"
    assert hashlib.sha256(coarse.tobytes()).hexdigest()[:16] == "777b5d121d0b4b2a"


def test_texts_that_share_words_are_near() -> None:
    """A name is near its prose; texts without a common word are apart; order does not count."""
    line, prose, other, turned = EMBEDDER.embed(
        [
            "nova.exception.NoValidHost raised",
            "no valid host",
            "iSCSI login refused",
            "raised nova.exception.NoValidHost",
        ]
    )
    assert line @ prose > 0.4
    assert abs(line @ other) < 0.2
    assert line @ turned > 0.99


def test_vectors_have_length_one_or_none() -> None:
    """A text without words is like nothing."""
    vectors = EMBEDDER.embed(["volume", "volume " * 50, "", "<*> 10.0.0.1 of the"])
    assert vectors.shape == (4, SIZE)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 0], atol=1e-6)
    assert EMBEDDER.embed([]).shape == (0, SIZE)


def test_it_says_that_it_is_no_model() -> None:
    """Who reads where a diagnosis comes from must see it."""
    assert "no model" in EMBEDDER.name
