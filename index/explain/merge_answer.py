"""From a model's answer to a diagnosis: sentences that their lines support are facts, others guesses or left out."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from index.diagnosis.types import Claim, Diagnosis, Mode
from index.explain.answer import Answer
from index.explain.grounding import Checked, check, raised, safe_action
from index.explain.prompt import Prompt
from index.text.sanitize import strip_markup

_SENTENCE_CHARACTERS: Final = 600
"""Characters of a sentence of a diagnosis, at most: a judgement, some four lines of a screen."""

_MAX_ACTIONS: Final = 8
"""Next steps of a diagnosis, at most: a judgement, nobody reads more."""

_MAX_CONFIDENCE: Final = 0.95
"""Of a cause that a model names: a judgement, as its lines do not prove it."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A checked answer as a diagnosis."""

    diagnosis: Diagnosis
    severity: str
    """To raise the incident to; "" to leave it as it is."""
    usable: bool
    """At least one sentence of the answer stands on lines."""
    caused: bool
    """The cause stands on lines."""


def conclude(
    answer: Answer,
    base: Diagnosis,
    prompt: Prompt,
    restore: Callable[[str], str],
    allowed: Collection[str] = (),
) -> Conclusion:
    """Check an answer against the lines that its model was shown, and lay it over the deterministic diagnosis.

    ``restore`` puts values back in place of pseudonyms; ``allowed`` are beginnings of links that may be shown.
    """
    shown = prompt.lines
    services = {line.line.service.lower() for line in shown.values() if line.line.service}

    def readable(text: str) -> str:
        return strip_markup(restore(text), _SENTENCE_CHARACTERS, allowed)

    summary, cause = check(answer.summary, shown, services), check(answer.cause, shown, services)
    sentences = [summary, cause, *(check(claim, shown, services) for claim in answer.claims)]
    checked = _distinct(sentence for sentence in sentences if sentence)
    verified = [sentence for sentence in checked if sentence.verified]
    share = len(verified) / len(checked) if checked else 0.0
    caused = cause is not None and cause.verified
    claims = tuple(Claim(readable(sentence.text), sentence.lines, sentence.verified) for sentence in checked)
    # An empty cause is how a model says that it knows none: nothing was left out.
    left_out = sum(not sentence for sentence in sentences) - (not answer.cause.text)
    known = "\n".join([prompt.user, *base.actions, base.cause])
    actions = [action for action in answer.actions if safe_action(action, known)]
    diagnosis = replace(
        base,
        mode=Mode.LLM,
        summary=readable(summary.text) if summary and summary.verified else base.summary,
        cause=readable(cause.text) if cause and caused else base.cause,
        confidence=min(_MAX_CONFIDENCE, answer.confidence * share) if caused else base.confidence,
        service=_service(answer.service, verified, prompt) or base.service,
        claims=claims,
        actions=tuple(dict.fromkeys([*base.actions, *map(readable, actions)]))[:_MAX_ACTIONS],
        note=_note(checked, left_out),
    )
    return Conclusion(diagnosis, raised(answer, checked, shown), bool(verified), caused)


def _distinct(checked: Iterable[Checked]) -> list[Checked]:
    return list({sentence.text: sentence for sentence in checked}.values())


def _service(named: str, verified: Iterable[Checked], prompt: Prompt) -> str:
    """Return the service that a model names, "" unless a verified sentence stands on a line of it."""
    wanted = named.lower()
    services = {prompt.lines[line_id].line.service for sentence in verified for line_id in sentence.lines}
    return next((service for service in sorted(services) if service and service.lower() == wanted), "")


def _note(checked: list[Checked], left_out: int) -> str:
    guesses = sum(not sentence.verified for sentence in checked)
    parts = []
    if guesses:
        parts.append(f"{guesses} of {len(checked)} sentences not borne out by the lines: hypotheses")
    if left_out > 0:
        parts.append(f"{left_out} left out")
    return "; ".join(parts)
