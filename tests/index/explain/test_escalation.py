"""Escalation on the real SDK against a local server: whatever the provider does, there is a diagnosis, and a note."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from index.diagnosis.types import Mode
from index.explain.escalation import Escalation, EscalationPolicy
from index.explain.similar_incident import Twin
from index.llm.budget import Budget, MemoryLedger
from index.llm.claude import Claude
from index.llm.client import RetryPolicy
from index.llm.prices import price_of
from index.llm.transcripts import TranscriptStore
from tests.index.incident import INSTANCE, Plain, Replacing, incident, rules, without_note
from tests.messages_server import BEHAVIOURS, MessagesServer, Request, Response, answer, failing, said, sensible
from tests.ports import held_port
from tests.waiting import until

SMALL, LARGE = "claude-haiku-5-5", "claude-sonnet-5-5"
NOON = 1_767_268_800.0
PATIENT = RetryPolicy(idle=60.0, total=120.0)
MakeEscalation = Callable[..., Escalation]


@pytest.fixture(scope="module")
def provider() -> Iterator[MessagesServer]:
    """One server for all tests."""
    with MessagesServer() as running:
        yield running


@pytest.fixture
def server(provider: MessagesServer, monkeypatch: pytest.MonkeyPatch) -> MessagesServer:
    """A provider, which answers sensibly unless told otherwise."""
    provider.reset()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", provider.url)
    return provider


@pytest.fixture(scope="module")
def client() -> Iterator[Claude]:
    """A client that pauses little; it takes its address with the first question, so all use the one server."""
    with closing(Claude(PATIENT)) as made:
        yield made


@pytest.fixture(scope="module")
def hasty() -> Iterator[Claude]:
    """A client that waits little, for answers that never come."""
    with closing(Claude(RetryPolicy(idle=1.0, total=4.0))) as made:
        yield made


@pytest.fixture
def fresh() -> Iterator[Claude]:
    """A client that has taken no key and no address yet."""
    with closing(Claude(PATIENT)) as made:
        yield made


@pytest.fixture
def make(client: Claude, tmp_path: Path) -> MakeEscalation:
    """Makes an escalation with a budget in dollars a day."""

    def made(usd: float = 1.0, *, twin: Twin | None = None, small: str = SMALL, asked: Claude = client) -> Escalation:
        budget = Budget(MemoryLedger(), lambda: NOON, usd_per_day=usd, usd_per_day_tenant=usd)
        policy, store = EscalationPolicy(small, LARGE), TranscriptStore(tmp_path / "sent")
        return Escalation(policy, asked, budget, store, lambda _: twin, now=lambda: NOON)

    return made


def test_a_careful_answer_becomes_the_diagnosis(server: MessagesServer, make: MakeEscalation) -> None:
    """What stands on lines is said, with its model, its cost and no note; the large model is not asked."""
    outcome = make().explain(incident(), rules(), episode="e", redactor=Plain())
    diagnosis = outcome.diagnosis
    assert (diagnosis.mode, diagnosis.model, diagnosis.groundedness, diagnosis.note) == (Mode.LLM, SMALL, 1.0, "")
    assert diagnosis.cause.startswith("nova-compute reports")
    assert diagnosis.service == "nova-compute"
    assert {line for claim in diagnosis.claims for line in claim.lines} <= {"L1", "L2", "L3"}
    assert [request.body["model"] for request in server.requests] == [SMALL]
    assert [call.outcome for call in outcome.calls] == ["answered"]
    # Input and output at 0.1 and 0.5 dollars a million, as the server counts them.
    request = server.requests[0]
    expected = (request.tokens * 0.1 + (len(sensible(request).text) // 4 + 1) * 0.5) / 1e6
    assert diagnosis.cost_usd == pytest.approx(expected, abs=1e-9)


def test_the_request_has_no_tools_and_the_form_of_the_answer(server: MessagesServer, make: MakeEscalation) -> None:
    """The model can do nothing but fill in the form."""
    make().explain(incident(), rules(), episode="e", redactor=Plain())
    body = server.requests[0].body
    assert "tools" not in body
    assert body["stream"] is True
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert body["output_config"]["effort"] == "low"
    assert body["output_config"]["format"]["schema"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("behaviour", "outcome", "requests", "words"),
    [
        ("unauthorized", "denied", 1, "ANTHROPIC_API_KEY"),
        ("rate_limited", "rate_limited", 4, "rate limit"),
        ("overloaded", "overloaded", 4, "overloaded"),
        ("server_error", "server_error", 4, "error"),
        ("not_found", "rejected", 1, "names of the models"),
        ("timeout", "timeout", 1, "in time"),
        ("hang", "timeout", 1, "in time"),
        ("hang_with_pings", "timeout", 1, "in time"),
        ("dropped", "connection", 4, "cannot be reached"),
        ("broken_off", "broken_off", 1, "broke off"),
        ("error_in_stream", "overloaded", 1, "overloaded"),
        ("refusal", "refused", 1, "refused"),
    ],
)
def test_a_failing_provider_leaves_the_rules(
    server: MessagesServer,
    make: MakeEscalation,
    client: Claude,
    hasty: Claude,
    behaviour: str,
    outcome: str,
    requests: int,
    words: str,
) -> None:
    """Each failure ends in the deterministic diagnosis with a note that says why; a larger model is not tried."""
    server.behaviour = BEHAVIOURS[behaviour]
    escalation = make(asked=hasty if outcome == "timeout" else client)
    result = escalation.explain(incident(), rules(), episode="e", redactor=Plain())
    assert without_note(result.diagnosis) == rules()
    assert words in result.diagnosis.note
    assert [call.outcome for call in result.calls] == [outcome]
    # Who has given up may be ahead of the server.
    until(lambda: len(server.requests) >= requests)
    assert len(server.requests) == requests


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        ("max_tokens", "cut"),
        ("malformed", "malformed"),
        ("wrong_form", "malformed"),
        ("false_citations", "ungrounded"),
        ("missing_lines", "ungrounded"),
    ],
)
def test_a_useless_answer_is_tried_once_more_and_dropped(
    server: MessagesServer, make: MakeEscalation, behaviour: str, outcome: str
) -> None:
    """An answer that cannot be used goes to the large model once; then the rules stand, and the cost is told."""
    server.behaviour = BEHAVIOURS[behaviour]
    result = make().explain(incident(), rules(), episode="e", redactor=Plain())
    assert without_note(result.diagnosis) == rules()
    assert [(call.model, call.outcome) for call in result.calls] == [(SMALL, outcome), (LARGE, outcome)]
    assert result.diagnosis.cost_usd == pytest.approx(sum(call.cost_usd for call in result.calls))
    assert result.diagnosis.cost_usd > 0


@pytest.mark.parametrize("behaviour", ["rate_limited_once", "overloaded_once"])
def test_a_passing_failure_is_tried_again(server: MessagesServer, make: MakeEscalation, behaviour: str) -> None:
    """429 and 529 are tried again, and only the answer is paid for."""
    server.behaviour = BEHAVIOURS[behaviour]
    result = make().explain(incident(), rules(), episode="e", redactor=Plain())
    assert result.diagnosis.mode is Mode.LLM
    assert len(server.requests) == 2


def test_an_unsure_small_model_brings_in_the_large_one(server: MessagesServer, make: MakeEscalation) -> None:
    """The large model's answer is taken where the small one knows no cause."""

    def behave(request: Request) -> Response:
        return BEHAVIOURS["unsure" if request.body["model"] == SMALL else "sensible"](request)

    server.behaviour = behave
    result = make().explain(incident(), rules(), episode="e", redactor=Plain())
    assert result.diagnosis.model == LARGE
    assert [call.model for call in result.calls] == [SMALL, LARGE]


