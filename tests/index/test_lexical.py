"""TF-IDF over rows that come and go."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from index import tokens
from index.lexical import Counts, Lexical
from models.errors import InvalidError

TEXTS = [
    "volume attach failed, iSCSI login timed out",
    "No valid host was found",
    "neutron port binding failed failed failed on host",
    "",
    "keystone token rejected with 401",
]
QUERIES = ["port failed to bind", "host", "401", "nothing of this", ""]


@pytest.mark.parametrize("query", QUERIES)
def test_scores_are_those_of_scikit_learn(query: str) -> None:
    """The same weights, the same cosines."""
    reference = TfidfVectorizer(analyzer=tokens.words, sublinear_tf=True)
    matrix = reference.fit_transform(TEXTS)
    lexical = Lexical()
    lexical.add(TEXTS)
    known = [word for word in tokens.words(query) if word in reference.vocabulary_]
    # A word of no text makes our query longer; scikit-learn leaves it out before.
    expected = (matrix @ reference.transform([" ".join(known)]).T).toarray().ravel()
    assert np.allclose(lexical.scores(" ".join(known)), expected, atol=1e-6)


@pytest.mark.parametrize("few", [0, 10_000])
def test_a_new_row_is_found_at_once(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are weighed anew every time; of many, some may be weighed by the fit before, until they are a share."""
    monkeypatch.setattr("index.lexical._FEW", few)
    lexical = Lexical()
    lexical.add(TEXTS)
    assert len(lexical.scores("port")) == 5
    lexical.add(["port quota exceeded"])
    assert lexical.scores("quota").argmax() == 5
    whole = Lexical()
    whole.add([*TEXTS, "port quota exceeded"])
    assert np.allclose(lexical.scores("quota port"), whole.scores("quota port")) == (few > 0)
    lexical.add(["quota exceeded"] * 400)
    assert len(lexical.scores("port")) == len(lexical) == 406
    whole.add(["quota exceeded"] * 400)
    assert np.allclose(lexical.scores("quota port"), whole.scores("quota port"))


def test_rows_that_are_kept_score_as_if_alone() -> None:
    """What was left out no longer counts for how common a word is."""
    lexical = Lexical()
    lexical.add(TEXTS)
    lexical.scores("host")
    lexical.keep(np.array([2, 0]))
    alone = Lexical()
    alone.add([TEXTS[2], TEXTS[0]])
    assert np.allclose(lexical.scores("port iscsi"), alone.scores("port iscsi"))


def test_counts_bring_everything_back() -> None:
    """Also of an empty one, and before the first search."""
    for texts in ([], TEXTS):
        lexical = Lexical()
        lexical.add(texts)
        again = Lexical.restore(lexical.counts())
        assert len(again) == len(texts)
        assert np.array_equal(again.scores("port failed"), lexical.scores("port failed"))
        again.add(["port"])
        assert again.scores("port").argmax() == len(texts)


def test_counts_that_do_not_fit_are_refused() -> None:
    """A column that does not exist, or rows that point nowhere."""
    data, far = np.ones(1, np.float32), np.array([2**30], np.int32)
    with pytest.raises(InvalidError, match="do not fit together"):
        Lexical.restore(Counts(data, far, np.array([0, 1])))
    with pytest.raises(InvalidError, match="do not fit together"):
        Lexical.restore(Counts(data, np.zeros(1, np.int32), np.array([0, 7])))
