"""The ladder as the settings make it, and what is counted of its outcomes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from alerts.monitoring.metrics import Metrics
from index.llm.claude import Claude
from index.llm.client import NoKeyClient
from stream.explain.role import count_outcome
from stream.settings import Settings
from stream.wiring.llm import make_escalation, make_llm_client, transcript_folder, transcript_store
from tests.index.incident import Plain, incident, rules
from tests.messages_server import BEHAVIOURS, MessagesServer


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose index is in a folder of the test's own."""
    return Settings(index_path=tmp_path, llm_timeout_s=20, llm_budget_usd_per_day=1, llm_budget_usd_per_day_tenant=0.9)


@pytest.fixture
def client(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Claude | NoKeyClient, MessagesServer]]:
    """The client of the settings, and the provider that it asks."""
    with MessagesServer() as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        made = make_llm_client(settings)
        yield made, server
        made.close()


def test_what_the_settings_name_is_asked_counted_and_kept(
    settings: Settings, client: tuple[Claude | NoKeyClient, MessagesServer]
) -> None:
    """Models, dollars, groundedness and what was sent are all there after one incident, and what a second one saved."""
    registry = CollectorRegistry()
    metrics = Metrics.on(registry)
    ladder = make_escalation(settings, client[0])
    client[1].behaviour = BEHAVIOURS["unsure"]
    first = ladder.explain(incident(tenant="acme"), rules(), episode="e", redactor=Plain())
    again = ladder.explain(incident(tenant="acme"), rules(), episode="e", redactor=Plain())
    for outcome in (first, again):
        count_outcome(metrics, outcome, "acme")
    for model in (settings.llm_model_small, settings.llm_model_large):
        labels = {"model": model, "outcome": "answered"}
        assert registry.get_sample_value("tocsin_llm_calls_total", labels) == 1
    cost = first.diagnosis.cost_usd
    assert cost > 0
    assert registry.get_sample_value("tocsin_llm_cost_usd_total", {"tenant": "acme"}) == pytest.approx(cost)
    assert registry.get_sample_value("tocsin_llm_saved_usd_total", {"by": "cache"}) == pytest.approx(cost)
    assert registry.get_sample_value("tocsin_diagnoses_total", {"mode": "llm"}) == 2
    assert registry.get_sample_value("tocsin_diagnosis_groundedness_count") == 2
    sent = transcript_store(settings).get("e")
    assert sent is not None
    assert sent.user == client[1].requests[0].prompt
    assert (settings.index_path / "budget.json").exists()


def test_switched_off_asks_nothing(settings: Settings, client: tuple[Claude | NoKeyClient, MessagesServer]) -> None:
    """Without a language model the rules stand, and it is counted so."""
    off = settings.model_copy(update={"llm_enabled": False})
    ladder = make_escalation(off, client[0])
    outcome = ladder.explain(incident(), rules(), episode="e", redactor=Plain())
    assert client[1].requests == []
    assert "switched off" in outcome.diagnosis.note


def test_without_a_key_nothing_is_loaded_and_nothing_is_kept(settings: Settings) -> None:
    """The rules stand at once, and no prompt is shown as sent that was not."""
    client = make_llm_client(settings)
    assert isinstance(client, NoKeyClient)
    outcome = make_escalation(settings, client).explain(incident(), rules(), episode="e", redactor=Plain())
    assert "set ANTHROPIC_API_KEY" in outcome.diagnosis.note
    assert [call.outcome for call in outcome.calls] == ["no_key"]
    assert outcome.sent is None
    assert not transcript_folder(settings).exists()
