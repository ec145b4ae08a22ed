"""Documents come, go and are found."""

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.embedding.hashing_embedder import HashedEmbedder
from index.search.documents import SHARED, Document, DocumentKind, Filter
from index.search.search_index import Ranking, SearchIndex
from models.records import F32, NO_TIME

EMBEDDER = HashedEmbedder()
NOVA = Document(
    "i1",
    DocumentKind.INCIDENT,
    "NoValidHost: No valid host was found",
    "nova: no host",
    "blue",
    ("nova-scheduler",),
    1_000,
)
CAUSE = Document(
    "i1/diagnosis", DocumentKind.DIAGNOSIS, "memory of all hosts used up", "", "blue", ("nova-scheduler",), 1_000
)
CINDER = Document(
    "i2", DocumentKind.INCIDENT, "volume attach failed, iSCSI login refused", "", "red", ("cinder-volume",), 2_000
)
PAGE = Document(
    "r1", DocumentKind.RUNBOOK, "Look at iscsiadm, log in to the target again", "A volume stays in attaching"
)
ALL = (NOVA, CAUSE, CINDER, PAGE)


def memory(*documents: Document) -> SearchIndex:
    """A memory of these."""
    made = SearchIndex(EMBEDDER)
    made.add(documents)
    return made


def found(text: str, where: Filter | None = None, ranking: Ranking = Ranking.BOTH) -> list[str]:
    """Ids of the hits among all documents."""
    return [hit.document.id for hit in memory(*ALL).search(text, 10, where, ranking)]


@pytest.mark.parametrize("ranking", list(Ranking))
def test_the_likest_comes_first(ranking: Ranking) -> None:
    """By vectors, by words, and by both; the title counts as well as the text."""
    assert found("no valid host", None, ranking)[0] == "i1"
    assert found("stays attaching", None, ranking)[0] == "r1"


def test_scores_are_cosines_and_descend() -> None:
    """A hit's score is the weighted mean of its two cosines; the text itself has 1."""
    hits = memory(*ALL).search(PAGE.content, 10)
    assert hits[0].document == PAGE
    assert hits[0].score == pytest.approx(1.0, abs=1e-5)
    for hit in hits:
        assert hit.score == pytest.approx(EMBEDDER.share * hit.cosine + (1 - EMBEDDER.share) * hit.words, abs=1e-6)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("text", ["", "  \n", "<*> 10.0.0.1", "zyzzyva"])
def test_what_shares_nothing_finds_nothing(text: str) -> None:
    """No hit is better than a wrong one; an empty memory finds nothing either."""
    assert memory(*ALL).search(text) == []
    assert memory().search("volume") == []


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        (Filter(), {"i1", "i1/diagnosis", "i2", "r1"}),
        (Filter(tenant="blue"), {"i1", "i1/diagnosis", "r1"}),
        (Filter(tenant="green"), {"r1"}),
        (Filter(tenant=SHARED), {"r1"}),
        (Filter(service="cinder-volume"), {"i2", "r1"}),
        (Filter(service="keystone"), {"r1"}),
        (Filter(kinds=frozenset({DocumentKind.RUNBOOK, DocumentKind.DIAGNOSIS})), {"i1/diagnosis", "r1"}),
        (Filter(since=1_001), {"i2", "r1"}),
        (Filter(until=2_000), {"i1", "i1/diagnosis", "r1"}),
        (Filter(tenant="red", since=2_001), {"r1"}),
    ],
)
def test_filters_leave_out_what_is_of_others(where: Filter, ids: set[str]) -> None:
    """No incident crosses tenants; what belongs to nobody, to no service or has no age passes."""
    assert set(found("volume host memory used login", where)) == ids


