"""Escalation: a confirmed twin, else a small model, else a large one where the small one is unsure, else the rules.

Whatever goes wrong, the deterministic diagnosis stands, and its note says why nothing better does.
"""

import time
from collections.abc import Callable, Mapping, Sequence
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
from index.llm.budget import Budget
from index.llm.client import Client, LlmFailure, Question, Reply, UnansweredError
from index.llm.prices import Usage, price_of
from index.llm.transcripts import LlmCall, RecordingReservation, Transcript, TranscriptStore
from models.errors import InvalidError

_REFUSED: Final = "refusal"
_CUT: Final = frozenset({"max_tokens", "model_context_window_exceeded"})
"""The provider's words for why an answer ended."""

_SMALL_EFFORT: Final = "low"
_LARGE_EFFORT: Final = "medium"
"""How much a model may think, a judgement: the large one is asked for the hard cases only."""

_USUAL_ANSWER_TOKENS: Final = 800
"""Tokens of an answer, to estimate what a twin has saved: a judgement, a fifth of the most that is allowed."""


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """Which models are asked, and when an answer is good enough.  The numbers are judgements."""

    small: str
    """Name of the model that is asked first; "" where none is to be asked."""
    large: str = ""
    """Name of the model that is asked where the small one is unsure; "" or the same for never."""
    prompt_tokens: int = 12_000
    """Tokens of a prompt, at most, as ``tokens_of`` estimates them."""
    max_tokens: int = 4_000
    """Tokens of an answer, at most, with what the model thinks."""
    sure_confidence: float = 0.5
    """Confidence, 0 to 1, below which an answer is unsure; so is one without a cause that stands on lines."""
    sure_grounded: float = 0.6
    """Share of its sentences that stand on lines below which an answer is unsure."""
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
class _Case:
    """One incident to explain."""

    evidence: Evidence
    base: Diagnosis
    episode: str
    redactor: TextRedactor
    cancelled: Callable[[], bool]
    prompt: Prompt

    def rules_only(self, why: str) -> Outcome:
        """Return the deterministic diagnosis, with a note that says why nothing better is there."""
        return Outcome(replace(self.base, note=_rules_only(why)))


