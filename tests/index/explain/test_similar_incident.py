"""Twins: only a confirmed incident that is alike, of the same tenant and before, is one."""

from dataclasses import replace

import pytest

from index.diagnosis.types import Mode
from index.embedding.hashing_embedder import HashedEmbedder
from index.explain.similar_incident import Twin, find_twin, likeness, reuse
from index.search.documents import Document, DocumentKind
from index.search.search_index import SearchIndex
from tests.index.incident import START, incident, rules

TEXT = "\n".join([*incident().reasons, *(line.text for line in incident().lines)])
CAUSE = "The message bus was down.\nRestart RabbitMQ."


SOME = "\n".join(TEXT.split("\n")[:4])
"""Most of what the incident shows: alike, and not the same."""


def memory(text: str = TEXT, tenant: str = "default", time: int = START - 1, **others: str) -> SearchIndex:
    """A memory with one incident and its diagnosis, and ``others`` that look like it, with their causes."""
    made = SearchIndex(HashedEmbedder())
    for name, cause in others.items():
        made.add(
            [
                Document(name, DocumentKind.INCIDENT, text, "nova-compute", tenant, ("nova-compute",), time, name),
                Document(f"{name}/diagnosis", DocumentKind.DIAGNOSIS, cause, "nova-compute", tenant, (), time, name),
            ]
        )
    made.add(
        [
            Document("old", DocumentKind.INCIDENT, text, "nova-compute", tenant, ("nova-compute",), time, "old"),
            Document(
                "old/diagnosis", DocumentKind.DIAGNOSIS, CAUSE, "nova-compute: it failed", tenant, (), time, "old"
            ),
            Document("rb", DocumentKind.RUNBOOK, "Restart RabbitMQ when the agents are dead."),
        ]
    )
    return made


def confirmed(_: str) -> bool:
    """People have said that the cause is right."""
    return True


def test_the_same_again_is_a_twin() -> None:
    """Other ids, times and hosts' numbers make no difference."""
    again = TEXT.replace("3f0e9d53", "99999999").replace("req-6a1f0c9e", "req-00000000").replace("10.0.0.5", "10.0.0.9")
    twin = find_twin(memory(again), incident(), confirmed)
    assert twin is not None
    assert (twin.id, twin.cause, twin.actions) == ("old", "The message bus was down.", ("Restart RabbitMQ.",))
    assert twin.likeness > 0.95


def test_one_that_is_only_alike_needs_another_to_agree() -> None:
    """Two of the same cause are believed, and more than one alone; two of different causes are not."""
    assert find_twin(memory(SOME), incident(), confirmed) is None
    second = find_twin(memory(SOME, second="The message bus was down again."), incident(), confirmed)
    assert second is not None
    assert second.seconded
    assert find_twin(memory(SOME, second="A disk was full."), incident(), confirmed) is None
    assert find_twin(memory(second="A disk was full."), incident(), confirmed) is None
    lone = find_twin(memory(), incident(), confirmed)
    assert lone is not None
    assert not lone.seconded
    doubted = reuse(lone, incident(), rules())
    assert doubted is not None
    assert doubted.confidence == 0.6


def test_who_is_not_confirmed_alike_earlier_and_own_is_none() -> None:
    """Each condition alone is enough to refuse."""
    assert find_twin(memory(), incident(), lambda _: False) is None
    assert find_twin(memory("The disk is full\nNo space left on device"), incident(), confirmed) is None
    assert find_twin(memory(tenant="other"), incident(), confirmed) is None
    assert find_twin(memory(time=START + 1), incident(), confirmed) is None
    assert find_twin(memory(), replace(incident(), lines=(), reasons=()), confirmed) is None


def test_a_twin_keeps_the_evidence_at_hand() -> None:
    """Cause and steps come from the twin, claims and timeline from the evidence."""
    twin = Twin("old", 0.9, "nova-compute: it failed", "The message bus was down.", ("Restart RabbitMQ.",))
    diagnosis = reuse(twin, incident(), rules())
    assert diagnosis is not None
    assert (diagnosis.mode, diagnosis.twin, diagnosis.confidence) == (Mode.TWIN, "old", 0.9)
    assert diagnosis.actions == ("Restart RabbitMQ.", *rules().actions)
    assert (diagnosis.claims, diagnosis.timeline, diagnosis.summary) == (
        rules().claims,
        rules().timeline,
        rules().summary,
    )
    assert "90% alike" in diagnosis.note


@pytest.mark.parametrize("cause", ["", "compute-9 was down.", "10.0.0.55 was unreachable.", "This is harmless."])
def test_a_cause_that_cannot_hold_again_is_not_reused(cause: str) -> None:
    """One that names what is not there now, or says that all is well."""
    assert reuse(Twin("old", 0.99, "t", cause, ()), incident(), rules()) is None


def test_likeness_is_a_share_and_has_no_order() -> None:
    """Equal texts are 1 alike, strange ones 0, and left and right are the same."""
    left, right = ["a broken disk", "no route to host"], ["a broken disk", "out of memory"]
    assert likeness(left, left) == 1.0
    assert likeness(left, ["unrelated"]) == 0.0
    assert 0 < likeness(left, right) == likeness(right, left) < 1
    assert likeness([], left) == 0.0