def test_the_small_answer_stands_where_the_budget_ends(server: MessagesServer, make: MakeEscalation) -> None:
    """Without money for the large model the small one's claims are kept, and the note says what was not asked."""
    server.behaviour = BEHAVIOURS["unsure"]
    result = make(0.01).explain(incident(), rules(), episode="e", redactor=Plain())
    assert result.diagnosis.model == SMALL
    assert "budget" in result.diagnosis.note
    assert [call.outcome for call in result.calls] == ["answered", "over_budget"]
    assert result.diagnosis.cause == rules().cause


def test_no_key_asks_nothing(
    server: MessagesServer, make: MakeEscalation, fresh: Claude, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key nothing leaves, and the note says what to set."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("HOME", "/nonexistent")
    result = make(asked=fresh).explain(incident(), rules(), episode="e", redactor=Plain())
    assert without_note(result.diagnosis) == rules()
    assert "set ANTHROPIC_API_KEY" in result.diagnosis.note
    assert server.requests == []


def test_nobody_listens(make: MakeEscalation, fresh: Claude, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is free."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{held_port()}")
    result = make(asked=fresh).explain(incident(), rules(), episode="e", redactor=Plain())
    assert [(call.outcome, call.cost_usd) for call in result.calls] == [("connection", 0.0)]


def test_an_incident_that_ends_is_not_waited_for(server: MessagesServer, make: MakeEscalation) -> None:
    """A question is broken off when its incident resolves."""
    server.behaviour = BEHAVIOURS["hang_with_pings"]
    ended = threading.Event()
    threading.Timer(0.5, ended.set).start()
    result = make().explain(incident(), rules(), episode="e", redactor=Plain(), cancelled=ended.is_set)
    assert [call.outcome for call in result.calls] == ["cancelled"]
    assert result.diagnosis.seconds < 60


def test_an_episode_is_asked_once(server: MessagesServer, make: MakeEscalation) -> None:
    """The second time the same answer is there for nothing, even in another process."""
    first = make().explain(incident(), rules(), episode="e", redactor=Plain())
    again = make().explain(incident(), rules(), episode="e", redactor=Plain())
    assert len(server.requests) == 1
    assert without_note(again.diagnosis) == without_note(first.diagnosis)
    assert again.saved == {"cache": pytest.approx(first.diagnosis.cost_usd)}
    assert again.calls == ()


def test_an_episode_that_grows_keeps_its_answer(server: MessagesServer, make: MakeEscalation) -> None:
    """Citations follow their lines to new ids; a claim whose line is gone is a hypothesis."""
    escalation = make()
    escalation.explain(incident(), rules(), episode="e", redactor=Plain())
    before = incident()
    moved = tuple(replace(line, id=f"L{9 - number}") for number, line in enumerate(before.lines[1:]))
    result = escalation.explain(replace(before, lines=moved, story=()), rules(), episode="e", redactor=Plain())
    assert len(server.requests) == 1
    lines = {claim.lines: claim.verified for claim in result.diagnosis.claims}
    assert lines == {("L9",): True, ("L8",): True, (): False}


def test_a_failed_question_that_cost_nothing_is_asked_again(server: MessagesServer, make: MakeEscalation) -> None:
    """After an outage the episode gets its answer."""
    server.behaviour = BEHAVIOURS["server_error"]
    make().explain(incident(), rules(), episode="e", redactor=Plain())
    server.behaviour = sensible
    assert make().explain(incident(), rules(), episode="e", redactor=Plain()).diagnosis.mode is Mode.LLM


def test_an_answer_that_was_paid_and_useless_is_not_asked_again(server: MessagesServer, make: MakeEscalation) -> None:
    """One question an episode, also where its answer was refused."""
    server.behaviour = BEHAVIOURS["refusal"]
    first = make().explain(incident(), rules(), episode="e", redactor=Plain())
    again = make().explain(incident(), rules(), episode="e", redactor=Plain())
    assert len(server.requests) == 1
    assert again.diagnosis.note == first.diagnosis.note


def test_what_was_sent_can_be_shown(server: MessagesServer, make: MakeEscalation, tmp_path: Path) -> None:
    """The store holds the very words that left, with pseudonyms in place of secrets."""
    make().explain(incident(), rules(), episode="e", redactor=Replacing(INSTANCE, "<uuid_1>"))
    sent = TranscriptStore(tmp_path / "sent").get("e")
    assert sent is not None
    assert server.requests[0].prompt == sent.user
    assert server.requests[0].body["system"] == sent.system
    assert INSTANCE not in sent.text
    assert INSTANCE not in str(server.requests[0].body)


def test_pseudonyms_are_mapped_back_in_the_answer(server: MessagesServer, make: MakeEscalation) -> None:
    """The model speaks of a pseudonym, the engineer reads the value."""

    def behave(_: Request) -> Response:
        claim = said("nova-compute failed to spawn instance <uuid_1>", "L1")
        return Response(answer(summary=claim, cause=claim, claims=[claim]))

    server.behaviour = behave
    result = make().explain(incident(), rules(), episode="e", redactor=Replacing(INSTANCE, "<uuid_1>"))
    assert result.diagnosis.summary == f"nova-compute failed to spawn instance {INSTANCE}"
    assert result.diagnosis.groundedness == 1.0


def test_a_leak_stops_the_question(server: MessagesServer, make: MakeEscalation) -> None:
    """A prompt that still holds a secret is not sent."""

    class Leaking(Plain):
        def leaks(self, text: str) -> Sequence[str]:
            return ["HOST_1"] * ("compute-3" in text)

    result = make().explain(incident(), rules(), episode="e", redactor=Leaking())
    assert server.requests == []
    assert "HOST_1" in result.diagnosis.note


def test_a_confirmed_twin_saves_the_question(server: MessagesServer, make: MakeEscalation) -> None:
    """A twin's cause is reused over the evidence at hand, named, and no model is asked."""
    twin = Twin("old", 0.93, "neutron-server: port", "The agents lost the message bus.", ("Restart RabbitMQ.",))
    result = make(twin=twin).explain(incident(), rules(), episode="e", redactor=Plain())
    assert server.requests == []
    assert (result.diagnosis.mode, result.diagnosis.twin, result.diagnosis.cause) == (Mode.TWIN, "old", twin.cause)
    assert result.diagnosis.claims == rules().claims
    assert result.saved["twin"] > 0


def test_a_twin_that_names_another_host_is_none(server: MessagesServer, make: MakeEscalation) -> None:
    """A cause that names what is not in the evidence is not taken over."""
    twin = Twin("old", 0.99, "title", "The disk of compute-9 is full.", ())
    result = make(twin=twin).explain(incident(), rules(), episode="e", redactor=Plain())
    assert result.diagnosis.mode is Mode.LLM


def test_a_defect_of_ours_costs_no_diagnosis(server: MessagesServer, make: MakeEscalation) -> None:
    """Where explaining itself breaks, the rules stand and the note says so."""

    class Broken(Plain):
        def leaks(self, text: str) -> Sequence[str]:
            raise KeyError(text)

    result = make().explain(incident(), rules(), episode="e", redactor=Broken())
    assert without_note(result.diagnosis) == rules()
    assert "KeyError" in result.diagnosis.note


def test_an_unknown_model_counts_as_the_dearest(server: MessagesServer, make: MakeEscalation) -> None:
    """A name without a price is held to the highest one, and the note says so where that is too much."""
    result = make(0.05, small="claude-next-9").explain(incident(), rules(), episode="e", redactor=Plain())
    assert server.requests == []
    assert "no price" in result.diagnosis.note
    assert result.sent is None


def test_what_cannot_be_kept_is_not_sent(server: MessagesServer, make: MakeEscalation, tmp_path: Path) -> None:
    """Where nobody could show later what left, nothing leaves, and no money is taken."""
    (tmp_path / "sent").write_text("not a folder", encoding="utf-8")
    result = make().explain(incident(), rules(), episode="e", redactor=Plain())
    assert server.requests == []
    assert [(call.outcome, call.cost_usd) for call in result.calls] == [("not_kept", 0.0)]
    assert without_note(result.diagnosis) == rules()


@pytest.mark.parametrize(("after", "least"), [("0.7", 0.7), ("", 0.3)])
def test_a_provider_that_asks_for_a_pause_gets_it(
    server: MessagesServer, make: MakeEscalation, after: str, least: float
) -> None:
    """The provider's word is the least that is waited; without one there is a pause, too."""
    server.behaviour = failing(429, "rate_limit_error", times=1, after=after)
    began = time.monotonic()
    result = make().explain(incident(), rules(), episode="e", redactor=Plain())
    assert time.monotonic() - began >= least
    assert result.diagnosis.mode is Mode.LLM
    assert len(server.requests) == 2


def test_a_pause_ends_with_the_time_for_the_question(server: MessagesServer, make: MakeEscalation) -> None:
    """Who is told to come back in an hour gives up when the question's time is over, and says who refused."""
    server.behaviour = failing(429, "rate_limit_error", after="3600")
    with closing(Claude(RetryPolicy(total=1.0))) as asked:
        result = make(asked=asked).explain(incident(), rules(), episode="e", redactor=Plain())
    assert result.diagnosis.seconds < 30
    assert [(call.outcome, call.cost_usd) for call in result.calls] == [("rate_limited", 0.0)]
    assert len(server.requests) == 1


def test_an_incident_that_ends_is_not_asked_about_again(server: MessagesServer, make: MakeEscalation) -> None:
    """A pause before the next attempt is broken off, too, and nothing stays reserved."""
    server.behaviour = failing(529, "overloaded_error", after="3600")
    escalation = make(1.0)
    result = escalation.explain(
        incident(), rules(), episode="e", redactor=Plain(), cancelled=lambda: bool(server.requests)
    )
    assert [(call.outcome, call.cost_usd) for call in result.calls] == [("cancelled", 0.0)]
    assert result.diagnosis.seconds < 30
    assert escalation.budget.account("default", 1.0).take()


@pytest.mark.parametrize(
    ("behaviour", "attempts"), [("dropped", 4), ("timeout", 1), ("broken_off", 1), ("overloaded", 0)]
)
def test_each_attempt_that_may_be_billed_is_counted(
    server: MessagesServer, make: MakeEscalation, client: Claude, hasty: Claude, behaviour: str, attempts: int
) -> None:
    """What was sent and not refused counts as its worst case, once an attempt."""
    server.behaviour = BEHAVIOURS[behaviour]
    escalation = make(asked=hasty if behaviour == "timeout" else client)
    result = escalation.explain(incident(), rules(), episode="e", redactor=Plain())
    answer_usd = price_of(SMALL).worst(0, EscalationPolicy(SMALL).max_tokens)
    prompt_usd = price_of(SMALL).worst(20_000, 0)
    cost = result.diagnosis.cost_usd
    assert attempts * answer_usd <= cost <= attempts * (answer_usd + prompt_usd)
