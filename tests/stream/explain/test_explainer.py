"""What the log says of an explanation."""

from dataclasses import replace

from index.explain.escalation import Outcome
from stream.explain.explainer import Explained
from tests.index.incident import incident, rules


def test_an_explanation_is_one_line_of_facts() -> None:
    """How it was made, how long it took, what it cost, and on how many lines it stands."""
    evidence, diagnosis = incident(), replace(rules(), seconds=1.25, cost_usd=0.0123456789)
    explained = Explained("3f2a91", "default", Outcome(diagnosis), diagnosis.to_record(evidence))
    assert explained.facts() == {
        "incident": "3f2a91",
        "tenant": "default",
        "mode": "deterministic",
        "seconds": 1.25,
        "cost_usd": 0.012346,
        "evidence_lines": len(evidence.lines),
    }
