"""The ladder: a verified twin, else a small model, else a large one where the small is unsure, else the rules alone.

Whatever goes wrong, the deterministic diagnosis stands, and its note says why nothing better does.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final

from index.diagnosis.types import Diagnosis, Mode
from index.evidence.types import Evidence
from index.explain.answer import SCHEMA, Answer, read_answer
from index.explain.merge_answer import Conclusion, conclude
from index.explain.prompt import Prompt, Shown, TextRedactor, build
from index.explain.similar_incident import Twin, reuse
from index.llm.budget import Budget, BudgetReservation
from index.llm.client import Client, LlmFailure, Question, UnansweredError
from index.llm.prices import Usage, price_of
from index.llm.transcripts import LlmCall, Transcript, TranscriptStore
from models.errors import InvalidError

_REFUSED: Final = "refusal"
_CUT: Final = frozenset({"max_tokens", "model_context_window_exceeded"})
_USUAL_ANSWER: Final = 800
"""Tokens of an answer, to tell what a twin has saved."""


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """Which models are asked, and when an answer is good enough."""

    small: str
    """"" where none is to be asked."""
    large: str = ""
    """Asked where the small one is unsure; "" or the same for never."""
    prompt_tokens: int = 12_000
    max_tokens: int = 4_000
    """Of an answer, with what the model thinks."""
    sure_confidence: float = 0.5
    sure_grounded: float = 0.6
    """Below either, or without a cause that stands on lines, an answer is unsure."""
    allowed_links: tuple[str, ...] = ()
    """Beginnings of links that a diagnosis may hold."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A diagnosis, and what is to be counted."""

    diagnosis: Diagnosis
    calls: tuple[LlmCall, ...] = ()
    saved: Mapping[str, float] = field(default_factory=dict)
    """Dollars not spent, by why: ``twin`` or ``cache``."""
    severity: str = ""
    """To which the incident may be raised; "" for none.  Never a reason to lower it."""
    sent: Transcript | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """What one model brought."""

    call: LlmCall
    answer: str = ""
    conclusion: Conclusion | None = None
    why: str = ""
    further: bool = True
    """It makes sense to ask a better model."""
    left: bool = False
    """The prompt may have left."""


class _RecordedAccount:
    """An account that keeps what is sent before it leaves: what cannot be kept is not sent."""

    def __init__(self, account: BudgetReservation, store: TranscriptStore, sent: Transcript) -> None:
        self._account = account
        self._store = store
        self._sent = sent
        self.left = False

    def take(self) -> bool:
        """Take the worst case of one attempt, and keep what is sent before the first."""
        if not self._account.take():
            return False
        if not self.left:
            try:
                self._store.put(self._sent)
            except InvalidError:
                self._account.settle(0)
                raise
            self.left = True
        return True

    def settle(self, usd: float | None) -> None:
        """Settle the attempt."""
        self._account.settle(usd)


@dataclass(frozen=True, slots=True)
class _Case:
    """One incident on its way up."""

    evidence: Evidence
    base: Diagnosis
    episode: str
    redactor: TextRedactor
    cancelled: Callable[[], bool]
    prompt: Prompt


def _no_twin(_: Evidence) -> Twin | None:
    return None