def test_a_document_of_the_same_id_replaces_the_old_one() -> None:
    """And one that has not changed is not embedded again."""
    asked: list[str] = []

    class Counting(HashedEmbedder):
        def embed(self, texts: Sequence[str]) -> F32:
            asked.extend(texts)
            return super().embed(texts)

    made = SearchIndex(Counting())
    assert made.add([NOVA, PAGE]) == 2
    assert made.add([NOVA, PAGE]) == 0
    assert asked == [NOVA.content, PAGE.content]
    changed = Document("r1", DocumentKind.RUNBOOK, "dnsmasq is dead", "Guests get no address")
    assert made.add([PAGE, changed]) == 1
    assert len(made) == 2
    assert made.get("r1") == changed
    assert [hit.document.id for hit in made.search("iscsiadm target", ranking=Ranking.WORDS)] == []


def test_what_is_deleted_is_not_found() -> None:
    """Also when most of it is gone and the rest has moved together."""
    made = memory(*ALL, *(Document(f"x{n}", DocumentKind.INCIDENT, f"volume {n} word{n}") for n in range(100)))
    assert made.delete(["i2", "unknown"]) == 1
    assert "i2" not in made
    assert made.delete(f"x{n}" for n in range(100)) == 100
    assert [document.id for document in made.documents()] == ["i1", "i1/diagnosis", "r1"]
    hits = made.search("volume attach no valid host", 10, ranking=Ranking.WORDS)
    assert {hit.document.id for hit in hits} == {"i1", "i1/diagnosis", "r1"}
    made.add([CINDER])
    assert made.search(CINDER.text, 1)[0].document == CINDER


def test_stats_count_what_is_there() -> None:
    """By kind, and what made the vectors."""
    stats = memory(*ALL).stats()
    assert (stats.documents, stats.tenants, stats.embedder) == (4, 3, EMBEDDER.name)
    assert stats.kinds == {"incident": 2, "diagnosis": 1, "runbook": 1}


WORDS = st.sampled_from(["volume", "host", "port", "token", "iscsi", "quota", "timeout", "image"])
DOCUMENTS = st.builds(
    Document,
    id=st.integers(0, 12).map(str),
    kind=st.sampled_from(DocumentKind),
    text=st.lists(WORDS, max_size=4).map(" ".join),
    tenant=st.sampled_from([SHARED, "blue", "red"]),
    services=st.lists(st.sampled_from(["nova", "cinder"]), max_size=2, unique=True).map(tuple),
    time=st.sampled_from([NO_TIME, 0, 5, 9]),
)
FILTERS = st.builds(
    Filter,
    tenant=st.sampled_from([None, SHARED, "blue", "green"]),
    service=st.sampled_from([None, "nova", "keystone"]),
    kinds=st.none() | st.frozensets(st.sampled_from(DocumentKind)),
    since=st.sampled_from([None, 0, 6]),
    until=st.sampled_from([None, 6, 9]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(DOCUMENTS, max_size=6) | st.sets(st.integers(0, 12).map(str)), max_size=8), FILTERS, WORDS)
def test_any_history_leaves_what_a_dictionary_would(
    history: list[list[Document] | set[str]], where: Filter, word: str
) -> None:
    """Additions and deletions in any order; a search finds by words all that pass the filter, and nothing else."""
    made, model = SearchIndex(EMBEDDER), dict[str, Document]()
    for step in history:
        if isinstance(step, set):
            made.delete(step)
            model = {name: document for name, document in model.items() if name not in step}
        else:
            made.add(step)
            model |= {document.id: document for document in step}
    assert {document.id: document for document in made.documents()} == model
    hits = {hit.document.id for hit in made.search(word, 50, where, Ranking.WORDS)}
    assert hits == {name for name, each in model.items() if word in each.text.split() and where.accepts(each)}


def test_threads_may_add_delete_and_search_at_once() -> None:
    """Nothing is lost, nothing foreign is found, nothing raises."""
    made = memory(*ALL)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                mine = [
                    Document(f"{number}/{turn}/{n}", DocumentKind.INCIDENT, f"volume thread{number} {n}")
                    for n in range(5)
                ]
                made.add(mine)
                assert {hit.document.tenant for hit in made.search("volume", 20, Filter(tenant="blue"))} <= {
                    SHARED,
                    "blue",
                }
                made.delete(document.id for document in mine[1:])
        except BaseException as error:  # noqa: BLE001 - told by the thread that asserts
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(made) == len(ALL) + 4 * 20
