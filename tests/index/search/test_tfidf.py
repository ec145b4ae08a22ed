"""TF-IDF over rows that come and go."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from index.search.tfidf import Counts, TfidfIndex
from index.text import words as tokens
from models.errors import InvalidError
from models.records import F32

TEXTS = [
    "volume attach failed, iSCSI login timed out",
    "No valid host was found",
    "neutron port binding failed failed failed on host",
    "",
    "keystone token rejected with 401",
]


def scores(lexical: TfidfIndex, text: str) -> F32:
    """Cosine of every row with a text."""
    return lexical.cosines(lexical.query(text), np.arange(len(lexical)))


QUERIES = ["port failed to bind", "host", "401", "nothing of this", ""]


@pytest.mark.parametrize("query", QUERIES)
def test_scores_are_those_of_scikit_learn(query: str) -> None:
    """The same weights, the same cosines."""
    reference = TfidfVectorizer(analyzer=tokens.words, sublinear_tf=True)
    matrix = reference.fit_transform(TEXTS)
    lexical = TfidfIndex()
    lexical.add(TEXTS)
    known = [word for word in tokens.words(query) if word in reference.vocabulary_]
    # A word of no text makes our query longer; scikit-learn leaves it out before.
    expected = (matrix @ reference.transform([" ".join(known)]).T).toarray().ravel()
    assert np.allclose(scores(lexical, " ".join(known)), expected, atol=1e-6)


@pytest.mark.parametrize("few", [0, 10_000])
def test_a_new_row_is_found_at_once(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are weighed anew every time; of many, some may be weighed by the fit before, until they are a share."""
    monkeypatch.setattr("index.search.tfidf._FEW", few)
    lexical = TfidfIndex()
    lexical.add(TEXTS)
    assert len(scores(lexical, "port")) == 5
    lexical.add(["port quota exceeded"])
    assert scores(lexical, "quota").argmax() == 5
    whole = TfidfIndex()
    whole.add([*TEXTS, "port quota exceeded"])
    assert np.allclose(scores(lexical, "quota port"), scores(whole, "quota port")) == (few > 0)
    lexical.add(["quota exceeded"] * 400)
    assert len(scores(lexical, "port")) == len(lexical) == 406
    whole.add(["quota exceeded"] * 400)
    assert np.allclose(scores(lexical, "quota port"), scores(whole, "quota port"))


def test_rows_that_are_kept_score_as_if_alone() -> None:
    """What was left out no longer counts for how common a word is."""
    lexical = TfidfIndex()
    lexical.add(TEXTS)
    scores(lexical, "host")
    lexical.keep(np.array([2, 0]))
    alone = TfidfIndex()
    alone.add([TEXTS[2], TEXTS[0]])
    assert np.allclose(scores(lexical, "port iscsi"), scores(alone, "port iscsi"))


def test_counts_bring_everything_back() -> None:
    """Also of an empty one, and before the first search."""
    for texts in ([], TEXTS):
        lexical = TfidfIndex()
        lexical.add(texts)
        again = TfidfIndex.restore(lexical.counts())
        assert len(again) == len(texts)
        assert np.array_equal(scores(again, "port failed"), scores(lexical, "port failed"))
        again.add(["port"])
        assert scores(again, "port").argmax() == len(texts)


def test_counts_that_do_not_fit_are_refused() -> None:
    """A column that does not exist, or rows that point nowhere."""
    data, far = np.ones(1, np.float32), np.array([2**30], np.int32)
    with pytest.raises(InvalidError, match="do not fit together"):
        TfidfIndex.restore(Counts(data, far, np.array([0, 1])))
    with pytest.raises(InvalidError, match="do not fit together"):
        TfidfIndex.restore(Counts(data, np.zeros(1, np.int32), np.array([0, 7])))


@pytest.mark.parametrize("few", [0, 10_000])
def test_the_best_rows_are_those_of_the_largest_cosines(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the fitted part and behind it, among those allowed; only rows that share a word."""
    monkeypatch.setattr("index.search.tfidf._FEW", few)
    random = np.random.default_rng(1)
    vocabulary = [f"word{letter}" for letter in "abcdefghijklmnopqrst"]
    texts = [" ".join(random.choice(vocabulary, 4)) for _ in range(300)]
    lexical = TfidfIndex()
    lexical.add(texts[:280])
    lexical.query("")
    lexical.add(texts[280:])
    allowed = random.random(300) < 0.5
    for text in ("worda wordb", "wordc", "wordd wordd worde wordf nothing", "nothing", ""):
        cosines = scores(lexical, text)
        for chosen in (None, allowed):
            rows = lexical.best(lexical.query(text), 10, chosen)
            open_to = np.where(chosen, cosines, 0) if chosen is not None else cosines
            assert len(set(rows.tolist())) == len(rows) == min(10, np.count_nonzero(open_to))
            assert np.allclose(np.sort(open_to[rows]), np.sort(open_to)[300 - len(rows) :])


def test_words_of_very_many_rows_choose_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a rare one; alone they do, or nothing would be found."""
    monkeypatch.setattr("index.search.tfidf.POSTINGS", 50)
    lexical = TfidfIndex()
    lexical.add([*["host volume"] * 100, "host quota"])
    assert lexical.best(lexical.query("host quota"), 10).tolist() == [100]
    assert len(lexical.best(lexical.query("host"), 10)) == 10
    assert scores(lexical, "host quota")[:100].min() > 0