@dataclass(frozen=True, slots=True)
class Escalation:
    """What all incidents share: the client, the budget and what has been asked before."""

    plan: EscalationPolicy
    client: Client
    budget: Budget
    store: TranscriptStore
    twin_of: Callable[[Evidence], Twin | None] = _no_twin
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time

    def explain(
        self,
        evidence: Evidence,
        base: Diagnosis,
        *,
        episode: str,
        redactor: TextRedactor,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Return the best diagnosis of an episode; its models are asked once, however often this is called."""
        began = self.clock()
        try:
            prompt = build(evidence, base, redactor, self.plan.prompt_tokens)
            outcome = self._run(_Case(evidence, base, episode, redactor, cancelled, prompt))
        except Exception as error:  # noqa: BLE001 - a defect here must not cost the engineer the diagnosis that is there
            outcome = Outcome(replace(base, note=_alone(f"explaining failed ({type(error).__name__})")))
        seconds = base.seconds + self.clock() - began
        return replace(outcome, diagnosis=replace(outcome.diagnosis, seconds=seconds))

    def _run(self, case: _Case) -> Outcome:
        earlier = self._earlier(case.episode)
        if earlier is not None and (earlier.answer or earlier.cost_usd):
            return self._again(earlier, case)
        twin = self.twin_of(case.evidence)
        found = reuse(twin, case.evidence, case.base) if twin else None
        if found is not None:
            usage = Usage(input=case.prompt.tokens, output=_USUAL_ANSWER)
            saved = {"twin": price_of(self.plan.small).cost(usage)} if self.plan.small else {}
            return Outcome(found, saved=saved)
        if not self.plan.small:
            return Outcome(replace(case.base, note=_alone("language models are switched off")))
        if leaks := case.redactor.leaks(case.prompt.plain):
            why = f"not everything secret could be taken out of the prompt ({', '.join(leaks[:3])})"
            return Outcome(replace(case.base, note=_alone(why)))
        return self._ask(case)

    def _ask(self, case: _Case) -> Outcome:
        prompt, base = case.prompt, case.base
        places = {name: _mark(shown) for name, shown in prompt.lines.items()}
        sent = Transcript(case.episode, case.evidence.digest(), self.now(), prompt.system, prompt.user, places=places)
        steps = [self._step(self.plan.small, "low", case, sent)]
        if steps[0].further and self.plan.large not in {"", self.plan.small}:
            steps.append(self._step(self.plan.large, "medium", case, sent))
        calls = tuple(step.call for step in steps)
        cost = sum(call.cost_usd for call in calls)
        best = next((step for step in reversed(steps) if step.conclusion), None)
        if best is None or best.conclusion is None:
            note = _alone(steps[-1].why)
            sent = replace(sent, calls=calls, note=note)
            outcome = Outcome(replace(base, note=note, cost_usd=cost), calls)
        else:
            # The small model's answer stands where the large one brought none, and says so.
            why = f"{steps[-1].call.model}: {steps[-1].why}" if best is not steps[-1] else ""
            note = "; ".join(part for part in (best.conclusion.diagnosis.note, why) if part)
            diagnosis = replace(best.conclusion.diagnosis, model=best.call.model, cost_usd=cost, note=note)
            sent = replace(sent, calls=calls, model=best.call.model, answer=best.answer, note=note)
            outcome = Outcome(diagnosis, calls, severity=best.conclusion.severity)
        if not any(step.left for step in steps):
            return outcome
        # The answer is there: that it cannot be kept costs a second question at most.
        with suppress(InvalidError):
            self.store.put(sent)
        return replace(outcome, sent=sent)

    def _step(self, model: str, effort: str, case: _Case, sent: Transcript) -> _Step:
        """Ask one model."""
        prompt = case.prompt
        question = Question(model, prompt.system, prompt.user, SCHEMA, self.plan.max_tokens, effort)
        price = price_of(model)
        account = self.budget.account(case.evidence.tenant, price.worst(question.size, question.max_tokens))
        kept = _RecordedAccount(account, self.store, sent)

        def ended(outcome: str, why: str, *, further: bool = True) -> _Step:
            return _Step(LlmCall(model, outcome, account.spent), why=why, further=further, left=kept.left)

        try:
            reply = self.client.ask(question, price, kept, case.cancelled)
        except UnansweredError as error:
            unknown = error.failure is LlmFailure.OVER_BUDGET and not price.known
            why = f"{error}; {model} has no price here and counts as the dearest" if unknown else str(error)
            return ended(error.failure.value, why, further=False)
        except InvalidError as error:
            return ended("not_kept", str(error), further=False)
        if reply.stop == _REFUSED:
            return ended("refused", "the model refused to answer", further=False)
        if reply.stop in _CUT:
            return ended("cut", "the model's answer was cut off")
        try:
            conclusion = self._conclude(read_answer(reply.text), case)
        except InvalidError as error:
            return ended("malformed", str(error))
        if not conclusion.usable:
            return ended("ungrounded", "nothing in the model's answer stands on the lines")
        sure = (
            conclusion.caused
            and conclusion.diagnosis.groundedness >= self.plan.sure_grounded
            and conclusion.diagnosis.confidence >= self.plan.sure_confidence
        )
        call = LlmCall(model, "answered", account.spent)
        return _Step(call, reply.text, conclusion, further=not sure, left=kept.left)

    def _again(self, earlier: Transcript, case: _Case) -> Outcome:
        """Return what an episode's first answer says, checked against the evidence as it is now."""
        if not earlier.answer:
            return Outcome(replace(case.base, note=earlier.note or _alone("it has been asked already")), sent=earlier)
        conclusion = self._conclude(read_answer(earlier.answer, _moved(earlier.places, case.prompt)), case)
        if not conclusion.usable:
            note = _alone("the lines that the model's answer stood on are gone")
            return Outcome(replace(case.base, note=note), sent=earlier)
        diagnosis = replace(conclusion.diagnosis, model=earlier.model)
        return Outcome(diagnosis, saved={"cache": earlier.cost_usd}, severity=conclusion.severity, sent=earlier)

    def _conclude(self, answer: Answer, case: _Case) -> Conclusion:
        return conclude(answer, case.base, case.prompt, case.redactor.restore, self.plan.allowed_links)

    def _earlier(self, episode: str) -> Transcript | None:
        try:
            return self.store.get(episode)
        except InvalidError:
            # A damaged record is asked anew; the budget bounds that.
            return None


def _moved(places: Mapping[str, str], prompt: Prompt) -> dict[str, str]:
    """Return old id → new id of the lines that are still there."""
    now = {_mark(shown): name for name, shown in prompt.lines.items()}
    return {name: now[place] for name, place in places.items() if place in now}


def _mark(shown: Shown) -> str:
    """Return where a line stands, and a hash of what was shown: a pseudonym may stand for something else by now."""
    return f"{shown.line.place} {blake2b(shown.text.encode(errors='replace'), digest_size=8).hexdigest()}"


def _alone(why: str) -> str:
    return f"{Mode.DETERMINISTIC.value} only: {why}"