@dataclass(frozen=True, slots=True)
class _Assessment:
    """What a model's reply is worth."""

    outcome: str
    """In a word; the label of a metric."""
    why: str = ""
    """Why nothing can be used; "" where ``conclusion`` can."""
    ask_larger: bool = True
    """A better model may do better."""
    answer: str = ""
    conclusion: Conclusion | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One model that was asked."""

    call: LlmCall
    assessment: _Assessment
    sent: bool
    """The prompt may have left."""


def _no_twin(_: Evidence) -> Twin | None:
    return None


@dataclass(frozen=True, slots=True)
class Escalation:
    """What all incidents share: the client, the budget and what has been asked before."""

    policy: EscalationPolicy
    client: Client
    budget: Budget
    store: TranscriptStore
    twin_of: Callable[[Evidence], Twin | None] = _no_twin
    clock: Callable[[], float] = time.monotonic
    """Seconds, to measure how long an explanation takes."""
    now: Callable[[], float] = time.time
    """Seconds since 1970."""

    def explain(
        self,
        evidence: Evidence,
        base: Diagnosis,
        *,
        episode: str,
        redactor: TextRedactor,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Return the best diagnosis of an episode; its models are asked once, however often this is called.

        ``base`` is the diagnosis by rules.  Raises nothing.
        """
        began = self.clock()
        try:
            prompt = build(evidence, base, redactor, self.policy.prompt_tokens)
            case = _Case(evidence, base, episode, redactor, cancelled, prompt)
            outcome = self._without_asking(case) or self._ask_models(case)
        except Exception as error:  # noqa: BLE001 - a bug here must cost nobody the diagnosis that the rules have made
            outcome = Outcome(replace(base, note=_rules_only(f"explaining failed ({type(error).__name__})")))
        seconds = base.seconds + self.clock() - began
        return replace(outcome, diagnosis=replace(outcome.diagnosis, seconds=seconds))

    def _without_asking(self, case: _Case) -> Outcome | None:
        """Return an earlier answer, a twin's cause, or the rules where no model may be asked; None where one may."""
        earlier = self._earlier(case.episode)
        if earlier is not None and (earlier.answer or earlier.cost_usd):
            return self._from_transcript(earlier, case)
        twin = self.twin_of(case.evidence)
        reused = reuse(twin, case.evidence, case.base) if twin else None
        if reused is not None:
            usage = Usage(input=case.prompt.tokens, output=_USUAL_ANSWER_TOKENS)
            saved = {"twin": price_of(self.policy.small).cost(usage)} if self.policy.small else {}
            return Outcome(reused, saved=saved)
        if not self.policy.small:
            return case.rules_only("language models are switched off")
        if leaks := case.redactor.leaks(case.prompt.plain):
            return case.rules_only(f"not everything secret could be taken out of the prompt ({', '.join(leaks[:3])})")
        return None

    def _ask_models(self, case: _Case) -> Outcome:
        """Ask the small model, and the large one where the small one's answer is not good enough."""
        prompt, small, large = case.prompt, self.policy.small, self.policy.large
        places = {name: _fingerprint(shown) for name, shown in prompt.lines.items()}
        transcript = Transcript(
            case.episode, case.evidence.digest(), self.now(), prompt.system, prompt.user, places=places
        )
        asked = [self._ask(small, _SMALL_EFFORT, case, transcript)]
        if asked[0].assessment.ask_larger and large not in {"", small}:
            asked.append(self._ask(large, _LARGE_EFFORT, case, transcript))
        outcome, transcript = _combine(case.base, asked, transcript)
        if not any(one.sent for one in asked):
            return outcome
        # The answer is there: that it cannot be kept costs a second question at most.
        with suppress(InvalidError):
            self.store.put(transcript)
        return replace(outcome, sent=transcript)

    def _ask(self, model: str, effort: str, case: _Case, transcript: Transcript) -> _Asked:
        """Ask one model, within the budget."""
        prompt, price = case.prompt, price_of(model)
        question = Question(model, prompt.system, prompt.user, SCHEMA, self.policy.max_tokens, effort)
        account = self.budget.account(case.evidence.tenant, price.worst(question.size, question.max_tokens))
        recording = RecordingReservation(account, self.store, transcript)
        try:
            reply = self.client.ask(question, price, recording, case.cancelled)
        except UnansweredError as error:
            unknown = error.failure is LlmFailure.OVER_BUDGET and not price.known
            why = f"{error}; {model} has no price here and counts as the dearest" if unknown else str(error)
            assessment = _Assessment(error.failure.value, why, ask_larger=False)
        except InvalidError as error:
            assessment = _Assessment("not_kept", str(error), ask_larger=False)
        else:
            assessment = self._assess(reply, case)
        return _Asked(LlmCall(model, assessment.outcome, account.spent), assessment, recording.sent)

    def _assess(self, reply: Reply, case: _Case) -> _Assessment:
        """Return what a reply is worth: usable if something in it stands on lines, sure if its cause does."""
        if reply.stop == _REFUSED:
            return _Assessment("refused", "the model refused to answer", ask_larger=False)
        if reply.stop in _CUT:
            return _Assessment("cut", "the model's answer was cut off")
        try:
            conclusion = self._conclude(read_answer(reply.text), case)
        except InvalidError as error:
            return _Assessment("malformed", str(error))
        if not conclusion.usable:
            return _Assessment("ungrounded", "nothing in the model's answer stands on the lines")
        sure = (
            conclusion.caused
            and conclusion.diagnosis.groundedness >= self.policy.sure_grounded
            and conclusion.diagnosis.confidence >= self.policy.sure_confidence
        )
        return _Assessment("answered", ask_larger=not sure, answer=reply.text, conclusion=conclusion)

    def _from_transcript(self, earlier: Transcript, case: _Case) -> Outcome:
        """Return what an episode's first answer says, checked against the evidence as it is now."""
        if not earlier.answer:
            note = earlier.note or _rules_only("it has been asked already")
            return Outcome(replace(case.base, note=note), sent=earlier)
        answer = read_answer(earlier.answer, _moved(earlier.places, case.prompt))
        conclusion = self._conclude(answer, case)
        if not conclusion.usable:
            gone = case.rules_only("the lines that the model's answer stood on are gone")
            return replace(gone, sent=earlier)
        diagnosis = replace(conclusion.diagnosis, model=earlier.model)
        return Outcome(diagnosis, saved={"cache": earlier.cost_usd}, severity=conclusion.severity, sent=earlier)

    def _conclude(self, answer: Answer, case: _Case) -> Conclusion:
        return conclude(answer, case.base, case.prompt, case.redactor.restore, self.policy.allowed_links)

    def _earlier(self, episode: str) -> Transcript | None:
        try:
            return self.store.get(episode)
        except InvalidError:
            # A damaged record is asked again; the budget bounds that.
            return None


def _combine(base: Diagnosis, asked: Sequence[_Asked], transcript: Transcript) -> tuple[Outcome, Transcript]:
    """Return the best of the models' answers as an outcome, and the transcript with it."""
    calls = tuple(one.call for one in asked)
    cost = sum(call.cost_usd for call in calls)
    last = asked[-1]
    for one in reversed(asked):
        conclusion = one.assessment.conclusion
        if conclusion is not None:
            # The small model's answer stands where the large one brought none, and its note says so.
            why = f"{last.call.model}: {last.assessment.why}" if one is not last else ""
            note = "; ".join(part for part in (conclusion.diagnosis.note, why) if part)
            diagnosis = replace(conclusion.diagnosis, model=one.call.model, cost_usd=cost, note=note)
            transcript = replace(transcript, calls=calls, model=one.call.model, answer=one.assessment.answer, note=note)
            return Outcome(diagnosis, calls, severity=conclusion.severity), transcript
    note = _rules_only(last.assessment.why)
    return Outcome(replace(base, note=note, cost_usd=cost), calls), replace(transcript, calls=calls, note=note)


def _moved(places: Mapping[str, str], prompt: Prompt) -> dict[str, str]:
    """Return old id → new id of the lines that are still there."""
    new_ids = {_fingerprint(shown): name for name, shown in prompt.lines.items()}
    return {name: new_ids[place] for name, place in places.items() if place in new_ids}


def _fingerprint(shown: Shown) -> str:
    """Return where a line stands, and a hash of what was shown: a pseudonym may stand for something else by now."""
    return f"{shown.line.place} {blake2b(shown.text.encode(errors='replace'), digest_size=8).hexdigest()}"


def _rules_only(why: str) -> str:
    return f"{Mode.DETERMINISTIC.value} only: {why}"
